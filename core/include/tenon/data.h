// Data sets and batches.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <vector>

#include <tenon/random.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::data {

/// Features and targets of one example or of a batch.
struct Example {
  Tensor x, y;
};

/// Rows of two tensors with the same first extent; copies of a data set share them.
class TensorDataset {
 public:
  /// Copies both to the host. InvalidArgument where one is 0-d or they differ in rows.
  TensorDataset(const Tensor& x, const Tensor& y);
  std::int64_t size() const;
  /// The rows of these indices, in their order, on the tensors' own device; InvalidArgument for an
  /// index that is out of range.
  Example rows(std::span<const std::int64_t> indices) const;

 private:
  struct Column;
  struct Table;
  std::shared_ptr<const Table> table_;
};

struct DataLoaderOptions {
  std::int64_t batch_size = 1;
  bool shuffle = false;
  bool drop_last = false;  ///< leaves out a last batch that is smaller
  std::uint64_t seed = 0;  ///< of the shuffles; each pass has an order of its own
};

/// Batches of a data set: `for (auto [x, y] : loader)`. Each begin() starts a new pass.
class DataLoader {
 public:
  /// InvalidArgument for a batch size under 1.
  explicit DataLoader(TensorDataset dataset, DataLoaderOptions options = {});
  /// Batches of one pass.
  std::int64_t size() const;

  class Iterator {
   public:
    Example operator*() const;
    Iterator& operator++() {
      ++batch_;
      return *this;
    }
    bool operator==(std::default_sentinel_t) const;

   private:
    friend class DataLoader;
    const DataLoader* loader_ = nullptr;
    std::vector<std::int64_t> order_;
    std::int64_t batch_ = 0;
  };
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }
  /// What the next pass's order is drawn from: to be kept, and to go on from later.
  random::Generator& generator() { return generator_; }

 private:
  TensorDataset dataset_;
  DataLoaderOptions options_;
  random::Generator generator_;
};

}  // namespace tenon::data
#pragma GCC visibility pop
