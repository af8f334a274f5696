// REDUCE: described over its simplified loop; without its prologue, or result by result, where the
// device wants it so.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/loop.h"
#include "core/ops/lower.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// The loop over `shape`: results, then inputs. Reduced and kept dimensions stay apart.
struct ReduceLoop {
  Loop loop;
  std::uint32_t axes = 0;
  std::vector<std::vector<std::int64_t>> starts;  // of each pack, in elements; empty: one at 0
};

LoopOperand loop_operand(const Tensor& x, const Shape& shape) {
  return {broadcast_strides(x.shape(), x.strides(), shape)};
}

/// A result is CONTIGUOUS where it is so over the kept dimensions.
std::uint8_t result_layout(const Loop& loop, const Strides& strides, const std::vector<int>& groups) {
  Shape kept;
  Strides own;
  for (int d = 0; d < loop.shape.size(); ++d) {
    if (groups[static_cast<std::size_t>(d)] == 1) continue;
    kept.push_back(loop.shape[d]);
    own.push_back(strides[d]);
  }
  const bool contiguous = layout_of(kept, own) == TENON_LAYOUT_CONTIGUOUS;
  return contiguous ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED;
}

/// The layouts that REDUCE has.
void settle_layouts(Loop& loop, const std::vector<int>& groups, std::size_t results) {
  for (std::size_t i = 0; i < loop.operands.size(); ++i) {
    LoopOperand& operand = loop.operands[i];
    if (i < results) {
      operand.layout = result_layout(loop, operand.strides, groups);
    } else if (operand.layout == TENON_LAYOUT_SCALAR) {
      operand.layout = TENON_LAYOUT_STRIDED;
    }
  }
}

ReduceLoop make_loop(const Reduction& work) {
  ReduceLoop made;
  Loop& loop = made.loop;
  loop.shape = work.shape;
  for (const Tensor& y : work.results) loop.operands.push_back(loop_operand(y, work.shape));
  for (const Input& x : work.inputs) {
    loop.operands.push_back(x.tensor.defined() ? loop_operand(x.tensor, work.shape)
                                               : LoopOperand{x.strides, true});
  }
  std::vector<int> groups;
  for (int d = 0; d < work.shape.size(); ++d) groups.push_back(static_cast<int>(work.axes >> d & 1));
  simplify(loop, groups);
  const int most = static_cast<int>(work.device().state().limits().max_rank);
  made.starts = peel(loop, groups, most);
  if (std::find(groups.begin(), groups.end(), 1) == groups.end()) {  // only extents of 1 are reduced
    loop.shape.push_back(1);
    groups.push_back(1);
    for (LoopOperand& operand : loop.operands) operand.strides.push_back(0);
  }
  settle_layouts(loop, groups, work.results.size());
  for (std::size_t d = 0; d < groups.size(); ++d) {
    if (groups[d] == 1) made.axes |= 1u << d;
  }
  return made;
}

std::vector<runtime::OperandDesc> describe(const Reduction& work, const Loop& loop) {
  std::vector<runtime::OperandDesc> operands;
  const auto add = [&](DType dtype) {
    operands.push_back({.dtype = dtype, .layout = loop.operands[operands.size()].layout});
  };
  for (const Tensor& y : work.results) add(y.dtype());
  for (std::size_t i = 0; i < work.inputs.size(); ++i) {
    const Tensor& x = work.inputs[i].tensor;
    add(x.defined() ? x.dtype() : work.prologue->input_dtype(static_cast<int>(i)));
  }
  return operands;
}

TenonReduceAttrs attributes(const Reduction& work, const ReduceLoop& made) {
  TenonReduceAttrs attrs{};
  attrs.struct_size = sizeof attrs;
  attrs.axes = made.axes;
  std::copy(work.operators.begin(), work.operators.end(), attrs.operators);
  return attrs;
}

/// The operands of the pack that begins at `start`.
void add_arguments(const Reduction& work, const ReduceLoop& made,
                   const std::vector<std::int64_t>& start, std::vector<TenonOperand>& arguments) {
  const auto add = [&](TenonOperand operand, std::int64_t step) {
    const std::size_t i = arguments.size() % made.loop.operands.size();
    const LoopOperand& way = made.loop.operands[i];
    operand.offset += start[i] * step;
    if (way.layout != TENON_LAYOUT_CONTIGUOUS) operand.strides = way.strides.data();
    arguments.push_back(operand);
  };
  for (const Tensor& y : work.results) add(argument(y), size_of(y.dtype()));
  for (const Input& x : work.inputs) {
    if (x.tensor.defined()) {
      add(argument(x.tensor), size_of(x.tensor.dtype()));
    } else {
      add({0, x.offset, nullptr}, 1);
    }
  }
}

void launch(std::string_view op, const Reduction& work, const ReduceLoop& made,
            const runtime::Kernel& kernel) {
  std::vector<runtime::Access> accesses;
  for (const Tensor& y : work.results) accesses.push_back({y.impl()->storage.get(), true});
  for (const Input& x : work.inputs) {
    if (x.tensor.defined()) accesses.push_back({x.tensor.impl()->storage.get(), false});
  }
  const std::size_t each = made.loop.operands.size();
  auto starts = made.starts;
  if (starts.empty()) starts.emplace_back(each);
  std::vector<TenonOperand> arguments;
  for (const auto& start : starts) add_arguments(work, made, start, arguments);
  std::vector<TenonPack> packs;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    packs.push_back({&arguments[i * each], work.scalars.data(), made.loop.shape.data()});
  }
  runtime::launch(op, work.device().state(), kernel, packs, accesses);
}

/// What the sums and products are kept in; nothing where one op can't keep them all.
std::optional<DType> sums_dtype(const Reduction& work) {
  std::optional<DType> dtype;
  for (std::size_t i = 0; i < work.results.size(); ++i) {
    if (work.operators[i] != TENON_REDUCE_SUM && work.operators[i] != TENON_REDUCE_PROD) continue;
    const DType own = accumulator(work.results[i].dtype());
    if (dtype.value_or(own) != own) return {};
    dtype = own;
  }
  return dtype.value_or(accumulator(work.results.front().dtype()));
}

/// The whole reduction as one op.
Refusal attempt_whole(std::string_view op, const Reduction& work) {
  const std::optional<DType> acc_dtype = sums_dtype(work);
  if (!acc_dtype) return "sums in several dtypes";
  const ReduceLoop made = make_loop(work);
  const std::vector<runtime::OperandDesc> operands = describe(work, made.loop);
  const TenonReduceAttrs attrs = attributes(work, made);
  runtime::OpDesc desc{.kind = TENON_KIND_REDUCE,
                       .acc_dtype = static_cast<std::uint8_t>(*acc_dtype),
                       .index_width = made.loop.index_width,
                       .rank = made.loop.shape.size(),
                       .output_count = static_cast<int>(work.results.size()),
                       .operands = operands,
                       .attrs = std::as_bytes(std::span(&attrs, 1))};
  runtime::AttachmentDesc attachment{};
  if (work.prologue) {
    const program::Program* prologue = lower_attachment(op, *work.prologue, work.device().state());
    if (prologue == nullptr) return "the prologue in one part";
    attachment = {TENON_SLOT_PROLOGUE, static_cast<std::uint16_t>(work.results.size()), prologue};
    desc.attachments = {&attachment, 1};
  }
  runtime::take_note();
  const auto kernel = work.device().state().kernels().find(desc);
  if (kernel == nullptr) return refusal_of(desc);
  launch(op, work, made, *kernel);
  return {};
}

/// What the prologue gives, as tensors of the whole shape.
std::vector<Tensor> run_prologue(std::string_view op, const Reduction& work) {
  Operands operands{{}, work.inputs, work.scalars};
  for (int i = 0; i < work.prologue->output_count(); ++i) {
    operands.outputs.push_back(allocate(work.shape, work.prologue->output_dtype(i), work.device()));
  }
  run(op, *work.prologue, {&operands, 1});
  return std::move(operands.outputs);
}

Refusal attempt(std::string_view op, const Reduction& work);

/// Result i alone, of an input that needs no prologue.
Refusal attempt_one(std::string_view op, const Reduction& work, std::size_t i, const Tensor& input) {
  return attempt(op, {.shape = work.shape,
                      .axes = work.axes,
                      .results = {work.results[i]},
                      .operators = {work.operators[i]},
                      .inputs = {{input}}});
}

/// One input folded in the dtype that its own is widened to, and rounded at the end.
Refusal attempt_widened(std::string_view op, const Reduction& work, const Refusal& refusal) {
  const Tensor& x = work.inputs.front().tensor;
  const Tensor& y = work.results.front();
  const DType wide = computed_as(x.dtype(), work.device());
  if (wide == x.dtype() || numel(work.shape) == 0) return refusal;
  runtime::fall_back(op, work.device().state(), "widened", *refusal);
  const Tensor result = y.dtype() == x.dtype() ? allocate(y.shape(), wide, work.device()) : y;
  Reduction widened = work;
  widened.results = {result};
  widened.inputs = {{cast_to(op, x, wide)}};
  if (Refusal again = attempt(op, widened)) return again;
  if (!result.is_same(y)) assign(op, y, result);
  return {};
}

/// Over a row-major copy, whose loop may have fewer dimensions.
Refusal attempt_row_major(std::string_view op, const Reduction& work, const Refusal& refusal) {
  runtime::fall_back(op, work.device().state(), "row-major first", *refusal);
  const Tensor& x = work.inputs.front().tensor;
  Reduction copied = work;
  copied.inputs = {{cast_to(op, x, x.dtype())}};
  return attempt(op, copied);
}

Refusal attempt(std::string_view op, const Reduction& work) {
  const Refusal refusal = attempt_whole(op, work);
  if (!refusal) return {};
  if (!work.prologue) {
    const Tensor& x = work.inputs.front().tensor;
    const auto most = static_cast<int>(work.device().state().limits().max_rank);
    const bool is_deep = x.rank() > most && !x.is_contiguous();
    return is_deep ? attempt_row_major(op, work, refusal) : attempt_widened(op, work, refusal);
  }
  runtime::fall_back(op, work.device().state(), "prologue apart", *refusal);
  const std::vector<Tensor> inputs = run_prologue(op, work);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (Refusal one = attempt_one(op, work, i, inputs[i])) return one;
  }
  return {};
}

}  // namespace

void Reduction::each_tensor(const Visit& visit) {
  for (Tensor& y : results) visit(y, true);
  for (Input& x : inputs) visit(x.tensor, false);
}

void run(std::string_view op, const Reduction& work) {
  if (work.results.front().numel() == 0) return;
  with_policy(op, work, [&](const Reduction& it) { return attempt(op, it); });
}

}  // namespace tenon::ops
