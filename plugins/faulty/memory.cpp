#include "plugins/faulty/memory.h"

#include <algorithm>
#include <cstring>

#include "plugins/faulty/text.h"

namespace faulty {
namespace {

bool whole(const std::byte* zone) {
  return std::all_of(zone, zone + kGuardBytes, [](std::byte b) { return b == std::byte{kGuard}; });
}

}  // namespace

Block::Block(const TenonDevice* owner, std::uint64_t handle, std::size_t bytes, std::size_t alignment)
    : owner_(owner),
      handle_(handle),
      bytes_(bytes),
      storage_(static_cast<std::byte*>(
                   ::operator new[](bytes + 2 * kGuardBytes, std::align_val_t{alignment})),
               Free{std::align_val_t{alignment}}) {
  std::memset(storage_.get(), kGuard, kGuardBytes);
  std::memset(data(), kPoison, bytes);
  std::memset(data() + bytes, kGuard, kGuardBytes);
}

std::string Block::broken_guard() const {
  if (!whole(storage_.get())) return "before";
  return whole(data() + bytes_) ? "" : "after";
}

Pin::Pin(std::shared_ptr<Block> block) : block_(std::move(block)) {
  block_->queued_.fetch_add(1, std::memory_order_relaxed);
}

Pin::~Pin() {
  if (block_) block_->queued_.fetch_sub(1, std::memory_order_release);
}

const Block& Heap::allocate(const TenonDevice* owner, std::size_t bytes, std::size_t alignment) {
  std::uint64_t handle;
  {
    const std::lock_guard lock(mutex_);
    handle = ++last_handle_;
  }
  auto block = std::make_shared<Block>(owner, handle, bytes, alignment);
  const std::lock_guard lock(mutex_);
  return *(blocks_[handle] = std::move(block));
}

Pin Heap::pin(const std::string& who, std::uint64_t handle, std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(handle);
  if (found != blocks_.end()) return Pin(found->second);
  const char* why = handle == 0              ? " is no device memory"
                    : handle <= last_handle_ ? " has been freed"
                                             : " was never allocated";
  throw Failure(TENON_INVALID,
                text(who, ": handle ", handle, why, " (offset ", offset, ", ", bytes, " bytes)"));
}

std::shared_ptr<Block> Heap::remove(const TenonDevice* owner, std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(handle);
  if (found == blocks_.end() || found->second->owner() != owner) return nullptr;
  auto block = std::move(found->second);
  blocks_.erase(found);
  return block;
}

std::byte* Heap::address(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(handle);
  return found == blocks_.end() ? nullptr : found->second->data();
}

std::vector<std::shared_ptr<Block>> Heap::remove_all(const TenonDevice* owner) {
  std::vector<std::shared_ptr<Block>> removed;
  const std::lock_guard lock(mutex_);
  for (auto it = blocks_.begin(); it != blocks_.end();) {
    if (it->second->owner() != owner) {
      ++it;
      continue;
    }
    removed.push_back(std::move(it->second));
    it = blocks_.erase(it);
  }
  return removed;
}

void check_range(const std::string& who, const Block& block, std::uint64_t offset,
                 std::uint64_t bytes) {
  if (offset <= block.bytes() && bytes <= block.bytes() - offset) return;
  throw Failure(TENON_INVALID, text(who, ": offset ", offset, " and ", bytes, " bytes leave handle ",
                                    block.handle(), " of ", block.bytes(), " bytes"));
}

}  // namespace faulty
