// Sums, means, and truth.
#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/elementwise.h"
#include "core/ops/fold.h"
#include "core/ops/formula.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

/// What a sum of x is given in: of its own choice or the caller's.
DType checked_sum_dtype(std::string_view op, const Tensor& x, std::optional<DType> asked) {
  impl_of(x, op);
  const DType dtype = asked.value_or(sum_dtype(autograd::autocast_dtype(autograd::Cast::wide, x)));
  require(dtype != bool_, "[{}] bool holds no sums; ask for an integer dtype", op);
  return dtype;
}

DType checked_mean_dtype(std::string_view op, const Tensor& x, std::optional<DType> asked) {
  impl_of(x, op);
  const DType dtype = asked.value_or(floating_dtype(autograd::autocast_dtype(autograd::Cast::wide, x)));
  require(is_floating(dtype), "[{}] {} holds no means; ask for a floating dtype", op, name(dtype));
  return dtype;
}

Tensor total(std::string_view op, const Tensor& x, const Fold& fold, DType dtype) {
  const Tensor y = folded(op, fold, TENON_REDUCE_SUM, x, dtype, dtype);
  if (autograd::needs_record({&x, 1}) && is_floating(dtype)) {
    autograd::record(op, {&x, 1}, {&y, 1}, [fold, from = x.dtype()](std::span<const Tensor> dy) {
      return std::vector<Tensor>{dy[0].to(from).reshape(fold.kept).expand(fold.shape)};
    });
  }
  return y;
}

/// Σ x / count: a new tensor, or `out`.
Tensor mean_of(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype,
               Tensor* out = nullptr) {
  const DType to = checked_mean_dtype("mean", x, dtype);
  const Fold fold = fold_of("mean", x.shape(), dims, keepdim);
  if (out != nullptr) check_holds("mean", out->dtype(), to);
  Formula f(to);  // 16-bit sums and counts would overflow
  const auto sum = f(total("mean", x, fold, accumulator(to)));
  f.output(cast(sum / f.scalar(fold.count), to), out != nullptr ? out->dtype() : to);
  return out == nullptr ? f.apply("mean") : f.apply_out("mean", *out);
}

Tensor truth(std::string_view op, std::uint8_t how, const Tensor& x, const Dims& dims, bool keepdim) {
  const Fold fold = fold_of(op, impl_of(x, op).shape, dims, keepdim);
  return folded(op, fold, how, x, bool_, bool_);
}

}  // namespace
}  // namespace ops

using ops::Fold;
using ops::Formula;
using ops::write_out;

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const DType to = ops::checked_sum_dtype("sum", x, dtype);
  return ops::total("sum", x, ops::fold_of("sum", x.shape(), dims, keepdim), to);
}
Tensor& sum_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim,
                std::optional<DType> dtype) {
  return write_out("sum", out, {x}, [&] { return sum(x, dims, keepdim, dtype); });
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  return ops::mean_of(x, dims, keepdim, dtype);
}
Tensor& mean_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim,
                 std::optional<DType> dtype) {
  ops::check_out("mean", out, ops::Refs({&x, 1}));
  ops::mean_of(x, dims, keepdim, dtype, &out);
  return out;
}

Tensor nansum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const DType to = ops::checked_sum_dtype("nansum", x, dtype);
  if (!is_floating(x.dtype())) return sum(x, dims, keepdim, to);
  const Fold fold = ops::fold_of("nansum", x.shape(), dims, keepdim);
  Formula f(to);
  const auto value = f.raw(x);
  const auto zero = value.builder().constant(x.dtype(), 0);
  f.output(cast(select(value != value, zero, value), ops::accumulator(to)));
  return f.sum("nansum", fold, to);
}

Tensor nanmean(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const DType to = ops::checked_mean_dtype("nanmean", x, dtype);
  const Fold fold = ops::fold_of("nanmean", x.shape(), dims, keepdim);
  Formula f(to);
  const auto value = f(x);
  f.output(select(value != value, f.constant(0), value));
  f.output(select(value != value, f.constant(0), f.constant(1)));
  const std::vector<Tensor> found = f.sum_all("nanmean", fold);
  Formula quotient(to);
  const auto total = quotient(found[0]), count = quotient(found[1].detach());
  quotient.output(total / count, to);
  return quotient.apply("nanmean");
}

Tensor count_nonzero(const Tensor& x, const Dims& dims, bool keepdim) {
  const Fold fold = ops::fold_of("count_nonzero", impl_of(x, "count_nonzero").shape, dims, keepdim);
  Formula f(i64);
  f.output(cast(f.raw(x), bool_), i64);
  return f.sum("count_nonzero", fold);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (impl_of(x, "sum_to").shape == shape) return x;
  const int lead = x.rank() - shape.size();
  require(lead >= 0 && broadcast("sum_to", x.shape(), shape) == x.shape(),
          "[sum_to] {} is not broadcast from {}", x.shape(), shape);
  std::uint32_t axes = 0;
  for (int d = 0; d < x.rank(); ++d) {
    if (d < lead || (shape[d - lead] == 1 && x.shape()[d] != 1)) axes |= 1u << d;
  }
  return ops::total("sum", x, ops::fold_over(x.shape(), axes, true), ops::sum_dtype(x.dtype()))
      .view(shape);
}

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::truth("any", TENON_REDUCE_ANY, x, dims, keepdim);
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::truth("all", TENON_REDUCE_ALL, x, dims, keepdim);
}
Tensor& any_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim) {
  return write_out("any", out, {x}, [&] { return any(x, dims, keepdim); });
}
Tensor& all_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim) {
  return write_out("all", out, {x}, [&] { return all(x, dims, keepdim); });
}

Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
  return tenon::sum(*this, dims, keepdim);
}
Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
  return tenon::mean(*this, dims, keepdim);
}

}  // namespace tenon
