// What the kernels of a device cost at the sizes that the peers' figures are of.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include <tenon/tenon.h>

namespace tenon {
namespace {

void add_16m(benchmark::State& state) {
  const Tensor a = random::uniform({1 << 24}), b = random::uniform({1 << 24});
  benchmark::DoNotOptimize(a + b);  // its memory is there from now on
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(add_16m);

void unary(benchmark::State& state, Tensor (*op)(const Tensor&)) {
  const Tensor x = random::normal({1 << 20});
  for (auto _ : state) benchmark::DoNotOptimize(op(x));
}
BENCHMARK_CAPTURE(unary, gelu, [](const Tensor& x) { return gelu(x); });
BENCHMARK_CAPTURE(unary, tanh, [](const Tensor& x) { return tanh(x); });
BENCHMARK_CAPTURE(unary, sigmoid, [](const Tensor& x) { return sigmoid(x); });
BENCHMARK_CAPTURE(unary, sin, [](const Tensor& x) { return sin(x); });
BENCHMARK_CAPTURE(unary, cos, [](const Tensor& x) { return cos(x); });
BENCHMARK_CAPTURE(unary, pow, [](const Tensor& x) { return pow(abs(x), 1.7); });
BENCHMARK_CAPTURE(unary, dropout, [](const Tensor& x) { return dropout(x, 0.1); });
BENCHMARK_CAPTURE(unary, normal, [](const Tensor& x) { return random::normal(x.shape()); });

void along(benchmark::State& state, Tensor (*op)(const Tensor&)) {
  const Tensor x = random::uniform({2048, 512});
  for (auto _ : state) benchmark::DoNotOptimize(op(x));
}
BENCHMARK_CAPTURE(along, transpose, [](const Tensor& x) { return x.transpose(0, 1).contiguous(); });
BENCHMARK_CAPTURE(along, sum_rows, [](const Tensor& x) { return sum(x, {1}); });
BENCHMARK_CAPTURE(along, max_rows, [](const Tensor& x) { return amax(x, {1}); });
BENCHMARK_CAPTURE(along, argmax_rows, [](const Tensor& x) { return argmax(x, {1}); });
BENCHMARK_CAPTURE(along, sum_columns, [](const Tensor& x) { return sum(x, {0}); });
BENCHMARK_CAPTURE(along, max_columns, [](const Tensor& x) { return amax(x, {0}); });

void embedding_backward(benchmark::State& state) {
  Tensor weight = random::normal({50257, 384});
  weight.set_requires_grad();
  const Tensor index = random::integers({2048}, {.high = 50257}), grad = random::normal({2048, 384});
  for (auto _ : state) {
    weight.set_grad(Tensor());
    embedding(weight, index).backward(grad);
  }
}
BENCHMARK(embedding_backward);

void adamw_8x1m(benchmark::State& state) {
  std::vector<nn::Parameter> parameters;
  for (int i = 0; i < 8; ++i) {
    parameters.emplace_back(random::normal({1 << 20}));
    Tensor(parameters.back()).set_grad(random::normal({1 << 20}));
  }
  optim::AdamW optimizer(parameters);
  optimizer.step();  // makes its state
  for (auto _ : state) optimizer.step();
}
BENCHMARK(adamw_8x1m);

}  // namespace
}  // namespace tenon

BENCHMARK_MAIN();
