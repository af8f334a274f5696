// Views: new shape, strides and offset on the same storage; each one's gradient is the reverse view.
#include <algorithm>
#include <optional>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/tensor/view.h"

namespace tenon {
namespace {

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

/// `shape`, of as many elements as `from`, with its -1 replaced by what is left over.
Shape inferred(std::string_view op, const Shape& from, Shape shape) {
  int unknown = -1;
  std::int64_t known = 1;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] != -1) {
      require(shape[d] >= 0, "[{}] {} has a negative extent", op, shape);
      require(!__builtin_mul_overflow(known, shape[d], &known), "[{}] {} is too large", op, shape);
      continue;
    }
    require(unknown < 0, "[{}] {} has more than one -1", op, shape);
    unknown = d;
  }
  const std::int64_t count = numel(from);
  if (unknown >= 0 && known > 0 && count % known == 0) shape[unknown] = count / known;
  require(std::count(shape.begin(), shape.end(), -1) == 0 && numel(shape) == count,
          "[{}] {} elements of shape {} don't fit {}", op, count, from, shape);
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

}  // namespace

Tensor Tensor::view(Shape shape) const {
  impl_of(*this, "view");
  shape = inferred("view", this->shape(), shape);
  const auto strides = strides_for(this->shape(), this->strides(), shape);
  require(strides.has_value(), "[view] shape {} with strides {} can't be seen as {}; use reshape",
          this->shape(), this->strides(), shape);
  return recorded("view", *this, make_view(*this, shape, *strides, impl_->offset),
                  [from = this->shape()](const Tensor& dy) { return dy.reshape(from); });
}

Tensor Tensor::reshape(Shape shape) const {
  impl_of(*this, "reshape");
  shape = inferred("reshape", this->shape(), shape);
  return strides_for(this->shape(), this->strides(), shape) ? view(shape) : contiguous().view(shape);
}

Tensor Tensor::flatten(int start, int end) const {
  impl_of(*this, "flatten");
  if (rank() == 0) return reshape({1});
  const int first = checked_dim("flatten", start, rank()), last = checked_dim("flatten", end, rank());
  require(first <= last, "[flatten] dimension {} comes after {}", start, end);
  Shape merged;
  std::int64_t count = 1;
  for (int d = 0; d < rank(); ++d) {
    const bool inside = d >= first && d <= last;
    if (inside) count *= shape()[d];
    if (!inside || d == last) merged.push_back(inside ? count : shape()[d]);
  }
  return reshape(merged);
}

Tensor Tensor::unflatten(int dim, const Dims& sizes) const {
  impl_of(*this, "unflatten");
  const int d = checked_dim("unflatten", dim, rank());
  const Dims parts = inferred("unflatten", {shape()[d]}, sizes);
  require_rank("unflatten", rank() - 1 + parts.size());
  Shape shape = this->shape();
  shape.erase(d);
  for (int i = 0; i < parts.size(); ++i) shape.insert(d + i, parts[i]);
  return view(shape);
}

Tensor Tensor::permute(const Dims& dims) const {
  impl_of(*this, "permute");
  require(dims.size() == rank(), "[permute] {} names {} dimensions, the tensor has {}", dims,
          dims.size(), rank());
  Shape shape = Dims::filled(rank(), 0);
  Strides strides = shape;
  Dims inverse = Dims::filled(rank(), -1);
  for (int i = 0; i < rank(); ++i) {
    const int d = checked_dim("permute", dims[i], rank());
    require(inverse[d] == -1, "[permute] dimension {} is named twice in {}", d, dims);
    inverse[d] = i;
    shape[i] = this->shape()[d];
    strides[i] = this->strides()[d];
  }
  return recorded("permute", *this, make_view(*this, shape, strides, impl_->offset),
                  [inverse](const Tensor& dy) { return dy.permute(inverse); });
}

Tensor Tensor::transpose(int dim0, int dim1) const {
  impl_of(*this, "transpose");
  const int a = checked_dim("transpose", dim0, rank()), b = checked_dim("transpose", dim1, rank());
  Dims dims = Dims::filled(rank(), 0);
  for (int d = 0; d < rank(); ++d) dims[d] = d;
  std::swap(dims[a], dims[b]);
  return permute(dims);
}

Tensor Tensor::t(const char* op, int most) const {
  impl_of(*this, op);
  require(rank() >= 2 && rank() <= most, "[{}] {} is no matrix; use permute()", op, shape());
  return transpose(-2, -1);
}

Tensor Tensor::movedim(const Dims& from, const Dims& to) const {
  impl_of(*this, "movedim");
  require(from.size() == to.size(), "[movedim] {} names {} dimensions, {} names {}", from, from.size(),
          to, to.size());
  Dims dims = Dims::filled(rank(), -1);
  Dims taken = Dims::filled(rank(), 0);
  for (int i = 0; i < from.size(); ++i) {
    const int source = checked_dim("movedim", from[i], rank());
    const int target = checked_dim("movedim", to[i], rank());
    require(taken[source] == 0, "[movedim] dimension {} is named twice in {}", source, from);
    require(dims[target] == -1, "[movedim] dimension {} is named twice in {}", target, to);
    dims[target] = source;
    taken[source] = 1;
  }
  int next = 0;
  for (std::int64_t& d : dims) {
    if (d != -1) continue;
    while (taken[next] != 0) ++next;
    d = next++;
  }
  return permute(dims);
}

Tensor Tensor::slice(int dim, Slice range) const {
  impl_of(*this, "slice");
  const int d = checked_dim("slice", dim, rank());
  require(range.step != 0, "[slice] the step is 0");
  require(range.step > -(std::int64_t{1} << 62), "[slice] the step {} is too large", range.step);
  const Range r = clamp(range, shape()[d]);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const std::int64_t offset = impl_->offset + (r.count > 0 ? r.start * strides[d] : 0);
  shape[d] = r.count;
  strides[d] = r.count > 1 ? strides[d] * r.step : strides[d];
  return recorded("slice", *this, make_view(*this, shape, strides, offset),
                  [from = this->shape(), d, range](const Tensor& dy) {
                    return placed("slice_backward", dy, from,
                                  [d, range](const Tensor& dx) { return dx.slice(d, range); });
                  });
}

Tensor Tensor::select(int dim, std::int64_t index) const {
  impl_of(*this, "select");
  const int d = checked_dim("select", dim, rank());
  const std::int64_t extent = shape()[d];
  require(index >= -extent && index < extent, "[select] index {} is out of range for extent {}", index,
          extent);
  const std::int64_t start = index < 0 ? index + extent : index;
  return slice(d, {start, start + 1, 1}).squeeze(d);
}

Tensor Tensor::narrow(int dim, std::int64_t start, std::int64_t length) const {
  impl_of(*this, "narrow");
  const int d = checked_dim("narrow", dim, rank());
  const std::int64_t extent = shape()[d], first = start < 0 ? start + extent : start;
  require(first >= 0 && first <= extent && length >= 0 && length <= extent - first,
          "[narrow] {} elements from {} on are out of range for extent {}", length, start, extent);
  return slice(d, {first, first + length, 1});
}

/// `shape` with each -1 replaced by the extent that it keeps of `from`.
static Shape kept(const Shape& from, Shape shape) {
  const int lead = shape.size() - from.size();
  for (int d = std::max(lead, 0); d < shape.size(); ++d) {
    if (shape[d] == -1) shape[d] = from[d - lead];
  }
  return shape;
}

Tensor Tensor::expand(const Shape& shape) const {
  return stretched("expand", shape);
}

Tensor Tensor::stretched(const char* op, const Shape& asked) const {
  impl_of(*this, op);
  const Shape shape = kept(this->shape(), asked);
  tenon::numel(shape, op);  // extents must be countable
  require(shape.size() >= rank() && broadcast(op, this->shape(), shape) == shape,
          "[{}] {} does not stretch to {}", op, this->shape(), shape);
  Strides strides = Dims::filled(shape.size(), 0);
  const int lead = shape.size() - rank();
  for (int d = 0; d < rank(); ++d) {
    if (this->shape()[d] == shape[lead + d]) strides[lead + d] = this->strides()[d];
  }
  return recorded(op, *this, make_view(*this, shape, strides, impl_->offset),
                  [from = this->shape()](const Tensor& dy) { return sum_to(dy, from); });
}

Tensor Tensor::squeeze(const Dims& dims) const {
  impl_of(*this, "squeeze");
  Dims gone = Dims::filled(rank(), 0);
  for (const std::int64_t dim : dims) {
    const int d = checked_dim("squeeze", dim, std::max(rank(), 1));
    if (d < rank() && shape()[d] == 1) gone[d] = 1;
  }
  Shape shape;
  Strides strides;
  for (int d = 0; d < rank(); ++d) {
    if (gone[d] != 0) continue;
    shape.push_back(this->shape()[d]);
    strides.push_back(this->strides()[d]);
  }
  return recorded("squeeze", *this, make_view(*this, shape, strides, impl_->offset),
                  [from = this->shape()](const Tensor& dy) { return dy.reshape(from); });
}

Tensor Tensor::squeeze() const {
  impl_of(*this, "squeeze");
  Dims ones;
  for (int d = 0; d < rank(); ++d) {
    if (shape()[d] == 1) ones.push_back(d);
  }
  return squeeze(ones);
}

Tensor Tensor::unsqueeze(int dim) const {
  impl_of(*this, "unsqueeze");
  const int d = checked_dim("unsqueeze", dim, rank() + 1);
  require_rank("unsqueeze", rank() + 1);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const std::int64_t stride = d < rank() ? shape[d] * strides[d] : 1;
  shape.insert(d, 1);
  strides.insert(d, stride);
  return recorded("unsqueeze", *this, make_view(*this, shape, strides, impl_->offset),
                  [d](const Tensor& dy) { return dy.squeeze(d); });
}

}  // namespace tenon
