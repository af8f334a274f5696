// MATMUL: operands described by shape and strides, with DYNAMIC extents once they have varied; without
// its epilogue, or as products and sums, where the device wants it so.
#include <algorithm>
#include <memory>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/loop.h"
#include "core/ops/lower.h"
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

/// The operands of a product over the dimensions that one pack has: dst, a, b, the epilogue's inputs.
struct ProductLoop {
  std::vector<runtime::OperandDesc> operands;
  std::vector<std::vector<std::int64_t>> starts;  // of each pack and operand, in elements
};

const Tensor* tensor_of(const Product& work, std::size_t operand) {
  const Tensor* const matrices[] = {&work.dst, &work.a, &work.b};
  if (operand < 3) return matrices[operand];
  const Tensor& x = work.inputs[operand - 3].tensor;
  return x.defined() ? &x : nullptr;
}

runtime::OperandDesc describe(const Product& work, std::size_t operand) {
  const Shape& shape = work.dst.shape();
  const std::int64_t M = work.dst.size(-2), N = work.dst.size(-1), K = work.a.size(-1);
  const Shape shapes[] = {shape, with_matrix(shape, M, K), with_matrix(shape, K, N)};
  const Shape& own = operand < 3 ? shapes[operand] : shape;
  if (const Tensor* x = tensor_of(work, operand)) {
    return {.dtype = x->dtype(),
            .layout = TENON_LAYOUT_STRIDED,
            .described = true,
            .shape = own,
            .strides = broadcast_strides(x->shape(), x->strides(), own)};
  }
  return {.dtype = work.epilogue->input_dtype(static_cast<int>(operand) - 2),
          .layout = TENON_LAYOUT_INDEX,
          .described = true,
          .shape = own,
          .strides = work.inputs[operand - 3].strides};
}

/// Leaves the last `most` dimensions; the others are walked by packs.
void peel_batches(ProductLoop& made, int most) {
  made.starts.emplace_back(made.operands.size());
  while (made.operands.front().shape.size() > most) {
    std::vector<std::vector<std::int64_t>> finer;
    for (const auto& start : made.starts) {
      for (std::int64_t i = 0; i < made.operands.front().shape[0]; ++i) {
        auto& moved = finer.emplace_back(start);
        for (std::size_t k = 0; k < moved.size(); ++k) moved[k] += i * made.operands[k].strides[0];
      }
    }
    made.starts = std::move(finer);
    for (auto& operand : made.operands) {
      operand.shape.erase(0);
      operand.strides.erase(0);
    }
  }
}

/// Whether all packs' addresses and all non-unit strides are multiples of 16 bytes.
bool is_aligned(const Tensor& x, const runtime::OperandDesc& operand, const ProductLoop& made,
                std::size_t k) {
  const std::int64_t size = size_of(x.dtype());
  return std::ranges::all_of(operand.strides,
                             [&](std::int64_t s) { return s == 1 || s * size % 16 == 0; }) &&
         std::ranges::all_of(made.starts, [&](const auto& start) {
           return (x.impl()->offset + start[k]) * size % 16 == 0;
         });
}

ProductLoop make_loop(const Product& work) {
  ProductLoop made;
  for (std::size_t k = 0; k < 3 + work.inputs.size(); ++k) {
    made.operands.push_back(describe(work, k));
  }
  peel_batches(made, static_cast<int>(work.device().state().limits().max_rank));
  for (std::size_t k = 0; k < made.operands.size(); ++k) {
    const Tensor* x = tensor_of(work, k);
    if (x != nullptr && is_aligned(*x, made.operands[k], made, k)) {
      made.operands[k].flags = TENON_OPERAND_ALIGNED;
    }
  }
  return made;
}

std::uint8_t index_width(const std::vector<runtime::OperandDesc>& operands) {
  std::int64_t farthest = 0;
  for (const auto& operand : operands) {
    farthest = std::max(farthest, reach(operand.shape, operand.strides));
  }
  return farthest >> 31 == 0 ? 32 : 64;
}

void launch(std::string_view op, const Product& work, const ProductLoop& made,
            const runtime::VaryingShapes::Found& found) {
  const std::size_t each = made.operands.size();
  std::vector<TenonOperand> arguments;
  for (const auto& start : made.starts) {
    for (std::size_t k = 0; k < each; ++k) {
      const Tensor* x = tensor_of(work, k);
      arguments.push_back(x != nullptr ? argument(*x)
                                       : TenonOperand{0, work.inputs[k - 3].offset, nullptr});
      arguments.back().offset += start[k] * (x != nullptr ? size_of(x->dtype()) : 1);
    }
  }
  std::vector<TenonPack> packs;
  for (std::size_t i = 0; i < arguments.size(); i += each) {
    packs.push_back({&arguments[i], work.scalars.data(), found.dims.data()});
  }
  std::vector<runtime::Access> accesses;
  for (std::size_t k = 0; k < each; ++k) {
    if (const Tensor* x = tensor_of(work, k)) {
      accesses.push_back({x->impl()->storage.get(), k == 0});
    }
  }
  runtime::launch(op, work.device().state(), *found.kernel, packs, accesses);
}

/// The whole product as one op.
Refusal attempt_whole(std::string_view op, const Product& work) {
  const ProductLoop made = make_loop(work);
  const std::vector<runtime::OperandDesc>& operands = made.operands;
  const TenonMatmulAttrs attrs{sizeof(TenonMatmulAttrs), work.accumulate ? 1u : 0u};
  runtime::OpDesc desc{.kind = TENON_KIND_MATMUL,
                       .acc_dtype = static_cast<std::uint8_t>(accumulator(work.a.dtype())),
                       .index_width = index_width(operands),
                       .rank = operands.front().shape.size(),
                       .operands = operands,
                       .attrs = std::as_bytes(std::span(&attrs, 1))};
  runtime::AttachmentDesc attachment{};
  if (work.epilogue) {
    const program::Program* epilogue = lower_attachment(*work.epilogue, work.device().state());
    if (epilogue == nullptr) return "the epilogue in one part";
    attachment = {TENON_SLOT_EPILOGUE, 3, epilogue};
    desc.attachments = {&attachment, 1};
  }
  runtime::take_note();
  const auto found = work.device().state().varying_shapes().find(desc);
  if (found.kernel == nullptr) return refusal_of(desc);
  launch(op, work, made, found);
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
