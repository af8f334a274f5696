// The optimisers: each is a program and its numbers.
#include <tenon/optim/optimizers.h>

#include <cmath>

#include "core/base/fail.h"
#include "core/ops/program_table.h"
#include "core/ops/run.h"

namespace tenon::optim {
namespace {

using program::Program;
using program::Value;

void require_least(std::string_view optimizer, std::string_view what, double value) {
  require(value >= 0 && std::isfinite(value), "[{}] {} is {}: it must be at least 0 and finite",
          optimizer, what, value);
}
void require_part(std::string_view optimizer, std::string_view what, double value) {
  require(value >= 0 && value < 1, "[{}] {} is {}: it must be at least 0 and below 1", optimizer, what,
          value);
}

/// A program in the making, whose operands are stored in one dtype and computed in another.
class Sketch {
 public:
  explicit Sketch(DType stored) : stored_(stored), compute_(ops::accumulator(stored)) {}
  Value in() { return cast(builder_.input(stored_), compute_); }
  Value number() { return builder_.scalar(compute_); }
  void out(Value value) { builder_.output(cast(value, stored_)); }
  Program build() const { return builder_.build(); }

 private:
  program::Builder builder_;
  DType stored_, compute_;
};

/// What an optimiser's program depends on beside the dtype.
using Form = std::array<bool, 2>;

/// The program of a form and dtype, built once; `Build` tells the optimisers apart.
template <Program (*Build)(DType, Form)>
const Program& program_of(DType dtype, Form form) {
  static auto& programs = *new ops::ProgramTable<std::pair<DType, Form>>;
  return programs.get({dtype, form}, [&] { return Build(dtype, form); });
}

double sign(bool maximize) {
  return maximize ? -1 : 1;
}

/// numbers lr, sign, decay; with momentum: momentum, 1 - dampening.
Program sgd_program(DType dtype, Form form) {
  const auto [has_momentum, nesterov] = form;
  Sketch s(dtype);
  const Value p = s.in(), gradient = s.in();
  const Value lr = s.number(), sign = s.number(), decay = s.number();
  const Value g = sign * gradient + decay * p;
  if (!has_momentum) {
    s.out(p - lr * g);
    return s.build();
  }
  const Value before = s.in(), momentum = s.number(), rest = s.number();
  const Value v = momentum * before + rest * g;
  s.out(p - lr * (nesterov ? g + momentum * v : v));
  s.out(v);
  return s.build();
}

/// numbers β1, 1 - β1, β2, 1 - β2, lr / (1 - β1ᵗ), 1 / √(1 - β2ᵗ), eps, sign, decay; decoupled, the
/// last is the part of p that decay leaves.
Program adam_program(DType dtype, Form form) {
  const auto [amsgrad, decoupled] = form;
  Sketch s(dtype);
  const Value p0 = s.in(), gradient = s.in(), m0 = s.in(), v0 = s.in();
  const Value beta1 = s.number(), rest1 = s.number(), beta2 = s.number(), rest2 = s.number();
  const Value rate = s.number(), root = s.number(), eps = s.number(), sign = s.number(),
              decay = s.number();
  const Value p = decoupled ? decay * p0 : p0;
  const Value g = decoupled ? sign * gradient : sign * gradient + decay * p0;
  const Value m = beta1 * m0 + rest1 * g;
  const Value v = beta2 * v0 + rest2 * (g * g);
  const Value greatest = amsgrad ? max(s.in(), v) : v;
  s.out(p - rate * m / (sqrt(greatest) * root + eps));
  s.out(m);
  s.out(v);
  if (amsgrad) s.out(greatest);
  return s.build();
}

/// numbers lr, α, 1 - α, eps, sign, decay; with momentum: momentum.
Program rmsprop_program(DType dtype, Form form) {
  const auto [centered, has_momentum] = form;
  Sketch s(dtype);
  const Value p = s.in(), gradient = s.in(), v0 = s.in();
  const Value lr = s.number(), alpha = s.number(), rest = s.number(), eps = s.number(),
              sign = s.number(), decay = s.number();
  const Value g = sign * gradient + decay * p;
  const Value v = alpha * v0 + rest * (g * g);
  Value spread = v, mean;
  if (centered) {
    const Value mean0 = s.in();
    mean = mean0 + rest * (g - mean0);
    spread = v - mean * mean;
  }
  Value u = g / (sqrt(spread) + eps);
  if (has_momentum) u = s.number() * s.in() + u;
  s.out(p - lr * u);
  s.out(v);
  if (centered) s.out(mean);
  if (has_momentum) s.out(u);
  return s.build();
}

/// numbers lr / (1 + (t - 1)·lr_decay), eps, sign, decay.
Program adagrad_program(DType dtype, Form) {
  Sketch s(dtype);
  const Value p = s.in(), gradient = s.in(), sum0 = s.in();
  const Value rate = s.number(), eps = s.number(), sign = s.number(), decay = s.number();
  const Value g = sign * gradient + decay * p;
  const Value sum = sum0 + g * g;
  s.out(p - rate * g / (sqrt(sum) + eps));
  s.out(sum);
  return s.build();
}

std::vector<Group<AdamOptions>> as_adam(const std::vector<Group<AdamWOptions>>& groups) {
  std::vector<Group<AdamOptions>> all;
  for (const auto& [parameters, o] : groups) {
    all.push_back({parameters,
                   {.lr = o.lr,
                    .beta1 = o.beta1,
                    .beta2 = o.beta2,
                    .eps = o.eps,
                    .weight_decay = o.weight_decay,
                    .amsgrad = o.amsgrad,
                    .maximize = o.maximize}});
  }
  return all;
}

}  // namespace

SGD::SGD(const std::vector<Group<SGDOptions>>& groups) : Optimizer("SGD", groups.size()) {
  for (const auto& [parameters, o] : groups) {
    require_least("SGD", "momentum", o.momentum);
    require_least("SGD", "weight_decay", o.weight_decay);
    require(std::isfinite(o.dampening), "[SGD] dampening is {}: it must be finite", o.dampening);
    require(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
            "[SGD] nesterov needs a momentum and no dampening, not {} and {}", o.momentum, o.dampening);
    std::vector<Memory> memories;
    if (o.momentum != 0) memories = {{"momentum_buffer"}};
    add_group(parameters, o.lr, memories);
    options_.push_back(o);
  }
}

Optimizer::Update SGD::update(std::size_t group, DType dtype, std::int64_t t) const {
  const SGDOptions& o = options_[group];
  std::vector<double> scalars{lr(group), sign(o.maximize), o.weight_decay};
  if (o.momentum != 0) scalars.insert(scalars.end(), {o.momentum, t == 1 ? 1 : 1 - o.dampening});
  return {program_of<sgd_program>(dtype, {o.momentum != 0, o.nesterov}), scalars};
}

Adam::Adam(std::string_view name, const std::vector<Group<AdamOptions>>& groups, bool decoupled)
    : Optimizer(name, groups.size()), decoupled_(decoupled) {
  for (const auto& [parameters, o] : groups) {
    require_part(name, "beta1", o.beta1);
    require_part(name, "beta2", o.beta2);
    require_least(name, "eps", o.eps);
    require_least(name, "weight_decay", o.weight_decay);
    std::vector<Memory> memories{{"exp_avg"}, {"exp_avg_sq"}};
    if (o.amsgrad) memories.push_back({"max_exp_avg_sq"});
    add_group(parameters, o.lr, memories);
    options_.push_back(o);
  }
}

AdamW::AdamW(const std::vector<Group<AdamWOptions>>& groups) : Adam("AdamW", as_adam(groups), true) {}

Optimizer::Update Adam::update(std::size_t group, DType dtype, std::int64_t t) const {
  const AdamOptions& o = options_[group];
  const auto power = static_cast<double>(t);
  const double rate = lr(group) / (1 - std::pow(o.beta1, power));
  const double root = 1 / std::sqrt(1 - std::pow(o.beta2, power));
  const double decay = decoupled_ ? 1 - lr(group) * o.weight_decay : o.weight_decay;
  return {program_of<adam_program>(dtype, {o.amsgrad, decoupled_}),
          {o.beta1, 1 - o.beta1, o.beta2, 1 - o.beta2, rate, root, o.eps, sign(o.maximize), decay}};
}

RMSprop::RMSprop(const std::vector<Group<RMSpropOptions>>& groups)
    : Optimizer("RMSprop", groups.size()) {
  for (const auto& [parameters, o] : groups) {
    require_least("RMSprop", "alpha", o.alpha);
    require_least("RMSprop", "eps", o.eps);
    require_least("RMSprop", "weight_decay", o.weight_decay);
    require_least("RMSprop", "momentum", o.momentum);
    std::vector<Memory> memories{{"square_avg"}};
    if (o.centered) memories.push_back({"grad_avg"});
    if (o.momentum != 0) memories.push_back({"momentum_buffer"});
    add_group(parameters, o.lr, memories);
    options_.push_back(o);
  }
}

Optimizer::Update RMSprop::update(std::size_t group, DType dtype, std::int64_t) const {
  const RMSpropOptions& o = options_[group];
  std::vector<double> scalars{lr(group), o.alpha, 1 - o.alpha, o.eps, sign(o.maximize), o.weight_decay};
  if (o.momentum != 0) scalars.push_back(o.momentum);
  return {program_of<rmsprop_program>(dtype, {o.centered, o.momentum != 0}), scalars};
}

Adagrad::Adagrad(const std::vector<Group<AdagradOptions>>& groups)
    : Optimizer("Adagrad", groups.size()) {
  for (const auto& [parameters, o] : groups) {
    require_least("Adagrad", "lr_decay", o.lr_decay);
    require_least("Adagrad", "weight_decay", o.weight_decay);
    require_least("Adagrad", "initial_accumulator_value", o.initial_accumulator_value);
    require_least("Adagrad", "eps", o.eps);
    add_group(parameters, o.lr, {{"sum", o.initial_accumulator_value}});
    options_.push_back(o);
  }
}

Optimizer::Update Adagrad::update(std::size_t group, DType dtype, std::int64_t t) const {
  const AdagradOptions& o = options_[group];
  const double rate = lr(group) / (1 + static_cast<double>(t - 1) * o.lr_decay);
  return {program_of<adagrad_program>(dtype, {}), {rate, o.eps, sign(o.maximize), o.weight_decay}};
}

}  // namespace tenon::optim
