// The memory pool of one device: blocks of exact sizes that are kept and handed out again.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/runtime/storage.h"

namespace tenon::runtime {

class Pool {
 public:
  explicit Pool(DeviceState& device) : device_(device) {}

  /// At least `bytes`; prefers a kept block that the calling thread's stream need not wait for. When
  /// the plugin has no memory, gives back all that is kept and asks once more; then OutOfMemory.
  StorageRef allocate(std::uint64_t bytes);
  /// Called by the last reference.
  void take_back(Storage* storage) noexcept;
  /// Gives every kept block back to the plugin, once nothing uses it.
  void trim();

  std::int64_t live() const { return live_; }
  std::int64_t reserved() const { return reserved_; }
  std::int64_t peak() const { return peak_; }
  std::int64_t allocations() const { return allocations_; }

 private:
  Storage* take_kept(std::uint64_t bytes);
  Storage* ask_plugin(std::uint64_t bytes);
  void keep(Storage* storage) noexcept;
  void give_up(Storage* storage);
  void count_live(std::int64_t bytes);

  DeviceState& device_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::vector<Storage*>> kept_;
  std::atomic<std::int64_t> live_{0}, reserved_{0}, peak_{0}, allocations_{0};
};

}  // namespace tenon::runtime
