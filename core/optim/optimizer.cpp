// Optimiser steps: a program over packs, one pack for each parameter.
#include <cmath>
#include <map>

#include <tenon/memory.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::optim {
namespace {

using program::Builder;
using program::Program;

void require_in_range(std::string_view optimiser, std::string_view what, double value, double limit) {
  require(value >= 0 && value < limit, "[{}] {} is {}: it must be at least 0{}", optimiser, what, value,
          std::isinf(limit) ? " and finite" : " and below 1");
}

/// inputs p, g; scalars lr, weight decay; output p.
Program sgd_program(DType dtype) {
  Builder b;
  const auto p = b.input(dtype), g = b.input(dtype);
  const auto lr = b.scalar(dtype), decay = b.scalar(dtype);
  b.output(p - lr * (g + decay * p));
  return b.build();
}

/// inputs p, g, v; scalars lr, weight decay, momentum; outputs p, v.
Program momentum_program(DType dtype) {
  Builder b;
  const auto p = b.input(dtype), g = b.input(dtype), v = b.input(dtype);
  const auto lr = b.scalar(dtype), decay = b.scalar(dtype), momentum = b.scalar(dtype);
  const auto velocity = momentum * v + (g + decay * p);
  b.output(p - lr * velocity);
  b.output(velocity);
  return b.build();
}

/// inputs p, g, m, v; scalars β1, 1 - β1, β2, 1 - β2, lr / (1 - β1ᵗ), 1 / √(1 - β2ᵗ), eps, weight
/// decay; outputs p, m, v.
Program adam_program(DType dtype) {
  Builder b;
  const auto p = b.input(dtype), g0 = b.input(dtype), m0 = b.input(dtype), v0 = b.input(dtype);
  const auto beta1 = b.scalar(dtype), rest1 = b.scalar(dtype), beta2 = b.scalar(dtype),
             rest2 = b.scalar(dtype);
  const auto rate = b.scalar(dtype), root = b.scalar(dtype), eps = b.scalar(dtype),
             decay = b.scalar(dtype);
  const auto g = g0 + decay * p;
  const auto m = beta1 * m0 + rest1 * g;
  const auto v = beta2 * v0 + rest2 * (g * g);
  b.output(p - rate * m / (sqrt(v) * root + eps));
  b.output(m);
  b.output(v);
  return b.build();
}

/// Packs that share device and dtype run in one launch.
class Step {
 public:
  Step(std::string_view op, Program (*build)(DType)) : op_(op), build_(build) {}

  void add(std::span<const double> scalars, std::vector<Tensor> outputs,
           const std::vector<Tensor>& inputs) {
    ops::Operands operands{std::move(outputs), {}};
    for (const Tensor& x : inputs) operands.inputs.push_back({x});
    const Tensor& p = operands.outputs.front();
    ops::common_device(op_, inputs);
    for (const Tensor& x : inputs) {
      require(x.shape() == p.shape() && x.dtype() == p.dtype(),
              "[{}] the parameter is {} {}, its gradient or state {} {}", op_, name(p.dtype()),
              to_string(p.shape()), name(x.dtype()), to_string(x.shape()));
    }
    for (const Tensor& y : operands.outputs) require_writable(op_, y);
    for (const double s : scalars) operands.scalars.push_back(Scalar(s).bits(p.dtype()));
    groups_[{p.device().name(), p.dtype()}].push_back(std::move(operands));
  }

  void run() const {
    for (const auto& [key, packs] : groups_) {
      ops::run(op_, build_(key.second), packs);
      for (const auto& pack : packs) {
        for (Tensor y : pack.outputs) mark_written(y);
      }
    }
  }

 private:
  std::string_view op_;
  Program (*build_)(DType);
  std::map<std::pair<std::string, DType>, std::vector<ops::Operands>> groups_;
};

/// A tensor of zeros beside the parameter, made or moved when it is first needed there.
Tensor& state_for(std::vector<Tensor>& list, std::size_t i, const Tensor& parameter) {
  const MemoryTag tag("optimizer");
  if (!list[i].defined()) {
    list[i] = zeros_like(parameter);
  } else if (list[i].device() != parameter.device()) {
    list[i] = list[i].to(parameter.device());
  }
  return list[i];
}

}  // namespace

Optimizer::Optimizer(std::vector<nn::Parameter> parameters, double lr)
    : parameters_(std::move(parameters)) {
  require(!parameters_.empty(), "[Optimizer] there are no parameters");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    require(parameters_[i].defined(), "[Optimizer] parameter {} is undefined", i);
    for (std::size_t k = 0; k < i; ++k) {
      require(!parameters_[i].is_same(parameters_[k]), "[Optimizer] parameter {} is parameter {} again",
              i, k);
    }
  }
  set_lr(lr);
}

void Optimizer::set_lr(double lr) {
  require_in_range("Optimizer", "lr", lr, HUGE_VAL);
  lr_ = lr;
}

void Optimizer::zero_grad() {
  for (nn::Parameter& parameter : parameters_) parameter.set_grad({});
}

SGD::SGD(std::vector<nn::Parameter> parameters, SGDOptions options)
    : Optimizer(std::move(parameters), options.lr), options_(options), velocity_(parameters_.size()) {
  require_in_range("SGD", "momentum", options_.momentum, HUGE_VAL);
  require_in_range("SGD", "weight_decay", options_.weight_decay, HUGE_VAL);
}

void SGD::step() {
  const bool heavy = options_.momentum != 0;
  Step step("SGD", heavy ? momentum_program : sgd_program);
  const double scalars[] = {lr(), options_.weight_decay, options_.momentum};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i];
    if (!p.grad().defined()) continue;
    if (heavy) {
      const Tensor& v = state_for(velocity_, i, p);
      step.add(scalars, {p, v}, {p, p.grad(), v});
    } else {
      step.add({scalars, 2}, {p}, {p, p.grad()});
    }
  }
  step.run();
}

Adam::Adam(std::vector<nn::Parameter> parameters, AdamOptions options)
    : Optimizer(std::move(parameters), options.lr),
      options_(options),
      m_(parameters_.size()),
      v_(parameters_.size()),
      steps_(parameters_.size()) {
  require_in_range("Adam", "beta1", options_.beta1, 1);
  require_in_range("Adam", "beta2", options_.beta2, 1);
  require_in_range("Adam", "eps", options_.eps, HUGE_VAL);
  require_in_range("Adam", "weight_decay", options_.weight_decay, HUGE_VAL);
}

void Adam::step() {
  Step step("Adam", adam_program);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i];
    if (!p.grad().defined()) continue;
    const auto t = static_cast<double>(steps_[i] + 1);
    const double beta1 = options_.beta1, beta2 = options_.beta2;
    const double rate = lr() / (1 - std::pow(beta1, t));
    const double root = 1 / std::sqrt(1 - std::pow(beta2, t));
    const double scalars[] = {beta1, 1 - beta1, beta2,        1 - beta2,
                              rate,  root,      options_.eps, options_.weight_decay};
    const Tensor &m = state_for(m_, i, p), &v = state_for(v_, i, p);
    step.add(scalars, {p, m, v}, {p, p.grad(), m, v});
  }
  step.run();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].grad().defined()) ++steps_[i];
  }
}

}  // namespace tenon::optim
