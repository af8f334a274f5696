// Packs of one layout share a kernel and a launch.
#include "core/ops/run.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>

#include <tenon/autograd.h>

#include "core/base/fail.h"
#include "core/ops/loop.h"
#include "core/ops/lower.h"
#include "core/ops/parts.h"
#include "core/ops/policy.h"
#include "core/ops/quick.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// The bytes from the lowest to the highest that a tensor's elements take, as the host counts them
/// where it can: two storages may be imported from the same memory.
std::pair<std::int64_t, std::int64_t> byte_range(const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  const auto base = reinterpret_cast<std::intptr_t>(impl.storage->memory.host_ptr);
  std::int64_t low = impl.offset, high = impl.offset;
  for (int d = 0; d < impl.shape.size(); ++d) {
    const std::int64_t span = (impl.shape[d] - 1) * impl.strides[d];
    (span < 0 ? low : high) += span;
  }
  return {base + low * size_of(impl.dtype), base + (high + 1) * size_of(impl.dtype)};
}

/// Whether writing `output` could change what is still to be read of `input`. Where they are the same
/// elements it does not, if each is read before it is written (`in_step`).
bool disturbs(const Tensor& output, const Tensor& input, bool in_step) {
  return same_elements(output, input) ? !in_step : share_memory(output, input);
}

/// What a pack uses of a storage, in bytes.
struct Region {
  const runtime::Storage* storage;
  std::int64_t begin, end;
  bool writes;

  bool clashes(const Region& other) const {
    return storage == other.storage && (writes || other.writes) && begin < other.end &&
           other.begin < end;
  }
};

/// Operands in the plugin's terms; what the ABI's pointers point to. One pack, or several where the
/// device's loops have fewer dimensions.
struct Packed {
  const Operands* from = nullptr;
  Loop loop;
  std::vector<TenonOperand> operands;  // of one pack after the other
  std::vector<runtime::Access> accesses;
  std::vector<Region> regions;

  bool same_layout(const Packed& other) const {
    return loop.shape.size() == other.loop.shape.size() && loop.index_width == other.loop.index_width &&
           std::equal(loop.operands.begin(), loop.operands.end(), other.loop.operands.begin(),
                      [](const LoopOperand& a, const LoopOperand& b) { return a.layout == b.layout; });
  }
  void add_packs(std::vector<TenonPack>& packs) {
    const std::size_t count = loop.operands.size();
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const LoopOperand& operand = loop.operands[i % count];
      const bool strided =
          operand.layout == TENON_LAYOUT_STRIDED || operand.layout == TENON_LAYOUT_INDEX;
      operands[i].strides = strided ? operand.strides.data() : nullptr;
      if (i % count == 0) packs.push_back({&operands[i], from->scalars.data(), loop.shape.data()});
    }
  }
};

void add_tensor(Packed& packed, const Tensor& x, bool writes) {
  const detail::TensorImpl& impl = *x.impl();
  packed.loop.operands.push_back({broadcast_strides(impl.shape, impl.strides, packed.loop.shape)});
  packed.operands.push_back(argument(x));
  packed.accesses.push_back({impl.storage.get(), writes});
  const auto [begin, end] = byte_range(x);
  packed.regions.push_back({impl.storage.get(), begin, end, writes});
}

void add_index(Packed& packed, const Input& input) {
  packed.loop.operands.push_back({input.strides, true});
  packed.operands.push_back({0, input.offset, nullptr});
}

/// The operands at each of the starts that peel gives.
std::vector<TenonOperand> moved(const Packed& packed,
                                const std::vector<std::vector<std::int64_t>>& starts) {
  std::vector<TenonOperand> all;
  const std::size_t outputs = packed.from->outputs.size();
  for (const auto& start : starts) {
    for (std::size_t i = 0; i < start.size(); ++i) {
      const Tensor& x = i < outputs ? packed.from->outputs[i] : packed.from->inputs[i - outputs].tensor;
      TenonOperand operand = packed.operands[i];
      operand.offset += start[i] * (x.defined() ? size_of(x.dtype()) : 1);
      all.push_back(operand);
    }
  }
  return all;
}

Packed pack_operands(const Operands& from, std::uint32_t max_rank) {
  Packed packed;
  packed.from = &from;
  packed.loop.shape = from.outputs.front().shape();
  for (const Tensor& y : from.outputs) add_tensor(packed, y, true);
  for (const Input& input : from.inputs) {
    if (input.tensor.defined()) {
      add_tensor(packed, input.tensor, false);
    } else {
      add_index(packed, input);
    }
  }
  std::vector<int> groups;
  simplify(packed.loop, groups);
  const auto starts = peel(packed.loop, groups, static_cast<int>(max_rank));
  if (!starts.empty()) packed.operands = moved(packed, starts);
  return packed;
}

/// Whether an output is written over input `i` before that has been read.
bool is_overwritten(const Operands& operands, const program::Plan* plan, std::size_t i) {
  const Tensor& x = operands.inputs[i].tensor;
  for (std::size_t k = 0; x.defined() && k < operands.outputs.size(); ++k) {
    const bool in_step = plan == nullptr || !plan->overwrites(static_cast<int>(k), static_cast<int>(i));
    if (disturbs(operands.outputs[k], x, in_step)) return true;
  }
  return false;
}

/// `from` with copies of the inputs that are overwritten; nothing where there are none.
std::optional<Operands> separated(const Operands& from, const program::Plan* plan) {
  std::optional<Operands> result;
  for (std::size_t i = 0; i < from.inputs.size(); ++i) {
    if (!is_overwritten(from, plan, i)) continue;
    const NoGrad guard;
    if (!result) result = from;
    result->inputs[i].tensor = from.inputs[i].tensor.clone();
  }
  return result;
}

/// nullptr, and why, where the device refuses it.
std::shared_ptr<const runtime::Kernel> find_kernel(const program::Program& program,
                                                   runtime::DeviceState& device, const Packed& packed,
                                                   Refusal& refusal) {
  const int outputs = program.output_count();
  std::vector<runtime::OperandDesc> operands;
  for (std::size_t i = 0; i < packed.loop.operands.size(); ++i) {
    const int k = static_cast<int>(i);
    const DType dtype = k < outputs ? program.output_dtype(k) : program.input_dtype(k - outputs);
    operands.push_back({.dtype = dtype, .layout = packed.loop.operands[i].layout});
  }
  const runtime::AttachmentDesc body{TENON_SLOT_BODY, static_cast<std::uint16_t>(outputs), &program};
  const int rank = packed.loop.shape.size();
  const runtime::OpDesc desc{.kind = TENON_KIND_ELEMENTWISE,
                             .index_width = packed.loop.index_width,
                             .rank = rank,
                             .output_count = outputs,
                             .operands = operands,
                             .attachments = {&body, 1}};
  runtime::take_note();
  auto kernel = device.kernels().find(desc);
  if (kernel == nullptr) refusal = refusal_of(desc);
  return kernel;
}

/// Packs for one launch: of one layout, and none writes what another one uses.
struct Group {
  explicit Group(const Packed& model) : first(model) {}

  bool takes(Packed& packed) {
    if (!packed.same_layout(first)) return false;
    for (const Region& region : packed.regions) {
      const std::vector<Region>& others = used[region.storage];
      const auto clashes = [&](const Region& other) { return region.clashes(other); };
      if (std::any_of(others.begin(), others.end(), clashes)) return false;
    }
    for (const Region& region : packed.regions) used[region.storage].push_back(region);
    packs.push_back(&packed);
    return true;
  }

  const Packed& first;
  std::vector<Packed*> packs;
  std::unordered_map<const runtime::Storage*, std::vector<Region>> used;
};

std::vector<Group> grouped(std::vector<Packed>& all) {
  std::vector<Packed*> left;
  for (Packed& packed : all) left.push_back(&packed);
  std::vector<Group> groups;
  while (!left.empty()) {
    Group& group = groups.emplace_back(*left.front());
    std::erase_if(left, [&](Packed* packed) { return group.takes(*packed); });
  }
  return groups;
}

void launch(std::string_view op, runtime::DeviceState& device, const runtime::Kernel& kernel,
            std::span<Packed* const> group) {
  std::vector<TenonPack> packs;
  std::vector<runtime::Access> accesses;
  for (Packed* packed : group) {
    packed->add_packs(packs);
    accesses.insert(accesses.end(), packed->accesses.begin(), packed->accesses.end());
  }
  runtime::launch(op, device, kernel, packs, accesses);
}

/// The program as it is, over each group; launches nothing where the device refuses any of them.
Refusal launch_whole(std::string_view op, const program::Program& program, runtime::DeviceState& device,
                     std::span<const Group> groups) {
  Refusal refusal;
  std::vector<std::shared_ptr<const runtime::Kernel>> kernels;
  for (const Group& group : groups) {
    kernels.push_back(find_kernel(program, device, *group.packs.front(), refusal));
    if (refusal) return refusal;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) launch(op, device, *kernels[i], groups[i].packs);
  return {};
}

void launch_parts(std::string_view op, const Lowered& lowered, runtime::DeviceState& device,
                  std::span<const Group> groups) {
  for (const Group& group : groups) {
    if (!lowered.reason.empty()) runtime::fall_back(op, device, kInOtherInstructions, lowered.reason);
    std::vector<const Operands*> packs;
    for (const Packed* packed : group.packs) packs.push_back(packed->from);
    run_parts(op, lowered.plan, packs);
  }
}

/// lower(), its Unsupported as a refusal.
Refusal find_lowered(const program::Program& program, runtime::DeviceState& device,
                     const Lowered*& lowered) {
  try {
    lowered = lower(program, device);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Unsupported) throw;
    return error.what();
  }
  return {};
}

/// A program and what it runs over, to be moved to another device.
struct Work {
  const program::Program& program;
  std::vector<Operands> packs;

  Device device() const { return packs.front().outputs.front().device(); }
  void each_tensor(const Visit& visit) {
    for (Operands& operands : packs) {
      for (Tensor& y : operands.outputs) visit(y, true);
      for (Input& x : operands.inputs) visit(x.tensor, false);
    }
  }
};

Refusal attempt(std::string_view op, const program::Program& program, std::span<const Operands> packs) {
  const Lowered* lowered = nullptr;
  if (Refusal refusal =
          find_lowered(program, packs.front().outputs.front().device().state(), lowered)) {
    return refusal;
  }
  return run_lowered(op, program, lowered, packs);
}

}  // namespace

bool same_elements(const Tensor& a, const Tensor& b) {
  const detail::TensorImpl &x = *a.impl(), &y = *b.impl();
  return x.storage.get() == y.storage.get() && x.offset == y.offset && x.shape == y.shape &&
         x.strides == y.strides && x.dtype == y.dtype;
}

bool share_memory(const Tensor& a, const Tensor& b) {
  const runtime::Storage &one = *a.impl()->storage, &other = *b.impl()->storage;
  if (&one != &other && !one.done && !other.done) return false;
  const auto [from, to] = byte_range(a);
  const auto [start, stop] = byte_range(b);
  return from < stop && start < to;
}

TenonOperand argument(const detail::TensorImpl& x) {
  const runtime::Storage& storage = *x.storage;
  // A view without elements may begin beyond its storage.
  const std::int64_t first = x.numel == 0 ? 0 : x.offset * size_of(x.dtype);
  return {storage.memory.handle, static_cast<std::int64_t>(storage.offset) + first, nullptr};
}

TenonOperand argument(const Tensor& x) {
  return argument(*x.impl());
}

DType accumulator(DType dtype) {
  return dtype == f16 || dtype == bf16 ? f32 : dtype;
}

Device common_device(std::string_view op, TensorRefs inputs) {
  for (const Tensor* x : inputs) impl_of(*x, op);
  const Device device = inputs.front()->device();
  for (const Tensor* x : inputs) {
    require(x->device() == device,
            "[{}] operands are on different devices: {} and {}; move one with to()", op, device.name(),
            x->device().name());
  }
  return device;
}

Device common_device(std::string_view op, std::span<const Tensor> inputs) {
  return common_device(op, Refs(inputs));
}

Refusal run_lowered(std::string_view op, const program::Program& program, const Lowered* lowered,
                    std::span<const Operands> packs) {
  runtime::DeviceState& device = packs.front().outputs.front().device().state();
  const program::Plan* plan = lowered == nullptr ? nullptr : &lowered->plan;
  std::deque<Operands> copies;
  std::vector<Packed> all;
  for (const Operands& operands : packs) {
    if (operands.outputs.front().numel() == 0) continue;
    auto copy = separated(operands, plan);
    const Operands& from = copy ? copies.emplace_back(std::move(*copy)) : operands;
    all.push_back(pack_operands(from, device.limits().max_rank));
  }
  const std::vector<Group> groups = grouped(all);
  if (lowered == nullptr) return launch_whole(op, program, device, groups);
  launch_parts(op, *lowered, device, groups);
  return {};
}

namespace {

bool run_packs_at_once(std::string_view op, const program::Program& program,
                       std::span<const Operands> packs) {
  Small<detail::TensorImpl*, 16> operands;
  Small<const std::uint64_t*, 4> scalars;
  for (const Operands& pack : packs) {
    for (const Tensor& y : pack.outputs) operands.push_back(y.impl());
    for (const Input& x : pack.inputs) {
      if (!x.tensor.defined()) return false;
      operands.push_back(x.tensor.impl());
    }
    scalars.push_back(pack.scalars.data());
  }
  return run_at_once({op, program, operands, scalars});
}

}  // namespace

void run(std::string_view op, const program::Program& program, std::span<const Operands> packs) {
  if (packs.empty() || run_packs_at_once(op, program, packs)) return;
  const Refusal refusal = attempt(op, program, packs);
  if (!refusal) return;
  settle(op, Work{program, {packs.begin(), packs.end()}}, refusal,
         [&](const Work& work) { return attempt(op, work.program, work.packs); });
}

void run(std::string_view op, const program::Program& program, TensorRefs inputs,
         std::span<const std::uint64_t> scalars, std::span<Tensor> outputs) {
  if (run_at_once(op, program, inputs, scalars, outputs)) return;
  const Device device = common_device(op, inputs);
  Shape shape;
  Operands operands;
  for (const Tensor* x : inputs) {
    shape = broadcast(op, shape, x->shape());
    operands.inputs.push_back({*x});
  }
  for (int i = 0; i < program.output_count(); ++i) {
    operands.outputs.push_back(allocate(shape, program.output_dtype(i), device, op));
  }
  operands.scalars.assign(scalars.begin(), scalars.end());
  run(op, program, {&operands, 1});
  std::move(operands.outputs.begin(), operands.outputs.end(), outputs.begin());
}

std::vector<Tensor> run(std::string_view op, const program::Program& program,
                        std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars) {
  std::vector<Tensor> outputs(static_cast<std::size_t>(program.output_count()));
  run(op, program, Refs(inputs), scalars, outputs);
  return outputs;
}

}  // namespace tenon::ops
