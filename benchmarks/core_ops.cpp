// What the core itself costs: ops and steps so small that the device's work hardly counts.
#include <benchmark/benchmark.h>

#include <tenon/tenon.h>

namespace tenon {
namespace {

/// A fixed piece of arithmetic that depends on the machine alone: figures are read as ratios to it.
void calibration(benchmark::State& state) {
  std::uint64_t x = 1;
  for (auto _ : state) {
    for (int i = 0; i < 100; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
    benchmark::DoNotOptimize(x);
  }
}
BENCHMARK(calibration);

void add_one_element(benchmark::State& state) {
  const Tensor a = ones({1}), b = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(add_one_element);

void add_one_element_recorded(benchmark::State& state) {
  const Tensor a = ones({1}, {.requires_grad = true}), b = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(add_one_element_recorded);

void transpose_view(benchmark::State& state) {
  const Tensor a = ones({2, 3});
  for (auto _ : state) benchmark::DoNotOptimize(a.transpose(0, 1));
}
BENCHMARK(transpose_view);

/// One pass over a chain of 100 ops, forward and backward.
void chain_of_100(benchmark::State& state) {
  const Tensor x = ones({1}, {.requires_grad = true});
  for (auto _ : state) {
    Tensor y = x;
    for (int i = 0; i < 100; ++i) y = y * 1.01;
    y.backward();
  }
}
BENCHMARK(chain_of_100);

template <class Loss>
void training_step(benchmark::State& state, const nn::Sequential& model, optim::Optimizer& optimizer,
                   const Loss& loss_fn, const Tensor& x, const Tensor& y) {
  for (auto _ : state) {
    optimizer.zero_grad();
    loss_fn(model(x), y).backward();
    optimizer.step();
  }
}

void linear_regression_step(benchmark::State& state) {
  const nn::Sequential model(nn::Linear(13, 1));
  optim::SGD optimizer(model.parameters(), {.lr = 1e-3});
  training_step(state, model, optimizer, nn::MSELoss(), random::uniform({64, 13}),
                random::uniform({64, 1}));
}
BENCHMARK(linear_regression_step);

void binary_classification_step(benchmark::State& state) {
  const nn::Sequential model(nn::Linear(30, 64), nn::ReLU(), nn::Linear(64, 1));
  optim::Adam optimizer(model.parameters());
  const Tensor y = (random::uniform({64, 1}) < 0.5).to(f32);
  training_step(state, model, optimizer, nn::BCEWithLogitsLoss(), random::uniform({64, 30}), y);
}
BENCHMARK(binary_classification_step);

}  // namespace
}  // namespace tenon

BENCHMARK_MAIN();
