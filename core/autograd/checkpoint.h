// A checkpointed call: what its ops would save is computed again when the first of it is needed.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <tenon/amp.h>
#include <tenon/autograd.h>
#include <tenon/random.h>

#include "core/autograd/record.h"

namespace tenon::autograd {

/// The tensors that are saved in a call of f have places 0, 1 and so on, in their order. Leaves that
/// require a gradient have none: they live anyway, and are saved as elsewhere.
class Frame : public std::enable_shared_from_this<Frame> {
 public:
  Frame(const Function& f, const std::vector<Tensor>& inputs);

  /// f(inputs), recorded with places for what is saved.
  Tensor forward(const std::vector<Tensor>& inputs);
  /// What is at a place, which is empty then, but for during forward.
  Saved unpack(std::size_t place);

  /// The frame whose forward the thread is in; null outside, and where a frame computes again.
  static std::shared_ptr<Frame> packing();
  std::size_t pack(const Saved& saved, const Tensor& x);
  /// Takes what is saved of x where a frame computes again.
  static void collect(const Saved& saved, const Tensor& x);

 private:
  struct Meta {
    Shape shape;
    DType dtype;
    bool operator==(const Meta&) const = default;
  };
  using Places = std::vector<std::optional<Saved>>;
  struct Scope;
  static thread_local Scope* scope;

  Places recompute() const;

  const Function f_;
  std::vector<Saved> inputs_;
  const random::GeneratorState random_;
  const amp::AutocastOptions autocast_;
  std::optional<Meta> result_;  // once forward has ended
  std::vector<Meta> packed_;
  std::mutex mutex_;  // two threads may unpack
  Places places_;
};

}  // namespace tenon::autograd
