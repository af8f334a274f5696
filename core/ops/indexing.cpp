// GATHER and SCATTER: described over their simplified loop; where the device wants it so, with several
// index tensors made one, or in a wider dtype.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include <tenon/autograd.h>

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

/// The operands in the order of the description: the indexed one is 1 of GATHER, 0 of SCATTER.
std::vector<Tensor> tensors_of(const Indexing& work) {
  std::vector<Tensor> tensors{work.dst, work.src};
  for (const Pick& pick : work.picks) tensors.push_back(pick.index);
  return tensors;
}

/// The indexed operand's strides over the iteration space.
Strides indexed_strides(const Indexing& work) {
  Strides strides;
  for (const int d : work.along) strides.push_back(d < 0 ? 0 : indexed(work).strides()[d]);
  return strides;
}

struct IndexLoop {
  Loop loop;
  std::vector<std::vector<std::int64_t>> starts;  // of each pack, in elements; empty: one at 0
};

IndexLoop make_loop(const Indexing& work) {
  IndexLoop made;
  Loop& loop = made.loop;
  loop.shape = work.shape;
  for (const Tensor& x : tensors_of(work)) {
    const bool is_indexed = loop.operands.size() == (gathers(work) ? 1 : 0);
    loop.operands.push_back(
        {is_indexed ? indexed_strides(work) : broadcast_strides(x.shape(), x.strides(), work.shape)});
  }
  // Packs of one launch must not write to one place: what indices alone keep apart stays in one pack.
  std::vector<int> groups;
  for (const int d : work.along) groups.push_back(!gathers(work) && d < 0 ? 1 : 0);
  simplify(loop, groups);
  made.starts = peel(loop, groups, static_cast<int>(work.device().state().limits().max_rank));
  return made;
}

/// The farthest element that the indices and the loop reach together decides the width of offsets.
std::uint8_t index_width(const Indexing& work) {
  const Tensor& x = indexed(work);
  return reach(x.shape(), x.strides()) >> 31 == 0 ? 32 : 64;
}

/// The extents, then (extent, stride) of each pick.
std::vector<std::int64_t> launch_dims(const Indexing& work, const Loop& loop) {
  std::vector<std::int64_t> dims(loop.shape.begin(), loop.shape.end());
  for (const Pick& pick : work.picks) {
    dims.push_back(indexed(work).size(pick.dim));
    dims.push_back(indexed(work).strides()[pick.dim]);
  }
  return dims;
}

void launch(std::string_view op, const Indexing& work, const IndexLoop& made,
            const runtime::Kernel& kernel) {
  const std::vector<Tensor> tensors = tensors_of(work);
  auto starts = made.starts;
  if (starts.empty()) starts.emplace_back(tensors.size());
  std::vector<TenonOperand> arguments;
  for (const auto& start : starts) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const LoopOperand& operand = made.loop.operands[i];
      arguments.push_back(argument(tensors[i]));
      arguments.back().offset += start[i] * size_of(tensors[i].dtype());
      if (operand.layout == TENON_LAYOUT_STRIDED) arguments.back().strides = operand.strides.data();
    }
  }
  const std::vector<std::int64_t> dims = launch_dims(work, made.loop);
  std::vector<TenonPack> packs;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    packs.push_back({&arguments[tensors.size() * i], nullptr, dims.data()});
  }
  std::vector<runtime::Access> accesses;
  for (const Tensor& x : tensors) accesses.push_back({x.impl()->storage.get(), accesses.empty()});
  std::vector<int> named;
  for (const Pick& pick : work.picks) named.push_back(pick.named);
  runtime::launch(op, work.device().state(), kernel, packs, accesses, named);
}

/// The work as one op.
Refusal attempt_whole(std::string_view op, const Indexing& work) {
  const IndexLoop made = make_loop(work);
  const Loop& loop = made.loop;
  const std::vector<Tensor> tensors = tensors_of(work);
  std::vector<runtime::OperandDesc> operands;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    operands.push_back({.dtype = tensors[i].dtype(), .layout = loop.operands[i].layout});
  }
  const TenonIndexAttrs attrs{.struct_size = sizeof(TenonIndexAttrs),
                              .index_count = static_cast<std::uint32_t>(work.picks.size()),
                              .how = work.how.value_or(0),
                              .pad = 0};
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

/// Reads nothing of interest with each index of the pick, so that one out of range is told by its
/// value.
Refusal check_range(std::string_view op, const Tensor& element, std::int64_t extent, const Pick& pick) {
  const Tensor& index = pick.index;
  return attempt_whole(op, {.shape = index.shape(),
                            .dst = allocate(index.shape(), element.dtype(), index.device()),
                            .src = element.expand({extent}),
                            .picks = {{index, 0, pick.named}},
                            .along = std::vector<int>(static_cast<std::size_t>(index.rank()), -1)});
}

/// Elements from the lowest that the picks reach to the highest.
std::int64_t reach_of_picks(const Tensor& x, const std::vector<Pick>& picks) {
  std::int64_t sum = 0;
  for (const Pick& pick : picks) {
    sum += std::max<std::int64_t>(x.size(pick.dim) - 1, 0) * std::abs(x.strides()[pick.dim]);
  }
  return sum;
}

/// Σ index · stride of all picks, counted from the lowest element that they reach; -1 where an index is
/// out of range.
Tensor linear_index(std::string_view op, const Tensor& x, const std::vector<Pick>& picks, DType dtype) {
  program::Builder b;
  std::vector<Tensor> inputs;
  std::vector<std::uint64_t> scalars;
  program::Value inside, sum;
  std::int64_t lowest = 0;
  for (const Pick& pick : picks) {
    const std::int64_t extent = x.size(pick.dim), stride = x.strides()[pick.dim];
    const DType from = pick.index.dtype();
    const DType compared = from == u64 ? u64 : from == i64 ? i64 : dtype;
    const program::Value i = cast(b.input(from), compared);
    const program::Value good = (i >= 0.0) & (i < b.scalar(compared));
    const program::Value step = cast(i, dtype) * b.scalar(dtype);
    inside = inputs.empty() ? good : inside & good;
    sum = inputs.empty() ? step : sum + step;
    inputs.push_back(pick.index);
    scalars.push_back(Scalar(extent).bits(compared));
    scalars.push_back(Scalar(stride).bits(dtype));
    if (stride < 0) lowest += std::max<std::int64_t>(extent - 1, 0) * stride;
  }
  sum = sum - static_cast<double>(lowest);
  b.output(select(inside, sum, b.constant(dtype, -1)));
  return run(op, b.build(), inputs, scalars).front();
}

/// x with one dimension of stride 1, in the place of the first pick's, over all that the picks reach.
Tensor flattened(const Tensor& x, const std::vector<Pick>& picks) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::int64_t offset = x.impl()->offset;
  for (const Pick& pick : picks) {
    const std::int64_t extent = std::max<std::int64_t>(shape[pick.dim], 1);
    if (strides[pick.dim] < 0) offset += (extent - 1) * strides[pick.dim];
    shape[pick.dim] = 1;
  }
  const int dim = picks.front().dim;
  shape[dim] = reach_of_picks(x, picks) + 1;
  strides[dim] = 1;
  return make_view(x, shape, strides, offset);
}

/// With the picks made one, after each of them was checked.
Refusal attempt_linear(std::string_view op, const Indexing& work) {
  const Tensor& x = indexed(work);
  const Tensor element = zeros({1}, {.dtype = bool_, .device = x.device()});
  std::int64_t largest = reach_of_picks(x, work.picks) + 1;
  for (const Pick& pick : work.picks) {
    const std::int64_t extent = x.size(pick.dim);
    if (Refusal refusal = check_range(op, element, extent, pick)) return refusal;
    largest = std::max(largest, extent);
  }
  const DType dtype = largest <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
  Indexing linear = work;
  (gathers(work) ? linear.src : linear.dst) = flattened(x, work.picks);
  const Pick& first = work.picks.front();
  linear.picks = {{linear_index(op, x, work.picks, dtype), first.dim, first.named}};
  return attempt(op, linear);
}

Refusal attempt(std::string_view op, const Indexing& work) {
  const Refusal refusal = attempt_whole(op, work);
  if (!refusal) return {};
  if (work.picks.size() > 1) {
    runtime::fall_back(op, work.device().state(), "over one index", *refusal);
    return attempt_linear(op, work);
  }
  const DType wide = computed_as(work.dst.dtype(), work.device());
  if (work.how.value_or(TENON_SCATTER_ASSIGN) == TENON_SCATTER_ASSIGN || wide == work.dst.dtype()) {
    return refusal;
  }
  runtime::fall_back(op, work.device().state(), "widened", *refusal);
  return attempt_widened(op, work, wide);
}

/// What is read, apart from what is written.
Indexing separated(Indexing work) {
  const NoGrad guard;
  const runtime::Storage* const written = work.dst.impl()->storage.get();
  work.each_tensor([&](Tensor& x, bool is_written) {
    if (!is_written && x.impl()->storage.get() == written) x = x.clone();
  });
  return work;
}

}  // namespace

void Indexing::each_tensor(const Visit& visit) {
  visit(dst, true);
  visit(src, false);
  for (Pick& pick : picks) visit(pick.index, false);
}

void run(std::string_view op, const Indexing& work) {
  if (numel(work.shape) == 0) return;
  with_policy(op, separated(work), [&](const Indexing& it) { return attempt(op, it); });
}

}  // namespace tenon::ops
