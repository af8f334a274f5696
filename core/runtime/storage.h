// Storage: one block of a device's memory, counted, with the history that waits are made from.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::runtime {

class DeviceState;
class Stream;

/// A command on a stream: whoever depends on it waits for its number.
struct Use {
  Stream* stream = nullptr;
  std::uint64_t number = 0;
};

/// The pool's own block descriptor: when the last reference goes, the block returns to the pool and
/// keeps its history, so that its next owner waits for what its last one started.
struct Storage {
  DeviceState* device = nullptr;
  TenonMem memory{};         // the plugin's allocation; bytes and addresses are this block's
  std::uint64_t offset = 0;  // of this block in the plugin's allocation
  std::atomic<std::int64_t> references{1};
  std::atomic<std::uint64_t> version{0};
  bool read_only = false;
  std::function<void()> done;  // of memory that is somebody else's: called when it is given back

  std::mutex mutex;  // guards the history
  // The last write, or several where blocks were joined, and the reads since; one for each stream.
  std::vector<Use> writes, reads;

  // The pool's: neighbours in the plugin's allocation, and the next of a list of kept blocks.
  Storage *before = nullptr, *after = nullptr, *next = nullptr;
  bool is_free = false;             // for anyone to take
  std::atomic<std::uint8_t> tag{};  // of the tensor that lives here, kNoTag while none does
};

void release(Storage* storage) noexcept;

/// A counted reference to a Storage.
class StorageRef {
 public:
  StorageRef() = default;
  /// Takes over the one reference that a new storage has.
  explicit StorageRef(Storage* storage) : storage_(storage) {}
  StorageRef(const StorageRef& other) noexcept : storage_(other.storage_) {
    if (storage_ != nullptr) storage_->references.fetch_add(1, std::memory_order_relaxed);
  }
  StorageRef(StorageRef&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  StorageRef& operator=(StorageRef other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~StorageRef() {
    if (storage_ != nullptr) release(storage_);
  }
  Storage* get() const { return storage_; }
  Storage* operator->() const { return storage_; }
  Storage& operator*() const { return *storage_; }

 private:
  Storage* storage_ = nullptr;
};

}  // namespace tenon::runtime
