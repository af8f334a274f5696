// Every wait that the core inserts, in one place.
//
// A command that reads waits for the last write, one that writes also for the reads since; commands
// of one stream are in order by themselves. Before memory goes back to the plugin, and before the
// host looks at it, the host waits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/runtime/storage.h"

namespace tenon::runtime {

/// Where waits are inserted: tests drop one after the other, and each must be missed.
enum class WaitSite { ReadAfterWrite, WriteAfterWrite, WriteAfterRead, HostRead, Free };

#ifdef TENON_TEST_HOOKS
/// Leaves out all waits of one site; a negative one: none. Only in builds for tests.
extern std::atomic<int> dropped_wait;
#endif

/// One operand of a command, as far as order is concerned.
struct Access {
  Storage* storage = nullptr;
  bool writes = false;
};

/// Makes `stream` wait for all that a command with these accesses depends on.
void wait_before(Stream& stream, std::span<const Access> accesses);
/// Records that command `number` of `stream` makes these accesses.
void record(Stream& stream, std::uint64_t number, std::span<const Access> accesses);
/// The commands that wrote the storage last: one, or several where blocks were joined.
std::vector<Use> last_writes(Storage& storage);
/// Blocks until command `number`, which the host needs, has finished.
void wait_on_host(Stream& stream, std::uint64_t number);
/// Blocks until all commands that use the storage have finished, and throws what went wrong.
void wait_for_all(Storage& storage);
/// Blocks until nothing uses the storage any more. False, or an error, where that cannot be known (the
/// device fails, is too slow, is lost): the block must then stay where it is.
bool wait_before_free(Storage& storage);
/// Whether a command of `stream` could use the storage without any wait for another stream.
bool is_free_for(const Storage& storage, const Stream* stream);
/// Adds the history of `from` to that of `to`: who uses `to` next waits for both.
void inherit(Storage& to, const Storage& from);

}  // namespace tenon::runtime
