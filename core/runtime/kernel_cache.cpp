// A map; misses ask the plugin.
#include "core/runtime/kernel_cache.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/front_table.h"
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

/// The words that determine a description's block: what of it is not the same for all, and the ids of
/// its programs.
class DescriptionKey {
 public:
  static constexpr std::size_t kMost = 48;

  DescriptionKey(const DeviceState& device, const OpDesc& op) {
    add(reinterpret_cast<std::uintptr_t>(&device));
    add(op.kind | std::uint64_t{op.flags} << 32);
    add(op.acc_dtype | std::uint64_t{op.index_width} << 8 | number(op.rank) << 16 |
        number(op.output_count) << 24 | number(op.operands.size()) << 32 |
        number(op.attachments.size()) << 40 | number(op.attrs.size()) << 48);
    for (const OperandDesc& operand : op.operands) add(operand);
    for (const AttachmentDesc& attachment : op.attachments) {
      add(attachment.slot | std::uint64_t{attachment.operand} << 16);
      add(attachment.program->id());
    }
    for (std::size_t at = 0; at < op.attrs.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, op.attrs.data() + at, std::min<std::size_t>(8, op.attrs.size() - at));
      add(word);
    }
  }
  bool is_whole() const { return count_ <= kMost; }
  std::span<const std::uint64_t> words() const { return {words_, count_}; }

 private:
  template <class T>
  static std::uint64_t number(T value) {
    return static_cast<std::uint64_t>(value);
  }
  void add(const OperandDesc& operand) {
    const auto rank = operand.described ? operand.shape.size() + 1 : 0;
    add(number(operand.dtype) | number(operand.layout) << 8 | number(operand.flags) << 16 |
        number(rank) << 24);
    if (!operand.described) return;
    for (const std::int64_t extent : operand.shape) add(number(extent));
    for (const std::int64_t stride : operand.strides) add(number(stride));
  }
  void add(std::uint64_t word) {
    if (count_ < kMost) words_[count_] = word;
    ++count_;
  }

  std::size_t count_ = 0;
  std::uint64_t words_[kMost];
};

using Front = FrontTable<DescriptionKey::kMost, 128>;

}  // namespace

void Kernel::release() const {
  TenonKernel* const handle = std::exchange(handle_, nullptr);
  TenonDevice* const device = device_.open_handle();
  if (handle != nullptr && device != nullptr) device_.api().release(device, handle);
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

std::shared_ptr<const Kernel> KernelCache::find(const OpDesc& op) {
  return find(op, Missing::prepare);
}

std::shared_ptr<const Kernel> KernelCache::find_known(const OpDesc& op) {
  return find(op, Missing::leave);
}

std::shared_ptr<const Kernel> KernelCache::find(const OpDesc& op, Missing missing) {
  Front* const front = thread_own<Front>();
  const DescriptionKey key(device_, op);
  if (front == nullptr || !key.is_whole()) return find_block(op, missing);
  if (const auto* known = front->find(key.words())) return *known;
  auto kernel = find_block(op, missing);
  if (kernel != nullptr) front->put(key.words(), kernel);
  return kernel;
}

/// On a device with streams what is dropped might still run: there all are kept.
void KernelCache::make_room() {
  if (kernels_.size() < most_ || !device_.synchronous()) return;
  std::erase_if(kernels_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

std::shared_ptr<const Kernel> KernelCache::find_block(const OpDesc& op, Missing missing) {
  std::string block = op_block(op);
  auto known = lookup(block);
  if (known != nullptr || missing == Missing::leave) return known;
  if (const std::string broken = broken_limit(device_.limits(), op); !broken.empty()) {
    set_note(broken);
    return nullptr;
  }
  if (dumps_programs()) dump(device_, op);
  auto kernel = prepare(block);
  if (kernel == nullptr) return nullptr;
  const std::unique_lock lock(mutex_);
  make_room();
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
  for (const auto& [block, kernel] : kernels_) kernel->release();
  kernels_.clear();
}

}  // namespace tenon::runtime
