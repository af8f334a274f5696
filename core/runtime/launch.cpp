// Wait, give, record: always in this order.
#include "core/runtime/launch.h"

#include <cstdlib>
#include <string_view>

#include <tenon/memory.h>

#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "core/runtime/registry.h"
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

/// Runs `give(stream)`, a call of the plugin, in its place among all other commands, and returns its
/// number (0 on a synchronous device).
template <class Give>
std::uint64_t submit(DeviceState& device, std::span<const Access> accesses, Give&& give) {
  check_not_forked();
  Stream* stream = device.streams().current();
  if (stream == nullptr) {
    give(static_cast<TenonStream*>(nullptr));
    return 0;
  }
  wait_before(*stream, accesses);
  const std::uint64_t number = stream->submit(give);
  record(*stream, number, accesses);
  if (is_synchronous_for_debugging()) stream->finish(number);
  return number;
}

TenonCopy host_copy(const void* host) {
  TenonCopy copy{};
  copy.src_offset = copy.dst_offset = reinterpret_cast<std::uintptr_t>(host);
  return copy;
}

std::uint64_t submit_copy(DeviceState& device, const Access& access, const TenonCopy& copy) {
  return submit(device, {&access, 1}, [&](TenonStream* stream) {
    check_status(device, "copy", device.api().copy(device.handle(), stream, &copy, 1));
  });
}

std::uint64_t workspace_bytes(DeviceState& device, const Kernel& kernel,
                              std::span<const TenonPack> packs) {
  std::uint64_t bytes = kernel.info().workspace_bytes;
  if ((kernel.info().flags & TENON_KERNEL_ASK_WORKSPACE) != 0) {
    check_status(device, "workspace",
                 device.api().workspace(device.handle(), kernel.handle(), packs.data(),
                                        static_cast<std::uint32_t>(packs.size()), &bytes));
  }
  return bytes;
}

}  // namespace

void launch(std::string_view, DeviceState& device, const Kernel& kernel,
            std::span<const TenonPack> packs, std::span<const Access> accesses) {
  const auto corr = static_cast<std::uint64_t>(device.counters().launches.fetch_add(1)) + 1;
  TenonLaunch launch{.struct_size = sizeof(TenonLaunch),
                     .count = static_cast<std::uint32_t>(packs.size()),
                     .packs = packs.data(),
                     .workspace = 0,
                     .workspace_offset = 0,
                     .workspace_bytes = workspace_bytes(device, kernel, packs),
                     .corr = corr};
  StorageRef workspace;
  std::vector<Access> all(accesses.begin(), accesses.end());
  if (launch.workspace_bytes > 0) {
    const MemoryTag tag("workspace");
    workspace = device.pool().allocate(launch.workspace_bytes);
    launch.workspace = workspace->memory.handle;
    launch.workspace_offset = workspace->offset;
    all.push_back({workspace.get(), true});
  }
  submit(device, all, [&](TenonStream* stream) {
    check_status(device, "launch",
                 device.api().launch(device.handle(), stream, kernel.handle(), &launch));
  });
}

void copy_from_host(Storage& dst, std::int64_t offset, std::span<const std::byte> src) {
  TenonCopy copy = host_copy(src.data());
  copy.dst = dst.memory.handle;
  copy.dst_offset = dst.offset + static_cast<std::uint64_t>(offset);
  copy.bytes = src.size();
  submit_copy(*dst.device, {&dst, true}, copy);
}

void copy_to_host(const Storage& src, std::int64_t offset, std::span<std::byte> dst) {
  auto& storage = const_cast<Storage&>(src);  // its history changes, its bytes do not
  TenonCopy copy = host_copy(dst.data());
  copy.src = src.memory.handle;
  copy.src_offset = src.offset + static_cast<std::uint64_t>(offset);
  copy.bytes = dst.size();
  const std::uint64_t number = submit_copy(*src.device, {&storage, false}, copy);
  if (number != 0) wait_on_host(*src.device->streams().current(), number);
}

}  // namespace tenon::runtime
