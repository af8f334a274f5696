// Binary search in log2(n) steps, each of which reads one element for every value that is sought.
#include "core/ops/search.h"

#include <bit>
#include <numeric>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/places.h"
#include "core/ops/scan.h"
#include "core/ops/sort.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// NaN is greater than all numbers.
Value is_less(Value a, Value b) {
  return (a < b) | ((a == a) & (b != b));
}

/// Inputs: the value that is sought, an element, how many are known to stand before the value; scalars:
/// how many the element would add to them, how many the next one would, n. Outputs: how many are known
/// now, and where the next element is.
Program step_program(DType dtype, DType place, bool right) {
  Builder b;
  const Value value = b.input(dtype), element = b.input(dtype), known = b.input(place);
  const Value step = b.scalar(place), next = b.scalar(place), n = b.scalar(place);
  const Value is_before = right ? ~is_less(value, element) : is_less(element, value);
  const Value more = select(is_before & (known + step <= n), known + step, known);
  b.output(more);
  b.output(min(more + next, n) - 1.0);
  return b.build();
}

/// What GATHER reads for each value: along the last dimension of rows, or of the only one.
Indexing reading(const Tensor& sorted, const Tensor& values) {
  const int rank = values.rank();
  std::vector<int> along(static_cast<std::size_t>(rank), -1);
  if (sorted.rank() > 1) std::iota(along.begin(), along.end() - 1, 0);
  return {.shape = values.shape(),
          .dst = empty_like(values),
          .src = sorted,
          .picks = {{.index = {}, .dim = sorted.rank() - 1, .named = sorted.rank() - 1}},
          .along = along};
}

}  // namespace

Tensor count_before(std::string_view op, const Tensor& sorted, const Tensor& values, bool right) {
  const std::int64_t n = sorted.size(-1);
  const DType place = place_dtype(n);
  const TensorOptions options{.dtype = place, .device = values.device()};
  Tensor known = zeros(values.shape(), options);
  if (n == 0 || values.numel() == 0) return known;
  const Program program = step_program(values.dtype(), place, right);
  auto step = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
  Indexing read = reading(sorted, values);
  Tensor& index = read.picks.front().index;
  for (index = full(values.shape(), step - 1, options); step > 0; step /= 2) {
    run(op, read);
    const Tensor inputs[] = {values, read.dst, known};
    const std::uint64_t scalars[] = {Scalar(step).bits(place), Scalar(step / 2).bits(place),
                                     Scalar(n).bits(place)};
    const auto found = run(op, program, inputs, scalars);
    known = found[0];
    index = found[1];
  }
  return known;
}

}  // namespace ops

namespace {

void check_rows(std::string_view op, const Tensor& sorted, const Tensor& values) {
  require(impl_of(sorted, op).shape.size() > 0, "[{}] the sorted elements are 0-d, not (..., n)", op);
  impl_of(values, op);
  const Tensor both[] = {sorted, values};
  ops::common_device(op, both);
  if (sorted.rank() == 1) return;
  Shape expected = sorted.shape();
  if (values.rank() == sorted.rank()) expected[sorted.rank() - 1] = values.size(-1);
  require(values.shape() == expected, "[{}] values {} have not the rows of the sorted elements {}", op,
          values.shape(), sorted.shape());
}

Tensor places_of(std::string_view op, const Tensor& sorted, const Tensor& values, bool right) {
  check_rows(op, sorted, values);
  const DType common = promote(sorted.dtype(), values.dtype());
  return ops::count_before(op, sorted.detach().to(common), values.detach().to(common), right).to(i64);
}

/// Inputs: an element of x, what stands at its place among the sorted values, the place; scalar: n.
program::Program membership_program(DType dtype, DType place, bool invert) {
  program::Builder b;
  const auto x = b.input(dtype), found = b.input(dtype), at = b.input(place), n = b.scalar(place);
  const auto is_in = (at < n) & (x == found);
  b.output(invert ? ~is_in : is_in);
  return b.build();
}

}  // namespace

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right, const Tensor& sorter) {
  if (!sorter.defined()) return places_of("searchsorted", sorted, values, right);
  check_rows("searchsorted", sorted, values);
  ops::check_index("searchsorted", sorted, sorter);
  require(sorter.shape() == sorted.shape(), "[searchsorted] the sorter is {}, the elements are {}",
          sorter.shape(), sorted.shape());
  return places_of("searchsorted", gather(sorted.detach(), -1, sorter), values, right);
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  impl_of(x, "bucketize");
  impl_of(boundaries, "bucketize");
  require(boundaries.rank() == 1, "[bucketize] boundaries are 1-D, not {}", boundaries.shape());
  return places_of("bucketize", boundaries, x, right);
}

Tensor isin(const Tensor& x, const Tensor& values, bool invert) {
  const DType common = promote(impl_of(x, "isin").dtype, impl_of(values, "isin").dtype);
  const Tensor both[] = {x, values};
  ops::common_device("isin", both);
  const std::int64_t n = values.numel();
  if (n == 0) return full(x.shape(), invert, {.device = x.device()});
  const Tensor flat = values.detach().reshape({-1}).to(common);
  const Tensor sorted = gather(flat, 0, ops::sorted_places("isin", flat, 0, false));
  const Tensor sought = x.detach().to(common);
  const Tensor places = ops::count_before("isin", sorted, sought, false);
  const Tensor found = index_select(sorted, 0, minimum(places, n - 1).reshape({-1})).view(x.shape());
  const Tensor inputs[] = {sought, found, places};
  const std::uint64_t count = Scalar(n).bits(places.dtype());
  return ops::run("isin", membership_program(common, places.dtype(), invert), inputs, {&count, 1})
      .front();
}

}  // namespace tenon
