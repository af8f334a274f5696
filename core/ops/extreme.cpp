// The greatest and the least: their values, and where they stand.
#include <algorithm>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/fold.h"
#include "core/ops/formula.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

/// MAX or MIN; among bools they are ANY and ALL.
std::uint8_t operator_for(std::uint8_t how, DType dtype) {
  if (dtype != bool_) return how;
  return how == TENON_REDUCE_MAX ? TENON_REDUCE_ANY : TENON_REDUCE_ALL;
}

/// How extremes of x are found, each of its own dtype.
Folding folding_of(const Tensor& x, std::span<const std::uint8_t> how) {
  program::Builder b;
  const auto value = b.input(x.dtype());
  for (std::size_t i = 0; i < how.size(); ++i) b.output(value);
  Folding folding{.program = b.build(), .inputs = {{x}}, .operators = {}, .dtypes = {}};
  for (const std::uint8_t op : how) {
    folding.operators.push_back(operator_for(op, x.dtype()));
    folding.dtypes.push_back(x.dtype());
  }
  return folding;
}

/// Whether a value is the extreme one; among NaN, NaN is.
program::Value is_extreme(program::Value value, program::Value extreme) {
  return (value == extreme) | ((value != value) & (extreme != extreme));
}

/// dy at the extreme values, shared evenly among equals; 0 elsewhere, whatever dy is. Which they are,
/// and how many, does not depend on x but at corners.
Tensor extreme_gradient(std::string_view op, const Tensor& x, const Tensor& extreme, const Fold& fold,
                        const Tensor& dy) {
  Formula equals(x.dtype());
  const auto value = equals.raw(x), found = equals.raw(extreme);
  equals.output(select(is_extreme(value, found), equals.constant(1), equals.constant(0)));
  const Tensor count = equals.sum(op, fold_over(fold.shape, fold.axes, true));

  Formula share(x.dtype());
  const auto hit = is_extreme(share.raw(x), share.raw(extreme));
  const auto gradient = share(dy.reshape(fold.kept)), equal = share(count);
  share.output(select(hit, gradient / equal, share.constant(0)), x.dtype());
  return share.apply(op);
}

/// The extremes of x, one for each of `how`, in one launch.
std::vector<Tensor> extremes(std::string_view op, std::span<const std::uint8_t> how, const Tensor& x,
                             const Dims& dims, bool keepdim) {
  const Fold fold = fold_of(op, impl_of(x, op).shape, dims, keepdim);
  require_elements(op, fold);
  const std::vector<Tensor> y =
      how.size() == 1 ? std::vector<Tensor>{folded(op, fold, operator_for(how[0], x.dtype()), x,
                                                   x.dtype(), x.dtype())}
                      : folded(op, fold, folding_of(x, how));
  if (!autograd::needs_record({&x, 1})) return y;
  std::vector<autograd::Saved> found;
  for (const Tensor& extreme : y) found.emplace_back(extreme.detach().view(fold.kept));
  autograd::record(op, {&x, 1}, y,
                   [op, fold, found, saved = autograd::Saved(x)](std::span<const Tensor> dy) {
                     Tensor dx;
                     for (std::size_t i = 0; i < dy.size(); ++i) {
                       if (!dy[i].defined()) continue;
                       const Tensor part =
                           extreme_gradient(op, saved.get(op).detach(), found[i].get(op), fold, dy[i]);
                       dx = dx.defined() ? dx + part : part;
                     }
                     return std::vector<Tensor>{dx};
                   });
  return y;
}

Tensor extreme(std::string_view op, std::uint8_t how, const Tensor& x, const Dims& dims, bool keepdim) {
  return extremes(op, {&how, 1}, x, dims, keepdim).front();
}

/// The values of one dimension's extremes and their places, in one launch.
ValuesAndIndices extreme_along(std::string_view op, std::uint8_t value, std::uint8_t place,
                               const Tensor& x, int dim, bool keepdim) {
  const DType dtype = impl_of(x, op).dtype;
  const int d = checked_dim(op, dim, std::max(x.rank(), 1));
  const Fold fold = fold_over(x.shape(), 1u << d, keepdim);
  require_elements(op, fold);
  program::Builder b;
  const auto element = b.input(dtype);
  b.output(element);
  b.output(cast(element, dtype == bool_ ? i32 : dtype));
  const std::vector<Tensor> y = folded(op, fold,
                                       {.program = b.build(),
                                        .inputs = {{x}},
                                        .operators = {operator_for(value, dtype), place},
                                        .dtypes = {dtype, i64}});
  if (autograd::needs_record({&x, 1})) {
    autograd::record(
        op, {&x, 1}, y, [d, fold, at = autograd::Saved(y[1]), op](std::span<const Tensor> dy) {
          const Tensor nothing = zeros(fold.shape, {.dtype = dy[0].dtype(), .device = dy[0].device()});
          return std::vector<Tensor>{
              scatter(nothing, d, at.get(op).view(fold.kept), dy[0].reshape(fold.kept), Scatter::add)};
        });
  }
  return {y[0], y[1]};
}

/// The place of the extreme value: in row-major order over all, or along one dimension.
Tensor place_of_extreme(std::string_view op, std::uint8_t how, const Tensor& x, const Dims& dims,
                        bool keepdim) {
  const DType dtype = impl_of(x, op).dtype;
  require(dims.size() <= 1, "[{}] takes one dimension, or none for all, not {}", op, dims);
  const Fold fold = fold_of(op, x.shape(), dims, keepdim);
  require_elements(op, fold);
  return folded(op, fold, how, x, dtype == bool_ ? i32 : dtype, i64);
}

}  // namespace
}  // namespace ops

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::extreme("amax", TENON_REDUCE_MAX, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::extreme("amin", TENON_REDUCE_MIN, x, dims, keepdim);
}

MinMax aminmax(const Tensor& x, const Dims& dims, bool keepdim) {
  const std::uint8_t both[] = {TENON_REDUCE_MIN, TENON_REDUCE_MAX};
  const std::vector<Tensor> y = ops::extremes("aminmax", both, x, dims, keepdim);
  return {y[0], y[1]};
}

Tensor max(const Tensor& x) {
  return ops::extreme("max", TENON_REDUCE_MAX, x, {}, false);
}
Tensor min(const Tensor& x) {
  return ops::extreme("min", TENON_REDUCE_MIN, x, {}, false);
}
ValuesAndIndices max(const Tensor& x, int dim, bool keepdim) {
  return ops::extreme_along("max", TENON_REDUCE_MAX, TENON_REDUCE_ARGMAX, x, dim, keepdim);
}
ValuesAndIndices min(const Tensor& x, int dim, bool keepdim) {
  return ops::extreme_along("min", TENON_REDUCE_MIN, TENON_REDUCE_ARGMIN, x, dim, keepdim);
}
Tensor argmax(const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::place_of_extreme("argmax", TENON_REDUCE_ARGMAX, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::place_of_extreme("argmin", TENON_REDUCE_ARGMIN, x, dim, keepdim);
}

Tensor& amax_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::write_out("amax", out, {x}, [&] { return amax(x, dims, keepdim); });
}
Tensor& amin_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::write_out("amin", out, {x}, [&] { return amin(x, dims, keepdim); });
}
Tensor& argmax_out(Tensor& out, const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::write_out("argmax", out, {x}, [&] { return argmax(x, dim, keepdim); });
}
Tensor& argmin_out(Tensor& out, const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::write_out("argmin", out, {x}, [&] { return argmin(x, dim, keepdim); });
}

Tensor Tensor::max(const Dims& dims, bool keepdim) const {
  return ops::extreme("max", TENON_REDUCE_MAX, *this, dims, keepdim);
}
Tensor Tensor::min(const Dims& dims, bool keepdim) const {
  return ops::extreme("min", TENON_REDUCE_MIN, *this, dims, keepdim);
}

}  // namespace tenon
