// What is recorded, and backward.
#include "cases.h"

namespace worker {
namespace {

using namespace tenon;

Tensor leaf(std::uint32_t stream, const Shape& shape) {
  return numbers(stream, shape).set_requires_grad();
}

Work add_one_recorded() {
  const Tensor a = leaf(0, {1}), b = numbers(1, {1});
  return repeat([=] { a + b; }, probes(a + b));
}

Work chain() {
  const Tensor x = leaf(0, {1});
  const auto pass = [x] {
    Tensor y = x;
    for (int i = 0; i < 100; ++i) y = y * 1.01;
    y.backward();
  };
  pass();
  return repeat(pass, probes(x.grad()));
}

/// The gradients of y's inputs, again and again over one graph.
Work backward_of(const Tensor& y, const std::vector<Tensor>& inputs) {
  const auto pass = [y, inputs, dy = numbers(9, y.shape())] {
    return autograd::grad(std::span(&y, 1), inputs, std::span(&dy, 1), {.retain_graph = true});
  };
  std::vector<double> check;
  for (const Tensor& gradient : pass()) {
    const std::vector<double> more = probes(gradient);
    check.insert(check.end(), more.begin(), more.end());
  }
  return repeat(pass, check);
}

Work layer_norm_backward() {
  const Tensor x = leaf(0, {2048, 384}), weight = leaf(1, {384}), bias = leaf(2, {384});
  return backward_of(layer_norm(x, {384}, weight, bias), {x, weight, bias});
}

Work embedding_backward() {
  const Tensor weight = leaf(0, {50257, 384});
  return backward_of(embedding(weight, classes(1, 2048, 50257)), {weight});
}

Work cross_entropy_both_ways() {
  const Tensor x = leaf(0, {2048, 50257}), target = classes(1, 2048, 50257);
  const auto pass = [=] {
    const Tensor loss = cross_entropy(x, target);
    return std::pair(loss, autograd::grad(std::span(&loss, 1), std::span(&x, 1)).front());
  };
  const auto [loss, gradient] = pass();
  std::vector<double> check = probes(gradient * 1e9);
  check.push_back(loss.item<double>());
  return repeat(pass, check);
}

}  // namespace

std::vector<Case> gradient_cases() {
  return {
      {"add_one_recorded", kF32, add_one_recorded},
      {"chain_100", kF32, chain},
      {"layer_norm_backward", kF32, layer_norm_backward},
      {"embedding_backward", kF32, embedding_backward},
      {"cross_entropy", kF32, cross_entropy_both_ways},
  };
}

}  // namespace worker
