// Wait, give, record: always in this order.
#include "core/runtime/launch.h"

#include <algorithm>
#include <cstdlib>
#include <list>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/error.h>

#include <tenon/memory.h>

#include "core/base/small.h"
#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "core/runtime/registry.h"
#include "core/runtime/status.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {
namespace {

bool is_synchronous_for_debugging() {
  static const bool on = [] {
    const char* value = std::getenv("TENON_SYNC");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return on;
}

/// Runs `give(stream)`, a call of the plugin, in its place among all other commands; the number is 0
/// on a synchronous device.
template <class Give>
Given submit(DeviceState& device, std::span<const Access> accesses, Give&& give,
             const Launch* launch = nullptr) {
  if (device.synchronous()) return {give(static_cast<TenonStream*>(nullptr)), 0};
  Stream& stream = *device.streams().current();
  wait_before(stream, accesses);
  const Given given = stream.submit(give, launch);
  if (given.code == TENON_OK) record(stream, given.number, accesses);
  return given;
}

void finish_for_debugging(DeviceState& device, const Given& given) {
  if (given.number != 0 && is_synchronous_for_debugging())
    device.streams().current()->finish(given.number);
}

TenonCopy host_copy(const void* host) {
  TenonCopy copy{};
  copy.src_offset = copy.dst_offset = reinterpret_cast<std::uintptr_t>(host);
  return copy;
}

std::uint64_t submit_copy(DeviceState& device, const Access& access, const TenonCopy& copy) {
  check_not_forked();
  const Given given = submit(device, {&access, 1}, [&](TenonStream* stream) {
    return device.api().copy(device.handle(), stream, &copy, 1);
  });
  check_status(device, "copy", given.code);
  finish_for_debugging(device, given);
  return given.number;
}

/// What went wrong with the bytes that are read is told to their reader, whichever stream wrote them.
void read(const Storage& src, std::int64_t offset, std::span<std::byte> dst) {
  auto& storage = const_cast<Storage&>(src);  // its history changes, its bytes do not
  const std::vector<Use> written = last_writes(storage);
  TenonCopy copy = host_copy(dst.data());
  copy.src = src.memory.handle;
  copy.src_offset = src.offset + static_cast<std::uint64_t>(offset);
  copy.bytes = dst.size();
  const std::uint64_t number = submit_copy(*src.device, {&storage, false}, copy);
  if (number == 0) return;
  wait_on_host(*src.device->streams().current(), number);
  for (const Use& use : written) wait_on_host(*use.stream, use.number);
}

/// Keeps bytes that a copy may still write to, since the wait for it ran out.
void abandon(std::vector<std::byte> bytes) {
  static std::mutex mutex;
  static auto& leaked = *new std::list<std::vector<std::byte>>;
  const std::lock_guard lock(mutex);
  leaked.push_back(std::move(bytes));
}

std::uint64_t workspace_bytes(DeviceState& device, const Kernel& kernel,
                              std::span<const TenonPack> packs) {
  if (kernel.is_plain()) return 0;
  std::uint64_t bytes = kernel.info().workspace_bytes;
  if ((kernel.info().flags & TENON_KERNEL_ASK_WORKSPACE) != 0) {
    check_status(device, "workspace",
                 device.api().workspace(device.handle(), kernel.handle(), packs.data(),
                                        static_cast<std::uint32_t>(packs.size()), &bytes));
  }
  return bytes;
}

}  // namespace

void launch(std::string_view op, DeviceState& device, const Kernel& kernel,
            std::span<const TenonPack> packs, std::span<const Access> accesses,
            std::span<const int> dims) {
  check_not_forked();
  const Launch what{op, device.streams().current()->next_launch(), kernel.axes(), packs, dims};
  TenonLaunch launch{.struct_size = sizeof(TenonLaunch),
                     .count = static_cast<std::uint32_t>(packs.size()),
                     .packs = packs.data(),
                     .workspace = 0,
                     .workspace_offset = 0,
                     .workspace_bytes = workspace_bytes(device, kernel, packs),
                     .corr = what.corr};
  StorageRef workspace;
  Small<Access, 8> all;
  if (launch.workspace_bytes > 0) {
    const MemoryTag tag("workspace");
    workspace = device.pool().allocate(launch.workspace_bytes);
    launch.workspace = workspace->memory.handle;
    launch.workspace_offset = workspace->offset;
    all.assign(accesses.begin(), accesses.end());
    all.push_back({workspace.get(), true});
    accesses = all;
  }
  const auto give = [&](TenonStream* stream) {
    return device.api().launch(device.handle(), stream, kernel.handle(), &launch);
  };
  const Given given = submit(device, accesses, give, &what);
  check_launch(device, what, given.code);
  finish_for_debugging(device, given);
}

void copy_from_host(Storage& dst, std::int64_t offset, std::span<const std::byte> src) {
  TenonCopy copy = host_copy(src.data());
  copy.dst = dst.memory.handle;
  copy.dst_offset = dst.offset + static_cast<std::uint64_t>(offset);
  copy.bytes = src.size();
  submit_copy(*dst.device, {&dst, true}, copy);
}

void copy_to_host(const Storage& src, std::int64_t offset, std::span<std::byte> dst) {
  if (src.device->synchronous() || !Deadline::usual().limited()) return read(src, offset, dst);
  std::vector<std::byte> landing(dst.size());
  try {
    read(src, offset, landing);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::DeviceError) abandon(std::move(landing));
    throw;
  }
  std::copy(landing.begin(), landing.end(), dst.begin());
}

}  // namespace tenon::runtime
