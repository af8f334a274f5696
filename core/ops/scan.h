// Scans along one dimension: the state at place i becomes s[0] ∘ s[1] ∘ .. ∘ s[i] for an associative ∘,
// in one launch to load it, log2(n) to combine and one to store.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/ops/run.h"

namespace tenon::ops {

/// ∘: the states up to a place and behind it, each of one or several values, to the state of both.
using Combine = std::vector<program::Value> (*)(std::span<const program::Value> before,
                                                std::span<const program::Value> here);

class Scan {
 public:
  /// A value of each dtype for each place of `shape`, which has elements.
  Scan(std::string_view op, const Shape& shape, int dim, std::vector<DType> dtypes, Device device);

  /// Values first, first + 1, .. of the state from place `from` on.
  void load(const program::Program& program, const std::vector<Input>& inputs, std::size_t first = 0,
            std::int64_t from = 0);
  void combine(Combine how);
  /// The program's outputs, from the state: new tensors, or see result().
  std::vector<Tensor> store(const program::Program& program, const Tensor& over = {}) const;

 private:
  /// A value of the state at the places of `shape`; behind them it is not set, and nobody asks for it.
  Tensor places(std::size_t value, std::int64_t from) const;

  std::string_view op_;
  Shape shape_;
  int dim_;
  std::vector<DType> dtypes_;
  std::vector<Tensor> state_;
};

/// y[i] = x[i] · y[i - 1] where keys[i] = keys[i - 1], of x and keys (n,), else x[i]; recorded.
Tensor running_products(std::string_view op, const Tensor& x, const Tensor& keys);

/// An index along `dim` of a tensor of that rank: 0, 1, ..
Input index_along(int dim, int rank, std::int64_t first = 0);
/// What the places 0 .. extent are counted in.
DType place_dtype(std::int64_t extent);
/// The next power of two.
std::int64_t rounded_up(std::int64_t extent);

}  // namespace tenon::ops
