// Gradients: how ops are recorded, and how to check them.
#pragma once

#include <functional>
#include <span>
#include <string>
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

/// Whether this thread records ops.
bool grad_enabled();

namespace autograd {

/// d(sum of outputs · gradients)/d(inputs), one tensor for each input (undefined where the outputs
/// don't depend on it); no leaf's grad is touched. With `create_graph` the results are differentiable.
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients = {}, bool create_graph = false);

struct GradcheckOptions {
  double eps = 1e-6, rtol = 1e-4, atol = 1e-6;
};

/// Compares the gradients of f, at f64 inputs that require one, with central differences
/// (f(x + eps) - f(x - eps)) / 2 eps. Returns "" if all agree, else which element differs and how.
std::string gradcheck(const std::function<Tensor(std::span<const Tensor>)>& f,
                      std::span<const Tensor> inputs, GradcheckOptions options = {});

}  // namespace autograd
}  // namespace tenon
#pragma GCC visibility pop
