// Order statistics: elements at places, computed on the device, among the sorted ones.
#include <algorithm>
#include <limits>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/elementwise.h"
#include "core/ops/kinds.h"
#include "core/ops/sort.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// Whether NaN takes part.
enum class Nan { Wins, Ignored };

/// How many NaN stand along dim, which stays with extent 1; i32.
Tensor nan_count(std::string_view op, const Tensor& x, int dim) {
  Shape shape = x.shape();
  shape[dim] = 1;
  if (!is_floating(x.dtype())) return zeros(shape, {.dtype = i32, .device = x.device()});
  Builder b;
  const Value value = b.input(x.dtype());
  b.output(cast(value != value, i32));
  const ops::Reduction work{.shape = x.shape(),
                            .axes = 1u << dim,
                            .results = {allocate(shape, i32, x.device())},
                            .operators = {TENON_REDUCE_SUM},
                            .inputs = {{x}},
                            .prologue = b.build()};
  ops::run(op, work);
  return work.results.front();
}

/// Of n sorted elements the lower of the middle two, or the first of NaN, which stand last.
Program median_program(Nan nan) {
  Builder b;
  const Value missing = b.input(i32), n = b.scalar(i32);
  const Value middle = max(n - missing - 1.0, 0.0) >> 1;
  b.output(nan == Nan::Ignored ? middle : select(missing == 0, middle, n - missing));
  return b.build();
}

ValuesAndIndices median_along(std::string_view op, const Tensor& x, int dim, bool keepdim, Nan nan) {
  impl_of(x, op);
  const int d = checked_dim(op, dim, std::max(x.rank(), 1));
  if (x.rank() == 0) {
    const auto [values, indices] = median_along(op, x.view({1}), 0, false, nan);
    return {values, indices};
  }
  require(x.size(d) > 0, "[{}] {} has no elements along dimension {}", op, x.shape(), d);
  require(x.size(d) <= std::numeric_limits<std::int32_t>::max(), "[{}] extent {} is too large", op,
          x.size(d));
  Shape shape = x.shape();
  shape[d] = 1;
  Tensor indices = empty(shape, {.dtype = i64, .device = x.device()});
  if (x.numel() > 0) {
    const Tensor missing = nan_count(op, x.detach(), d);
    const std::uint64_t extent = Scalar(x.size(d)).bits(i32);
    const Tensor place = ops::run(op, median_program(nan), {&missing, 1}, {&extent, 1}).front();
    indices = gather(ops::sorted_places(op, x.detach(), d, false), d, place).to(i64);
  }
  const Tensor values = gather(x, d, indices);
  if (keepdim) return {values, indices};
  return {values.squeeze(d), indices.squeeze(d)};
}

Tensor median_of_all(std::string_view op, const Tensor& x, Nan nan) {
  const DType dtype = impl_of(x, op).dtype;
  if (x.numel() > 0) return median_along(op, x.reshape({-1}), 0, false, nan).values;
  require(is_floating(dtype), "[{}] {} has no elements", op, x.shape());
  return full({}, std::numeric_limits<double>::quiet_NaN(), {.dtype = dtype, .device = x.device()});
}

// --- Quantiles ---

/// Inputs: q, how many NaN of n elements; outputs: the places of two elements and the weight of the
/// second. NaN stand last: where they win, both places are the last.
Program rank_program(DType dtype, Interpolation interpolation, Nan nan) {
  Builder b;
  const Value q = b.input(dtype), missing = b.input(i32), n = b.scalar(i32);
  const Value last = max(nan == Nan::Ignored ? n - missing - 1.0 : n - 1.0, 0.0);
  const Value valid = (q >= 0) & (q <= 1), zero = b.constant(dtype, 0);
  const Value rank = select(valid, q, zero) * cast(last, dtype);
  Value low = floor(rank), high = ceil(rank), weight = zero;
  switch (interpolation) {
    case Interpolation::linear:
      weight = rank - low;
      break;
    case Interpolation::midpoint:
      weight = select(low == high, zero, b.constant(dtype, 0.5));
      break;
    case Interpolation::lower:
      high = low;
      break;
    case Interpolation::higher:
      low = high;
      break;
    case Interpolation::nearest:
      low = high = round(rank);
      break;
  }
  const auto place = [&](Value x) {
    const Value within = min(cast(x, i32), last);
    return nan == Nan::Ignored ? within : select(missing == 0, within, last);
  };
  b.output(place(low));
  b.output(place(high));
  b.output(select(valid, weight, b.constant(dtype, std::numeric_limits<double>::quiet_NaN())));
  return b.build();
}

/// low + weight (high - low), from the nearer end; between equals, infinite ones too, that one.
Program blend_program(DType dtype) {
  Builder b;
  const Value low = b.input(dtype), high = b.input(dtype), weight = b.input(dtype);
  const Value same = low == high, zero = b.constant(dtype, 0);
  const Value step = select(same, zero, high - low);
  const Value between = select(weight < 0.5, low + weight * step, high - (1.0 - weight) * step);
  b.output(select(same & (weight == weight), low, between));
  return b.build();
}

void check_quantile(std::string_view op, const Tensor& x, const Tensor& q) {
  const DType dtype = impl_of(x, op).dtype;
  require(is_floating(dtype), "[{}] {} is not floating; convert it", op, name(dtype));
  impl_of(q, op);
  require(is_floating(q.dtype()), "[{}] q is {}, not floating", op, name(q.dtype()));
  require(q.rank() <= 1, "[{}] q is 0-d or 1-D, not {}", op, q.shape());
  const Tensor both[] = {x, q};
  ops::common_device(op, both);
}

/// Quantiles along dim, in the order of q.
Tensor quantiles_along(std::string_view op, const Tensor& x, const Tensor& q, int dim,
                       Interpolation interpolation, Nan nan) {
  require(x.size(dim) > 0, "[{}] {} has no elements along dimension {}", op, x.shape(), dim);
  require(x.size(dim) <= std::numeric_limits<std::int32_t>::max(), "[{}] extent {} is too large", op,
          x.size(dim));
  const DType dtype = x.dtype();
  const Tensor inputs[] = {ops::column(q.detach().to(dtype), dim, x.rank()),
                           nan_count(op, x.detach(), dim)};
  const std::uint64_t extent = Scalar(x.size(dim)).bits(i32);
  const auto places = ops::run(op, rank_program(dtype, interpolation, nan), inputs, {&extent, 1});
  if (places[0].numel() == 0) return places[2];
  const Tensor sorted = ops::sorted_places(op, x.detach(), dim, false);
  const auto element = [&](const Tensor& place) { return gather(x, dim, gather(sorted, dim, place)); };
  const bool blends =
      interpolation == Interpolation::linear || interpolation == Interpolation::midpoint;
  const Tensor low = element(places[0]);
  const Tensor ends[] = {low, blends ? element(places[1]) : low, places[2]};
  return ops::apply(op, blend_program(dtype), ends).front();
}

/// The dimension of the quantiles goes to the front, or away where there is one q only.
Tensor arranged(const Tensor& y, int dim, bool keepdim, bool is_single) {
  if (is_single) return keepdim ? y : y.squeeze(dim);
  Dims order{dim};
  for (int d = 0; d < y.rank(); ++d) {
    if (d != dim) order.push_back(d);
  }
  const Tensor front = y.permute(order);
  return keepdim ? front.unsqueeze(dim + 1) : front;
}

Tensor quantiles(std::string_view op, const Tensor& x, const Tensor& q, const QuantileOptions& options,
                 Nan nan) {
  check_quantile(op, x, q);
  const DType wide = ops::accumulator(x.dtype());
  const bool is_single = q.rank() == 0;
  if (!options.dim || x.rank() == 0) {
    if (options.dim) checked_dim(op, *options.dim, 1);
    Tensor y = quantiles_along(op, x.reshape({-1}).to(wide), q, 0, options.interpolation, nan);
    Shape shape = options.keepdim ? Dims::filled(x.rank(), 1) : Shape{};
    if (!is_single) shape.insert(0, q.numel());
    return y.to(x.dtype()).view(shape);
  }
  const int d = checked_dim(op, *options.dim, x.rank());
  const Tensor y = quantiles_along(op, x.to(wide), q, d, options.interpolation, nan);
  return arranged(y.to(x.dtype()), d, options.keepdim, is_single);
}

Tensor quantile_of(std::string_view op, const Tensor& x, double q, const QuantileOptions& options,
                   Nan nan) {
  const DType dtype = impl_of(x, op).dtype;
  require(q >= 0 && q <= 1, "[{}] q is {}, not in [0, 1]", op, q);
  const Tensor place =
      full({}, q, {.dtype = is_floating(dtype) ? ops::accumulator(dtype) : f32, .device = x.device()});
  return quantiles(op, x, place, options, nan);
}

}  // namespace

ValuesAndIndices median(const Tensor& x, int dim, bool keepdim) {
  return median_along("median", x, dim, keepdim, Nan::Wins);
}
Tensor median(const Tensor& x) {
  return median_of_all("median", x, Nan::Wins);
}
ValuesAndIndices nanmedian(const Tensor& x, int dim, bool keepdim) {
  return median_along("nanmedian", x, dim, keepdim, Nan::Ignored);
}
Tensor nanmedian(const Tensor& x) {
  return median_of_all("nanmedian", x, Nan::Ignored);
}

Tensor quantile(const Tensor& x, const Tensor& q, const QuantileOptions& options) {
  return quantiles("quantile", x, q, options, Nan::Wins);
}
Tensor quantile(const Tensor& x, double q, const QuantileOptions& options) {
  return quantile_of("quantile", x, q, options, Nan::Wins);
}
Tensor nanquantile(const Tensor& x, const Tensor& q, const QuantileOptions& options) {
  return quantiles("nanquantile", x, q, options, Nan::Ignored);
}
Tensor nanquantile(const Tensor& x, double q, const QuantileOptions& options) {
  return quantile_of("nanquantile", x, q, options, Nan::Ignored);
}

}  // namespace tenon
