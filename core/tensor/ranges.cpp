// Tensors of what an element's coordinates say: one launch over indices that need no memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/run.h"
#include "core/tensor/create.h"
#include "core/tensor/view.h"

namespace tenon {
namespace {

using program::Builder;
using program::Value;

/// Every device has i32.
DType index_dtype(std::int64_t low, std::int64_t high) {
  return Scalar(low).fits(i32) && Scalar(high).fits(i32) ? i32 : i64;
}

/// What column - row - diagonal fits, of a matrix whose elements can be counted.
DType place_dtype(std::int64_t rows, std::int64_t columns) {
  return index_dtype(1 - rows - columns, rows - 1 + columns);
}

ops::Input index(std::int64_t offset, const Strides& strides) {
  return {Tensor(), offset, strides};
}

/// A new tensor of `program` over these inputs; or see result().
Tensor computed(std::string_view op, const program::Program& program, const Shape& shape, Device device,
                std::vector<ops::Input> inputs, std::vector<std::uint64_t> scalars = {},
                const Tensor& over = {}) {
  ops::Operands operands{{ops::result(op, shape, program.output_dtype(0), device, over)},
                         std::move(inputs),
                         std::move(scalars)};
  ops::run(op, program, {&operands, 1});
  return std::move(operands.outputs.front());
}

program::Program cast_program(DType from, DType to) {
  Builder b;
  b.output(cast(b.input(from), to));
  return b.build();
}

std::int64_t whole(Scalar value) {
  require_fits("arange", value, i64);
  return value.to_int64();
}

/// How many of start, start + step .. come before stop.
std::int64_t count_of(std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (step > 0 ? stop <= start : stop >= start) return 0;
  const auto bits = [](std::int64_t x) { return static_cast<std::uint64_t>(x); };
  const std::uint64_t span = step > 0 ? bits(stop) - bits(start) : bits(start) - bits(stop);
  const std::uint64_t size = step > 0 ? bits(step) : 0 - bits(step);
  const std::uint64_t count = (span - 1) / size + 1;
  require(span <= bits(std::numeric_limits<std::int64_t>::max()),
          "[arange] {} to {} spans more than 63 bits", start, stop);
  return static_cast<std::int64_t>(count);
}

Tensor whole_range(std::int64_t start, std::int64_t stop, std::int64_t step, DType dtype,
                   Device device) {
  const std::int64_t count = count_of(start, stop, step);
  const std::int64_t last = count > 0 ? start + (count - 1) * step : start;
  if (count > 0) {
    require_fits("arange", start, dtype);
    require_fits("arange", last, dtype);
  }
  return computed("arange", cast_program(index_dtype(start, last), dtype), {count}, device,
                  {index(start, {step})});
}

void require_floating(std::string_view op, DType dtype) {
  require(is_floating(dtype), "[{}] {} is not floating; convert the result with to()", op, name(dtype));
}

/// start + i · step: two inputs that count from either end meet in the middle, so that both ends are
/// exact. What it is computed in is the dtype of the scalars.
Value stepped(Builder& b, DType counter, DType dtype) {
  const Value i = b.input(counter), left = b.input(counter);
  const Value start = b.scalar(dtype), stop = b.scalar(dtype), step = b.scalar(dtype);
  return select(i < left, start + cast(i, dtype) * step, stop - cast(left, dtype) * step);
}

/// `f` maps each number of equal steps, in what `dtype` is computed in; `more` are its scalars.
template <class F>
Tensor equal_steps(std::string_view op, double start, double stop, std::int64_t count, bool endpoint,
                   const TensorOptions& options, F f, std::vector<double> more = {}) {
  require(count >= 0, "[{}] the count is {}", op, count);
  const DType dtype = options.dtype.value_or(default_dtype());
  const DType wide = is_floating(dtype) ? ops::accumulator(dtype) : f64;
  const auto steps = static_cast<double>(endpoint ? count - 1 : count);
  const double step = steps > 0 ? (stop - start) / steps : 0;
  const double last = count == 1 ? start : endpoint ? stop : stop - step;
  const DType counter = index_dtype(0, count);
  Builder b;
  b.output(cast(f(b, stepped(b, counter, wide)), dtype));
  std::vector<std::uint64_t> scalars;
  more.insert(more.begin(), {start, last, step});
  for (const double value : more) scalars.push_back(Scalar(value).bits(wide));
  return finished(computed(op, b.build(), {count}, device_of(options),
                           {index(0, {1}), index(count - 1, {-1})}, std::move(scalars)),
                  options);
}

/// x where column - row - k is on `kept`'s side of 0, else 0.
Tensor triangle(std::string_view op, const Tensor& x, std::int64_t k, Value (*kept)(Value)) {
  const DType dtype = impl_of(x, op).dtype;
  require(x.rank() >= 2, "[{}] {} is no matrix", op, x.shape());
  const std::int64_t rows = x.size(-2), columns = x.size(-1);
  const std::int64_t diagonal = std::clamp(k, -rows, columns);
  Strides strides = Dims::filled(x.rank(), 0);
  strides[x.rank() - 2] = -1;
  strides[x.rank() - 1] = 1;
  Builder b;
  const Value element = b.input(dtype), place = b.input(place_dtype(rows, columns));
  b.output(select(kept(place), element, b.constant(dtype, 0)));
  const Tensor y =
      computed(op, b.build(), x.shape(), x.device(), {{x.detach()}, index(-diagonal, strides)}, {}, x);
  return recorded(op, x, y, [op, k, kept](const Tensor& dy) { return triangle(op, dy, k, kept); });
}

}  // namespace

Tensor indices(const Shape& shape, std::int64_t offset, const Strides& strides, Device device) {
  std::int64_t low = offset, high = offset;
  for (int d = 0; d < shape.size(); ++d) {
    const std::int64_t span = std::max<std::int64_t>(shape[d] - 1, 0) * strides[d];
    (span < 0 ? low : high) += span;
  }
  const DType dtype = index_dtype(low, high);
  return computed("indices", cast_program(dtype, dtype), shape, device, {index(offset, strides)});
}

Tensor arange(Scalar start, Scalar stop, Scalar step, TensorOptions options) {
  const bool counts = !start.is_floating() && !stop.is_floating() && !step.is_floating();
  require(step.to_double() != 0, "[arange] the step is 0");
  const Device device = device_of(options);
  if (counts) {
    const DType dtype = options.dtype.value_or(i64);
    return finished(whole_range(whole(start), whole(stop), whole(step), dtype, device), options);
  }
  const DType dtype = options.dtype.value_or(default_dtype()), wide = ops::accumulator(dtype);
  require_floating("arange", dtype);
  const double from = start.to_double(), by = step.to_double();
  const double count = std::max(std::ceil((stop.to_double() - from) / by), 0.0);
  require(count < 0x1p53, "[arange] {} to {} in steps of {} is not finite, or too long", from,
          stop.to_double(), by);
  const auto length = static_cast<std::int64_t>(count);
  const DType counter = index_dtype(0, length);
  Builder b;
  const Value i = cast(b.input(counter), wide), first = b.scalar(wide), width = b.scalar(wide);
  b.output(cast(first + i * width, dtype));
  return finished(computed("arange", b.build(), {length}, device, {index(0, {1})},
                           {start.bits(wide), step.bits(wide)}),
                  options);
}

Tensor arange(Scalar start, Scalar stop, TensorOptions options) {
  return arange(start, stop, 1, options);
}
Tensor arange(Scalar stop, TensorOptions options) {
  return arange(0, stop, 1, options);
}

Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options, bool endpoint) {
  const DType dtype = options.dtype.value_or(default_dtype());
  require(dtype != bool_, "[linspace] bool holds no steps");
  if (is_integer(dtype)) {
    for (double* const end : {&start, &stop}) {
      require_fits("linspace", *end, dtype);
      *end = std::trunc(*end);
    }
  }
  return equal_steps("linspace", start, stop, count, endpoint, options,
                     [](Builder&, Value x) { return x; });
}

Tensor logspace(double start, double stop, std::int64_t count, double base, TensorOptions options) {
  require_floating("logspace", options.dtype.value_or(default_dtype()));
  return equal_steps("logspace", start, stop, count, true, options,
                     [](Builder& b, Value x) { return pow(b.scalar(x.dtype()), x); }, {base});
}

Tensor eye(std::int64_t n, std::optional<std::int64_t> m, std::int64_t k, TensorOptions options) {
  const std::int64_t columns = m.value_or(n);
  require(n >= 0 && columns >= 0, "[eye] ({}, {}) has a negative extent", n, columns);
  numel({n, columns}, "eye");  // its elements must be countable
  const std::int64_t diagonal = std::clamp(k, -n, columns);
  const DType dtype = options.dtype.value_or(default_dtype());
  Builder b;
  b.output(cast(b.input(place_dtype(n, columns)) == 0.0, dtype));
  return finished(
      computed("eye", b.build(), {n, columns}, device_of(options), {index(-diagonal, {-1, 1})}),
      options);
}

Tensor eye(std::int64_t n, std::int64_t m, TensorOptions options) {
  return eye(n, m, 0, options);
}
Tensor eye(std::int64_t n, TensorOptions options) {
  return eye(n, n, 0, options);
}

Tensor tril(const Tensor& x, std::int64_t k) {
  return triangle("tril", x, k, [](Value place) { return place <= 0.0; });
}
Tensor triu(const Tensor& x, std::int64_t k) {
  return triangle("triu", x, k, [](Value place) { return place >= 0.0; });
}
Tensor& tril_(Tensor& x, std::int64_t k) {
  return ops::write_over("tril", x, {}, [&] { return tril(x, k); });
}
Tensor& triu_(Tensor& x, std::int64_t k) {
  return ops::write_over("triu", x, {}, [&] { return triu(x, k); });
}

std::vector<Tensor> meshgrid(std::span<const Tensor> axes, MeshIndexing indexing) {
  const auto dim_of = [&](std::size_t i) {
    const bool swapped = indexing == MeshIndexing::xy && axes.size() > 1 && i < 2;
    return static_cast<int>(swapped ? 1 - i : i);
  };
  require_rank("meshgrid", static_cast<int>(axes.size()));
  Shape grid;
  for (const Tensor& axis : axes) {
    impl_of(axis, "meshgrid");
    require(axis.rank() <= 1, "[meshgrid] an axis is 1-D, not {}", axis.shape());
    grid.push_back(axis.numel());
  }
  for (std::size_t i = 0; i < axes.size(); ++i) grid[dim_of(i)] = axes[i].numel();
  std::vector<Tensor> views;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Shape along = Dims::filled(grid.size(), 1);
    along[dim_of(i)] = axes[i].numel();
    views.push_back(axes[i].reshape(along).expand(grid));
  }
  return views;
}

}  // namespace tenon
