// Index tensors along one dimension.
#include <algorithm>
#include <limits>
#include <numeric>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/places.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using ops::check_source;
using ops::Place;
using ops::place_of;
using ops::place_of_rows;
using ops::read_at;
using ops::source_of;
using ops::write_at;
using ops::write_over;

/// Dimension d of the iteration space runs along that of the indexed operand, but for `dim`.
std::vector<int> along_all_but(int dim, int rank) {
  std::vector<int> along(static_cast<std::size_t>(rank));
  std::iota(along.begin(), along.end(), 0);
  along[static_cast<std::size_t>(dim)] = -1;
  return along;
}

/// `index`, which broadcasts to `shape`, along `dim` of x.
Place place_along(std::string_view op, const Tensor& x, int dim, const Tensor& index,
                  const Shape& shape) {
  Place place{.shape = shape, .picks = {{index, dim, dim}}, .along = along_all_but(dim, x.rank())};
  const std::int64_t extent = x.size(dim);
  ops::wrap(op, place.picks, {&extent, 1});
  return place;
}

int dim_of(std::string_view op, const Tensor& x, int dim) {
  require(impl_of(x, op).shape.size() > 0, "[{}] a 0-d tensor has no dimension to index", op);
  return checked_dim(op, dim, x.rank());
}

/// The place of elements that are counted in row-major order.
Place place_of_elements(std::string_view op, const Tensor& x, const Tensor& index) {
  impl_of(x, op);
  ops::check_index(op, x, index);
  Place place{.steps = {ops::flat}, .shape = index.shape(), .picks = {{index, 0, 0}}, .along = {}};
  place.along.assign(static_cast<std::size_t>(index.rank()), -1);
  const std::int64_t count = x.numel();
  ops::wrap(op, place.picks, {&count, 1});
  return place;
}

void check_how(std::string_view op, const Tensor& x, Scatter how) {
  require(how == Scatter::assign || impl_of(x, op).dtype != bool_, "[{}] bools can only be assigned",
          op);
}

/// x for a scatter over it.
Tensor kept(const Tensor& x, const Tensor& src, Scatter how) {
  return how == Scatter::max || how == Scatter::min ? ops::kept(x, {src}) : x;
}

/// index_add and index_copy.
Tensor write_rows(std::string_view op, const Tensor& x, int dim, const Tensor& index, const Tensor& src,
                  Scatter how) {
  return write_at(op, x, ops::place_of_rows(op, x, dim, index, src), src, how);
}

/// The shape that x and index are broadcast to without `dim`, where it has `extent`.
Shape aligned(std::string_view op, const Tensor& x, const Tensor& index, int dim, std::int64_t extent) {
  require(index.rank() == x.rank(), "[{}] index {} has not as many dimensions as {}", op, index.shape(),
          x.shape());
  Shape a = x.shape(), b = index.shape();
  a[dim] = b[dim] = extent;
  return broadcast(op, a, b);
}

/// The elements of weight, of which row `padding` gets no gradient.
Tensor without_past(const Tensor& weight, std::int64_t padding) {
  const std::int64_t rows = weight.size(0), row = padding < 0 ? padding + rows : padding;
  require(row >= 0 && row < rows, "[embedding] padding {} is out of range for {} rows", padding, rows);
  const Tensor same = weight.detach();
  if (autograd::needs_record({&weight, 1})) {
    autograd::record("embedding", {&weight, 1}, {&same, 1}, [row](std::span<const Tensor> dy) {
      return std::vector<Tensor>{index_put(dy[0], {row}, 0)};
    });
  }
  return same;
}

}  // namespace

namespace ops {

Place place_of(std::string_view op, const Tensor& x, int dim, const Tensor& index) {
  check_index(op, x, index);
  const int d = checked_dim(op, dim, std::max(x.rank(), 1));
  const bool in_number = x.rank() == 0 && index.rank() <= 1;
  require(index.rank() == x.rank() || in_number, "[{}] index {} has not as many dimensions as {}", op,
          index.shape(), x.shape());
  for (int i = 0; i < x.rank(); ++i) {
    require(i == d || index.size(i) <= x.size(i), "[{}] index {} exceeds {} in dimension {}", op,
            index.shape(), x.shape(), i);
  }
  if (in_number) return place_of_elements(op, x, index);
  return place_along(op, x, d, index, index.shape());
}

Place place_of_rows(std::string_view op, const Tensor& x, int dim, const Tensor& index) {
  impl_of(x, op);
  check_index(op, x, index);
  const int d = dim_of(op, x, dim);
  require(index.rank() == 1, "[{}] index is 1-D, not {}", op, index.shape());
  Shape shape = x.shape(), column = Dims::filled(x.rank(), 1);
  shape[d] = column[d] = index.size(0);
  return place_along(op, x, d, index.reshape(column), shape);
}

Place place_of_rows(std::string_view op, const Tensor& x, int dim, const Tensor& index,
                    const Tensor& src) {
  check_source(op, x, src);
  Place place = place_of_rows(op, x, dim, index);
  require(src.shape() == place.shape, "[{}] src is {}, not {}", op, src.shape(), place.shape);
  return place;
}

void check_source(std::string_view op, const Tensor& x, const Tensor& src) {
  const Tensor operands[] = {x, src};
  common_device(op, operands);
  require(src.dtype() == x.dtype(), "[{}] x is {} and src {}; convert one", op, name(x.dtype()),
          name(src.dtype()));
}

Tensor source_of(std::string_view op, const Tensor& x, Scalar value) {
  const DType dtype = impl_of(x, op).dtype;
  require_fits(op, value, dtype);
  return full({}, value, {.dtype = dtype, .device = x.device()});
}

Tensor covered(std::string_view op, const Tensor& src, const Shape& shape) {
  require(src.rank() == shape.size(), "[{}] src {} has not as many dimensions as index {}", op,
          src.shape(), shape);
  Tensor part = src;
  for (int d = 0; d < shape.size(); ++d) {
    require(shape[d] <= src.size(d), "[{}] index {} exceeds src {} in dimension {}", op, shape,
            src.shape(), d);
    if (shape[d] < src.size(d)) part = part.slice(d, {.start = 0, .stop = shape[d]});
  }
  return part;
}

}  // namespace ops

Tensor index_select(const Tensor& x, int dim, const Tensor& index) {
  return read_at("index_select", x, place_of_rows("index_select", x, dim, index));
}
Tensor& index_select_out(Tensor& out, const Tensor& x, int dim, const Tensor& index) {
  return ops::write_out("index_select", out, {x, index}, [&] { return index_select(x, dim, index); });
}

Tensor index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Scalar alpha) {
  require(impl_of(x, "index_add").dtype != bool_, "[index_add] bools can't be added");
  impl_of(src, "index_add");
  const Tensor scaled = alpha.to_double() == 1 ? src : src * alpha;
  return write_rows("index_add", x, dim, index, scaled, Scatter::add);
}
Tensor& index_add_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Scalar alpha) {
  return write_over("index_add", x, {index, src}, [&] { return index_add(x, dim, index, src, alpha); });
}

Tensor index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& src) {
  return write_rows("index_copy", x, dim, index, src, Scatter::assign);
}
Tensor& index_copy_(Tensor& x, int dim, const Tensor& index, const Tensor& src) {
  return write_over("index_copy", x, {index, src}, [&] { return index_copy(x, dim, index, src); });
}

Tensor index_fill(const Tensor& x, int dim, const Tensor& index, const Tensor& value) {
  check_source("index_fill", x, value);
  require(value.rank() == 0, "[index_fill] value is 0-d, not {}", value.shape());
  const Place place = place_of_rows("index_fill", x, dim, index);
  return write_at("index_fill", x, place, value, Scatter::assign);
}
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, Scalar value) {
  return index_fill(x, dim, index, source_of("index_fill", x, value));
}
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, const Tensor& value) {
  return write_over("index_fill", x, {index, value}, [&] { return index_fill(x, dim, index, value); });
}
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, Scalar value) {
  return index_fill_(x, dim, index, source_of("index_fill", x, value));
}

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  impl_of(x, "gather");
  return read_at("gather", x, place_of("gather", x, dim, index));
}
Tensor& gather_out(Tensor& out, const Tensor& x, int dim, const Tensor& index) {
  return ops::write_out("gather", out, {x, index}, [&] { return gather(x, dim, index); });
}

Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Scatter how) {
  check_source("scatter", x, src);
  check_how("scatter", x, how);
  const Place place = place_of("scatter", x, dim, index);
  return write_at("scatter", x, place, ops::covered("scatter", src, place.shape), how);
}
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value, Scatter how) {
  check_how("scatter", x, how);
  const Place place = place_of("scatter", x, dim, index);
  return write_at("scatter", x, place, source_of("scatter", x, value), how);
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Scatter how) {
  return write_over("scatter", x, {index, src},
                    [&] { return scatter(kept(x, src, how), dim, index, src, how); });
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value, Scatter how) {
  return write_over("scatter", x, {index},
                    [&] { return scatter(kept(x, {}, how), dim, index, value, how); });
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim) {
  impl_of(x, "take_along_dim");
  ops::check_index("take_along_dim", x, index);
  const int d = dim_of("take_along_dim", x, dim);
  const Tensor table = x.expand(aligned("take_along_dim", x, index, d, x.size(d)));
  const Shape shape = aligned("take_along_dim", x, index, d, index.size(d));
  return read_at("take_along_dim", table, place_along("take_along_dim", table, d, index, shape));
}

Tensor put_along_dim(const Tensor& x, const Tensor& index, const Tensor& src, int dim) {
  check_source("put_along_dim", x, src);
  ops::check_index("put_along_dim", x, index);
  const int d = dim_of("put_along_dim", x, dim);
  const Shape shape = aligned("put_along_dim", x, index, d, index.size(d));
  require(aligned("put_along_dim", x, index, d, x.size(d)) == x.shape(),
          "[put_along_dim] index {} does not broadcast to {}", index.shape(), x.shape());
  require(broadcast("put_along_dim", src.shape(), shape) == shape,
          "[put_along_dim] src {} does not broadcast to {}", src.shape(), shape);
  const Place place = place_along("put_along_dim", x, d, index, shape);
  return write_at("put_along_dim", x, place, src, Scatter::assign);
}

Tensor take(const Tensor& x, const Tensor& index) {
  return read_at("take", x, place_of_elements("take", x, index));
}

Tensor put(const Tensor& x, const Tensor& index, const Tensor& src, bool accumulate) {
  check_source("put", x, src);
  const Scatter how = accumulate ? Scatter::add : Scatter::assign;
  check_how("put", x, how);
  const Place place = place_of_elements("put", x, index);
  require(src.numel() == index.numel(), "[put] src {} has not as many elements as index {}",
          src.shape(), index.shape());
  return write_at("put", x, place, src.reshape(index.shape()), how);
}
Tensor& put_(Tensor& x, const Tensor& index, const Tensor& src, bool accumulate) {
  return write_over("put", x, {index, src},
                    [&] { return put(x.contiguous(), index, src, accumulate); });
}

Tensor embedding(const Tensor& weight, const Tensor& index, std::optional<std::int64_t> padding) {
  impl_of(weight, "embedding");
  ops::check_index("embedding", weight, index);
  require(weight.rank() == 2, "[embedding] weight is (rows, width), not {}", weight.shape());
  require_rank("embedding", index.rank() + 1);
  Place place{.shape = index.shape(), .picks = {{index.unsqueeze(-1), 0, 0}}, .along = {}};
  place.shape.push_back(weight.size(1));
  place.along.assign(static_cast<std::size_t>(index.rank()), -1);
  place.along.push_back(1);
  return read_at("embedding", padding ? without_past(weight, *padding) : weight, place);
}

Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype) {
  ops::check_index("one_hot", index, index);
  if (classes < 0) {
    require(index.numel() > 0, "[one_hot] there are no elements to count the classes from; name them");
    const std::int64_t last = max(index).item_scalar().to_int64();
    require(last < std::numeric_limits<std::int64_t>::max(), "[one_hot] {} is too large to count up to",
            last);
    classes = last + 1;
  }
  require_rank("one_hot", index.rank() + 1);
  Place place{.shape = index.shape(), .picks = {{index, index.rank(), -1}}, .along = {}};
  place.along.resize(static_cast<std::size_t>(index.rank()));
  std::iota(place.along.begin(), place.along.end(), 0);
  Shape shape = index.shape();
  shape.push_back(classes);
  Tensor y = zeros(shape, {.dtype = dtype, .device = index.device()});
  return write_over("one_hot", y, {}, [&] {
    return write_at("one_hot", y, place, source_of("one_hot", y, 1), Scatter::assign);
  });
}

}  // namespace tenon
