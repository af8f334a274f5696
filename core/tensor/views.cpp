// Views: new shape, strides and offset on the same storage; each one's gradient is the reverse view.
#include <algorithm>
#include <array>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using autograd::needs_record;
using autograd::record;

/// `backward` maps the view's gradient to x's.
template <class F>
Tensor recorded(std::string_view op, const Tensor& x, Tensor view, F backward) {
  view.impl()->node_version = view.version();
  if (needs_record({&x, 1})) {
    record(op, {&x, 1}, {&view, 1},
           [backward](std::span<const Tensor> dy) { return std::vector<Tensor>{backward(dy[0])}; });
  }
  autograd::set_base(view, x);
  return view;
}

/// Strides for `to` on the same elements in the same order, or nothing where they don't exist: each
/// run of dimensions that is contiguous in itself is split or merged on its own.
std::optional<Strides> strides_for(const Shape& from, const Strides& strides, const Shape& to) {
  Strides result = contiguous_strides(to);
  if (numel(from) == 0) return result;
  int next = to.size() - 1;
  std::int64_t run = 1, filled = 1;  // elements of the current run, and of what `to` has taken of it
  std::int64_t stride = 1;
  for (int d = from.size() - 1; d >= 0; --d) {
    if (from[d] == 1) continue;
    if (run == 1) stride = strides[d];
    run *= from[d];
    const int outer = [&] {
      int o = d - 1;
      while (o >= 0 && from[o] == 1) --o;
      return o;
    }();
    if (outer >= 0 && strides[outer] == stride * run) continue;
    while (next >= 0 && (filled < run || to[next] == 1)) {
      result[next] = stride * filled;
      filled *= to[next--];
    }
    if (filled != run) return std::nullopt;
    run = filled = 1;
  }
  return result;
}

/// `shape` with its -1 replaced by what is left over.
Shape inferred(std::string_view op, const Tensor& x, Shape shape) {
  int unknown = -1;
  std::int64_t known = 1;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] != -1) {
      require(shape[d] >= 0, "[{}] {} has a negative extent", op, to_string(shape));
      require(!__builtin_mul_overflow(known, shape[d], &known), "[{}] {} is too large", op,
              to_string(shape));
      continue;
    }
    require(unknown < 0, "[{}] {} has more than one -1", op, to_string(shape));
    unknown = d;
  }
  const std::int64_t count = x.numel();
  if (unknown >= 0 && known > 0 && count % known == 0) shape[unknown] = count / known;
  require(std::count(shape.begin(), shape.end(), -1) == 0 && numel(shape) == count,
          "[{}] {} elements of shape {} don't fit {}", op, count, to_string(x.shape()),
          to_string(shape));
  return shape;
}

/// A slice's first element, number and step, clamped as Python does.
struct Range {
  std::int64_t start, count, step;
};
Range clamp(const Slice& slice, std::int64_t extent) {
  const std::int64_t step = slice.step;
  const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  const auto place = [&](std::int64_t i) { return std::clamp(i < 0 ? i + extent : i, low, high); };
  const std::int64_t start = slice.start ? place(*slice.start) : step > 0 ? low : high;
  const std::int64_t stop = slice.stop ? place(*slice.stop) : step > 0 ? high : low;
  const std::int64_t span = step > 0 ? stop - start : start - stop;
  const std::int64_t size = step > 0 ? step : -step;
  return {start, span <= 0 ? 0 : (span - 1) / size + 1, step};
}

/// Zeros of `shape` with dy where the slice was: the reverse of slice.
Tensor unslice(const Tensor& dy, const Shape& shape, int dim, const Slice& range) {
  Tensor dx = zeros(shape, {.dtype = dy.dtype(), .device = dy.device()});
  {
    const NoGrad guard;
    dx.slice(dim, range).copy_(dy);
  }
  return recorded("slice_backward", dy, dx,
                  [dim, range](const Tensor& ddx) { return ddx.slice(dim, range); });
}

}  // namespace

Tensor Tensor::view(Shape shape) const {
  shape = inferred("view", *this, shape);
  const auto strides = strides_for(this->shape(), this->strides(), shape);
  require(strides.has_value(), "[view] shape {} with strides {} can't be seen as {}; use reshape",
          tenon::to_string(this->shape()), tenon::to_string(this->strides()), tenon::to_string(shape));
  return recorded("view", *this, make_view(*this, shape, *strides, impl_->offset),
                  [from = this->shape()](const Tensor& dy) { return dy.reshape(from); });
}

Tensor Tensor::reshape(Shape shape) const {
  shape = inferred("reshape", *this, shape);
  return strides_for(this->shape(), this->strides(), shape) ? view(shape) : contiguous().view(shape);
}

Tensor Tensor::permute(const Dims& dims) const {
  require(dims.size() == rank(), "[permute] {} names {} dimensions, the tensor has {}",
          tenon::to_string(dims), dims.size(), rank());
  Shape shape = Dims::filled(rank(), 0);
  Strides strides = shape;
  Dims inverse = Dims::filled(rank(), -1);
  for (int i = 0; i < rank(); ++i) {
    const int d = checked_dim("permute", dims[i], rank());
    require(inverse[d] == -1, "[permute] dimension {} is named twice in {}", d, tenon::to_string(dims));
    inverse[d] = i;
    shape[i] = this->shape()[d];
    strides[i] = this->strides()[d];
  }
  return recorded("permute", *this, make_view(*this, shape, strides, impl_->offset),
                  [inverse](const Tensor& dy) { return dy.permute(inverse); });
}

Tensor Tensor::transpose(int dim0, int dim1) const {
  const int a = checked_dim("transpose", dim0, rank()), b = checked_dim("transpose", dim1, rank());
  Dims dims = Dims::filled(rank(), 0);
  for (int d = 0; d < rank(); ++d) dims[d] = d;
  std::swap(dims[a], dims[b]);
  return permute(dims);
}

Tensor Tensor::slice(int dim, Slice range) const {
  const int d = checked_dim("slice", dim, rank());
  require(range.step != 0, "[slice] the step is 0");
  require(range.step > -(std::int64_t{1} << 62), "[slice] the step {} is too large", range.step);
  const Range r = clamp(range, shape()[d]);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const std::int64_t offset = impl_->offset + (r.count > 0 ? r.start * strides[d] : 0);
  shape[d] = r.count;
  strides[d] = r.count > 1 ? strides[d] * r.step : strides[d];
  return recorded(
      "slice", *this, make_view(*this, shape, strides, offset),
      [from = this->shape(), d, range](const Tensor& dy) { return unslice(dy, from, d, range); });
}

Tensor Tensor::select(int dim, std::int64_t index) const {
  const int d = checked_dim("select", dim, rank());
  const std::int64_t extent = shape()[d];
  require(index >= -extent && index < extent, "[select] index {} is out of range for extent {}", index,
          extent);
  const std::int64_t start = index < 0 ? index + extent : index;
  return slice(d, {start, start + 1, 1}).squeeze(d);
}

Tensor Tensor::expand(const Shape& shape) const {
  tenon::numel(shape);  // extents must be countable
  require(shape.size() >= rank() && broadcast("expand", this->shape(), shape) == shape,
          "[expand] {} does not stretch to {}", tenon::to_string(this->shape()),
          tenon::to_string(shape));
  Strides strides = Dims::filled(shape.size(), 0);
  const int lead = shape.size() - rank();
  for (int d = 0; d < rank(); ++d) {
    if (this->shape()[d] == shape[lead + d]) strides[lead + d] = this->strides()[d];
  }
  return recorded("expand", *this, make_view(*this, shape, strides, impl_->offset),
                  [from = this->shape()](const Tensor& dy) { return sum_to(dy, from); });
}

Tensor Tensor::squeeze(int dim) const {
  const int d = checked_dim("squeeze", dim, rank());
  require(shape()[d] == 1, "[squeeze] dimension {} of {} has not extent 1", d,
          tenon::to_string(shape()));
  Shape shape = this->shape();
  Strides strides = this->strides();
  shape.erase(d);
  strides.erase(d);
  return recorded("squeeze", *this, make_view(*this, shape, strides, impl_->offset),
                  [d](const Tensor& dy) { return dy.unsqueeze(d); });
}

Tensor Tensor::unsqueeze(int dim) const {
  const int d = checked_dim("unsqueeze", dim, rank() + 1);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const std::int64_t stride = d < rank() ? shape[d] * strides[d] : 1;
  shape.insert(d, 1);
  strides.insert(d, stride);
  return recorded("unsqueeze", *this, make_view(*this, shape, strides, impl_->offset),
                  [d](const Tensor& dy) { return dy.squeeze(d); });
}

}  // namespace tenon
