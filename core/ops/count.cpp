// Counting: each element finds its bin, and a SCATTER adds it there.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/neighbours.h"
#include "core/ops/run.h"
#include "core/ops/scan.h"
#include "core/ops/search.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// Adds src at the indices to `bins` zeros.
Tensor counted(const Tensor& indices, const Tensor& src, std::int64_t bins) {
  const Tensor nothing = zeros({bins}, {.dtype = src.dtype(), .device = src.device()});
  return scatter(nothing, 0, indices, src, Scatter::add);
}

Tensor ones_for(const Tensor& x, DType dtype) {
  return ones({}, {.dtype = dtype, .device = x.device()}).expand(x.shape());
}

/// The greatest element, or the least where that is negative: one read.
std::int64_t greatest_of(const Tensor& x) {
  const Tensor greatest = max(x);
  if (!is_signed_integer(x.dtype())) {
    const Scalar value = greatest.item_scalar();
    require(value.fits(i64), "[bincount] {} is too large to count up to", value.to<std::uint64_t>());
    return value.to_int64();
  }
  const Tensor least = min(x);
  const std::int64_t value = where(least < 0, least, greatest).item_scalar().to_int64();
  require(value >= 0, "[bincount] {} is negative; only 0, 1, .. are counted", value);
  return value;
}

Tensor summable(const Tensor& weights) {
  const DType dtype = weights.dtype();
  if (is_floating(dtype)) return weights;
  return weights.to(is_unsigned_integer(dtype) ? u64 : i64);
}

// --- Histograms ---

/// Inputs: the ends, the number of the edge; scalar: how many bins. Ends that are equal move half a
/// unit apart; each edge is counted from the nearer end.
Program edges_program(DType dtype) {
  const DType wide = ops::accumulator(dtype);
  Builder b;
  const Value low = cast(b.input(dtype), wide), high = cast(b.input(dtype), wide), i = b.input(i32);
  const Value bins = b.scalar(i32), empty = low == high;
  const Value first = select(empty, low - 0.5, low), last = select(empty, high + 0.5, high);
  const Value step = (last - first) / cast(bins, wide);
  const Value from_last = last - step * cast(bins - i, wide);
  b.output(cast(select(i <= ((bins - 1.0) >> 1), first + step * cast(i, wide), from_last), dtype));
  return b.build();
}

Tensor equal_edges(const Tensor& low, const Tensor& high, std::int64_t bins) {
  const ops::Operands operands{{allocate({bins + 1}, low.dtype(), low.device())},
                               {{low}, {high}, ops::index_along(0, 1)},
                               {Scalar(bins).bits(i32)}};
  ops::run("histogram", edges_program(low.dtype()), {&operands, 1});
  return operands.outputs.front();
}

/// Inputs: x, how many edges are not above it, the last edge; scalar: how many bins. The bin, or the
/// one behind all where x is outside.
Program bin_program(DType dtype, DType place) {
  Builder b;
  const Value x = b.input(dtype), edges = b.input(place), last = b.input(dtype), bins = b.scalar(place);
  const Value bin = select(x == last, bins, edges) - 1.0;
  b.output(select((bin < 0) | (bin >= bins), bins, bin));
  return b.build();
}

void check_histogram(std::string_view op, const Tensor& x, const HistogramOptions& options) {
  const DType dtype = impl_of(x, op).dtype;
  require(is_floating(dtype), "[{}] {} is not floating; convert it", op, name(dtype));
  if (!options.weight.defined()) return;
  require(options.weight.dtype() == dtype && options.weight.shape() == x.shape(),
          "[histogram] weights {} {} are not of x's shape and dtype, {} {}", options.weight.shape(),
          name(options.weight.dtype()), x.shape(), name(dtype));
  const Tensor both[] = {x, options.weight};
  ops::common_device("histogram", both);
}

Histogram counted_between(const Tensor& x, const Tensor& edges, const HistogramOptions& options) {
  const std::int64_t bins = edges.size(0) - 1;
  const Tensor flat = x.detach().reshape({-1});
  const Tensor inputs[] = {flat, ops::count_before("histogram", edges, flat, true),
                           edges.select(0, bins)};
  const DType place = inputs[1].dtype();
  const std::uint64_t count = Scalar(bins).bits(place);
  const Tensor bin = ops::run("histogram", bin_program(x.dtype(), place), inputs, {&count, 1}).front();
  const Tensor src =
      options.weight.defined() ? options.weight.reshape({-1}) : ones_for(flat, x.dtype());
  const Tensor hist = counted(bin, src, bins + 1).slice(0, {.stop = bins});
  if (!options.density) return {hist, edges};
  return {hist / (sum(hist) * diff(edges)), edges};
}

Histogram counted_in_bins(std::string_view op, const Tensor& x, std::int64_t bins,
                          const HistogramOptions& options) {
  check_histogram(op, x, options);
  require(bins >= 1 && bins < INT32_MAX, "[{}] there are {} bins", op, bins);
  const TensorOptions like{.dtype = x.dtype(), .device = x.device()};
  if (options.range || x.numel() == 0) {
    const auto [low, high] = options.range.value_or(std::pair(0.0, 1.0));
    require(std::isfinite(low) && std::isfinite(high) && low <= high,
            "[{}] the range {} .. {} is empty or not finite", op, low, high);
    return counted_between(x, equal_edges(full({}, low, like), full({}, high, like), bins), options);
  }
  const Tensor values = x.detach();
  return counted_between(x, equal_edges(min(values), max(values), bins), options);
}

}  // namespace

Tensor bincount(const Tensor& x, const Tensor& weights, std::int64_t minlength) {
  const DType dtype = impl_of(x, "bincount").dtype;
  require(is_integer(dtype) && x.rank() == 1, "[bincount] x is 1-D and of integers, not {} {}",
          x.shape(), name(dtype));
  require(minlength >= 0, "[bincount] minlength is {}", minlength);
  if (weights.defined()) {
    require(weights.shape() == x.shape(), "[bincount] weights {} are not of x's shape {}",
            weights.shape(), x.shape());
    const Tensor both[] = {x, weights};
    ops::common_device("bincount", both);
  }
  const Tensor src = weights.defined() ? summable(weights) : ones_for(x, i64);
  const std::int64_t last = x.numel() == 0 ? -1 : greatest_of(x);
  require(last < std::numeric_limits<std::int64_t>::max(), "[bincount] {} is too large to count up to",
          last);
  return counted(x, src, std::max(last + 1, minlength));
}

Histogram histogram(const Tensor& x, std::int64_t bins, const HistogramOptions& options) {
  return counted_in_bins("histogram", x, bins, options);
}

Histogram histogram(const Tensor& x, const Tensor& edges, const HistogramOptions& options) {
  check_histogram("histogram", x, options);
  impl_of(edges, "histogram");
  require(edges.rank() == 1 && edges.numel() >= 2, "[histogram] edges are 1-D and at least 2, not {}",
          edges.shape());
  require(edges.dtype() == x.dtype(), "[histogram] edges are {} and x {}; convert one",
          name(edges.dtype()), name(x.dtype()));
  const Tensor both[] = {x, edges};
  ops::common_device("histogram", both);
  const Tensor given = edges.detach();
  require(!any(ops::without_last(given, 0) > ops::without_first(given, 0)).item<bool>(),
          "[histogram] the edges fall");
  return counted_between(x, given, options);
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max) {
  HistogramOptions options;
  if (min != max) options.range = std::pair(min, max);
  return counted_in_bins("histc", x, bins, options).hist;
}

}  // namespace tenon
