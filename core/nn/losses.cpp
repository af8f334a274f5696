// Losses: each is a formula for one element; its mean or sum is one REDUCE with the formula as
// prologue, and its gradient one derived program.
#include <tenon/nn/losses.h>

#include <cmath>
#include <numbers>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/nn/loss.h"
#include "core/tensor/impl.h"

namespace tenon::nn {

using program::Value;

Tensor MSELoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("MSELoss", x, y);
  const Value d = loss.x - loss.y;
  return loss.reduced(d * d, options_.reduction);
}

Tensor L1Loss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("L1Loss", x, y);
  return loss.reduced(abs(loss.x - loss.y), options_.reduction);
}

SmoothL1Loss::SmoothL1Loss(SmoothL1LossOptions options) : options_(options) {
  require(options_.beta >= 0 && std::isfinite(options_.beta),
          "[SmoothL1Loss] beta is {}: it must be at least 0 and finite", options_.beta);
}

// With β 0 the first branch, which select does not take, would make the gradient NaN.
Tensor SmoothL1Loss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("SmoothL1Loss", x, y);
  const Value d = abs(loss.x - loss.y);
  if (options_.beta == 0) return loss.reduced(d, options_.reduction);
  const Value beta = loss.f.scalar(options_.beta);
  return loss.reduced(select(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), options_.reduction);
}

HuberLoss::HuberLoss(HuberLossOptions options) : options_(options) {
  require(options_.delta > 0 && std::isfinite(options_.delta),
          "[HuberLoss] delta is {}: it must be above 0 and finite", options_.delta);
}

Tensor HuberLoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("HuberLoss", x, y);
  const Value d = abs(loss.x - loss.y), delta = loss.f.scalar(options_.delta);
  return loss.reduced(select(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), options_.reduction);
}

// --- Binary cross entropy ---

namespace {

/// log p, at least -100.
Value clamped_log(Value p) {
  return max(log(p), -100.0);
}

/// The gradient of one operand from the loss's: dy · slope · weight, and the part that a mean has.
Tensor bce_gradient(const Tensor& x, const Tensor& y, const Tensor& weight, LossReduction how,
                    const Tensor& dy, Value (*slope)(Value x, Value y), DType dtype) {
  Loss loss("BCELoss", x, y, {weight});
  Value value = loss.weighted(slope(loss.x, loss.y), weight) * loss.f(dy);
  if (how == LossReduction::mean)
    value = value / loss.f.scalar(static_cast<double>(std::max<std::int64_t>(1, x.numel())));
  loss.f.output(value, dtype);
  return loss.f.apply("BCELoss");
}

// d/dx = (x - y) / (x·(1 - x)), whose divisor is at least a small float; the formula's own is infinite
// at 0.
Value slope_of_prediction(Value x, Value y) {
  return (x - y) / max((1.0 - x) * x, double{1e-12F});
}
// d/dy = log(1 - x) - log x.
Value slope_of_target(Value x, Value) {
  return clamped_log(1.0 - x) - clamped_log(x);
}

Tensor bce_value(const Tensor& x, const Tensor& y, const BCELossOptions& options) {
  const NoGrad guard;
  Loss loss("BCELoss", x, y, {options.weight});
  const Value value = (loss.y - 1.0) * clamped_log(1.0 - loss.x) - loss.y * clamped_log(loss.x);
  return loss.reduced(loss.weighted(value, options.weight), options.reduction);
}

}  // namespace

Tensor BCELoss::forward(const Tensor& x, const Tensor& y) const {
  const Tensor value = bce_value(x, y, options_);
  const Tensor inputs[] = {x, y};
  if (!autograd::needs_record(inputs)) return value;
  const Tensor weight = options_.weight.defined() ? options_.weight.detach() : Tensor();
  autograd::record(
      "BCELoss", inputs, {&value, 1},
      [saved_x = autograd::Saved(x), saved_y = autograd::Saved(y), weight,
       how = options_.reduction](std::span<const Tensor> dy) {
        const Tensor &a = saved_x.get("BCELoss"), &b = saved_y.get("BCELoss");
        const auto gradient = [&](const Tensor& of, auto slope) {
          return of.requires_grad() ? bce_gradient(a, b, weight, how, dy[0], slope, of.dtype())
                                    : Tensor();
        };
        return std::vector<Tensor>{gradient(a, slope_of_prediction), gradient(b, slope_of_target)};
      });
  return value;
}

// With p = pos_weight: (1 - y)·x + (1 + (p - 1)·y)·log(1 + exp(-x)).
Tensor BCEWithLogitsLoss::forward(const Tensor& x, const Tensor& y) const {
  const auto& [reduction, weight, pos_weight] = options_;
  Loss loss("BCEWithLogitsLoss", x, y, {weight, pos_weight});
  const Value log_term = log1p(exp(-abs(loss.x)));
  Value value = max(loss.x, 0.0) - loss.x * loss.y + log_term;
  if (pos_weight.defined()) {
    const Value factor = 1.0 + (loss.f(pos_weight) - 1.0) * loss.y;
    value = (1.0 - loss.y) * loss.x + factor * (log_term + max(-loss.x, 0.0));
  }
  return loss.reduced(loss.weighted(value, weight), reduction);
}

// --- Distributions ---

// Where y is 0 its logarithm is not to be met.
Tensor KLDivLoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("KLDivLoss", x, y);
  std::optional<double> count;
  if (options_.batchmean) {
    require(x.rank() > 0, "[KLDivLoss] a 0-d x is no batch to take the mean over");
    count = static_cast<double>(x.size(0));
  }
  if (options_.log_target)
    return loss.reduced(exp(loss.y) * (loss.y - loss.x), options_.reduction, count);
  const Value log_y = log(select(loss.y > 0.0, loss.y, loss.f.constant(1)));
  return loss.reduced(loss.y * (log_y - loss.x), options_.reduction, count);
}

// Stirling: log y! is about y log y - y + log(2πy)/2, from 1 on.
Tensor PoissonNLLLoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("PoissonNLLLoss", x, y);
  Value value = options_.log_input ? exp(loss.x) - loss.y * loss.x
                                   : loss.x - loss.y * log(loss.x + loss.f.scalar(options_.eps));
  if (options_.full) {
    const Value one = loss.f.constant(1), many = select(loss.y > 1.0, loss.y, one);
    const Value rest = many * log(many) - many + 0.5 * log(2 * std::numbers::pi * many);
    value = value + select(loss.y > 1.0, rest, loss.f.constant(0));
  }
  return loss.reduced(value, options_.reduction);
}

GaussianNLLLoss::GaussianNLLLoss(GaussianNLLLossOptions options) : options_(options) {
  require(options_.eps > 0, "[GaussianNLLLoss] eps is {}: it must be above 0", options_.eps);
}

// (log v + (x - y)²/v)/2. What lifts a variance to eps has no gradient, as in PyTorch.
Tensor GaussianNLLLoss::forward(const Tensor& x, const Tensor& y, const Tensor& variance) const {
  Shape rows = impl_of(x, "GaussianNLLLoss").shape;
  if (!rows.empty()) rows.erase(rows.size() - 1);
  const bool is_of_rows = impl_of(variance, "GaussianNLLLoss").shape == rows && x.rank() > 0;
  const Tensor v = is_of_rows ? variance.unsqueeze(-1) : variance;
  Loss loss("GaussianNLLLoss", x, y, {v}, "a variance");
  const Value fixed = loss.f(v.detach()), d = loss.x - loss.y;
  const Value lifted = loss.f(v) + (max(fixed, loss.f.scalar(options_.eps)) - fixed);
  Value value = 0.5 * (log(lifted) + d * d / lifted);
  if (options_.full) value = value + 0.5 * std::log(2 * std::numbers::pi);
  return loss.reduced(value, options_.reduction);
}

// --- Classes ---

Tensor CrossEntropyLoss::forward(const Tensor& x, const Tensor& target) const {
  return cross_entropy(x, target, options_);
}

Tensor NLLLoss::forward(const Tensor& x, const Tensor& target) const {
  return nll_loss(x, target, options_);
}

}  // namespace tenon::nn
