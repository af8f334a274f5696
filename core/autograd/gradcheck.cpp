// Gradients against central differences.
#include <cmath>

#include <fmt/format.h>
#include <tenon/autograd.h>
#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/base/fail.h"

namespace tenon::autograd {
namespace {

double sum_of(const Function& f, std::span<const Tensor> inputs, const Tensor& weights) {
  return (f(inputs) * weights).sum().item<double>();
}

/// Weights that differ from element to element, so that no mistake cancels out in their sum.
Tensor weights_for(const Tensor& y) {
  random::Generator generator(7);
  return random::uniform(y.shape(), {0.5, 1.5}, {.dtype = f64, .device = y.device()}, generator);
}

/// (f(x + eps) - f(x - eps)) / 2 eps for one element of one input.
double difference(const Function& f, std::vector<Tensor> inputs, std::size_t which, std::size_t element,
                  const Tensor& weights, double eps) {
  const Tensor x = inputs[which];
  std::vector<double> values = x.to_vector<double>();
  const double center = values[element];
  double sums[2];
  for (int side = 0; side < 2; ++side) {
    values[element] = center + (side == 0 ? eps : -eps);
    inputs[which] = from_values(std::span<const double>(values), x.shape(),
                                {.device = x.device(), .requires_grad = true});
    sums[side] = sum_of(f, inputs, weights);
  }
  return (sums[0] - sums[1]) / (2 * eps);
}

/// Σ weights · (the gradient of f at all inputs but the last, which is that of the output).
Tensor sum_of_gradients(const Function& f, std::span<const Tensor> inputs) {
  const EnableGrad guard;
  std::vector<Tensor> at(inputs.begin(), inputs.end());
  for (Tensor& x : at) {
    if (!x.requires_grad()) x = x.detach().set_requires_grad();
  }
  const Tensor dy = at.back();
  at.pop_back();
  const Tensor y = f(at);
  Tensor sum = (dy * 0).sum();
  if (!y.requires_grad()) return sum;
  for (const Tensor& g : grad({&y, 1}, at, {&dy, 1}, {.create_graph = true, .allow_unused = true})) {
    if (g.defined()) sum = sum + (g * weights_for(g)).sum();
  }
  return sum;
}

}  // namespace

std::string gradcheck(const Function& f, std::span<const Tensor> inputs, GradcheckOptions options) {
  for (const Tensor& x : inputs) {
    require(x.dtype() == f64 && x.requires_grad(),
            "[gradcheck] inputs must be f64 and require a gradient, not {}", name(x.dtype()));
  }
  const Tensor y = f(inputs);
  const Tensor weights = weights_for(y);
  std::vector<Tensor> gradients(inputs.size());  // undefined where y is constant
  if (y.requires_grad()) gradients = grad({&y, 1}, inputs, {&weights, 1}, {.allow_unused = true});
  const std::vector<Tensor> all(inputs.begin(), inputs.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto found = gradients[i].defined()
                           ? gradients[i].to_vector<double>()
                           : std::vector<double>(static_cast<std::size_t>(all[i].numel()));
    for (std::size_t k = 0; k < found.size(); ++k) {
      const double expected = difference(f, all, i, k, weights, options.eps);
      if (std::abs(found[k] - expected) <= options.atol + options.rtol * std::abs(expected)) continue;
      return fmt::format("input {}, element {}: the gradient is {}, the difference quotient {}", i, k,
                         found[k], expected);
    }
  }
  return "";
}

std::string gradgradcheck(const Function& f, std::span<const Tensor> inputs, GradcheckOptions options) {
  const Tensor y = f(inputs);
  std::vector<Tensor> all(inputs.begin(), inputs.end());
  all.push_back(weights_for(y).set_requires_grad());
  return gradcheck([&](std::span<const Tensor> in) { return sum_of_gradients(f, in); }, all, options);
}

}  // namespace tenon::autograd
