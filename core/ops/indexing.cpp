// GATHER and SCATTER: described over their simplified loop; in a wider dtype where the device wants it
// so.
#include <algorithm>
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

bool gathers(const Indexing& work) {
  return !work.how.has_value();
}
/// What the indices choose places in.
const Tensor& indexed(const Indexing& work) {
  return gathers(work) ? work.src : work.dst;
}

/// The indexed operand's strides over the iteration space.
Strides indexed_strides(const Indexing& work) {
  Strides strides;
  for (const int d : work.along) strides.push_back(d < 0 ? 0 : indexed(work).strides()[d]);
  return strides;
}

/// Operands: dst, src, index.
struct IndexLoop {
  Loop loop;
  std::vector<std::vector<std::int64_t>> starts;  // of each pack, in elements; empty: one at 0
};

IndexLoop make_loop(const Indexing& work) {
  IndexLoop made;
  Loop& loop = made.loop;
  loop.shape = work.shape;
  const auto add = [&](const Tensor& x) {
    loop.operands.push_back({broadcast_strides(x.shape(), x.strides(), work.shape)});
  };
  if (gathers(work)) {
    add(work.dst);
    loop.operands.push_back({indexed_strides(work)});
  } else {
    loop.operands.push_back({indexed_strides(work)});
    add(work.src);
  }
  add(work.index);
  // Packs of one launch must not write to one place: what indices alone keep apart stays in one pack.
  std::vector<int> groups;
  for (const int d : work.along) groups.push_back(!gathers(work) && d < 0 ? 1 : 0);
  simplify(loop, groups);
  made.starts = peel(loop, groups, static_cast<int>(work.device().state().limits().max_rank));
  return made;
}

/// The farthest element that an index and the loop reach together decides the width of offsets.
std::uint8_t index_width(const Indexing& work) {
  const Tensor& x = indexed(work);
  return reach(x.shape(), x.strides()) >> 31 == 0 ? 32 : 64;
}

void launch(std::string_view op, const Indexing& work, const IndexLoop& made,
            const runtime::Kernel& kernel) {
  const Tensor* const tensors[] = {&work.dst, &work.src, &work.index};
  auto starts = made.starts;
  if (starts.empty()) starts.emplace_back(3);
  std::vector<TenonOperand> arguments;
  for (const auto& start : starts) {
    for (std::size_t i = 0; i < 3; ++i) {
      const LoopOperand& operand = made.loop.operands[i];
      arguments.push_back(argument(*tensors[i]));
      arguments.back().offset += start[i] * size_of(tensors[i]->dtype());
      if (operand.layout == TENON_LAYOUT_STRIDED) arguments.back().strides = operand.strides.data();
    }
  }
  std::vector<std::int64_t> dims(made.loop.shape.begin(), made.loop.shape.end());
  dims.push_back(indexed(work).size(work.dim));
  dims.push_back(indexed(work).strides()[work.dim]);
  std::vector<TenonPack> packs;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    packs.push_back({&arguments[3 * i], nullptr, dims.data()});
  }
  runtime::Access accesses[3];
  for (std::size_t i = 0; i < 3; ++i) accesses[i] = {tensors[i]->impl()->storage.get(), i == 0};
  runtime::launch(op, work.device().state(), kernel, packs, accesses);
}

/// The work as one op.
Refusal attempt_whole(std::string_view op, const Indexing& work) {
  const IndexLoop made = make_loop(work);
  const Loop& loop = made.loop;
  const runtime::OperandDesc operands[] = {
      {.dtype = work.dst.dtype(), .layout = loop.operands[0].layout},
      {.dtype = work.src.dtype(), .layout = loop.operands[1].layout},
      {.dtype = work.index.dtype(), .layout = loop.operands[2].layout}};
  const TenonIndexAttrs attrs{
      .struct_size = sizeof(TenonIndexAttrs), .index_count = 1, .how = work.how.value_or(0), .pad = 0};
  const runtime::OpDesc desc{
      .kind = gathers(work) ? std::uint32_t{TENON_KIND_GATHER} : std::uint32_t{TENON_KIND_SCATTER},
      .index_width = std::max(loop.index_width, index_width(work)),
      .rank = loop.shape.size(),
      .operands = operands,
      .attrs = std::as_bytes(std::span(&attrs, 1))};
  runtime::take_note();
  const auto kernel = work.device().state().kernels().find(desc);
  if (kernel == nullptr) return refusal_of(desc);
  launch(op, work, made, *kernel);
  return {};
}

Refusal attempt(std::string_view op, const Indexing& work);

/// In a dtype that the device computes: SCATTER's ADD, MAX and MIN.
Refusal attempt_widened(std::string_view op, const Indexing& work, DType wide) {
  Indexing widened = work;
  widened.dst = cast_to(op, work.dst, wide);
  widened.src = cast_to(op, work.src, wide);
  if (Refusal refusal = attempt(op, widened)) return refusal;
  assign(op, work.dst, widened.dst);
  return {};
}

Refusal attempt(std::string_view op, const Indexing& work) {
  const Refusal refusal = attempt_whole(op, work);
  if (!refusal) return {};
  const DType wide = computed_as(work.dst.dtype(), work.device());
  if (work.how.value_or(TENON_SCATTER_ASSIGN) == TENON_SCATTER_ASSIGN || wide == work.dst.dtype()) {
    return refusal;
  }
  runtime::fall_back(op, work.device().state(), "widened", *refusal);
  return attempt_widened(op, work, wide);
}

}  // namespace

void Indexing::each_tensor(const Visit& visit) {
  visit(dst, true);
  visit(src, false);
  visit(index, false);
}

void run(std::string_view op, const Indexing& work) {
  if (numel(work.shape) == 0) return;
  with_policy(op, work, [&](const Indexing& it) { return attempt(op, it); });
}

}  // namespace tenon::ops
