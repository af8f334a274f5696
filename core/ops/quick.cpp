#include "core/ops/quick.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "core/base/small.h"
#include "core/ops/lower.h"
#include "core/runtime/device_state.h"
#include "core/runtime/front_table.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/launch.h"

namespace tenon::ops {
namespace {

using detail::TensorImpl;
using runtime::DeviceState;
using runtime::Kernel;

constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();

/// Which operands have one element for all: bit i for operand i.
using Scalars = std::uint64_t;

bool is_one_for_all(const TensorImpl& x, std::int64_t elements) {
  return x.numel == 1 && elements != 1;
}

/// The scalars of one pack; nothing where an operand has gaps or another shape.
std::optional<Scalars> layouts_of(std::span<TensorImpl* const> pack, std::size_t outputs) {
  const TensorImpl& first = *pack.front();
  if (first.numel == 0 || first.numel > kMostElements) return std::nullopt;
  Scalars scalars = 0;
  for (std::size_t i = 0; i < pack.size(); ++i) {
    const TensorImpl& x = *pack[i];
    if (is_one_for_all(x, first.numel) && i >= outputs) {
      scalars |= Scalars{1} << i;
    } else if (x.numel != first.numel || !x.is_contiguous || (x.numel > 1 && x.shape != first.shape)) {
      return std::nullopt;
    }
  }
  return scalars;
}

/// What of a storage a pack uses.
struct Touch {
  const runtime::Storage* storage;
  std::size_t pack;
  const TensorImpl* tensor;
  bool writes;
};

/// Whether a write may change what something else is still to read: the same elements of the same pack,
/// read before they are written, are the one thing that it may.
bool clash(const Touch& a, const Touch& b) {
  if (a.storage != b.storage || (!a.writes && !b.writes)) return false;
  return a.pack != b.pack || (a.writes && b.writes) || a.tensor->offset != b.tensor->offset ||
         a.tensor->dtype != b.tensor->dtype || a.tensor->numel != b.tensor->numel;
}

bool may_clash(const QuickWork& work, std::size_t each, std::size_t outputs) {
  Small<Touch, 16> touches;
  for (std::size_t i = 0; i < work.operands.size(); ++i) {
    const TensorImpl& x = *work.operands[i];
    if (x.storage->done) return true;  // another import may be of the same memory
    touches.push_back({x.storage.get(), i / each, &x, i % each < outputs});
  }
  std::sort(touches.begin(), touches.end(),
            [](const Touch& a, const Touch& b) { return a.storage < b.storage; });
  for (auto from = touches.begin(); from != touches.end(); ++from) {
    for (auto to = from + 1; to != touches.end() && to->storage == from->storage; ++to) {
      if (clash(*from, *to)) return true;
    }
  }
  return false;
}

/// nullptr where the device does not take the program as it is, or wants room for it.
std::shared_ptr<const Kernel> ask(const program::Program& program, DeviceState& device,
                                  Scalars scalars) {
  try {
    if (lower(program, device) != nullptr) return nullptr;
  } catch (const Error&) {
    return nullptr;  // told on the long way
  }
  Small<runtime::OperandDesc, 4> operands;
  const int outputs = program.output_count();
  for (int i = 0; i < outputs + program.input_count(); ++i) {
    const bool is_scalar = (scalars >> i & 1) != 0;
    operands.push_back(
        {.dtype = i < outputs ? program.output_dtype(i) : program.input_dtype(i - outputs),
         .layout =
             static_cast<std::uint8_t>(is_scalar ? TENON_LAYOUT_SCALAR : TENON_LAYOUT_CONTIGUOUS)});
  }
  const runtime::AttachmentDesc body{TENON_SLOT_BODY, static_cast<std::uint16_t>(outputs), &program};
  auto kernel = device.kernels().find({.kind = TENON_KIND_ELEMENTWISE,
                                       .output_count = outputs,
                                       .operands = operands,
                                       .attachments = {&body, 1}});
  return kernel != nullptr && kernel->is_plain() ? kernel : nullptr;
}

/// Valid until the thread's next call.
const Kernel* kernel_for(const program::Program& program, DeviceState& device, Scalars scalars) {
  using Front = runtime::FrontTable<3, 512>;
  Front* const front = runtime::thread_own<Front>();
  if (front == nullptr) return nullptr;
  const std::array<std::uint64_t, 3> key{program.id(), reinterpret_cast<std::uintptr_t>(&device),
                                         scalars};
  const std::shared_ptr<const Kernel>* known = front->find(key);
  if (known == nullptr) {
    front->put(key, ask(program, device, scalars));
    known = front->find(key);
  }
  return known->get();
}

}  // namespace

bool run_at_once(const QuickWork& work) {
  const std::size_t packs = work.scalars.size(), each = work.operands.size() / packs;
  const auto outputs = static_cast<std::size_t>(work.program.output_count());
  DeviceState& device = *work.operands.front()->storage->device;
  if (!device.synchronous()) return false;
  const auto pack_at = [&](std::size_t i) { return work.operands.subspan(i * each, each); };
  const std::optional<Scalars> layouts = layouts_of(pack_at(0), outputs);
  if (!layouts) return false;
  for (std::size_t i = 1; i < packs; ++i) {
    if (layouts_of(pack_at(i), outputs) != layouts) return false;
  }
  if (!work.are_new && may_clash(work, each, outputs)) return false;
  const Kernel* const kernel = kernel_for(work.program, device, *layouts);
  if (kernel == nullptr) return false;
  Small<TenonOperand, 8> arguments;
  for (const TensorImpl* x : work.operands) arguments.push_back(argument(*x));
  Small<TenonPack, 2> list;
  for (std::size_t i = 0; i < packs; ++i) {
    list.push_back({&arguments[i * each], work.scalars[i], &work.operands[i * each]->numel});
  }
  runtime::launch(work.op, device, *kernel, list, {});
  return true;
}

bool run_at_once(std::string_view op, const program::Program& program, TensorRefs inputs,
                 std::span<const std::uint64_t> scalars, std::span<Tensor> outputs) {
  const TensorImpl* model = nullptr;  // of the result's shape
  Small<TensorImpl*, 8> operands(outputs.size());
  for (const Tensor* x : inputs) {
    TensorImpl* const impl = x->impl();
    if (impl == nullptr) return false;
    operands.push_back(impl);
    const bool is_larger = model == nullptr || (impl->numel != 1 && model->numel == 1) ||
                           (impl->numel == model->numel && impl->shape.size() > model->shape.size());
    if (is_larger) model = impl;
  }
  DeviceState& device = *model->storage->device;
  const auto fits = [&](const Tensor* x) {
    return x->impl()->storage->device == &device && x->impl()->shape.size() <= model->shape.size();
  };
  if (!device.synchronous() || !std::all_of(inputs.begin(), inputs.end(), fits)) return false;
  Small<Tensor, 2> made;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    made.push_back(
        allocate(model->shape, program.output_dtype(static_cast<int>(i)), Device(&device), op));
    operands[i] = made[i].impl();
  }
  const std::uint64_t* const bits = scalars.data();
  if (!run_at_once({op, program, operands, {&bits, 1}, true})) return false;
  std::move(made.begin(), made.end(), outputs.begin());
  return true;
}

}  // namespace tenon::ops
