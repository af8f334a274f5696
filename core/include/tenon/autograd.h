// Gradients: how ops are recorded, what can be made of the record, and how to check gradients.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// While one lives, the thread records no ops.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// While one lives, the thread records ops, within a NoGrad too; not within InferenceMode.
class EnableGrad {
 public:
  EnableGrad();
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

/// While one lives, the thread records no ops, and writes to tensors made meanwhile are not counted.
/// Such a tensor may be an operand of a recorded op later, but none that backward needs: clone() it for
/// that.
class InferenceMode {
 public:
  InferenceMode();
  ~InferenceMode();
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  bool before_;
};

/// Whether this thread records ops.
bool grad_enabled();
/// Whether an InferenceMode lives on this thread.
bool inference_mode();

namespace autograd {

struct GradOptions {
  bool create_graph = false;              ///< the gradients are differentiable
  std::optional<bool> retain_graph = {};  ///< else the graph is freed; create_graph unless given
  bool allow_unused = false;  ///< else an input that the outputs don't depend on is an error
};

/// d(sum of outputs · gradients)/d(inputs), one tensor for each input, undefined for an unused one; no
/// leaf's grad is touched. An undefined gradient, or none at all, is 1 for an output of one element.
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients = {}, GradOptions options = {});

// --- Functions with a gradient of their own ---

struct ContextState;

/// What a custom function's forward leaves for its backward.
class Context {
 public:
  Context();
  /// Keeps inputs, outputs or other tensors; changed in place afterwards, they are an error in
  /// backward.
  void save_for_backward(std::vector<Tensor> tensors);
  /// What was saved, in its order and at its place in the graph.
  std::vector<Tensor> saved() const;
  /// An output that gets no gradient and requires none.
  void mark_non_differentiable(const Tensor& output);
  /// Whether an input's gradient is looked at.
  bool needs_input_grad(std::size_t i) const;

 private:
  friend struct ContextState;
  std::shared_ptr<ContextState> state_;
};

/// Outputs from inputs; nothing in it is recorded.
using CustomForward = std::function<std::vector<Tensor>(Context&, std::span<const Tensor> inputs)>;
/// From the outputs' gradients (zeros where there is none) to the inputs', each of its input's shape,
/// dtype and device, or undefined for zero. Differentiable where it is written with differentiable ops.
using CustomBackward =
    std::function<std::vector<Tensor>(const Context&, std::span<const Tensor> gradients)>;

/// forward(inputs), recorded as one op `name` whose gradient is `backward`:
///
///   Tensor cube(const Tensor& x) {
///     return autograd::custom("cube", {x},
///         [](autograd::Context& context, std::span<const Tensor> in) {
///           context.save_for_backward({in[0]});
///           return std::vector{in[0] * in[0] * in[0]};
///         },
///         [](const autograd::Context& context, std::span<const Tensor> dy) {
///           const Tensor x = context.saved()[0];
///           return std::vector{dy[0] * x * x * 3};
///         }).front();
///   }
std::vector<Tensor> custom(std::string_view name, const std::vector<Tensor>& inputs,
                           const CustomForward& forward, const CustomBackward& backward);

using Function = std::function<Tensor(std::span<const Tensor>)>;

/// f(inputs) that keeps nothing of its inner results for backward but computes them again there, with
/// the thread's default generator and Autocast as they were. Leaves that f captures get their gradients
/// too. f is copied and called later, so it captures by value, and must do the same each time: another
/// number, shape or dtype of what it computes is an error.
Tensor checkpoint(const Function& f, const std::vector<Tensor>& inputs);
/// The same of a module or lambda of tensors: checkpoint(block, x).
template <class F, class... T>
  requires(std::is_base_of_v<Tensor, T> && ...) && std::is_invocable_r_v<Tensor, const F&, const T&...>
Tensor checkpoint(const F& f, const T&... inputs) {
  const auto spread = [f](std::span<const Tensor> in) {
    const auto call = [&]<std::size_t... i>(std::index_sequence<i...>) { return f(in[i]...); };
    return call(std::index_sequence_for<T...>());
  };
  return checkpoint(Function(spread), std::vector<Tensor>{inputs...});
}

// --- Looking for mistakes ---

/// While one lives, ops remember the module they are called in (nn::CallScope), and a backward that
/// makes a NaN of gradients without one is an error that names the forward op and that module. Each
/// gradient costs a reduction and a wait.
class AnomalyMode {
 public:
  AnomalyMode();
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;

 private:
  bool before_;
};

struct GradcheckOptions {
  double eps = 1e-6, rtol = 1e-4, atol = 1e-6;
};

/// Compares the gradients of f, at f64 inputs that require one, with central differences
/// (f(x + eps) - f(x - eps)) / 2 eps. Returns "" if all agree, else which element differs and how.
std::string gradcheck(const Function& f, std::span<const Tensor> inputs, GradcheckOptions options = {});
/// The same of f's gradients, as functions of the inputs and of the output's gradient: that is the last
/// input in what it returns.
std::string gradgradcheck(const Function& f, std::span<const Tensor> inputs,
                          GradcheckOptions options = {});

}  // namespace autograd
}  // namespace tenon
#pragma GCC visibility pop
