// Distinct elements: a running count of the places where a run of equals begins numbers the runs; one
// read tells how many there are.
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/ops/scan.h"
#include "core/ops/sort.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using program::Builder;
using program::Program;

Program no_beginning(DType place) {
  Builder b;
  b.output(b.constant(place, 0));
  return b.build();
}

/// Inputs: an element and the one before it.
Program beginning(DType dtype, DType place) {
  Builder b;
  const auto x = b.input(dtype), before = b.input(dtype);
  b.output(cast(x != before, place));
  return b.build();
}

/// The number of the run that each element of x (n,) belongs to, from 0.
Tensor run_numbers(std::string_view op, const Tensor& x) {
  const DType place = ops::place_dtype(x.numel());
  ops::Scan scan(op, x.shape(), 0, {place}, x.device());
  scan.load(no_beginning(place), {});
  if (x.numel() > 1) {
    scan.load(beginning(x.dtype(), place), {{x.slice(0, {.start = 1})}, {x.slice(0, {.stop = -1})}}, 0,
              1);
  }
  scan.combine([](auto before, auto here) { return std::vector{before[0] + here[0]}; });
  Builder store;
  store.output(store.input(place));
  return scan.store(store.build()).front();
}

/// Of x (n,), in which equals stand side by side; places: where they stood in what was asked for.
Unique runs(std::string_view op, const Tensor& x, const Tensor& places, const UniqueOptions& options) {
  const Tensor numbers = run_numbers(op, x);
  const std::int64_t count = numbers.select(0, -1).item_scalar().to_int64() + 1;
  const TensorOptions like{.dtype = numbers.dtype(), .device = x.device()};
  const Tensor starts =
      scatter(full({count}, x.numel(), like), 0, numbers, arange(x.numel(), like), Scatter::min);
  Unique result{.values = index_select(x, 0, starts), .indices = {}, .inverse = {}, .counts = {}};
  if (options.indices) result.indices = index_select(places, 0, starts).to(i64);
  if (options.inverse) result.inverse = scatter(zeros_like(numbers), 0, places, numbers).to(i64);
  if (options.counts) {
    const Tensor one = ones({}, {.dtype = i64, .device = x.device()});
    result.counts = scatter(zeros({count}, {.dtype = i64, .device = x.device()}), 0, numbers,
                            one.expand(x.shape()), Scatter::add);
  }
  return result;
}

Unique distinct(std::string_view op, const Tensor& x, const UniqueOptions& options, bool sorted) {
  impl_of(x, op);
  const Tensor flat = x.detach().reshape({-1});
  if (flat.numel() == 0) {
    const Tensor none = empty({0}, {.dtype = i64, .device = x.device()});
    return {.values = flat,
            .indices = options.indices ? none : Tensor(),
            .inverse = options.inverse ? none.view(x.shape()) : Tensor(),
            .counts = options.counts ? none : Tensor()};
  }
  const Tensor places =
      sorted ? ops::sorted_places(op, flat, 0, false)
             : arange(flat.numel(), {.dtype = ops::place_dtype(flat.numel()), .device = x.device()});
  Unique result = runs(op, sorted ? gather(flat, 0, places) : flat, places, options);
  if (options.inverse) result.inverse = result.inverse.view(x.shape());
  return result;
}

}  // namespace

Unique unique(const Tensor& x, UniqueOptions options) {
  return distinct("unique", x, options, true);
}
Unique unique_consecutive(const Tensor& x, UniqueOptions options) {
  return distinct("unique_consecutive", x, options, false);
}

Unique unique_all(const Tensor& x) {
  return unique(x, {.indices = true, .inverse = true, .counts = true});
}
Unique unique_counts(const Tensor& x) {
  return unique(x, {.counts = true});
}
Unique unique_inverse(const Tensor& x) {
  return unique(x, {.inverse = true});
}
Tensor unique_values(const Tensor& x) {
  return unique(x).values;
}

}  // namespace tenon
