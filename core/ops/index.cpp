// Indexing along one dimension: GATHER reads, SCATTER writes, and each is the other's gradient.
#include <limits>
#include <numeric>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/runtime/device_state.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

void check_index(std::string_view op, const Tensor& x, const Tensor& index) {
  const DType dtype = impl_of(index, op).dtype;
  require(is_integer(dtype), "[{}] indices are integers, not {}", op, name(dtype));
  const Tensor operands[] = {x, index};
  ops::common_device(op, operands);
}

/// Indices that counted from the end count from the front; those out of range stay as they are.
Tensor wrapped(std::string_view op, const Tensor& index, std::int64_t extent) {
  if (!is_signed_integer(index.dtype())) return index;
  const DType dtype = index.dtype() == i64 ? i64 : i32;
  program::Builder b;
  const auto i = cast(b.input(index.dtype()), dtype), n = b.scalar(dtype);
  b.output(select((i < 0.0) & (i >= -n), i + n, i));
  const std::uint64_t scalar = Scalar(extent).bits(dtype);
  return ops::run(op, b.build(), {&index, 1}, {&scalar, 1}).front();
}

/// Dimension d of the iteration space runs along that of the indexed operand, but for `dim`.
std::vector<int> along_all_but(int dim, int rank) {
  std::vector<int> along(static_cast<std::size_t>(rank));
  std::iota(along.begin(), along.end(), 0);
  along[static_cast<std::size_t>(dim)] = -1;
  return along;
}

/// How an op on x meets its index tensor.
struct Place {
  Shape shape;   // the iteration space
  Tensor index;  // broadcasts to it
  int dim;       // of x
  std::vector<int> along;
};

Tensor gathered(std::string_view op, const Tensor& x, const Place& place) {
  const Tensor y = allocate(place.shape, x.dtype(), x.device());
  ops::run(op, {.shape = place.shape,
                .dst = y,
                .src = x,
                .index = place.index,
                .dim = place.dim,
                .along = place.along});
  return y;
}

/// Writes src into x itself, which nobody else has seen.
void scatter_into(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                  Scatter how) {
  static constexpr std::uint32_t kCodes[] = {TENON_SCATTER_ASSIGN, TENON_SCATTER_ADD, TENON_SCATTER_MAX,
                                             TENON_SCATTER_MIN};
  ops::run(op, {.shape = place.shape,
                .dst = x,
                .src = src,
                .index = place.index,
                .dim = place.dim,
                .along = place.along,
                .how = kCodes[static_cast<int>(how)]});
}

Tensor scattered(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                 Scatter how);

/// A recorded gather: dx adds dy at the places it came from.
Tensor gather_at(std::string_view op, const Tensor& x, const Place& place) {
  const Tensor y = gathered(op, x, place);
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&y, 1}, [op, place, like = x.detach()](std::span<const Tensor> dy) {
      return std::vector<Tensor>{scattered(op, zeros_like(like), place, dy[0], Scatter::add)};
    });
  }
  return y;
}

/// 1 where an element of the source is the last that was assigned to its place, else 0; of `dtype`.
Tensor last_writers(std::string_view op, const Tensor& x, const Place& place, DType dtype) {
  const std::int64_t count = numel(place.shape);
  const DType counter = count <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
  const Tensor order = arange(count, {.dtype = counter, .device = x.device()}).view(place.shape);
  const Tensor winners = zeros(x.shape(), {.dtype = counter, .device = x.device()});
  scatter_into(op, winners, place, order, Scatter::assign);
  return (gathered(op, winners, place) == order).to(dtype);
}

/// dx and dsrc of an assignment or a sum.
std::vector<Tensor> scatter_gradients(std::string_view op, const Place& place, Scatter how,
                                      const Tensor& dy) {
  const Tensor at_places = gather_at(op, dy, place);
  if (how == Scatter::add) return {dy, at_places};
  const Tensor nothing = zeros(place.shape, {.dtype = dy.dtype(), .device = dy.device()});
  return {scattered(op, dy, place, nothing, Scatter::assign),
          at_places * last_writers(op, dy, place, dy.dtype())};
}

Tensor scattered(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                 Scatter how) {
  const Tensor inputs[] = {x, src};
  const bool recorded = autograd::needs_record(inputs);
  if (recorded && (how == Scatter::max || how == Scatter::min)) {
    fail(ErrorKind::Unsupported, "[{}] max and min have no gradient yet; detach() the operands", op);
  }
  const Tensor y = x.detach().clone();
  scatter_into(op, y, place, src, how);
  if (recorded) {
    autograd::record(op, inputs, {&y, 1}, [op, place, how](std::span<const Tensor> dy) {
      return scatter_gradients(op, place, how, dy[0]);
    });
  }
  return y;
}

/// The place of an index tensor that has x's rank.
Place place_of(std::string_view op, const Tensor& x, int dim, const Tensor& index) {
  check_index(op, x, index);
  require(x.rank() > 0, "[{}] a 0-d tensor has no dimension to index", op);
  const int d = checked_dim(op, dim, x.rank());
  require(index.rank() == x.rank(), "[{}] index {} has not as many dimensions as {}", op,
          to_string(index.shape()), to_string(x.shape()));
  for (int i = 0; i < x.rank(); ++i) {
    require(i == d || index.size(i) <= x.size(i), "[{}] index {} exceeds {} in dimension {}", op,
            to_string(index.shape()), to_string(x.shape()), i);
  }
  return {index.shape(), wrapped(op, index, x.size(d)), d, along_all_but(d, x.rank())};
}

/// The part of src that an index tensor of `shape` takes.
Tensor covered(std::string_view op, const Tensor& src, const Shape& shape) {
  require(src.rank() == shape.size(), "[{}] src {} has not as many dimensions as index {}", op,
          to_string(src.shape()), to_string(shape));
  Tensor part = src;
  for (int d = 0; d < shape.size(); ++d) {
    require(shape[d] <= src.size(d), "[{}] index {} exceeds src {} in dimension {}", op,
            to_string(shape), to_string(src.shape()), d);
    if (shape[d] < src.size(d)) part = part.slice(d, {.start = 0, .stop = shape[d]});
  }
  return part;
}

}  // namespace

Tensor index_select(const Tensor& x, int dim, const Tensor& index) {
  impl_of(x, "index_select");
  check_index("index_select", x, index);
  require(x.rank() > 0, "[index_select] a 0-d tensor has no dimension to index");
  const int d = checked_dim("index_select", dim, x.rank());
  require(index.rank() == 1, "[index_select] index is 1-D, not {}", to_string(index.shape()));
  Shape shape = x.shape(), column = Dims::filled(x.rank(), 1);
  shape[d] = column[d] = index.size(0);
  const Tensor places = wrapped("index_select", index, x.size(d)).view(column);
  return gather_at("index_select", x, {shape, places, d, along_all_but(d, x.rank())});
}

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  impl_of(x, "gather");
  return gather_at("gather", x, place_of("gather", x, dim, index));
}

Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Scatter how) {
  const DType dtype = impl_of(x, "scatter").dtype;
  require(impl_of(src, "scatter").dtype == dtype, "[scatter] x is {} and src {}; convert one",
          name(dtype), name(src.dtype()));
  require(how == Scatter::assign || dtype != bool_, "[scatter] bools can only be assigned");
  const Tensor operands[] = {x, src};
  ops::common_device("scatter", operands);
  const Place place = place_of("scatter", x, dim, index);
  return scattered("scatter", x, place, covered("scatter", src, place.shape), how);
}

Tensor embedding(const Tensor& weight, const Tensor& index) {
  impl_of(weight, "embedding");
  check_index("embedding", weight, index);
  require(weight.rank() == 2, "[embedding] weight is (rows, width), not {}", to_string(weight.shape()));
  Shape shape = index.shape();
  shape.push_back(weight.size(1));
  std::vector<int> along(static_cast<std::size_t>(index.rank()), -1);
  along.push_back(1);
  return gather_at("embedding", weight, {shape, index.detach().unsqueeze(-1), 0, along});
}

}  // namespace tenon
