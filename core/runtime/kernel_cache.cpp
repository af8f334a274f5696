// A map; misses ask the plugin.
#include "core/runtime/kernel_cache.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"

namespace tenon::runtime {
namespace {

bool dumps_programs() {
  static const bool on = [] {
    const char* value = std::getenv("TENON_DEBUG");
    return value != nullptr && std::strstr(value, "programs") != nullptr;
  }();
  return on;
}

void dump(const DeviceState& device, const OpDesc& op) {
  const std::string head = fmt::format("tenon: {}: {}\n", device.name(), describe(op));
  std::fputs(head.c_str(), stderr);
  for (const AttachmentDesc& attachment : op.attachments) {
    std::fputs((attachment.program->text() + "\n").c_str(), stderr);
  }
}

/// Which limit of the device a description breaks, or "".
std::string broken_limit(const TenonDeviceInfo& limits, const OpDesc& op) {
  std::string broken;
  const auto check = [&](std::string_view what, std::size_t count, std::uint32_t most) {
    if (count > most) broken = fmt::format("it takes {} {} at most, this needs {}", most, what, count);
  };
  check("dimensions", static_cast<std::size_t>(op.rank), limits.max_rank);
  for (const AttachmentDesc& attachment : op.attachments) {
    const program::Program& program = *attachment.program;
    check("instructions", static_cast<std::size_t>(program.instruction_count()),
          limits.max_instructions);
    check("inputs", static_cast<std::size_t>(program.input_count()), limits.max_inputs);
    check("outputs", static_cast<std::size_t>(program.output_count()), limits.max_outputs);
    check("scalars", static_cast<std::size_t>(program.scalar_count()), limits.max_scalars);
    check("constants", static_cast<std::size_t>(program.constant_count()), limits.max_constants);
  }
  return broken;
}

}  // namespace

Kernel::~Kernel() {
  if (TenonDevice* device = device_.open_handle()) device_.api().release(device, handle_);
}

std::shared_ptr<const Kernel> KernelCache::prepare(const std::string& block) {
  TenonKernel* handle = nullptr;
  TenonKernelInfo info{};
  info.struct_size = sizeof info;
  const auto* op = reinterpret_cast<const TenonOp*>(block.data());
  const std::int32_t code = device_.api().prepare(device_.handle(), op, &handle, &info);
  if (code == TENON_UNSUPPORTED) return nullptr;
  check_status(device_, "prepare", code);
  device_.counters().kernels.fetch_add(1, std::memory_order_relaxed);
  return std::make_shared<const Kernel>(device_, handle, info, index_axes(*op));
}

std::shared_ptr<const Kernel> KernelCache::lookup(const std::string& block) {
  const std::shared_lock lock(mutex_);
  const auto found = kernels_.find(block);
  return found != kernels_.end() ? found->second : nullptr;
}

std::shared_ptr<const Kernel> KernelCache::find_known(const OpDesc& op) {
  return lookup(op_block(op));
}

std::shared_ptr<const Kernel> KernelCache::find(const OpDesc& op) {
  std::string block = op_block(op);
  if (auto known = lookup(block)) return known;
  if (const std::string broken = broken_limit(device_.limits(), op); !broken.empty()) {
    set_note(broken);
    return nullptr;
  }
  if (dumps_programs()) dump(device_, op);
  auto kernel = prepare(block);
  if (kernel == nullptr) return nullptr;
  const std::unique_lock lock(mutex_);
  return kernels_.emplace(std::move(block), std::move(kernel)).first->second;
}

std::shared_ptr<const Kernel> KernelCache::require(std::string_view op_name, const OpDesc& op) {
  take_note();
  auto kernel = find(op);
  if (kernel != nullptr) return kernel;
  const std::string reason = take_note();
  fail(ErrorKind::Unsupported, "[{}] {} does not support {}{}{}", op_name, device_.name(), describe(op),
       reason.empty() ? "" : ": ", reason);
}

void KernelCache::clear() {
  const std::unique_lock lock(mutex_);
  kernels_.clear();
}

}  // namespace tenon::runtime
