// The memory pool of one device.
//
// A block of at most 256 granules goes to a list of the thread that frees it, and from there to the
// next tensor. All others, and what a thread keeps too much of, are cut from the plugin's allocations,
// and joined again: small ones from slabs, big ones from allocations apart.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include <tenon/memory.h>

#include "core/runtime/pool_segments.h"
#include "core/runtime/pool_sizes.h"
#include "core/runtime/pool_thread.h"
#include "core/runtime/storage.h"

namespace tenon::runtime {

class Pool {
 public:
  explicit Pool(DeviceState& device);

  /// At least `bytes`; prefers a kept block that the calling thread's stream need not wait for. When
  /// the plugin has no memory, or the limit is reached, gives back all that is kept and asks once more;
  /// then OutOfMemory.
  StorageRef allocate(std::uint64_t bytes);
  /// Called by the last reference.
  void take_back(Storage* storage) noexcept;
  /// Gives what is kept back to the plugin, once nothing uses it.
  void trim();

  MemoryStats stats();
  void reset_peak();
  void set_limit(std::uint64_t bytes);

 private:
  friend struct ThreadEnd;
  using Suits = std::function<bool(const Storage&)>;

  BlockSize size_for(std::uint64_t bytes) const {
    return direct_ ? BlockSize{bytes > 0 ? bytes : 1} : block_size(bytes, granule_log2_);
  }
  Storage* take_shared(std::uint64_t asked, std::uint64_t bytes, const Stream* stream);
  Storage* take_kept(std::uint64_t bytes, const Suits& suits);
  Storage* take_new(std::uint64_t bytes);
  /// What goes back to the plugin first, where `bytes` more would make what is reserved an eighth more
  /// than tensors have ever held.
  std::vector<Storage*> surplus_before(std::uint64_t bytes);
  /// Allocations of which no part is in use; under the mutex.
  std::vector<Storage*> take_whole(const Suits& suits);
  void give_back(const std::vector<Storage*>& whole);
  Storage* ask(std::uint64_t bytes);
  bool reserve(std::uint64_t bytes);
  void unreserve(std::uint64_t bytes);
  std::uint64_t limit() const;
  Segments& segments_for(std::uint64_t bytes) { return bytes <= kSmall ? small_ : big_; }
  /// Frees blocks that are linked by `next`; under the mutex.
  void give(Storage* list);
  void empty_threads();
  [[noreturn]] void fail_for(std::uint64_t asked);

  /// The calling thread's; what a thread does after its end counts as nobody's.
  ThreadPart& part() {
    for (ThreadPart* part = first_part; part != nullptr; part = part->next) {
      if (&part->pool == this) return *part;
    }
    return join();
  }
  ThreadPart& join();
  void leave(ThreadPart& part);
  void publish(ThreadPart& part);

  DeviceState& device_;
  const bool direct_;  // TENON_POOL
  const int granule_log2_;
  ThreadPart nobody_{*this};
  std::mutex mutex_;  // guards all below; a gate may be closed under it
  std::vector<ThreadPart*> parts_{&nobody_};
  Segments small_, big_;
  std::uint64_t reserved_ = 0;
  std::int64_t allocations_ = 0;
  std::int64_t published_ = 0, peak_ = 0;
  std::optional<std::uint64_t> limit_;
};

}  // namespace tenon::runtime
