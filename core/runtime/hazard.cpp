// Waits from the history of each storage, and what becomes of the history.
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

void depend(const Stream& stream, std::span<const Use> on, WaitSite site, std::vector<Use>& uses) {
  if (!kept(site)) return;
  for (const Use& use : on) {
    if (use.stream != &stream) uses.push_back(use);
  }
}

/// One use for each stream: its last.
void note(std::vector<Use>& uses, const Use& use) {
  const auto own = std::find_if(uses.begin(), uses.end(),
                                [&](const Use& other) { return other.stream == use.stream; });
  if (own == uses.end()) {
    uses.push_back(use);
  } else {
    own->number = std::max(own->number, use.number);
  }
}

std::vector<Use> dependencies(const Stream& stream, std::span<const Access> accesses) {
  std::vector<Use> uses;
  for (const Access& access : accesses) {
    const std::lock_guard lock(access.storage->mutex);
    const WaitSite site = access.writes ? WaitSite::WriteAfterWrite : WaitSite::ReadAfterWrite;
    depend(stream, access.storage->writes, site, uses);
    if (access.writes) depend(stream, access.storage->reads, WaitSite::WriteAfterRead, uses);
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
      storage.writes.assign(1, {&stream, number});
      storage.reads.clear();
    } else {
      note(storage.reads, {&stream, number});
    }
  }
}

std::vector<Use> last_writes(Storage& storage) {
  const std::lock_guard lock(storage.mutex);
  return storage.writes;
}

void wait_on_host(Stream& stream, std::uint64_t number) {
  if (kept(WaitSite::HostRead)) stream.finish(number);
}

void wait_for_all(Storage& storage) {
  std::vector<Use> uses = last_writes(storage);
  {
    const std::lock_guard lock(storage.mutex);
    uses.insert(uses.end(), storage.reads.begin(), storage.reads.end());
  }
  for (const Use& use : uses) wait_on_host(*use.stream, use.number);
}

bool wait_before_free(Storage& storage) {
  storage.device->check_alive();
  if (!kept(WaitSite::Free)) return true;
  const auto done = [](const Use& use) { return use.stream->await(use.number); };
  return std::all_of(storage.writes.begin(), storage.writes.end(), done) &&
         std::all_of(storage.reads.begin(), storage.reads.end(), done);
}

bool is_free_for(const Storage& storage, const Stream* stream) {
  const auto free = [&](const Use& use) {
    return use.stream == stream || use.stream->has_finished(use.number);
  };
  return std::all_of(storage.writes.begin(), storage.writes.end(), free) &&
         std::all_of(storage.reads.begin(), storage.reads.end(), free);
}

void inherit(Storage& to, const Storage& from) {
  for (const Use& write : from.writes) note(to.writes, write);
  for (const Use& read : from.reads) note(to.reads, read);
}

}  // namespace tenon::runtime
