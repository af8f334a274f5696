#include "core/runtime/import.h"

#include <exception>

#include <tenon/log.h>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/registry.h"

namespace tenon::runtime {
namespace {

void check_importable(std::string_view op, const DeviceState& device, const void* data) {
  if (!device.synchronous()) {
    fail(ErrorKind::Unsupported,
         "[{}] {} works asynchronously and can't share memory of the host; copy with from_bytes()", op,
         device.name());
  }
  const std::uint32_t alignment = device.limits().import_alignment;
  if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0) {
    fail(ErrorKind::Unsupported,
         "[{}] {} shares memory at multiples of {} bytes only, not at {}; copy with from_bytes()", op,
         device.name(), alignment, data);
  }
}

TenonMem ask_plugin(std::string_view op, DeviceState& device, const HostMemory& memory) {
  const TenonImport import{.struct_size = sizeof(TenonImport),
                           .source = TENON_IMPORT_HOST,
                           .flags = memory.read_only ? std::uint32_t{TENON_IMPORT_READ_ONLY} : 0,
                           .pad = 0,
                           .address = reinterpret_cast<std::uintptr_t>(memory.data),
                           .bytes = memory.bytes};
  TenonMem imported{};
  imported.struct_size = sizeof imported;
  take_note();
  const std::int32_t code = device.api().mem_import(device.handle(), &import, &imported);
  if (code == TENON_UNSUPPORTED) {
    const std::string note = take_note();
    fail(ErrorKind::Unsupported, "[{}] {} can't share memory of the host{}{}; copy with from_bytes()",
         op, device.name(), note.empty() ? "" : ": ", note);
  }
  check_status(device, "mem_import", code);
  return imported;
}

}  // namespace

StorageRef import_host(std::string_view op, DeviceState& device, HostMemory memory) {
  check_not_forked();
  check_importable(op, device, memory.data);
  const TenonMem imported = ask_plugin(op, device, memory);
  if (imported.handle == 0 || imported.host_ptr != memory.data || imported.bytes < memory.bytes) {
    if (imported.handle != 0) device.api().mem_free(device.handle(), imported.handle);
    fail(ErrorKind::DeviceError,
         "[{}] mem_import breaks the plugin contract: of {} bytes at {} it made handle {} of {} bytes "
         "at {}",
         device.name(), memory.bytes, memory.data, imported.handle, imported.bytes, imported.host_ptr);
  }
  auto* storage = new Storage;
  storage->device = &device;
  storage->memory = imported;
  storage->memory.bytes = memory.bytes;
  storage->read_only = memory.read_only;
  storage->done = std::move(memory.done);
  return StorageRef(storage);
}

void end_import(Storage* storage) noexcept {
  DeviceState& device = *storage->device;
  if (TenonDevice* open = device.open_handle()) device.api().mem_free(open, storage->memory.handle);
  try {
    storage->done();
  } catch (const std::exception& error) {  // a destructor's caller can't be told
    log(LogLevel::Error, error.what());
  }
  delete storage;
}

}  // namespace tenon::runtime
