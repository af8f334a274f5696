// Batcher's bitonic network (1968) with the first step of each merge mirrored, so that all comparators
// point one way. Elements become integer keys in the same order, each with its place: places break
// ties, which makes the sort stable and puts the padding last.
#include "core/ops/sort.h"

#include <algorithm>
#include <utility>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/halves.h"
#include "core/ops/scan.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Builder;
using program::Program;
using program::Value;

DType key_dtype(DType dtype) {
  return size_of(dtype) == 8 ? i64 : i32;
}

/// The greatest key: NaN's, and that of the padding.
Value greatest(Builder& b, DType key) {
  const std::uint64_t all = ~std::uint64_t{0};
  return b.constant_bits(key, key == i64 ? all >> 1 : all >> 33);
}

/// The bits of a number as a signed integer in the same order: those of negative numbers fall. Both
/// zeros are 0.
Value floating_key(Value x, DType key) {
  Builder& b = x.builder();
  const Value bits = bitcast(x, key), last = greatest(b, key);
  const Value rising = bits ^ ((bits >> (key == i64 ? 63 : 31)) & last);
  return select(x == x, select(x == 0, b.constant(key, 0), rising), last);
}

Value key_of(Value x) {
  const DType dtype = x.dtype(), key = key_dtype(dtype);
  if (is_floating(dtype)) return floating_key(cast(x, dtype == f64 ? f64 : f32), key);
  if (dtype != u32 && dtype != u64) return cast(x, key);
  return bitcast(x, key) ^ ~greatest(x.builder(), key);  // the sign bit flipped
}

/// Inputs: x, its place; outputs: the key and the place.
Program load_program(DType dtype, DType place, bool descending) {
  Builder b;
  const Value key = key_of(b.input(dtype));
  b.output(descending ? ~key : key);
  b.output(b.input(place));
  return b.build();
}

Program padding_program(DType key, DType place) {
  Builder b;
  b.output(greatest(b, key));
  b.output(b.input(place));
  return b.build();
}

/// Inputs: the keys and places of the first halves, then of the second ones; outputs: the same in
/// order.
Program comparator_program(DType key, DType place) {
  Builder b;
  const Value k = b.input(key), i = b.input(place), l = b.input(key), j = b.input(place);
  const Value swap = (l < k) | ((l == k) & (j < i));
  b.output(select(swap, l, k));
  b.output(select(swap, j, i));
  b.output(select(swap, k, l));
  b.output(select(swap, i, j));
  return b.build();
}

/// Keys and places, row-major, of a power of two along the dimension that is sorted.
struct Line {
  Tensor keys, places;

  Line like() const { return {empty_like(keys), empty_like(places)}; }
  Line range(int dim, std::int64_t start, std::int64_t stop) const {
    const Slice part{.start = start, .stop = stop};
    return {keys.slice(dim, part), places.slice(dim, part)};
  }
};

Line load(std::string_view op, const Tensor& x, int dim, bool descending) {
  const std::int64_t extent = x.size(dim), padded = rounded_up(extent);
  const DType key = key_dtype(x.dtype()), place = place_dtype(padded);
  Shape shape = x.shape();
  shape[dim] = padded;
  const Line line{allocate(shape, key, x.device()), allocate(shape, place, x.device())};
  const auto fill = [&](const Program& program, const Line& part, std::vector<Input> inputs) {
    const Operands operands{{part.keys, part.places}, std::move(inputs)};
    run(op, program, {&operands, 1});
  };
  fill(load_program(x.dtype(), place, descending), line.range(dim, 0, extent),
       {{x}, index_along(dim, x.rank())});
  if (extent < padded) {
    fill(padding_program(key, place), line.range(dim, extent, padded),
         {index_along(dim, x.rank(), extent)});
  }
  return line;
}

/// One step of the network, over blocks of 2 · half; mirrored: the first against the last, and so on.
Operands step_operands(const Line& from, const Line& to, int dim, std::int64_t half, bool mirrored) {
  const auto parts = [&](const Tensor& x) {
    Halves both = halves(x, dim, half);
    if (mirrored) both.second = both.second.slice(2, {.step = -1});
    return both;
  };
  const Halves keys = parts(from.keys), places = parts(from.places);
  const Halves new_keys = parts(to.keys), new_places = parts(to.places);
  return {{new_keys.first, new_places.first, new_keys.second, new_places.second},
          {{keys.first}, {places.first}, {keys.second}, {places.second}}};
}

/// What stands at places start .. stop - 1 along dim once x is sorted.
ValuesAndIndices sorted_range(std::string_view op, const Tensor& x, int dim, bool descending,
                              std::int64_t start, std::int64_t stop) {
  Shape shape = x.shape();
  shape[dim] = stop - start;
  if (numel(shape) == 0) {
    return {x.slice(dim, {.stop = stop - start}), empty(shape, {.dtype = i64, .device = x.device()})};
  }
  const Tensor places = sorted_places(op, x.detach(), dim, descending);
  const Tensor indices = places.slice(dim, {.start = start, .stop = stop}).to(i64);
  return {gather(x, dim, indices), indices};
}

/// What is sorted along: of a 0-d tensor a dimension of extent 1.
struct Dimension {
  Dimension(std::string_view op, const Tensor& x, int dim)
      : line(impl_of(x, op).shape.empty() ? x.view({1}) : x),
        is_scalar(x.rank() == 0),
        d(checked_dim(op, dim, line.rank())),
        extent(line.size(d)) {}

  Tensor line;  // x, as (1,) if it is 0-d
  bool is_scalar;
  int d;
  std::int64_t extent;
};

ValuesAndIndices back_to_scalar(const Dimension& dimension, const ValuesAndIndices& y) {
  if (!dimension.is_scalar) return y;
  return {y.values.squeeze(0), y.indices.squeeze(0)};
}

/// y, one element along the dimension, without it unless it is to be kept.
ValuesAndIndices without_line(const Dimension& along, const ValuesAndIndices& y, bool keepdim) {
  if (keepdim && !along.is_scalar) return y;
  return {y.values.squeeze(along.d), y.indices.squeeze(along.d)};
}

}  // namespace

Tensor sorted_places(std::string_view op, const Tensor& x, int dim, bool descending) {
  Line line = load(op, x, dim, descending);
  const Program comparator = comparator_program(line.keys.dtype(), line.places.dtype());
  const std::int64_t padded = line.keys.size(dim);
  Line next = padded > 1 ? line.like() : line;
  for (std::int64_t merged = 1; merged < padded; merged *= 2) {
    for (std::int64_t half = merged; half > 0; half /= 2) {
      const Operands operands = step_operands(line, next, dim, half, half == merged);
      run(op, comparator, {&operands, 1});
      std::swap(line, next);
    }
  }
  return line.range(dim, 0, x.size(dim)).places;
}

Tensor column(const Tensor& x, int dim, int rank) {
  Shape shape = Dims::filled(rank, 1);
  shape[dim] = x.numel();
  return x.view(shape);
}

}  // namespace ops

ValuesAndIndices sort(const Tensor& x, int dim, bool descending) {
  const ops::Dimension along("sort", x, dim);
  return ops::back_to_scalar(
      along, ops::sorted_range("sort", along.line, along.d, descending, 0, along.extent));
}

Tensor argsort(const Tensor& x, int dim, bool descending) {
  const ops::Dimension along("argsort", x, dim);
  if (x.numel() == 0) return empty(x.shape(), {.dtype = i64, .device = x.device()});
  return ops::sorted_places("argsort", along.line.detach(), along.d, descending)
      .to(i64)
      .view(x.shape());
}

ValuesAndIndices topk(const Tensor& x, std::int64_t k, int dim, bool largest) {
  const ops::Dimension along("topk", x, dim);
  require(k >= 0 && k <= along.extent, "[topk] k is {}, and dimension {} of {} has extent {}", k,
          along.d, x.shape(), along.extent);
  const ValuesAndIndices top = ops::sorted_range("topk", along.line, along.d, largest, 0, k);
  return k == 0 ? top : ops::back_to_scalar(along, top);
}

ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, int dim, bool keepdim) {
  const ops::Dimension along("kthvalue", x, dim);
  require(k >= 1 && k <= along.extent, "[kthvalue] k is {}, and dimension {} of {} has extent {}", k,
          along.d, x.shape(), along.extent);
  const auto [values, indices] = ops::sorted_range("kthvalue", along.line, along.d, false, k - 1, k);
  return ops::without_line(along, {values, indices}, keepdim);
}

// Sorted equals stand in runs; the place of the last of a run tells how long it is.
ValuesAndIndices mode(const Tensor& x, int dim, bool keepdim) {
  const ops::Dimension along("mode", x, dim);
  require(along.extent > 0, "[mode] {} has no elements along dimension {}", x.shape(), along.d);
  const auto [sorted, places] = sort(along.line.detach().movedim(along.d, -1));
  const Tensor length = arange(along.extent, {.device = x.device()}) - searchsorted(sorted, sorted);
  const Tensor indices = gather(places, -1, argmax(length, {-1}, true)).movedim(-1, along.d);
  return ops::without_line(along, {gather(along.line, along.d, indices), indices}, keepdim);
}

}  // namespace tenon
