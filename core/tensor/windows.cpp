// Views of some of the elements: diagonals, windows, parts.
#include <algorithm>

#include <fmt/ranges.h>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/tensor/view.h"

namespace tenon {

Tensor Tensor::diagonal(std::int64_t offset, int dim1, int dim2) const {
  impl_of(*this, "diagonal");
  const int a = checked_dim("diagonal", dim1, rank()), b = checked_dim("diagonal", dim2, rank());
  require(a != b, "[diagonal] dimensions {} and {} are the same", dim1, dim2);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const std::int64_t rows = shape[a], columns = shape[b];
  const std::int64_t down = std::clamp<std::int64_t>(offset, -rows, 0) * -1;
  const std::int64_t right = std::clamp<std::int64_t>(offset, 0, columns);
  const std::int64_t count = std::min(rows - down, columns - right);
  const std::int64_t first = count > 0 ? down * strides[a] + right * strides[b] : 0;
  shape.push_back(count);
  strides.push_back(strides[a] + strides[b]);
  for (const int d : {std::max(a, b), std::min(a, b)}) {
    shape.erase(d);
    strides.erase(d);
  }
  return recorded("diagonal", *this, make_view(*this, shape, strides, impl_->offset + first),
                  [from = this->shape(), offset, a, b](const Tensor& dy) {
                    return placed("diagonal_backward", dy, from, [offset, a, b](const Tensor& dx) {
                      return dx.diagonal(offset, a, b);
                    });
                  });
}

/// The reverse of unfold: each element gets the sum of what its places in the windows have.
static Tensor folded(const Tensor& dy, const Shape& shape, int d, std::int64_t step) {
  const std::int64_t windows = dy.size(d), size = dy.size(-1);
  const Tensor places = indices({windows, size}, 0, {step, 1}, dy.device());
  Shape column = Dims::filled(shape.size(), 1);
  column[d] = windows * size;
  const Tensor flat = dy.movedim(-1, d + 1).flatten(d, d + 1);
  const Tensor dx = zeros(shape, {.dtype = dy.dtype(), .device = dy.device()});
  return scatter(dx, d, places.view(column).expand(flat.shape()), flat, Scatter::add);
}

Tensor Tensor::unfold(int dim, std::int64_t size, std::int64_t step) const {
  impl_of(*this, "unfold");
  const int d = checked_dim("unfold", dim, std::max(rank(), 1));
  if (rank() == 0) return unsqueeze(0).unfold(0, size, step).select(0, 0);
  Shape shape = this->shape();
  Strides strides = this->strides();
  require(size >= 1 && size <= shape[d], "[unfold] windows of {} elements don't fit extent {}", size,
          shape[d]);
  require(step >= 1, "[unfold] the step is {}, must be at least 1", step);
  require_rank("unfold", rank() + 1);
  shape.push_back(size);
  strides.push_back(strides[d]);
  shape[d] = (shape[d] - size) / step + 1;
  strides[d] = shape[d] > 1 ? strides[d] * step : strides[d];
  return recorded(
      "unfold", *this, make_view(*this, shape, strides, impl_->offset),
      [from = this->shape(), d, step](const Tensor& dy) { return folded(dy, from, d, step); });
}

namespace {

using Lengths = std::vector<std::int64_t>;

/// The reverse of split, where at least one part is there; a missing one counts as zeros.
Tensor joined(std::span<const Tensor> parts, const Shape& shape, int d, const Lengths& lengths) {
  std::vector<Tensor> there;
  std::copy_if(parts.begin(), parts.end(), std::back_inserter(there),
               [](const Tensor& part) { return part.defined(); });
  const Tensor& like = there.front();
  const Tensor whole = zeros(shape, {.dtype = like.dtype(), .device = like.device()});
  std::vector<Slice> places;
  {
    const NoGrad guard;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Slice place{start, start + lengths[i]};
      start += lengths[i];
      if (!parts[i].defined()) continue;
      whole.slice(d, place).copy_(parts[i]);
      places.push_back(place);
    }
  }
  if (autograd::needs_record(there)) {
    autograd::record("split_backward", there, {&whole, 1}, [d, places](std::span<const Tensor> dy) {
      std::vector<Tensor> gradients;
      for (const Slice& place : places) gradients.push_back(dy[0].slice(d, place));
      return gradients;
    });
  }
  return whole;
}

/// Each part takes memory of the host's, even of a view that takes none itself.
void require_listed(std::string_view op, std::int64_t count) {
  constexpr std::int64_t kMostParts = 1 << 24;
  if (count > kMostParts)
    fail(ErrorKind::OutOfMemory, "[{}] out of memory: a list of {} parts", op, count);
}

/// All parts as the results of one op, whose backward is linear in their number.
std::vector<Tensor> parted(const Tensor& x, int d, const Lengths& lengths) {
  std::vector<Tensor> parts;
  {
    const NoGrad guard;
    std::int64_t start = 0;
    for (const std::int64_t length : lengths) {
      parts.push_back(x.slice(d, {start, start + length}));
      start += length;
    }
  }
  if (!parts.empty() && autograd::needs_record({&x, 1})) {
    autograd::record("split", {&x, 1}, parts,
                     [from = x.shape(), d, lengths](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{joined(dy, from, d, lengths)};
                     });
  }
  for (const Tensor& part : parts) autograd::set_base(part, x);
  return parts;
}

}  // namespace

std::vector<Tensor> Tensor::split(const Lengths& lengths, int dim) const {
  impl_of(*this, "split");
  const int d = checked_dim("split", dim, rank());
  std::int64_t left = shape()[d];
  const bool fit = std::all_of(lengths.begin(), lengths.end(), [&](std::int64_t length) {
    const bool fits = length >= 0 && length <= left;
    if (fits) left -= length;
    return fits;
  });
  require(fit && left == 0, "[split] the lengths ({}) don't add up to extent {}",
          fmt::join(lengths, ", "), shape()[d]);
  return parted(*this, d, lengths);
}

std::vector<Tensor> Tensor::split(std::int64_t length, int dim) const {
  impl_of(*this, "split");
  const int d = checked_dim("split", dim, rank());
  require(length > 0, "[split] the length is {}, must be at least 1", length);
  std::int64_t left = shape()[d];
  require_listed("split", left / length);
  Lengths lengths;
  do {
    lengths.push_back(std::min(left, length));
    left -= lengths.back();
  } while (left > 0);
  return parted(*this, d, lengths);
}

std::vector<Tensor> Tensor::chunk(std::int64_t count, int dim) const {
  impl_of(*this, "chunk");
  const int d = checked_dim("chunk", dim, rank());
  require(count > 0, "[chunk] the count is {}, must be at least 1", count);
  const std::int64_t extent = shape()[d];
  return split(std::max<std::int64_t>((extent - 1) / count + 1, 1), d);
}

std::vector<Tensor> Tensor::unbind(int dim) const {
  impl_of(*this, "unbind");
  const int d = checked_dim("unbind", dim, rank());
  require_listed("unbind", shape()[d]);
  std::vector<Tensor> parts = parted(*this, d, Lengths(static_cast<std::size_t>(shape()[d]), 1));
  for (Tensor& part : parts) part = part.squeeze(d);
  return parts;
}

std::vector<Tensor> broadcast_tensors(std::span<const Tensor> tensors) {
  Shape shape;
  for (const Tensor& x : tensors)
    shape = broadcast("broadcast_tensors", shape, impl_of(x, "broadcast_tensors").shape);
  std::vector<Tensor> views;
  for (const Tensor& x : tensors) views.push_back(x.expand(shape));
  return views;
}

Tensor atleast_1d(const Tensor& x) {
  return impl_of(x, "atleast_1d").shape.size() >= 1 ? x : x.unsqueeze(0);
}
Tensor atleast_2d(const Tensor& x) {
  return impl_of(x, "atleast_2d").shape.size() >= 2 ? x : atleast_1d(x).unsqueeze(0);
}
Tensor atleast_3d(const Tensor& x) {
  return impl_of(x, "atleast_3d").shape.size() >= 3 ? x : atleast_2d(x).unsqueeze(-1);
}

}  // namespace tenon
