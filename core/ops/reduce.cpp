// Reductions: one REDUCE over the axes, with a cast as its prologue where the result's dtype differs.
#include <algorithm>
#include <array>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

/// Which dimensions go: all where `dims` is empty.
std::array<bool, kMaxRank> reduced_dims(std::string_view op, const Tensor& x, const Dims& dims) {
  std::array<bool, kMaxRank> reduced{};
  for (int d = 0; d < x.rank(); ++d) reduced[static_cast<std::size_t>(d)] = dims.empty();
  for (const std::int64_t dim : dims) {
    const int d = checked_dim(op, dim, x.rank());
    require(!reduced[static_cast<std::size_t>(d)], "[{}] dimension {} is named twice in {}", op, d,
            to_string(dims));
    reduced[static_cast<std::size_t>(d)] = true;
  }
  return reduced;
}

Shape kept_shape(const Tensor& x, const std::array<bool, kMaxRank>& reduced, bool keepdim) {
  Shape shape;
  for (int d = 0; d < x.rank(); ++d) {
    if (!reduced[static_cast<std::size_t>(d)]) {
      shape.push_back(x.shape()[d]);
    } else if (keepdim) {
      shape.push_back(1);
    }
  }
  return shape;
}

/// y, which no one else has seen yet, in another shape of as many elements.
Tensor reshaped(const Tensor& y, const Shape& shape) {
  y.impl()->shape = shape;
  y.impl()->strides = contiguous_strides(shape);
  return y;
}

program::Program cast_program(DType from, DType to) {
  program::Builder builder;
  builder.output(cast(builder.input(from), to));
  return builder.build();
}

/// x reduced to a new tensor of `dtype` with all dimensions kept; values are cast to `folded` first.
Tensor reduce(std::string_view op, std::uint8_t how, const Tensor& x, DType folded, DType dtype,
              const std::array<bool, kMaxRank>& reduced) {
  Reduction work{.shape = x.shape(),
                 .results = {allocate(kept_shape(x, reduced, true), dtype, x.device())},
                 .operators = {how},
                 .inputs = {{x}}};
  for (int d = 0; d < x.rank(); ++d) {
    if (reduced[static_cast<std::size_t>(d)]) work.axes |= 1u << d;
  }
  if (x.dtype() != folded) work.prologue = cast_program(x.dtype(), folded);
  run(op, work);
  return work.results.front();
}

Tensor reduce(std::string_view op, std::uint8_t how, const Tensor& x, DType dtype,
              const std::array<bool, kMaxRank>& reduced) {
  return reduce(op, how, x, dtype, dtype, reduced);
}

DType sum_dtype(DType dtype) {
  if (is_floating(dtype)) return dtype;
  return is_unsigned_integer(dtype) ? u64 : i64;
}

/// Where x is the extreme value along the reduced dimensions (NaN is, among NaN).
Tensor extreme_mask(std::string_view op, const Tensor& x, const Tensor& extreme) {
  program::Builder b;
  const auto a = b.input(x.dtype()), m = b.input(x.dtype());
  b.output((a == m) | ((a != a) & (m != m)));
  const Tensor inputs[] = {x, extreme};
  return run(op, b.build(), inputs).front();
}

/// dy at the extreme values, shared evenly among equals; 0 elsewhere, whatever dy is.
Tensor extreme_gradient(std::string_view op, const Tensor& x, const Tensor& extreme, const Dims& axes,
                        const Tensor& dy) {
  const Tensor mask = extreme_mask(op, x, extreme);
  const Tensor ones = mask.to(dy.dtype());
  const Tensor share = dy.reshape(extreme.shape()) / (axes.empty() ? ones : sum(ones, axes, true));
  return where(mask, share, zeros_like(share));
}

/// What has no identity for an empty fold that a user could expect.
void require_elements(std::string_view op, const Tensor& x, const std::array<bool, kMaxRank>& reduced) {
  for (int d = 0; d < x.rank(); ++d) {
    require(!reduced[static_cast<std::size_t>(d)] || x.shape()[d] > 0,
            "[{}] {} has no elements along dimension {}", op, to_string(x.shape()), d);
  }
}

/// max or min; among bools they are any and all.
Tensor extreme(std::string_view op, std::uint8_t how, std::uint8_t how_for_bool, const Tensor& x,
               const Dims& dims, bool keepdim) {
  const DType dtype = impl_of(x, op).dtype;
  const auto reduced = reduced_dims(op, x, dims);
  require_elements(op, x, reduced);
  const Tensor kept = reduce(op, dtype == bool_ ? how_for_bool : how, x, dtype, reduced);
  const Tensor value = kept.detach();
  const Tensor y = reshaped(kept, kept_shape(x, reduced, keepdim));
  if (autograd::needs_record({&x, 1})) {
    Dims axes;
    for (int d = 0; d < x.rank(); ++d) {
      if (reduced[static_cast<std::size_t>(d)]) axes.push_back(d);
    }
    autograd::record(
        op, {&x, 1}, {&y, 1},
        [op, saved = autograd::Saved(x), extreme = autograd::Saved(value),
         axes](std::span<const Tensor> dy) {
          return std::vector<Tensor>{extreme_gradient(op, saved.get(op), extreme.get(op), axes, dy[0])};
        });
  }
  return y;
}

/// The place of the extreme value: in row-major order over all, or along one dimension.
Tensor place_of_extreme(std::string_view op, std::uint8_t how, const Tensor& x, const Dims& dims,
                        bool keepdim) {
  const DType dtype = impl_of(x, op).dtype;
  require(dims.size() <= 1, "[{}] takes one dimension, or none for all, not {}", op, to_string(dims));
  const auto reduced = reduced_dims(op, x, dims);
  require_elements(op, x, reduced);
  const Tensor kept = reduce(op, how, x, dtype == bool_ ? i32 : dtype, i64, reduced);
  return reshaped(kept, kept_shape(x, reduced, keepdim));
}

Tensor truth(std::string_view op, std::uint8_t how, const Tensor& x, const Dims& dims, bool keepdim) {
  impl_of(x, op);
  const auto reduced = reduced_dims(op, x, dims);
  return reshaped(reduce(op, how, x, bool_, reduced), kept_shape(x, reduced, keepdim));
}

}  // namespace
}  // namespace ops

Tensor sum(const Tensor& summed, const Dims& dims, bool keepdim) {
  const Tensor x = autograd::autocast_in(autograd::Cast::wide, summed);
  const DType dtype = ops::sum_dtype(impl_of(x, "sum").dtype);
  const auto reduced = ops::reduced_dims("sum", x, dims);
  const Tensor kept = ops::reduce("sum", TENON_REDUCE_SUM, x, dtype, reduced);
  const Shape shape = kept.shape();
  const Tensor y = ops::reshaped(kept, ops::kept_shape(x, reduced, keepdim));
  if (autograd::needs_record({&x, 1})) {
    autograd::record("sum", {&x, 1}, {&y, 1}, [shape, from = x.shape()](std::span<const Tensor> dy) {
      return std::vector<Tensor>{dy[0].reshape(shape).expand(from)};
    });
  }
  return y;
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  const DType dtype = impl_of(x, "mean").dtype;
  const auto reduced = ops::reduced_dims("mean", x, dims);
  // 16-bit sums and counts would overflow.
  const Tensor total = sum(x.to(is_floating(dtype) ? ops::accumulator(dtype) : f32), dims, keepdim);
  double count = 1;
  for (int d = 0; d < x.rank(); ++d) {
    if (reduced[static_cast<std::size_t>(d)]) count *= static_cast<double>(x.shape()[d]);
  }
  return (total / count).to(is_floating(dtype) ? dtype : f32);
}

Tensor max(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::extreme("max", TENON_REDUCE_MAX, TENON_REDUCE_ANY, x, dims, keepdim);
}
Tensor min(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::extreme("min", TENON_REDUCE_MIN, TENON_REDUCE_ALL, x, dims, keepdim);
}
Tensor argmax(const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::place_of_extreme("argmax", TENON_REDUCE_ARGMAX, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, const Dims& dim, bool keepdim) {
  return ops::place_of_extreme("argmin", TENON_REDUCE_ARGMIN, x, dim, keepdim);
}
Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::truth("any", TENON_REDUCE_ANY, x, dims, keepdim);
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  return ops::truth("all", TENON_REDUCE_ALL, x, dims, keepdim);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (impl_of(x, "sum_to").shape == shape) return x;
  const int lead = x.rank() - shape.size();
  require(lead >= 0 && broadcast("sum_to", x.shape(), shape) == x.shape(),
          "[sum_to] {} is not broadcast from {}", to_string(x.shape()), to_string(shape));
  Dims dims;
  for (int d = 0; d < x.rank(); ++d) {
    if (d < lead || (shape[d - lead] == 1 && x.shape()[d] != 1)) dims.push_back(d);
  }
  return sum(x, dims, true).view(shape);
}

Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
  return tenon::sum(*this, dims, keepdim);
}
Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
  return tenon::mean(*this, dims, keepdim);
}
Tensor Tensor::max(const Dims& dims, bool keepdim) const {
  return tenon::max(*this, dims, keepdim);
}
Tensor Tensor::min(const Dims& dims, bool keepdim) const {
  return tenon::min(*this, dims, keepdim);
}

}  // namespace tenon
