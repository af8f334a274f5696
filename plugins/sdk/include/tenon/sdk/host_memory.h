// Memory of the host as a device's memory: a handle is the address, so kernels run on
// handle + offset, and imports alias.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

#include <tenon/plugin.h>
#include <tenon/sdk/status.h>

namespace tenon::sdk {

/// Bytes of the machine's memory.
inline uint64_t physical_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Thread-safe. Memory that is imported at an address that is taken already shares its handle: the
/// last free counts.
class HostMemory {
 public:
  static constexpr uint64_t kAlignment = 256;

  HostMemory() = default;
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;
  ~HostMemory() {
    for (const auto& [handle, block] : blocks_) release(handle, block);
  }

  /// All allocations together stay within `bytes`.
  void set_limit(uint64_t bytes) { limit_ = bytes; }

  TenonMem allocate(uint32_t space, uint64_t bytes, uint64_t alignment = kAlignment) {
    const std::lock_guard lock(mutex_);
    void* address = nullptr;
    if (bytes <= limit_ - used_) {
      address = ::operator new(std::max<uint64_t>(bytes, 1), std::align_val_t{alignment}, std::nothrow);
    }
    if (address == nullptr) {
      throw Failure(TENON_OOM, "no memory for " + std::to_string(bytes) + " bytes: " +
                                   std::to_string(used_) + " of " + std::to_string(limit_) + " in use");
    }
    const auto handle = reinterpret_cast<uint64_t>(address);
    blocks_[handle] = {.bytes = bytes, .alignment = alignment, .references = 1};
    used_ += bytes;
    return describe(handle, space, bytes);
  }

  TenonMem import_memory(const TenonImport& what) {
    if (what.source != TENON_IMPORT_HOST) throw Unsupported("imports memory of the host only");
    if (what.address == 0) throw Failure(TENON_INVALID, "an import of address 0");
    const std::lock_guard lock(mutex_);
    ++blocks_[what.address].references;
    return describe(what.address, TENON_SPACE_HOST_VISIBLE, what.bytes);
  }

  void free(uint64_t handle) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(handle);
    if (found == blocks_.end() || --found->second.references > 0) return;
    release(handle, found->second);
    if (found->second.alignment != 0) used_ -= found->second.bytes;
    blocks_.erase(found);
  }

  TenonMemInfo info() {
    const std::lock_guard lock(mutex_);
    return {.struct_size = sizeof(TenonMemInfo),
            .pad = 0,
            .free_bytes = limit_ - used_,
            .total_bytes = limit_};
  }

  static void copy(const TenonCopy& copy) {
    if (copy.bytes == 0) return;
    std::memmove(reinterpret_cast<void*>(copy.dst + copy.dst_offset),
                 reinterpret_cast<const void*>(copy.src + copy.src_offset), copy.bytes);
  }

  static void fill(const TenonFill& fill) {
    auto* const dst = reinterpret_cast<std::byte*>(fill.dst + fill.dst_offset);
    uint64_t done = std::min<uint64_t>(fill.value_bytes, fill.bytes);
    if (done == 0) return;
    if (fill.value == 0) {
      std::memset(dst, 0, fill.bytes);
      return;
    }
    std::memcpy(dst, &fill.value, done);
    while (done < fill.bytes) {
      const uint64_t more = std::min({done, fill.bytes - done, uint64_t{1} << 14});
      std::memcpy(dst + done, dst, more);
      done += more;
    }
  }

 private:
  struct Block {
    uint64_t bytes = 0;
    uint64_t alignment = 0;  // of what was allocated here; 0: imported
    int references = 0;
  };

  static void release(uint64_t handle, const Block& block) {
    if (block.alignment == 0) return;
    ::operator delete(reinterpret_cast<void*>(handle), std::align_val_t{block.alignment});
  }

  static TenonMem describe(uint64_t handle, uint32_t space, uint64_t bytes) {
    return {.struct_size = sizeof(TenonMem),
            .space = space,
            .handle = handle,
            .bytes = bytes,
            .host_ptr = reinterpret_cast<void*>(handle),
            .device_addr = handle};
  }

  std::mutex mutex_;
  uint64_t limit_ = UINT64_MAX, used_ = 0;
  std::unordered_map<uint64_t, Block> blocks_;
};

}  // namespace tenon::sdk
