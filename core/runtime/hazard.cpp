// Waits from the history of each storage.
#include "core/runtime/hazard.h"

#include <algorithm>

#include "core/runtime/device_state.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {

#ifdef TENON_TEST_HOOKS
std::atomic<int> dropped_wait{-1};
static bool kept(WaitSite site) {
  return dropped_wait.load() != static_cast<int>(site);
}
#else
static constexpr bool kept(WaitSite) {
  return true;
}
#endif

namespace {

void depend(const Stream& stream, const Use& use, WaitSite site, std::vector<Use>& uses) {
  if (use.stream != nullptr && use.stream != &stream && kept(site)) uses.push_back(use);
}

std::vector<Use> dependencies(const Stream& stream, std::span<const Access> accesses) {
  std::vector<Use> uses;
  for (const Access& access : accesses) {
    const std::lock_guard lock(access.storage->mutex);
    const WaitSite site = access.writes ? WaitSite::WriteAfterWrite : WaitSite::ReadAfterWrite;
    depend(stream, access.storage->last_write, site, uses);
    if (!access.writes) continue;
    for (const Use& read : access.storage->reads) depend(stream, read, WaitSite::WriteAfterRead, uses);
  }
  return uses;
}

}  // namespace

void wait_before(Stream& stream, std::span<const Access> accesses) {
  // The points are asked for before this stream is locked: two threads may wait for each other's.
  for (const Use& use : dependencies(stream, accesses)) {
    const std::uint64_t point = use.stream->point_after(use.number);
    if (point == 0) continue;
    DeviceState& device = *accesses.front().storage->device;
    const Given given = stream.submit([&](TenonStream* handle) {
      return device.api().stream_wait(device.handle(), handle, use.stream->handle(), point);
    });
    check_status(device, "stream_wait", given.code);
  }
}

void record(Stream& stream, std::uint64_t number, std::span<const Access> accesses) {
  for (const Access& access : accesses) {
    Storage& storage = *access.storage;
    const std::lock_guard lock(storage.mutex);
    if (access.writes) {
      storage.last_write = {&stream, number};
      storage.reads.clear();
      continue;
    }
    const auto own = std::find_if(storage.reads.begin(), storage.reads.end(),
                                  [&](const Use& use) { return use.stream == &stream; });
    if (own != storage.reads.end()) {
      own->number = number;
    } else {
      storage.reads.push_back({&stream, number});
    }
  }
}

Use last_write(Storage& storage) {
  const std::lock_guard lock(storage.mutex);
  return storage.last_write;
}

void wait_on_host(Stream& stream, std::uint64_t number) {
  if (kept(WaitSite::HostRead)) stream.finish(number);
}

bool wait_before_free(Storage& storage) {
  storage.device->check_alive();
  if (!kept(WaitSite::Free)) return true;
  const auto done = [](const Use& use) {
    return use.stream == nullptr || use.stream->await(use.number);
  };
  return done(storage.last_write) && std::all_of(storage.reads.begin(), storage.reads.end(), done);
}

bool is_free_for(Storage& storage, const Stream* stream) {
  const auto free = [&](const Use& use) {
    return use.stream == nullptr || use.stream == stream || use.stream->has_finished(use.number);
  };
  return free(storage.last_write) && std::all_of(storage.reads.begin(), storage.reads.end(), free);
}

}  // namespace tenon::runtime
