// What is true in a mask: counted by a scan, gathered by a scatter of positions, with one read of the
// count.
#include <algorithm>
#include <limits>
#include <utility>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/elementwise.h"
#include "core/ops/places.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Builder;
using program::Value;

/// What counts so many elements.
DType counter(std::int64_t count) {
  return count <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
}

/// Of each element of x (1-D) its rank among those that are not zero, or `count` where it is none of
/// them; and its position.
std::pair<Tensor, Tensor> ranks(std::string_view op, const Tensor& x, const Tensor& running,
                                std::int64_t count) {
  const DType dtype = running.dtype();
  Builder b;
  const Value truth = cast(b.input(x.dtype()), bool_), upto = b.input(dtype);
  const Value position = b.input(dtype), none = b.scalar(dtype);
  b.output(select(truth, upto - 1.0, none));
  b.output(position);
  const Operands operands{
      {allocate(x.shape(), dtype, x.device()), allocate(x.shape(), dtype, x.device())},
      {{x}, {running}, {Tensor(), 0, {1}}},
      {Scalar(count).bits(dtype)}};
  run(op, b.build(), {&operands, 1});
  return {operands.outputs[0], operands.outputs[1]};
}

/// The positions of what is not zero in x (1-D), in order.
Tensor positions(std::string_view op, const Tensor& x) {
  if (x.numel() == 0) return allocate({0}, counter(0), x.device());
  const Tensor running = cumsum(x.dtype() == bool_ ? x : x != 0, 0, counter(x.numel()));
  const std::int64_t count = running.select(0, -1).item_scalar().to_int64();
  const auto [rank, position] = ranks(op, x, running, count);
  // One more place at the end, for all that is zero.
  const Tensor all = allocate({count + 1}, running.dtype(), x.device());
  run(op, Indexing{.shape = x.shape(),
                   .dst = all,
                   .src = position,
                   .picks = {{rank, 0, 0}},
                   .along = {-1},
                   .how = TENON_SCATTER_ASSIGN});
  return all.slice(0, {.start = 0, .stop = count});
}

/// From positions in row-major order to coordinates: position / stride % extent in each dimension.
void split(std::string_view op, const Tensor& position, const Shape& shape,
           const std::vector<Tensor>& coordinates) {
  Builder b;
  Operands operands{coordinates, {{position}}};
  const Value p = b.input(position.dtype());
  const Strides strides = contiguous_strides(shape);
  for (int d = 0; d < shape.size(); ++d) {
    const auto scalar = [&](std::int64_t value) {
      operands.scalars.push_back(Scalar(value).bits(position.dtype()));
      return b.scalar(position.dtype());
    };
    const Value upto = d + 1 < shape.size() ? p / scalar(strides[d]) : p;
    const Value within = d > 0 ? rem(upto, scalar(shape[d])) : upto;
    b.output(cast(within, coordinates[static_cast<std::size_t>(d)].dtype()));
  }
  run(op, b.build(), {&operands, 1});
}

void require_mask(std::string_view op, const Tensor& mask) {
  const DType dtype = impl_of(mask, op).dtype;
  require(dtype == bool_, "[{}] the mask is {}, not bool", op, name(dtype));
}

/// What writes a number, an input or a scalar, into x where the mask is true.
struct Filling {
  program::Program program;
  std::vector<Tensor> inputs;
  std::vector<std::uint64_t> scalars = {};
};

Filling filling(const Tensor& x, const Tensor& mask, const Tensor& value) {
  require_mask("masked_fill", mask);
  const Tensor operands[] = {x, mask, value};
  common_device("masked_fill", operands);
  require(value.rank() == 0, "[masked_fill] value is 0-d, not {}", value.shape());
  Builder b;
  const Value chosen = b.input(bool_), filled = b.input(x.dtype());
  b.output(select(chosen, filled, b.input(x.dtype())));
  return {b.build(), {mask, value.to(x.dtype()), x}};
}

Filling filling(const Tensor& x, const Tensor& mask, Scalar value) {
  const DType dtype = impl_of(x, "masked_fill").dtype;
  require_mask("masked_fill", mask);
  require_fits("masked_fill", value, dtype);
  Builder b;
  const Value chosen = b.input(bool_);
  b.output(select(chosen, b.scalar(dtype), b.input(dtype)));
  return {b.build(), {mask, x}, {value.bits(dtype)}};
}

}  // namespace

std::vector<Tensor> true_places(std::string_view op, const Tensor& mask, std::optional<DType> dtype) {
  const NoGrad guard;
  const Tensor position = positions(op, mask.detach().reshape({-1}));
  if (mask.rank() <= 1 && dtype.value_or(position.dtype()) == position.dtype()) return {position};
  std::vector<Tensor> coordinates;
  for (int d = 0; d < std::max(mask.rank(), 1); ++d) {
    coordinates.push_back(allocate(position.shape(), dtype.value_or(position.dtype()), mask.device()));
  }
  split(op, position, mask.rank() == 0 ? Shape{1} : mask.shape(), coordinates);
  return coordinates;
}

}  // namespace ops

Tensor nonzero(const Tensor& x) {
  impl_of(x, "nonzero");
  const NoGrad guard;
  const Tensor position = ops::positions("nonzero", x.detach().reshape({-1}));
  const Tensor rows = allocate({position.numel(), x.rank()}, i64, x.device());
  if (x.rank() == 0) return rows;
  std::vector<Tensor> columns;
  for (int d = 0; d < x.rank(); ++d) columns.push_back(rows.select(1, d));
  ops::split("nonzero", position, x.shape(), columns);
  return rows;
}

Tensor argwhere(const Tensor& x) {
  return nonzero(x);
}

std::vector<Tensor> where(const Tensor& condition) {
  impl_of(condition, "where");
  return ops::true_places("where", condition, i64);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  impl_of(x, "masked_select");
  ops::require_mask("masked_select", mask);
  const Shape shape = broadcast("masked_select", x.shape(), mask.shape());
  const Tensor operands[] = {x, mask};
  ops::common_device("masked_select", operands);
  return index(x.expand(shape), {mask.expand(shape)});
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  const ops::Filling f = ops::filling(x, mask, value);
  return ops::apply("masked_fill", f.program, f.inputs).front();
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  const ops::Filling f = ops::filling(x, mask, value);
  return ops::apply("masked_fill", f.program, f.inputs, f.scalars).front();
}
Tensor& masked_fill_(Tensor& x, const Tensor& mask, const Tensor& value) {
  const ops::Filling f = ops::filling(x, mask, value);
  ops::apply_in_place("masked_fill", f.program, x, ops::Refs(f.inputs));
  return x;
}
Tensor& masked_fill_(Tensor& x, const Tensor& mask, Scalar value) {
  const ops::Filling f = ops::filling(x, mask, value);
  ops::apply_in_place("masked_fill", f.program, x, ops::Refs(f.inputs), f.scalars);
  return x;
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src) {
  const Tensor operands[] = {x, mask, src};
  ops::common_device("masked_scatter", operands);
  ops::check_source("masked_scatter", x, src);
  ops::require_mask("masked_scatter", mask);
  const Shape shape = broadcast("masked_scatter", x.shape(), mask.shape());
  const Tensor at =
      ops::true_places("masked_scatter", mask.detach().expand(shape).reshape({-1})).front();
  require(src.numel() >= at.numel(), "[masked_scatter] the mask takes {} elements, src {} has fewer",
          at.numel(), src.shape());
  const ops::Place place{.steps = {ops::flat},
                         .shape = at.shape(),
                         .picks = {{at, 0, 0}},
                         .along = {-1},
                         .distinct = true};
  return ops::write_at("masked_scatter", x.shape() == shape ? x : x.expand(shape), place,
                       src.reshape({-1}).slice(0, {.stop = at.numel()}), Scatter::assign);
}
Tensor& masked_scatter_(Tensor& x, const Tensor& mask, const Tensor& src) {
  return ops::write_over("masked_scatter", x, {mask, src},
                         [&] { return masked_scatter(x.contiguous(), mask, src); });
}

}  // namespace tenon
