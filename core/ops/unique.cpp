// Distinct elements, or slices: a running count of the places where a run of equals begins numbers the
// runs; one read tells how many there are.
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/fold.h"
#include "core/ops/neighbours.h"
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

/// The number of the run that each element of the columns belongs to, from 0: a new one begins behind
/// each place of `differs`, which has one row less.
Tensor run_numbers(std::string_view op, const Shape& shape, const Tensor& differs) {
  const DType place = ops::place_dtype(shape[0]);
  ops::Scan scan(op, shape, 0, {place}, differs.device());
  scan.load(no_beginning(place), {});
  if (shape[0] > 1) scan.load(ops::cast_program({bool_, place}), {{differs}}, 0, 1);
  scan.combine([](auto before, auto here) { return std::vector{before[0] + here[0]}; });
  return scan.store(ops::cast_program({place})).front();
}

Tensor differs(const Tensor& x) {
  return ops::without_first(x, 0) != ops::without_last(x, 0);
}

/// Of each element of the columns of x how many other ones are less, equals counted once.
Tensor ranks(std::string_view op, const Tensor& x) {
  const Tensor places = ops::sorted_places(op, x, 0, false);
  const Tensor numbers = run_numbers(op, x.shape(), differs(gather(x, 0, places)));
  return scatter(zeros_like(numbers), 0, places, numbers);
}

/// The same of the rows, (n,): ranks of pairs of columns are ranks of numbers in two digits.
Tensor ranks_of_rows(std::string_view op, const Tensor& x) {
  const std::int64_t n = x.size(0);
  if (x.size(1) == 0) return zeros({n}, {.dtype = ops::place_dtype(n), .device = x.device()});
  Tensor digits = ranks(op, x);
  while (digits.size(1) > 1) {
    if (digits.size(1) % 2 == 1) digits = pad(digits, {0, 1});
    const Tensor pairs = digits.to(i64).unflatten(1, {-1, 2});
    digits = ranks(op, pairs.select(2, 0) * n + pairs.select(2, 1));
  }
  return digits.select(1, 0);
}

Tensor runs_of_rows(std::string_view op, const Tensor& x) {
  return run_numbers(op, {x.size(0), 1}, any(differs(x), {1}, true)).select(1, 0);
}

/// Of the slices of x along d, which `numbers` tells apart; x has some.
Unique first_of_each(const Tensor& x, int d, const Tensor& numbers, const UniqueOptions& options) {
  const std::int64_t n = x.size(d), count = amax(numbers).item_scalar().to_int64() + 1;
  const TensorOptions like{.dtype = numbers.dtype(), .device = x.device()};
  const Tensor starts = scatter(full({count}, n, like), 0, numbers, arange(n, like), Scatter::min);
  Unique result{.values = index_select(x, d, starts), .indices = {}, .inverse = {}, .counts = {}};
  if (options.indices) result.indices = starts.to(i64);
  if (options.inverse) result.inverse = numbers.to(i64);
  if (options.counts) {
    result.counts = scatter(zeros({count}, {.dtype = i64, .device = x.device()}), 0, numbers,
                            ones({n}, {.dtype = i64, .device = x.device()}), Scatter::add);
  }
  return result;
}

Unique distinct(std::string_view op, const Tensor& x, const UniqueOptions& options,
                Tensor (*number)(std::string_view op, const Tensor& rows)) {
  impl_of(x, op);
  const Tensor from = options.dim ? x.detach() : x.detach().reshape({-1});
  const int d = checked_dim(op, options.dim.value_or(0), from.rank());
  const std::int64_t n = from.size(d);
  Unique result;
  if (n == 0) {
    const Tensor none = empty({0}, {.dtype = i64, .device = x.device()});
    result = {.values = from.clone(),
              .indices = options.indices ? none : Tensor(),
              .inverse = options.inverse ? none : Tensor(),
              .counts = options.counts ? none : Tensor()};
  } else {
    const Tensor rows = from.movedim(d, 0).reshape({n, from.numel() / n});
    result = first_of_each(from, d, number(op, rows), options);
  }
  if (options.inverse && !options.dim) result.inverse = result.inverse.view(x.shape());
  return result;
}

}  // namespace

Unique unique(const Tensor& x, UniqueOptions options) {
  return distinct("unique", x, options, ranks_of_rows);
}
Unique unique_consecutive(const Tensor& x, UniqueOptions options) {
  return distinct("unique_consecutive", x, options, runs_of_rows);
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
