// The memory of the faulty devices: heap blocks behind small ids, born as garbage, with a guard zone
// on either side, and a count of the queued commands that still need each.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/sdk/status.h>

namespace faulty {

using tenon::sdk::Failure;
using tenon::sdk::Unsupported;

inline constexpr std::size_t kAlignment = 256;
inline constexpr std::size_t kGuardBytes = kAlignment;
inline constexpr unsigned char kPoison = 0xCB;
inline constexpr unsigned char kGuard = 0xA5;

class Block {
 public:
  /// `alignment` is the first guard zone's, which is kAlignment long. Throws std::bad_alloc.
  Block(const TenonDevice* owner, std::uint64_t handle, std::size_t bytes, std::size_t alignment);

  const TenonDevice* owner() const { return owner_; }
  std::uint64_t handle() const { return handle_; }
  std::size_t bytes() const { return bytes_; }
  std::byte* data() const { return storage_.get() + kGuardBytes; }

  /// Queued commands that use it.
  int queued() const { return queued_.load(std::memory_order_acquire); }
  /// "before" or "after" for the guard zone that was written to, "" while both are whole.
  std::string broken_guard() const;

 private:
  friend class Pin;
  struct Free {
    std::align_val_t alignment;
    void operator()(std::byte* p) const { ::operator delete[](p, alignment); }
  };

  const TenonDevice* owner_;
  std::uint64_t handle_;
  std::size_t bytes_;
  std::atomic<int> queued_{0};
  std::unique_ptr<std::byte[], Free> storage_;
};

/// A queued command's hold on a block.
class Pin {
 public:
  Pin() = default;
  explicit Pin(std::shared_ptr<Block> block);
  Pin(Pin&& other) noexcept = default;
  Pin& operator=(Pin&& other) noexcept {
    block_.swap(other.block_);
    return *this;
  }
  ~Pin();

  explicit operator bool() const { return block_ != nullptr; }
  const Block& block() const { return *block_; }

 private:
  std::shared_ptr<Block> block_;
};

/// All blocks of the plugin. Ids are never used twice.
class Heap {
 public:
  const Block& allocate(const TenonDevice* owner, std::size_t bytes, std::size_t alignment);
  /// Throws TENON_INVALID, naming handle, offset and bytes, where the handle is not alive.
  Pin pin(const std::string& who, std::uint64_t handle, std::uint64_t offset, std::uint64_t bytes);
  /// The block that now ends, or null where there is none with this handle and owner.
  std::shared_ptr<Block> remove(const TenonDevice* owner, std::uint64_t handle);
  /// Of byte 0, or NULL.
  std::byte* address(std::uint64_t handle);
  std::vector<std::shared_ptr<Block>> remove_all(const TenonDevice* owner);

 private:
  std::mutex mutex_;
  std::uint64_t last_handle_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Block>> blocks_;
};

/// Throws TENON_INVALID unless offset .. offset + bytes lies inside the block.
void check_range(const std::string& who, const Block& block, std::uint64_t offset, std::uint64_t bytes);

}  // namespace faulty
