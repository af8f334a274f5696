// What device memory is used for, and how much of it.
//
// Each device has a pool: what tensors leave is kept and handed out again. Environment:
// TENON_MEMORY_LIMIT (of each device: 2GiB, 512M, or bytes) and TENON_POOL=direct (every block is an
// allocation of the plugin's own and takes exactly the bytes asked for: for debugging).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <tenon/device.h>

#pragma GCC visibility push(default)
namespace tenon {

/// Bytes of one device. A block counts with the size it was rounded to: up to the next 256 bytes, and
/// from 2 KiB to 1 MiB by at most an eighth.
struct MemoryStats {
  std::int64_t live = 0;         ///< that tensors hold
  std::int64_t reserved = 0;     ///< that the pool has from the plugin
  std::int64_t peak = 0;         ///< the most that `live` has been, see below
  std::int64_t allocations = 0;  ///< from the plugin, a count
  std::uint64_t limit = 0;       ///< of `reserved`; the greatest number where there is none
  std::map<std::string, std::int64_t> by_tag = {};  ///< `live` by MemoryTag; 0 is left out
};

/// What the device's memory is used for now. `peak` is exact where one thread uses the device; each
/// further thread may put it off by at most 1 MiB.
MemoryStats memory_stats(Device device);

/// Lets `peak` begin again from what is live now.
void reset_peak(Device device);

/// Gives memory that the pool keeps for reuse back to the plugin, other threads' too, once nothing uses
/// it.
void empty_cache(Device device);

/// The most that the pool takes from the plugin, in bytes, instead of TENON_MEMORY_LIMIT's: what does
/// not fit is OutOfMemory. What is taken already stays.
void set_memory_limit(Device device, std::uint64_t bytes);

/// While it lives, what this thread allocates counts under this name in MemoryStats::by_tag. The
/// innermost holds; without one it is "tensors". The core's own: "parameters", "gradients" (all that
/// backward makes), "optimizer", "workspace". InvalidArgument for a 33rd name.
class MemoryTag {
 public:
  explicit MemoryTag(std::string_view name);
  ~MemoryTag();
  MemoryTag(const MemoryTag&) = delete;
  MemoryTag& operator=(const MemoryTag&) = delete;

 private:
  std::uint8_t before_;
};

}  // namespace tenon
#pragma GCC visibility pop
