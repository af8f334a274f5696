// Matrix products: one MATMUL whose operands are described by shape and strides.
#include <algorithm>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/loop.h"
#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

Shape batch_of(const Shape& shape) {
  Shape batch = shape;
  batch.erase(batch.size() - 1);
  batch.erase(batch.size() - 1);
  return batch;
}

/// What the operands' leading dimensions broadcast to.
Shape common_batch(const Shape& x, const Shape& y) {
  const Shape a = batch_of(x), b = batch_of(y);
  for (int d = 1; d <= std::min(a.size(), b.size()); ++d) {
    const std::int64_t m = a[a.size() - d], n = b[b.size() - d];
    require(m == n || m == 1 || n == 1, "[matmul] leading dimensions do not broadcast: {} x {}",
            to_string(x), to_string(y));
  }
  return broadcast("matmul", a, b);
}

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

/// Address and non-unit strides in multiples of 16 bytes.
bool is_aligned(const detail::TensorImpl& x) {
  const std::int64_t size = size_of(x.dtype);
  return x.offset * size % 16 == 0 &&
         std::all_of(x.strides.begin(), x.strides.end(),
                     [&](std::int64_t stride) { return stride == 1 || stride * size % 16 == 0; });
}

runtime::OperandDesc describe(const Tensor& x, const Shape& batch) {
  const detail::TensorImpl& impl = *x.impl();
  const Shape shape = with_matrix(batch, x.size(-2), x.size(-1));
  const auto flags = is_aligned(impl) ? TENON_OPERAND_ALIGNED : 0;
  return {.dtype = impl.dtype,
          .layout = TENON_LAYOUT_STRIDED,
          .flags = static_cast<std::uint8_t>(flags),
          .described = true,
          .shape = shape,
          .strides = ops::broadcast_strides(impl.shape, impl.strides, shape)};
}

void launch_matmul(const Tensor& y, const Tensor& a, const Tensor& b, const Shape& batch) {
  runtime::DeviceState& device = y.device().state();
  const runtime::OperandDesc operands[] = {describe(y, batch), describe(a, batch), describe(b, batch)};
  std::int64_t farthest = 0;
  for (const auto& operand : operands)
    farthest = std::max(farthest, ops::reach(operand.shape, operand.strides));
  const TenonMatmulAttrs attrs{sizeof(TenonMatmulAttrs), 0};
  const auto kernel = device.kernels().require(
      "matmul", {.kind = TENON_KIND_MATMUL,
                 .acc_dtype = static_cast<std::uint8_t>(ops::accumulator(y.dtype())),
                 .index_width = static_cast<std::uint8_t>(farthest >> 31 == 0 ? 32 : 64),
                 .rank = y.rank(),
                 .operands = operands,
                 .attrs = std::as_bytes(std::span(&attrs, 1))});
  const TenonOperand arguments[] = {ops::argument(y), ops::argument(a), ops::argument(b)};
  const TenonPack pack{arguments, nullptr, nullptr};
  const runtime::Access accesses[] = {{y.impl()->storage.get(), true},
                                      {a.impl()->storage.get(), false},
                                      {b.impl()->storage.get(), false}};
  runtime::launch("matmul", device, *kernel, {&pack, 1}, accesses);
}

/// Both of rank 2 or more and of one dtype.
Tensor matrix_product(const Tensor& a, const Tensor& b) {
  const Shape batch = common_batch(a.shape(), b.shape());
  Tensor y = allocate(with_matrix(batch, a.size(-2), b.size(-1)), a.dtype(), a.device());
  if (y.numel() > 0) launch_matmul(y, a, b, batch);
  const Tensor inputs[] = {a, b};
  if (autograd::needs_record(inputs)) {
    // y = a·b: da = dy·bᵀ, db = aᵀ·dy, summed over broadcast batches.
    autograd::record("matmul", inputs, {&y, 1},
                     [a = autograd::Saved(a), b = autograd::Saved(b), wants_a = a.requires_grad(),
                      wants_b = b.requires_grad()](std::span<const Tensor> dy) {
                       const Tensor &x = a.get("matmul"), &w = b.get("matmul");
                       std::vector<Tensor> dx(2);
                       if (wants_a) dx[0] = sum_to(matmul(dy[0], w.transpose(-2, -1)), x.shape());
                       if (wants_b) dx[1] = sum_to(matmul(x.transpose(-2, -1), dy[0]), w.shape());
                       return dx;
                     });
  }
  return y;
}

}  // namespace

Tensor matmul(const Tensor& x, const Tensor& y) {
  const DType dtype = promote(impl_of(x, "matmul").dtype, impl_of(y, "matmul").dtype);
  const Tensor operands[] = {x, y};
  ops::common_device("matmul", operands);
  require(x.rank() >= 1 && y.rank() >= 1,
          "[matmul] a 0-d operand has no inner dimension: {} x {}; use *", to_string(x.shape()),
          to_string(y.shape()));
  const std::int64_t inner = y.size(y.rank() == 1 ? 0 : -2);
  require(x.size(-1) == inner, "[matmul] inner dimensions differ: {} x {}", to_string(x.shape()),
          to_string(y.shape()));
  Tensor a = x.to(dtype), b = y.to(dtype);
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a = a.unsqueeze(0);
  if (column) b = b.unsqueeze(1);
  Tensor product = matrix_product(a, b);
  if (column) product = product.squeeze(-1);
  if (row) product = product.squeeze(column ? -1 : -2);
  product.impl()->is_view = false;  // of a matrix that nobody has
  return product;
}

}  // namespace tenon
