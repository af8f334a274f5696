// Packs of one layout share a kernel and a launch.
#include "core/ops/run.h"

#include <algorithm>
#include <unordered_set>

#include <tenon/autograd.h>

#include "core/base/fail.h"
#include "core/ops/loop.h"
#include "core/runtime/device_state.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

bool same_elements(const Tensor& a, const Tensor& b) {
  const detail::TensorImpl &x = *a.impl(), &y = *b.impl();
  return x.offset == y.offset && x.shape == y.shape && x.strides == y.strides && x.dtype == y.dtype;
}

/// The bytes from the lowest to the highest that a tensor's elements take.
std::pair<std::int64_t, std::int64_t> byte_range(const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  std::int64_t low = impl.offset, high = impl.offset;
  for (int d = 0; d < impl.shape.size(); ++d) {
    const std::int64_t span = (impl.shape[d] - 1) * impl.strides[d];
    (span < 0 ? low : high) += span;
  }
  return {low * size_of(impl.dtype), (high + 1) * size_of(impl.dtype)};
}

/// Whether writing `output` element by element could change what is still to be read of `input`.
bool disturbs(const Tensor& output, const Tensor& input) {
  if (output.impl()->storage.get() != input.impl()->storage.get()) return false;
  if (same_elements(output, input)) return false;
  const auto [a, b] = byte_range(output);
  const auto [c, d] = byte_range(input);
  return a < d && c < b;
}

/// One pack in the plugin's terms; what the ABI's pointers point to.
struct Packed {
  Loop loop;
  std::vector<TenonOperand> operands;
  std::vector<runtime::Access> accesses;
  const std::uint64_t* scalars = nullptr;

  bool same_layout(const Packed& other) const {
    return loop.shape.size() == other.loop.shape.size() && loop.index_width == other.loop.index_width &&
           std::equal(loop.operands.begin(), loop.operands.end(), other.loop.operands.begin(),
                      [](const LoopOperand& a, const LoopOperand& b) { return a.layout == b.layout; });
  }
  TenonPack pack() {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const std::uint8_t layout = loop.operands[i].layout;
      const bool strided = layout == TENON_LAYOUT_STRIDED || layout == TENON_LAYOUT_INDEX;
      operands[i].strides = strided ? loop.operands[i].strides.data() : nullptr;
    }
    return {operands.data(), scalars, loop.shape.data()};
  }
};

void add_tensor(Packed& packed, const Tensor& x, bool writes) {
  const detail::TensorImpl& impl = *x.impl();
  packed.loop.operands.push_back({broadcast_strides(impl.shape, impl.strides, packed.loop.shape)});
  packed.operands.push_back(argument(x));
  packed.accesses.push_back({impl.storage.get(), writes});
}

void add_index(Packed& packed, const Input& input) {
  packed.loop.operands.push_back({input.strides, true});
  packed.operands.push_back({0, input.offset, nullptr});
}

Packed pack_operands(const Operands& from, std::vector<Tensor>& copies) {
  Packed packed;
  packed.scalars = from.scalars.data();
  packed.loop.shape = from.outputs.front().shape();
  for (const Tensor& y : from.outputs) add_tensor(packed, y, true);
  for (const Input& input : from.inputs) {
    if (!input.tensor.defined()) {
      add_index(packed, input);
      continue;
    }
    const bool copy = std::any_of(from.outputs.begin(), from.outputs.end(),
                                  [&](const Tensor& y) { return disturbs(y, input.tensor); });
    if (copy) {
      const NoGrad guard;
      copies.push_back(input.tensor.clone());
    }
    add_tensor(packed, copy ? copies.back() : input.tensor, false);
  }
  std::vector<int> groups;
  simplify(packed.loop, groups);
  return packed;
}

std::shared_ptr<const runtime::Kernel> find_kernel(std::string_view op, const program::Program& program,
                                                   runtime::DeviceState& device, const Packed& packed) {
  const int outputs = program.output_count();
  std::vector<runtime::OperandDesc> operands;
  for (std::size_t i = 0; i < packed.loop.operands.size(); ++i) {
    const int k = static_cast<int>(i);
    const DType dtype = k < outputs ? program.output_dtype(k) : program.input_dtype(k - outputs);
    operands.push_back({.dtype = dtype, .layout = packed.loop.operands[i].layout});
  }
  const runtime::AttachmentDesc body{TENON_SLOT_BODY, static_cast<std::uint16_t>(outputs), &program};
  const int rank = packed.loop.shape.size();
  return device.kernels().require(op, {.kind = TENON_KIND_ELEMENTWISE,
                                       .index_width = packed.loop.index_width,
                                       .rank = rank,
                                       .output_count = outputs,
                                       .operands = operands,
                                       .attachments = {&body, 1}});
}

/// Packs for one launch: of one layout, and none writes a storage that another one uses.
struct Group {
  explicit Group(const Packed& model) : first(model) {}

  bool takes(Packed& packed) {
    if (!packed.same_layout(first)) return false;
    const bool clashes =
        std::any_of(packed.accesses.begin(), packed.accesses.end(), [&](const auto& access) {
          return written.contains(access.storage) || (access.writes && used.contains(access.storage));
        });
    if (clashes) return false;
    for (const runtime::Access& access : packed.accesses) {
      used.insert(access.storage);
      if (access.writes) written.insert(access.storage);
    }
    packs.push_back(&packed);
    return true;
  }

  const Packed& first;
  std::vector<Packed*> packs;
  std::unordered_set<const runtime::Storage*> used, written;
};

void launch_group(std::string_view op, const program::Program& program, runtime::DeviceState& device,
                  std::span<Packed*> group) {
  const auto kernel = find_kernel(op, program, device, *group.front());
  std::vector<TenonPack> packs;
  std::vector<runtime::Access> accesses;
  for (Packed* packed : group) {
    packs.push_back(packed->pack());
    accesses.insert(accesses.end(), packed->accesses.begin(), packed->accesses.end());
  }
  runtime::launch(op, device, *kernel, packs, accesses);
}

}  // namespace

TenonOperand argument(const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  const runtime::Storage& storage = *impl.storage;
  // A view without elements may begin beyond its storage.
  const bool is_empty = std::find(impl.shape.begin(), impl.shape.end(), 0) != impl.shape.end();
  const std::int64_t first = is_empty ? 0 : impl.offset * size_of(impl.dtype);
  return {storage.memory.handle, static_cast<std::int64_t>(storage.offset) + first, nullptr};
}

DType accumulator(DType dtype) {
  return dtype == f16 || dtype == bf16 ? f32 : dtype;
}

Device common_device(std::string_view op, std::span<const Tensor> inputs) {
  const Device device = inputs.front().device();
  for (const Tensor& x : inputs) {
    require(x.device() == device,
            "[{}] operands are on different devices: {} and {}; move one with to()", op, device.name(),
            x.device().name());
  }
  return device;
}

void run(std::string_view op, const program::Program& program, std::span<const Operands> packs) {
  std::vector<Tensor> copies;
  std::vector<Packed> all;
  for (const Operands& operands : packs) {
    if (operands.outputs.front().numel() > 0) all.push_back(pack_operands(operands, copies));
  }
  if (all.empty()) return;
  runtime::DeviceState& device = packs.front().outputs.front().device().state();
  std::vector<Packed*> left;
  for (Packed& packed : all) left.push_back(&packed);
  while (!left.empty()) {
    Group group(*left.front());
    std::erase_if(left, [&](Packed* packed) { return group.takes(*packed); });
    launch_group(op, program, device, group.packs);
  }
}

std::vector<Tensor> run(std::string_view op, const program::Program& program,
                        std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars) {
  const Device device = common_device(op, inputs);
  Shape shape;
  Operands operands;
  for (const Tensor& x : inputs) {
    shape = broadcast(op, shape, x.shape());
    operands.inputs.push_back({x});
  }
  for (int i = 0; i < program.output_count(); ++i) {
    operands.outputs.push_back(allocate(shape, program.output_dtype(i), device));
  }
  operands.scalars.assign(scalars.begin(), scalars.end());
  run(op, program, {&operands, 1});
  return std::move(operands.outputs);
}

}  // namespace tenon::ops
