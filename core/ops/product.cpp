// MATMUL: operands described by shape and strides, with DYNAMIC extents once they have varied; without
// its epilogue, or as products and sums, where the device wants it so.
#include <algorithm>
#include <memory>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/loop.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/launch.h"
#include "core/runtime/varying.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

Shape with_matrix(Shape shape, std::int64_t rows, std::int64_t columns) {
  shape[shape.size() - 2] = rows;
  shape[shape.size() - 1] = columns;
  return shape;
}

/// Address and non-unit strides in multiples of 16 bytes.
bool is_aligned(const detail::TensorImpl& x) {
  const std::int64_t size = size_of(x.dtype);
  return x.offset * size % 16 == 0 &&
         std::all_of(x.strides.begin(), x.strides.end(),
                     [&](std::int64_t stride) { return stride == 1 || stride * size % 16 == 0; });
}

runtime::OperandDesc describe(const Tensor& x, const Shape& shape) {
  const detail::TensorImpl& impl = *x.impl();
  const auto flags = is_aligned(impl) ? TENON_OPERAND_ALIGNED : 0;
  return {.dtype = impl.dtype,
          .layout = TENON_LAYOUT_STRIDED,
          .flags = static_cast<std::uint8_t>(flags),
          .described = true,
          .shape = shape,
          .strides = broadcast_strides(impl.shape, impl.strides, shape)};
}

runtime::OperandDesc describe(const Input& x, const Shape& shape, DType dtype) {
  if (x.tensor.defined()) return describe(x.tensor, shape);
  return {.dtype = dtype,
          .layout = TENON_LAYOUT_INDEX,
          .described = true,
          .shape = shape,
          .strides = x.strides};
}

/// dst, a, b, then the epilogue's inputs.
std::vector<runtime::OperandDesc> describe(const Product& work) {
  const Shape& shape = work.dst.shape();
  const std::int64_t M = work.dst.size(-2), N = work.dst.size(-1), K = work.a.size(-1);
  std::vector<runtime::OperandDesc> operands{describe(work.dst, shape),
                                             describe(work.a, with_matrix(shape, M, K)),
                                             describe(work.b, with_matrix(shape, K, N))};
  for (std::size_t i = 0; i < work.inputs.size(); ++i) {
    operands.push_back(
        describe(work.inputs[i], shape, work.epilogue->input_dtype(static_cast<int>(i) + 1)));
  }
  return operands;
}

std::uint8_t index_width(const std::vector<runtime::OperandDesc>& operands) {
  std::int64_t farthest = 0;
  for (const auto& operand : operands) {
    farthest = std::max(farthest, reach(operand.shape, operand.strides));
  }
  return farthest >> 31 == 0 ? 32 : 64;
}

void launch(std::string_view op, const Product& work, const runtime::Kernel& kernel,
            const std::vector<std::int64_t>& dims) {
  std::vector<TenonOperand> arguments{argument(work.dst), argument(work.a), argument(work.b)};
  std::vector<runtime::Access> accesses{{work.dst.impl()->storage.get(), true},
                                        {work.a.impl()->storage.get(), false},
                                        {work.b.impl()->storage.get(), false}};
  for (const Input& x : work.inputs) {
    arguments.push_back(x.tensor.defined() ? argument(x.tensor) : TenonOperand{0, x.offset, nullptr});
    if (x.tensor.defined()) accesses.push_back({x.tensor.impl()->storage.get(), false});
  }
  const TenonPack pack{arguments.data(), work.scalars.data(), dims.data()};
  runtime::launch(op, work.device().state(), kernel, {&pack, 1}, accesses);
}

/// The whole product as one op.
Refusal attempt_whole(std::string_view op, const Product& work) {
  std::vector<runtime::OperandDesc> operands = describe(work);
  const TenonMatmulAttrs attrs{sizeof(TenonMatmulAttrs), work.accumulate ? 1u : 0u};
  runtime::OpDesc desc{.kind = TENON_KIND_MATMUL,
                       .acc_dtype = static_cast<std::uint8_t>(accumulator(work.a.dtype())),
                       .index_width = index_width(operands),
                       .rank = work.dst.rank(),
                       .operands = operands,
                       .attrs = std::as_bytes(std::span(&attrs, 1))};
  runtime::AttachmentDesc attachment{};
  if (work.epilogue) {
    attachment = {TENON_SLOT_EPILOGUE, 3, &*work.epilogue};
    desc.attachments = {&attachment, 1};
  }
  runtime::take_note();
  const auto found = work.device().state().varying_shapes().find(desc);
  if (found.kernel == nullptr) return refusal_of(desc);
  launch(op, work, *found.kernel, found.dims);
  return {};
}

Refusal attempt(std::string_view op, const Product& work);

/// The sum in acc_dtype, then the epilogue over it.
Refusal attempt_apart(std::string_view op, const Product& work, const Refusal& refusal) {
  runtime::fall_back(op, work.device().state(), "epilogue apart", *refusal);
  const DType acc = accumulator(work.a.dtype());
  const Tensor sum = allocate(work.dst.shape(), acc, work.device());
  if (Refusal bare = attempt(op, {.dst = sum, .a = work.a, .b = work.b})) return bare;
  Operands operands{{work.dst}, {{sum}}, work.scalars};
  operands.inputs.insert(operands.inputs.end(), work.inputs.begin(), work.inputs.end());
  run(op, *work.epilogue, {&operands, 1});
  return {};
}

/// In the dtype that those of a and b are widened to, rounded at the end.
Refusal attempt_widened(std::string_view op, const Product& work, DType wide) {
  Product widened = work;
  widened.a = cast_to(op, work.a, wide);
  widened.b = cast_to(op, work.b, wide);
  if (work.accumulate)
    widened.dst = cast_to(op, work.dst, wide);
  else if (work.dst.dtype() != wide)
    widened.dst = allocate(work.dst.shape(), wide, work.device());
  if (Refusal refusal = attempt(op, widened)) return refusal;
  if (!widened.dst.is_same(work.dst)) assign(op, work.dst, widened.dst);
  return {};
}

/// cast(in0, dtype) · cast(in1, dtype), or their sum.
program::Program pair_program(DType a, DType b, DType dtype, bool product) {
  program::Builder builder;
  const auto x = cast(builder.input(a), dtype), y = cast(builder.input(b), dtype);
  builder.output(product ? x * y : x + y);
  return builder.build();
}

/// Products of all pairs, summed over K.
void run_as_sum(std::string_view op, const Product& work) {
  const DType dtype = work.a.dtype(), acc = accumulator(dtype);
  Shape kept = work.dst.shape();
  kept.push_back(1);
  Shape all = kept;
  all[all.size() - 1] = work.a.size(-1);
  const Tensor sum = allocate(kept, acc, work.device());
  run(op,
      {.shape = all,
       .axes = 1u << (all.size() - 1),
       .results = {sum},
       .operators = {TENON_REDUCE_SUM},
       .inputs = {{work.a.detach().unsqueeze(-2)}, {work.b.detach().transpose(-2, -1).unsqueeze(-3)}},
       .prologue = pair_program(dtype, dtype, acc, true)});
  const Tensor product = sum.squeeze(-1);
  if (!work.accumulate) return assign(op, work.dst, product);
  const Operands operands{{work.dst}, {{work.dst}, {product}}};
  run(op, pair_program(work.dst.dtype(), acc, work.dst.dtype(), false), {&operands, 1});
}

Refusal attempt(std::string_view op, const Product& work) {
  const Refusal refusal = attempt_whole(op, work);
  if (!refusal) return {};
  if (work.epilogue) return attempt_apart(op, work, refusal);
  const DType wide = computed_as(work.a.dtype(), work.device());
  if (wide != work.a.dtype()) {
    runtime::fall_back(op, work.device().state(), "widened", *refusal);
    return attempt_widened(op, work, wide);
  }
  if (work.dst.rank() == kMaxRank || !computes(work.device(), wide)) return refusal;
  runtime::fall_back(op, work.device().state(), "as products and sums", *refusal);
  run_as_sum(op, work);
  return {};
}

}  // namespace

void Product::each_tensor(const Visit& visit) {
  visit(dst, true);
  visit(a, false);
  visit(b, false);
  for (Input& x : inputs) visit(x.tensor, false);
}

void run(std::string_view op, const Product& work) {
  if (work.dst.numel() == 0) return;
  with_policy(op, work, [&](const Product& it) { return attempt(op, it); });
}

}  // namespace tenon::ops
