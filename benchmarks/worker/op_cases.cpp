// Single ops, without gradients.
#include "cases.h"

namespace worker {
namespace {

using namespace tenon;

Work add(std::int64_t count) {
  return op([a = numbers(0, {count}), b = numbers(1, {count})] { return a + b; });
}

template <class F>
Work of_a_million(F f) {
  return op([f, x = numbers(0, {1 << 20}, 4)] { return f(x); });
}

template <class F>
Work of_rows(F f) {
  return op([f, x = numbers(0, {2048, 512})] { return f(x); });
}

template <class F>
Work by_chance(F f) {
  const InferenceMode guard;
  return repeat([f] { f(); }, moments(f()));
}

Work product(std::int64_t m, std::int64_t k, std::int64_t n, DType dtype) {
  const Tensor a = numbers(0, {m, k}).to(dtype), b = numbers(1, {k, n}).to(dtype);
  return op([a, b] { return matmul(a, b); });
}

Work layer_norm_of_rows() {
  const Tensor x = numbers(0, {2048, 384}), weight = numbers(1, {384}), bias = numbers(2, {384});
  return op([=] { return layer_norm(x, {384}, weight, bias); });
}

}  // namespace

std::vector<Case> op_cases() {
  return {
      {"add_one", kF32, [] { return add(1); }},
      {"add_16m", kF32, [] { return add(1 << 24); }},
      {"gelu_1m", kF32, [] { return of_a_million([](const Tensor& x) { return gelu(x); }); }},
      {"tanh_1m", kF32, [] { return of_a_million([](const Tensor& x) { return tanh(x); }); }},
      {"sigmoid_1m", kF32, [] { return of_a_million([](const Tensor& x) { return sigmoid(x); }); }},
      {"sum_rows", kF32, [] { return of_rows([](const Tensor& x) { return sum(x, {1}); }); }},
      {"max_rows", kF32, [] { return of_rows([](const Tensor& x) { return amax(x, {1}); }); }},
      {"argmax_rows", kF32, [] { return of_rows([](const Tensor& x) { return argmax(x, {1}); }); }},
      {"transpose_copy", kF32,
       [] { return of_rows([](const Tensor& x) { return x.T().contiguous(); }); }},
      {"softmax", kF32, [] { return op([x = numbers(0, {12288, 256})] { return softmax(x, 1); }); }},
      {"layer_norm_forward", kF32, layer_norm_of_rows},
      {"dropout_1m", kChance,
       [] { return by_chance([x = numbers(0, {1 << 20})] { return dropout(x, 0.5); }); }},
      {"randn_1m", kChance, [] { return by_chance([] { return random::normal({1 << 20}); }); }},
      {"matmul_128x784x1024_f32", kF32, [] { return product(128, 784, 1024, f32); }},
      {"matmul_128x784x1024_bf16", kBf16, [] { return product(128, 784, 1024, bf16); }},
      {"matmul_2048_f32", kF32, [] { return product(2048, 2048, 2048, f32); }},
      {"matmul_2048_bf16", kBf16, [] { return product(2048, 2048, 2048, bf16); }},
  };
}

}  // namespace worker
