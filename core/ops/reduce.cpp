// Reductions: one REDUCE over the axes, with a cast as its prologue where the result's dtype differs.
#include <algorithm>
#include <array>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/elementwise.h"
#include "core/ops/loop.h"
#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/launch.h"
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

struct ReduceLoop {
  Loop loop;  // operands: result, input
  std::uint32_t axes = 0;
};

ReduceLoop make_loop(const Tensor& x, const Tensor& result_keepdim,
                     const std::array<bool, kMaxRank>& reduced) {
  ReduceLoop made;
  made.loop.shape = x.shape();
  made.loop.operands = {
      {broadcast_strides(result_keepdim.shape(), result_keepdim.strides(), x.shape())}, {x.strides()}};
  std::vector<int> groups;
  for (int d = 0; d < x.rank(); ++d) groups.push_back(reduced[static_cast<std::size_t>(d)] ? 1 : 0);
  simplify(made.loop, groups);
  if (std::find(groups.begin(), groups.end(), 1) == groups.end()) {  // only extents of 1 are reduced
    made.loop.shape.push_back(1);
    groups.push_back(1);
    for (LoopOperand& operand : made.loop.operands) operand.strides.push_back(0);
  }
  made.loop.operands[0].layout = TENON_LAYOUT_CONTIGUOUS;  // over the kept axes: it is new
  if (made.loop.operands[1].layout == TENON_LAYOUT_SCALAR)
    made.loop.operands[1].layout = TENON_LAYOUT_STRIDED;
  for (std::size_t d = 0; d < groups.size(); ++d) {
    if (groups[d] == 1) made.axes |= 1u << d;
  }
  return made;
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

/// The kernel that reduces x to `result`; nullptr where it takes a cast as a prologue, which the device
/// refuses.
std::shared_ptr<const runtime::Kernel> find_kernel(std::string_view op, std::uint8_t how,
                                                   const Tensor& x, const Tensor& result,
                                                   const ReduceLoop& made) {
  runtime::KernelCache& kernels = x.device().state().kernels();
  const runtime::OperandDesc operands[] = {
      {.dtype = result.dtype(), .layout = made.loop.operands[0].layout},
      {.dtype = x.dtype(), .layout = made.loop.operands[1].layout},
  };
  TenonReduceAttrs attrs{};
  attrs.struct_size = sizeof attrs;
  attrs.axes = made.axes;
  attrs.operators[0] = how;
  runtime::OpDesc desc{.kind = TENON_KIND_REDUCE,
                       .acc_dtype = static_cast<std::uint8_t>(accumulator(result.dtype())),
                       .index_width = made.loop.index_width,
                       .rank = made.loop.shape.size(),
                       .operands = operands,
                       .attrs = std::as_bytes(std::span(&attrs, 1))};
  if (x.dtype() == result.dtype()) return kernels.require(op, desc);
  const program::Program prologue = cast_program(x.dtype(), result.dtype());
  const runtime::AttachmentDesc attachment{TENON_SLOT_PROLOGUE, 1, &prologue};
  desc.attachments = {&attachment, 1};
  return kernels.find(desc);
}

/// False where the device refuses the cast from x's dtype to the result's as a prologue.
bool launch_reduce(std::string_view op, std::uint8_t how, const Tensor& x, const Tensor& result,
                   const std::array<bool, kMaxRank>& reduced) {
  const ReduceLoop made = make_loop(x, result, reduced);
  const auto kernel = find_kernel(op, how, x, result, made);
  if (kernel == nullptr) return false;
  TenonOperand arguments[] = {argument(result), argument(x)};
  if (made.loop.operands[1].layout == TENON_LAYOUT_STRIDED) {
    arguments[1].strides = made.loop.operands[1].strides.data();
  }
  const TenonPack pack{arguments, nullptr, made.loop.shape.data()};
  const runtime::Access accesses[] = {{result.impl()->storage.get(), true},
                                      {x.impl()->storage.get(), false}};
  runtime::launch(op, x.device().state(), *kernel, {&pack, 1}, accesses);
  return true;
}

/// x reduced to a new tensor of `dtype` with all dimensions kept. Where the device refuses the cast as
/// a prologue it runs as an op of its own, which counts as a fallback.
Tensor reduce(std::string_view op, std::uint8_t how, const Tensor& x, DType dtype,
              const std::array<bool, kMaxRank>& reduced) {
  Tensor result = allocate(kept_shape(x, reduced, true), dtype, x.device());
  if (result.numel() == 0 || launch_reduce(op, how, x, result, reduced)) return result;
  x.device().state().counters().fallbacks.fetch_add(1, std::memory_order_relaxed);
  launch_reduce(op, how, convert(x, dtype), result, reduced);
  return result;
}

DType sum_dtype(DType dtype) {
  if (is_floating(dtype)) return dtype;
  return is_unsigned_integer(dtype) ? u64 : i64;
}

/// Where x is the maximum along the reduced dimensions (NaN is, among NaN).
Tensor max_mask(const Tensor& x, const Tensor& maximum) {
  program::Builder b;
  const auto a = b.input(x.dtype()), m = b.input(x.dtype());
  b.output((a == m) | ((a != a) & (m != m)));
  const Tensor inputs[] = {x, maximum};
  return run("max", b.build(), inputs).front();
}

/// dy at the maxima, shared evenly among equals; 0 elsewhere, whatever dy is.
Tensor max_gradient(const Tensor& x, const Tensor& maximum, const Dims& axes, const Tensor& dy) {
  const Tensor mask = max_mask(x, maximum);
  const Tensor ones = mask.to(dy.dtype());
  const Tensor share = dy.reshape(maximum.shape()) / (axes.empty() ? ones : sum(ones, axes, true));
  return where(mask, share, zeros_like(share));
}

}  // namespace
}  // namespace ops

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
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
  const DType dtype = impl_of(x, "max").dtype;
  const auto reduced = ops::reduced_dims("max", x, dims);
  for (int d = 0; d < x.rank(); ++d) {
    require(!reduced[static_cast<std::size_t>(d)] || x.shape()[d] > 0,
            "[max] {} has no elements along dimension {}", to_string(x.shape()), d);
  }
  const std::uint8_t how = dtype == bool_ ? TENON_REDUCE_ANY : TENON_REDUCE_MAX;
  const Tensor kept = ops::reduce("max", how, x, dtype, reduced);
  const Tensor value = kept.detach();
  const Tensor y = ops::reshaped(kept, ops::kept_shape(x, reduced, keepdim));
  if (autograd::needs_record({&x, 1})) {
    Dims axes;
    for (int d = 0; d < x.rank(); ++d) {
      if (reduced[static_cast<std::size_t>(d)]) axes.push_back(d);
    }
    autograd::record("max", {&x, 1}, {&y, 1},
                     [saved = autograd::Saved(x), maximum = autograd::Saved(value),
                      axes](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{
                           ops::max_gradient(saved.get("max"), maximum.get("max"), axes, dy[0])};
                     });
  }
  return y;
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

}  // namespace tenon
