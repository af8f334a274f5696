// REDUCE: described over its simplified loop; without its prologue, or result by result, where the
// device wants it so.
#include <algorithm>
#include <array>
#include <memory>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/loop.h"
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
};

LoopOperand loop_operand(const Tensor& x, const Shape& shape) {
  return {broadcast_strides(x.shape(), x.strides(), shape)};
}

/// The layouts that REDUCE has: results are new, and a stretched input is STRIDED.
void settle_layouts(Loop& loop, std::size_t results) {
  for (std::size_t i = 0; i < loop.operands.size(); ++i) {
    std::uint8_t& layout = loop.operands[i].layout;
    if (i < results)
      layout = TENON_LAYOUT_CONTIGUOUS;
    else if (layout == TENON_LAYOUT_SCALAR)
      layout = TENON_LAYOUT_STRIDED;
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
  if (std::find(groups.begin(), groups.end(), 1) == groups.end()) {  // only extents of 1 are reduced
    loop.shape.push_back(1);
    groups.push_back(1);
    for (LoopOperand& operand : loop.operands) operand.strides.push_back(0);
  }
  settle_layouts(loop, work.results.size());
  for (std::size_t d = 0; d < groups.size(); ++d) {
    if (groups[d] == 1) made.axes |= 1u << d;
  }
  return made;
}

std::vector<runtime::OperandDesc> describe(const Reduction& work, const Loop& loop) {
  std::vector<runtime::OperandDesc> operands;
  for (const Tensor& y : work.results) operands.push_back({.dtype = y.dtype()});
  for (std::size_t i = 0; i < work.inputs.size(); ++i) {
    const Tensor& x = work.inputs[i].tensor;
    const DType dtype = x.defined() ? x.dtype() : work.prologue->input_dtype(static_cast<int>(i));
    operands.push_back({.dtype = dtype, .layout = loop.operands[work.results.size() + i].layout});
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

void launch(std::string_view op, const Reduction& work, ReduceLoop& made,
            const runtime::Kernel& kernel) {
  std::vector<TenonOperand> arguments;
  std::vector<runtime::Access> accesses;
  const auto add = [&](const Tensor& x, bool writes) {
    arguments.push_back(argument(x));
    accesses.push_back({x.impl()->storage.get(), writes});
  };
  for (const Tensor& y : work.results) add(y, true);
  for (const Input& x : work.inputs) {
    if (x.tensor.defined())
      add(x.tensor, false);
    else
      arguments.push_back({0, x.offset, nullptr});
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const LoopOperand& operand = made.loop.operands[i];
    if (operand.layout != TENON_LAYOUT_CONTIGUOUS) arguments[i].strides = operand.strides.data();
  }
  const TenonPack pack{arguments.data(), work.scalars.data(), made.loop.shape.data()};
  runtime::launch(op, work.device().state(), kernel, {&pack, 1}, accesses);
}

/// The whole reduction as one op.
Refusal attempt_whole(std::string_view op, const Reduction& work) {
  ReduceLoop made = make_loop(work);
  const std::vector<runtime::OperandDesc> operands = describe(work, made.loop);
  const TenonReduceAttrs attrs = attributes(work, made);
  runtime::OpDesc desc{.kind = TENON_KIND_REDUCE,
                       .acc_dtype = static_cast<std::uint8_t>(accumulator(work.results[0].dtype())),
                       .index_width = made.loop.index_width,
                       .rank = made.loop.shape.size(),
                       .output_count = static_cast<int>(work.results.size()),
                       .operands = operands,
                       .attrs = std::as_bytes(std::span(&attrs, 1))};
  runtime::AttachmentDesc attachment{};
  if (work.prologue) {
    attachment = {TENON_SLOT_PROLOGUE, static_cast<std::uint16_t>(work.results.size()),
                  &*work.prologue};
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

Refusal attempt(std::string_view op, const Reduction& work) {
  Refusal refusal = attempt_whole(op, work);
  if (!refusal) return {};
  if (!work.prologue) return attempt_widened(op, work, refusal);
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
