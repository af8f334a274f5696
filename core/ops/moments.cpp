// Reductions with a root or a logarithm behind their sum: variances, norms, logsumexp.
#include <cmath>
#include <limits>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/fold.h"
#include "core/ops/formula.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Value;

/// What a variance needs beside x.
struct Spread {
  std::string_view op;
  Fold fold;
  double divisor;
  DType dtype;
};

/// x - mean(x), from the sum of x.
Value distance(Formula& f, const Spread& spread, const Tensor& x, const Tensor& total) {
  const Value value = f(x);
  return value - f(total) / f.scalar(spread.fold.count);
}

Tensor total_of(const Spread& spread, const Tensor& x) {
  Formula f(spread.dtype);
  f.output(f(x));
  return f.sum(spread.op, fold_over(spread.fold.shape, spread.fold.axes, true));
}

/// dx = 2 dy (x - mean) / divisor
Tensor var_gradient(const Spread& spread, const Tensor& x, const Tensor& total, const Tensor& dy) {
  Formula f(spread.dtype);
  const Value d = distance(f, spread, x, total);
  f.output(d * f(dy.reshape(spread.fold.kept)) / f.scalar(spread.divisor / 2), x.dtype());
  return f.apply(spread.op);
}

/// Σ (x - mean)² / divisor, of `dtype`.
Tensor variance(std::string_view op, const Tensor& x, const Dims& dims, const VarOptions& options,
                DType dtype) {
  const Fold fold = fold_of(op, x.shape(), dims, options.keepdim);
  const Spread spread{op, fold, std::fmax(0, fold.count - options.correction), dtype};
  if (fold.count == 0) {
    return full(fold.result, std::numeric_limits<double>::quiet_NaN(),
                {.dtype = dtype, .device = x.device()});
  }
  const Tensor total = total_of(spread, x.detach());
  Formula f(dtype);
  const Value d = distance(f, spread, x.detach(), total);
  f.output(d * d / f.scalar(spread.divisor));
  const Tensor y = f.sum(op, fold, dtype);
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&y, 1},
                     [spread, saved = autograd::Saved(x), total](std::span<const Tensor> dy) {
                       const Tensor& from = saved.get(spread.op);
                       const Tensor sum = grad_enabled() ? total_of(spread, from) : total;
                       return std::vector<Tensor>{var_gradient(spread, from, sum, dy[0])};
                     });
  }
  return y;
}

DType result_dtype(std::string_view op, const Tensor& x, std::optional<DType> asked = {}) {
  impl_of(x, op);
  const DType dtype = asked.value_or(floating_dtype(autograd::autocast_dtype(autograd::Cast::wide, x)));
  require(is_floating(dtype), "[{}] the result is floating, not {}", op, name(dtype));
  return dtype;
}

Tensor variance(std::string_view op, const Tensor& x, const Dims& dims, const VarOptions& options) {
  return variance(op, x, dims, options, result_dtype(op, x));
}

Tensor deviation(std::string_view op, const Tensor& x, const Dims& dims, const VarOptions& options) {
  const DType dtype = result_dtype(op, x);
  Formula f(dtype);
  f.output(safe_sqrt(f, f(variance(op, x, dims, options, accumulator(dtype)))), dtype);
  return f.apply(op);
}

/// |x|^p.
Value power(Formula& f, Value x, double p) {
  if (p == 0) return select(x == 0.0, f.constant(0), f.constant(1));
  if (p == 1) return abs(x);
  return p == 2 ? x * x : pow(abs(x), f.scalar(p));
}

/// x^(1/p), whose gradient at 0 is 0.
Value root(Formula& f, Value x, double p) {
  if (p == 2) return safe_sqrt(f, x);
  const Value exponent = f.scalar(1 / p);
  return select(x == 0.0, pow(f.constant(0), exponent),
                pow(select(x == 0.0, f.constant(1), x), exponent));
}

Tensor power_norm(const Tensor& x, double p, const Fold& fold, DType dtype) {
  Formula powers(dtype);
  powers.output(power(powers, powers(x), p));
  if (p == 0 || p == 1) return powers.sum("norm", fold, dtype);
  const Tensor total = powers.sum("norm", fold);
  Formula f(dtype);
  f.output(root(f, f(total), p), dtype);
  return f.apply("norm");
}

/// One variable's covariance is a number.
Dims alone(const Tensor& rows) {
  return rows.size(0) == 1 ? Dims{0, 1} : Dims{};
}

/// The weights of the observations in the rows' dtype; undefined where all are 1.
Tensor weights_of(const Tensor& rows, const CovOptions& options) {
  Tensor all;
  for (const Tensor& w : {options.fweights, options.aweights}) {
    if (!w.defined()) continue;
    const Tensor operands[] = {rows, w};
    common_device("cov", operands);
    require(w.shape() == Shape{rows.size(1)},
            "[cov] weights {} are not one for each of {} observations", w.shape(), rows.size(1));
    all = all.defined() ? all * w.to(rows.dtype()) : w.to(rows.dtype());
  }
  require(!options.fweights.defined() || is_integer(options.fweights.dtype()),
          "[cov] fweights are {}, not integers; aweights may be any numbers",
          options.fweights.defined() ? name(options.fweights.dtype()) : "");
  return all;
}

}  // namespace
}  // namespace ops

Tensor var(const Tensor& x, const Dims& dims, VarOptions options) {
  return ops::variance("var", x, dims, options);
}
Tensor std(const Tensor& x, const Dims& dims, VarOptions options) {
  return ops::deviation("std", x, dims, options);
}
VarMean var_mean(const Tensor& x, const Dims& dims, VarOptions options) {
  return {ops::variance("var_mean", x, dims, options), mean(x, dims, options.keepdim)};
}
StdMean std_mean(const Tensor& x, const Dims& dims, VarOptions options) {
  return {ops::deviation("std_mean", x, dims, options), mean(x, dims, options.keepdim)};
}

Tensor cov(const Tensor& x, const CovOptions& options) {
  const DType dtype = ops::result_dtype("cov", x);
  require(x.rank() <= 2, "[cov] x is {}, not (variables, observations)", x.shape());
  const Tensor rows = (x.rank() == 2 ? x : x.reshape({1, -1})).to(dtype);
  const std::int64_t n = rows.size(1);
  const Tensor w = ops::weights_of(rows, options);
  if (!w.defined()) {
    const Tensor d = rows - mean(rows, {1}, true);
    const double divisor = std::fmax(0, static_cast<double>(n) - options.correction);
    return (matmul(d, d.mT()) / divisor).squeeze(ops::alone(rows));
  }
  const Tensor total = sum(w), d = rows - sum(rows * w, {1}, true) / total;
  const Tensor a = options.aweights;
  const Tensor lost = a.defined() ? sum(w * a) / total * options.correction
                                  : full({}, options.correction, {.device = x.device()}).to(dtype);
  return (matmul(d * w, d.mT()) / clamp(total - lost, 0)).squeeze(ops::alone(rows));
}

Tensor corrcoef(const Tensor& x) {
  impl_of(x, "corrcoef");
  require(x.rank() <= 2, "[corrcoef] x is {}, not (variables, observations)", x.shape());
  const Tensor c = cov(x);
  if (c.rank() == 0) return c / c;
  const Tensor deviation = sqrt(c.diagonal());
  return clamp(c / deviation.unsqueeze(1) / deviation, -1, 1);
}

// log Σ exp(x) = log Σ exp(x - m) + m for any m, so m counts as a constant in every derivative.
Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
  const DType dtype = ops::result_dtype("logsumexp", x);
  const ops::Fold fold = ops::fold_of("logsumexp", x.shape(), dims, keepdim);
  const Tensor m = ops::folded("logsumexp", fold, TENON_REDUCE_MAX, x.detach(), dtype, dtype);
  const auto shift = [](ops::Formula& f, const Tensor& greatest) {
    const auto value = f(greatest);  // an infinite one would make x - m NaN
    return select(abs(value) == HUGE_VAL, f.constant(0), value);
  };
  ops::Formula inner(dtype);
  const auto value = inner(x);
  inner.output(exp(value - shift(inner, m.view(fold.kept))));
  const Tensor total = inner.sum("logsumexp", fold);
  ops::Formula outer(dtype);
  const auto sum = outer(total);
  outer.output(log(sum) + shift(outer, m), dtype);
  return outer.apply("logsumexp");
}

Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const DType to = ops::result_dtype("norm", x, dtype);
  require(!std::isnan(p), "[norm] the order is NaN");
  const ops::Fold fold = ops::fold_of("norm", x.shape(), dims, keepdim);
  if (!std::isinf(p)) return ops::power_norm(x, p, fold, to);
  ops::require_elements("norm", fold);
  const Tensor magnitudes = abs(x.to(to));
  return p > 0 ? amax(magnitudes, dims, keepdim) : amin(magnitudes, dims, keepdim);
}

Tensor cdist(const Tensor& x, const Tensor& y, double p) {
  const Shape &a = impl_of(x, "cdist").shape, &b = impl_of(y, "cdist").shape;
  require(a.size() >= 2 && b.size() >= 2 && a.back() == b.back(),
          "[cdist] {} and {} are not (..., P, M) and (..., R, M)", a, b);
  return norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, {-1});
}

}  // namespace tenon
