// The list of all that plugins have given, and the questions to each new piece.
#include "core/runtime/plugin_memory.h"

#include <map>
#include <mutex>

#include "core/base/fail.h"

namespace tenon::runtime {
namespace {

/// All memory of all plugins that is in the core's hands.
struct Alive {
  std::mutex mutex;
  std::map<std::pair<const TenonPlugin*, std::uint64_t>, TenonMem> by_handle;
  std::map<std::uintptr_t, TenonMem> by_address;  // where the host sees it
};
Alive& alive() {
  static auto& leaked = *new Alive;
  return leaked;
}

std::uintptr_t address_of(const TenonMem& memory) {
  return reinterpret_cast<std::uintptr_t>(memory.host_ptr);
}

const TenonMem* overlapped(const Alive& all, const TenonMem& memory) {
  if (memory.host_ptr == nullptr) return nullptr;
  const auto above = all.by_address.lower_bound(address_of(memory));
  if (above != all.by_address.end() && above->first - address_of(memory) < memory.bytes)
    return &above->second;
  if (above == all.by_address.begin()) return nullptr;
  const TenonMem& below = std::prev(above)->second;
  return address_of(memory) - address_of(below) < below.bytes ? &below : nullptr;
}

/// What is wrong with the memory by itself, "" if nothing.
std::string defect(const TenonMem& memory, std::uint64_t asked, std::uint64_t alignment) {
  if (memory.bytes < asked) return fmt::format("where {} were asked for", asked);
  const auto misplaced = [&](const char* field, std::uint64_t address) {
    return fmt::format("whose {} {:#x} is no multiple of mem_alignment {}", field, address, alignment);
  };
  if (address_of(memory) % alignment != 0) return misplaced("host_ptr", address_of(memory));
  if (memory.device_addr % alignment != 0) return misplaced("device_addr", memory.device_addr);
  return "";
}

/// Why memory breaks the contract, and whether its handle can be given back all the same.
struct Refusal {
  std::string text = {};
  bool has_handle = true;
};

/// Lists what is new and sound; the text of the refusal is "" then.
Refusal list(const DeviceState& device, const TenonMem& memory, std::uint64_t asked) {
  Alive& all = alive();
  const std::lock_guard lock(all.mutex);
  if (memory.handle == 0)
    return {fmt::format("for the {} asked for, which is the host's", asked), false};
  const auto known = all.by_handle.find({&device.api(), memory.handle});
  if (known != all.by_handle.end()) {
    return {fmt::format("which is alive already, with {} bytes", known->second.bytes), false};
  }
  if (std::string wrong = defect(memory, asked, device.limits().mem_alignment); !wrong.empty()) {
    return {std::move(wrong)};
  }
  if (const TenonMem* other = overlapped(all, memory)) {
    return {fmt::format("at host_ptr {}, which overlaps handle {} of {} bytes at {}", memory.host_ptr,
                        other->handle, other->bytes, other->host_ptr)};
  }
  all.by_handle.emplace(std::pair(&device.api(), memory.handle), memory);
  if (memory.host_ptr != nullptr) all.by_address.emplace(address_of(memory), memory);
  return {};
}

}  // namespace

std::optional<TenonMem> ask_plugin(DeviceState& device, std::uint64_t bytes) {
  TenonMem memory{};
  memory.struct_size = sizeof memory;
  const std::int32_t code = device.api().mem_alloc(device.handle(), TENON_SPACE_DEVICE, bytes, &memory);
  if (code == TENON_OOM) return std::nullopt;
  check_status(device, "mem_alloc", code);
  const Refusal refusal = list(device, memory, bytes);
  if (refusal.text.empty()) {
    memory.bytes = bytes;
    return memory;
  }
  if (refusal.has_handle) device.api().mem_free(device.handle(), memory.handle);
  fail(ErrorKind::DeviceError,
       "[{}] mem_alloc breaks the plugin contract: it gave handle {} of {} bytes, {}", device.name(),
       memory.handle, memory.bytes, refusal.text);
}

void return_to_plugin(DeviceState& device, const TenonMem& memory) {
  {
    const std::lock_guard lock(alive().mutex);  // before the plugin may use the handle again
    alive().by_handle.erase({&device.api(), memory.handle});
    if (memory.host_ptr != nullptr) alive().by_address.erase(address_of(memory));
  }
  device.api().mem_free(device.handle(), memory.handle);
}

}  // namespace tenon::runtime
