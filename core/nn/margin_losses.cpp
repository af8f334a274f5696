// Margin losses: elementwise ones as all losses are; those of vectors from a few sums over each.
#include <tenon/nn/margin_losses.h>

#include <cmath>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/nn/loss.h"
#include "core/tensor/impl.h"

namespace tenon::nn {
namespace {

using ops::Formula;
using program::Value;

/// The sums over the last dimension.
ops::Fold last_of(const Shape& shape) {
  return ops::fold_over(shape, 1u << (shape.size() - 1), false);
}

}  // namespace

Tensor HingeEmbeddingLoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("HingeEmbeddingLoss", x, y);
  const Value zero = loss.f.constant(0), beyond = loss.f.scalar(options_.margin) - loss.x;
  const Value right = select(loss.y == -1.0, zero, loss.x);
  return loss.reduced(right + select(loss.y == 1.0, zero, hinge(loss.f, beyond)), options_.reduction);
}

Tensor MarginRankingLoss::forward(const Tensor& a, const Tensor& b, const Tensor& y) const {
  require(impl_of(y, "MarginRankingLoss").shape == impl_of(a, "MarginRankingLoss").shape,
          "[MarginRankingLoss] y is {}, not {} as a", y.shape(), a.shape());
  Loss loss("MarginRankingLoss", a, b, {y});
  const Value short_of = loss.f(y) * (loss.y - loss.x) + loss.f.scalar(options_.margin);
  return loss.reduced(hinge(loss.f, short_of), options_.reduction);
}

// With v = -x·y: max(v, 0) + log(1 + exp(-|v|)).
Tensor SoftMarginLoss::forward(const Tensor& x, const Tensor& y) const {
  Loss loss("SoftMarginLoss", x, y);
  const Value v = -loss.x * loss.y;
  return loss.reduced(max(v, 0.0) + log1p(exp(-abs(v))), options_.reduction);
}

Tensor CosineEmbeddingLoss::forward(const Tensor& a, const Tensor& b, const Tensor& y) const {
  constexpr std::string_view kName = "CosineEmbeddingLoss";
  const DType dtype = common_dtype(kName, a, b);
  require(a.rank() > 0, "[{}] 0-d tensors are no vectors", kName);
  const ops::Fold fold = last_of(a.shape());
  require(impl_of(y, kName).shape == fold.result, "[{}] y is {}, not {}", kName, y.shape(),
          fold.result);
  Formula f(dtype);
  const Value u = f(a), v = f(b);
  for (const Value product : {u * v, u * u, v * v}) f.output(product);
  const std::vector<Tensor> sums = f.sum_all(kName, fold);

  Formula g(dtype);
  constexpr double kEps = 1e-12;  // PyTorch's
  const Value side = g(y), zero = g.constant(0);
  const Value cosine = g(sums[0]) / sqrt((g(sums[1]) + kEps) * (g(sums[2]) + kEps));
  const Value apart = hinge(g, cosine - g.scalar(options_.margin));
  const Value loss = select(side == 1.0, 1.0 - cosine, select(side == -1.0, apart, zero));
  return reduced(kName, g, loss, fold.result, dtype, options_.reduction);
}

// --- Triplets ---

TripletMarginLoss::TripletMarginLoss(TripletMarginLossOptions options) : options_(options) {
  require(options_.p > 0 && std::isfinite(options_.p),
          "[TripletMarginLoss] p is {}: it must be above 0 and finite", options_.p);
}

namespace {

/// What is summed of a difference, and the norm from its sum.
Value summand(Value d, double p) {
  if (p == 2) return d * d;
  return p == 1 ? abs(d) : pow(abs(d), p);
}
Value norm_of(Formula& f, Value sum, double p) {
  if (p == 1) return sum;
  if (p == 2) return safe_sqrt(f, sum);
  const Value positive = select(sum == 0.0, f.constant(1), sum);
  return select(sum == 0.0, f.constant(0), pow(positive, 1 / p));
}

}  // namespace

Tensor TripletMarginLoss::forward(const Tensor& anchor, const Tensor& positive,
                                  const Tensor& negative) const {
  constexpr std::string_view kName = "TripletMarginLoss";
  const DType dtype =
      promote(common_dtype(kName, anchor, positive), common_dtype(kName, anchor, negative));
  require(anchor.rank() > 0, "[{}] 0-d tensors are no vectors", kName);
  const ops::Fold fold = last_of(anchor.shape());
  Formula f(dtype);
  const Value a = f(anchor), p = f(positive), n = f(negative), eps = f.scalar(options_.eps);
  f.output(summand(a - p + eps, options_.p));
  f.output(summand(a - n + eps, options_.p));
  if (options_.swap) f.output(summand(p - n + eps, options_.p));
  const std::vector<Tensor> sums = f.sum_all(kName, fold);

  Formula g(dtype);
  const auto norm = [&](std::size_t i) { return norm_of(g, g(sums[i]), options_.p); };
  const Value near = norm(0), far = options_.swap ? min(norm(1), norm(2)) : norm(1);
  const Value loss = hinge(g, near - far + g.scalar(options_.margin));
  return reduced(kName, g, loss, fold.result, dtype, options_.reduction);
}

}  // namespace tenon::nn
