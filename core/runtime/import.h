// Memory of the host that somebody else owns, as a device's storage.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/runtime/storage.h"

namespace tenon::runtime {

struct HostMemory {
  void* data = nullptr;
  std::uint64_t bytes = 0;
  bool read_only = false;
  std::function<void()> done;  // called once, when the storage ends; not where the import throws
};

/// The memory itself, not a copy; Unsupported, naming `op`, where the device can't use it in place.
StorageRef import_host(std::string_view op, DeviceState& device, HostMemory memory);

/// Called by the last reference.
void end_import(Storage* storage) noexcept;

}  // namespace tenon::runtime
