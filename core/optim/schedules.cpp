// Rules of learning rates, and what applies them.
#include <tenon/optim/schedules.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/fail.h"

namespace tenon::optim {
namespace {

double real(std::int64_t number) {
  return static_cast<double>(number);
}

void require_steps(std::string_view rule, std::string_view what, std::int64_t count) {
  require(count >= 1, "[{}] {} is {}: it must be at least 1", rule, what, count);
}
void require_factor(std::string_view rule, std::string_view what, double factor) {
  require(factor >= 0 && std::isfinite(factor), "[{}] {} is {}: it must be at least 0 and finite", rule,
          what, factor);
}
void require_rule(std::string_view rule, const Rule& inner) {
  require(inner != nullptr, "[{}] a rule is missing", rule);
}
template <class F>
void require_growing(std::string_view rule, const std::vector<std::int64_t>& milestones, F beyond) {
  require(std::adjacent_find(milestones.begin(), milestones.end(), beyond) == milestones.end(),
          "[{}] the milestones don't grow", rule);
}

/// From `begin` to `end` along half a cosine, as `part` goes from 0 to 1.
double along_cosine(double begin, double end, double part) {
  return end + (begin - end) / 2 * (1 + std::cos(std::numbers::pi * part));
}

}  // namespace

double LambdaLR::operator()(double base, std::int64_t step) const {
  require(f != nullptr, "[LambdaLR] the function is missing");
  return base * f(step);
}

double ConstantLR::operator()(double base, std::int64_t step) const {
  require_factor("ConstantLR", "factor", factor);
  require(total_iters >= 0, "[ConstantLR] total_iters is {}: it must be at least 0", total_iters);
  return step < total_iters ? base * factor : base;
}

double StepLR::operator()(double base, std::int64_t step) const {
  require_steps("StepLR", "step_size", step_size);
  require_factor("StepLR", "gamma", gamma);
  return base * std::pow(gamma, real(step / step_size));
}

double MultiStepLR::operator()(double base, std::int64_t step) const {
  require_growing("MultiStepLR", milestones, std::greater<>());
  require_factor("MultiStepLR", "gamma", gamma);
  const auto reached =
      std::upper_bound(milestones.begin(), milestones.end(), step) - milestones.begin();
  return base * std::pow(gamma, real(reached));
}

double ExponentialLR::operator()(double base, std::int64_t step) const {
  require_factor("ExponentialLR", "gamma", gamma);
  return base * std::pow(gamma, real(step));
}

double CosineAnnealingLR::operator()(double base, std::int64_t step) const {
  require_steps("CosineAnnealingLR", "T_max", T_max);
  require_factor("CosineAnnealingLR", "eta_min", eta_min);
  return along_cosine(base, eta_min, real(step) / real(T_max));
}

double LinearLR::operator()(double base, std::int64_t step) const {
  require_steps("LinearLR", "total_iters", total_iters);
  require_factor("LinearLR", "start_factor", start_factor);
  require_factor("LinearLR", "end_factor", end_factor);
  const double part = std::min(1.0, real(step) / real(total_iters));
  return base * (start_factor + (end_factor - start_factor) * part);
}

double PolynomialLR::operator()(double base, std::int64_t step) const {
  require_steps("PolynomialLR", "total_iters", total_iters);
  require_factor("PolynomialLR", "power", power);
  return base * std::pow(1 - std::min(1.0, real(step) / real(total_iters)), power);
}

double OneCycleLR::operator()(double, std::int64_t step) const {
  require_factor("OneCycleLR", "max_lr", max_lr);
  require_steps("OneCycleLR", "total_steps", total_steps);
  require(pct_start >= 0 && pct_start <= 1, "[OneCycleLR] pct_start is {}: it must be from 0 to 1",
          pct_start);
  require(div_factor > 0 && final_div_factor > 0, "[OneCycleLR] the divisors {} and {} must be above 0",
          div_factor, final_div_factor);
  require(step <= total_steps, "[OneCycleLR] there is no step {} among {}", step, total_steps);
  const double first = max_lr / div_factor, top = pct_start * real(total_steps) - 1;
  if (real(step) <= top) return along_cosine(first, max_lr, real(step) / top);
  return along_cosine(max_lr, first / final_div_factor,
                      (real(step) - top) / (real(total_steps) - 1 - top));
}

double Warmup::operator()(double base, std::int64_t step) const {
  require(steps >= 0, "[Warmup] steps is {}: it must be at least 0", steps);
  require_rule("Warmup", then);
  return step < steps ? base * real(step + 1) / real(steps + 1) : then(base, step - steps);
}

double SequentialLR::operator()(double base, std::int64_t step) const {
  require(rules.size() == milestones.size() + 1, "[SequentialLR] {} rules want {} milestones, not {}",
          rules.size(), rules.empty() ? 0 : rules.size() - 1, milestones.size());
  require_growing("SequentialLR", milestones, std::greater_equal<>());
  const auto next = std::upper_bound(milestones.begin(), milestones.end(), step);
  const Rule& rule = rules[static_cast<std::size_t>(next - milestones.begin())];
  require_rule("SequentialLR", rule);
  return rule(base, next == milestones.begin() ? step : step - *(next - 1));
}

Schedule::Schedule(Optimizer& optimizer, Rule rule) : optimizer_(optimizer), rule_(std::move(rule)) {
  require_rule("Schedule", rule_);
  for (std::size_t group = 0; group < optimizer.group_count(); ++group)
    bases_.push_back(optimizer.lr(group));
  set_last_step(0);
}

void Schedule::set_last_step(std::int64_t step) {
  require(step >= 0, "[Schedule] step {} is before the first, 0", step);
  for (std::size_t group = 0; group < bases_.size(); ++group)
    optimizer_.set_lr(group, rule_(bases_[group], step));
  last_step_ = step;
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options)
    : optimizer_(optimizer), options_(options) {
  require(options.factor >= 0 && options.factor < 1,
          "[ReduceLROnPlateau] factor is {}: it must be at least 0 and below 1", options.factor);
  require(options.patience >= 0 && options.cooldown >= 0,
          "[ReduceLROnPlateau] patience {} and cooldown {} must be at least 0", options.patience,
          options.cooldown);
  for (const auto& [what, value] :
       {std::pair{"threshold", options.threshold}, {"min_lr", options.min_lr}, {"eps", options.eps}})
    require_factor("ReduceLROnPlateau", what, value);
  best_ = options.mode == ReduceLROnPlateauOptions::Mode::min ? HUGE_VAL : -HUGE_VAL;
}

bool ReduceLROnPlateau::is_better(double metric) const {
  const bool less = options_.mode == ReduceLROnPlateauOptions::Mode::min;
  const double sign = less ? -1 : 1;
  if (options_.threshold_mode == ReduceLROnPlateauOptions::Threshold::abs)
    return sign * metric > sign * (best_ + sign * options_.threshold);
  return sign * metric > sign * best_ * (1 + sign * options_.threshold);
}

void ReduceLROnPlateau::step(double metric) {
  if (is_better(metric)) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooldown_ > 0) {
    --cooldown_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return;
  reduce();
  cooldown_ = options_.cooldown;
  bad_ = 0;
}

void ReduceLROnPlateau::reduce() {
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) {
    const double before = optimizer_.lr(group);
    const double after = std::max(before * options_.factor, options_.min_lr);
    if (before - after > options_.eps) optimizer_.set_lr(group, after);
  }
}

ReduceLROnPlateau::State ReduceLROnPlateau::state() const {
  State state{best_, bad_, cooldown_, {}};
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group)
    state.rates.push_back(optimizer_.lr(group));
  return state;
}

void ReduceLROnPlateau::set_state(const State& state) {
  require(state.rates.size() == optimizer_.group_count(),
          "[ReduceLROnPlateau] the state is of {} groups, the optimiser has {}", state.rates.size(),
          optimizer_.group_count());
  for (std::size_t group = 0; group < state.rates.size(); ++group)
    optimizer_.set_lr(group, state.rates[group]);
  best_ = state.best;
  bad_ = state.bad;
  cooldown_ = state.cooldown;
}

}  // namespace tenon::optim
