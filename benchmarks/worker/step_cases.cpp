// Steps of training. Their checks are the losses of the first five; then the learning rate falls to
// almost nothing, so that what is timed is the same however long it takes.
#include <cmath>
#include <memory>

#include "cases.h"

namespace worker {
namespace {

using namespace tenon;

constexpr double kTimedRate = 1e-6;

nn::Linear layer(std::uint32_t stream, std::int64_t in, std::int64_t out) {
  const NoGrad guard;
  nn::Linear result(in, out);
  const float bound = 1 / std::sqrt(static_cast<float>(in));
  result.weight.copy_(numbers(stream, {out, in}, bound));
  result.bias.copy_(numbers(stream + 1, {out}, bound));
  return result;
}

/// Linear layers of these widths, with a ReLU between each two.
nn::Sequential network(const std::vector<std::int64_t>& widths) {
  nn::Sequential result;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) result.push_back(nn::ReLU());
    result.push_back(layer(static_cast<std::uint32_t>(10 + 2 * i), widths[i], widths[i + 1]));
  }
  return result;
}

/// After five steps, whose losses it takes.
Work timed(optim::Optimizer& optimizer, const std::function<Tensor()>& step) {
  std::vector<double> losses;
  for (int i = 0; i < 5; ++i) losses.push_back(step().item<double>());
  optimizer.set_lr(kTimedRate);
  return repeat([step] { step(); }, losses);
}

template <class Loss>
Work training(const nn::Sequential& model, std::shared_ptr<optim::Optimizer> optimizer,
              const Loss& loss_fn, const Tensor& x, const Tensor& y, bool mixed = false) {
  const auto step = [=] {
    optimizer->zero_grad();
    Tensor loss;
    {
      const amp::Autocast guard({.enabled = mixed});
      loss = loss_fn(model(x), y);
    }
    loss.backward();
    optimizer->step();
    return loss;
  };
  return timed(*optimizer, step);
}

std::shared_ptr<optim::Optimizer> sgd(const nn::Sequential& model) {
  return std::make_shared<optim::SGD>(model.parameters(), optim::SGDOptions{.lr = 0.1});
}

std::shared_ptr<optim::Optimizer> adam(const nn::Sequential& model) {
  return std::make_shared<optim::Adam>(model.parameters());
}

Work mlp(std::shared_ptr<optim::Optimizer> (*optimizer)(const nn::Sequential&), bool mixed) {
  const nn::Sequential model = network({784, 1024, 1024, 10});
  return training(model, optimizer(model), nn::CrossEntropyLoss(), numbers(0, {128, 784}),
                  classes(1, 128, 10), mixed);
}

Work linreg() {
  const nn::Sequential model = network({13, 1});
  return training(model, sgd(model), nn::MSELoss(), numbers(0, {64, 13}), numbers(1, {64, 1}));
}

Work binary() {
  const nn::Sequential model = network({30, 64, 1});
  const Tensor y = classes(1, 64, 2).to(f32).reshape({64, 1});
  return training(model, adam(model), nn::BCEWithLogitsLoss(), numbers(0, {64, 30}), y);
}

Work adamw() {
  std::vector<nn::Parameter> parameters;
  for (std::uint32_t i = 0; i < 8; ++i) {
    parameters.emplace_back(numbers(i, {1 << 20}));
    parameters.back().set_grad(numbers(8 + i, {1 << 20}));
  }
  const auto optimizer = std::make_shared<optim::AdamW>(parameters);
  for (int i = 0; i < 3; ++i) optimizer->step();
  std::vector<double> check = probes(parameters.front());
  optimizer->set_lr(kTimedRate);
  return repeat([optimizer] { optimizer->step(); }, check);
}

}  // namespace

std::vector<Case> step_cases() {
  return {
      {"mlp_sgd_f32", kF32, [] { return mlp(sgd, false); }},
      {"mlp_adam_f32", kF32, [] { return mlp(adam, false); }},
      {"mlp_sgd_bf16", kBf16, [] { return mlp(sgd, true); }},
      {"mlp_adam_bf16", kBf16, [] { return mlp(adam, true); }},
      {"linreg_step", kF32, linreg},
      {"binary_step", kF32, binary},
      {"adamw_8x1m", kF32, adamw},
  };
}

}  // namespace worker
