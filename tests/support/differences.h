// Derivatives by central differences, with nothing of the product's own gradients or gradcheck.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <tenon/ops.h>
#include <tenon/tensor.h>

namespace tenon::test {

using Function = std::function<Tensor(std::span<const Tensor>)>;

/// f64 leaves that require a gradient; elements are seeded, from low to high, and keep a distance of
/// at least (high - low) / 2000 from each other, so that no two are nearly equal.
inline std::vector<Tensor> random_leaves(std::span<const Shape> shapes, double low, double high,
                                         std::uint64_t seed, Device device) {
  std::vector<double> steps(1000);
  for (std::size_t i = 0; i < steps.size(); ++i)
    steps[i] = low + (high - low) * (static_cast<double>(i) + 0.25) / 1000;
  std::mt19937_64 random(seed);
  for (std::size_t i = steps.size() - 1; i > 0; --i) std::swap(steps[i], steps[random() % (i + 1)]);
  std::vector<Tensor> leaves;
  std::size_t used = 0;
  for (const Shape& shape : shapes) {
    const auto count = static_cast<std::size_t>(numel(shape));
    const std::span<const double> values(steps.data() + used, count);
    leaves.push_back(from_values(values, shape, {.device = device, .requires_grad = true}));
    used += count;
  }
  return leaves;
}

/// d f / d element, for each element of each input; f gives one number from fresh leaves.
inline std::vector<std::vector<double>> differences(
    const std::function<double(std::span<const Tensor>)>& f, const std::vector<Tensor>& inputs,
    double eps = 1e-5) {
  std::vector<std::vector<double>> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<double> values = inputs[i].to_vector<double>(), slopes;
    const auto moved = [&](std::size_t element, double by) {
      std::vector<double> there = values;
      there[element] += by;
      std::vector<Tensor> all = inputs;
      all[i] = from_values(std::span<const double>(there), inputs[i].shape(),
                           {.device = inputs[i].device(), .requires_grad = true});
      return f(all);
    };
    for (std::size_t k = 0; k < values.size(); ++k)
      slopes.push_back((moved(k, eps) - moved(k, -eps)) / (2 * eps));
    result.push_back(slopes);
  }
  return result;
}

}  // namespace tenon::test
