#include "core/runtime/pool_segments.h"

#include <tuple>

#include "core/runtime/hazard.h"

namespace tenon::runtime {
namespace {

constexpr int kAsked = 16;  // free blocks, whether they suit

/// A new block of what lies behind the first `bytes`.
Storage* split(Storage& block, std::uint64_t bytes) {
  auto* rest = new Storage;
  rest->device = block.device;
  rest->memory = block.memory;
  rest->memory.bytes -= bytes;
  if (rest->memory.host_ptr != nullptr) {
    rest->memory.host_ptr = static_cast<std::byte*>(rest->memory.host_ptr) + bytes;
  }
  if (rest->memory.device_addr != 0) rest->memory.device_addr += bytes;
  rest->offset = block.offset + bytes;
  inherit(*rest, block);
  rest->before = &block;
  rest->after = block.after;
  if (rest->after != nullptr) rest->after->before = rest;
  block.after = rest;
  block.memory.bytes = bytes;
  return rest;
}

/// Makes one block of both: the lower.
void join(Storage& lower, Storage* upper) {
  lower.memory.bytes += upper->memory.bytes;
  lower.after = upper->after;
  if (lower.after != nullptr) lower.after->before = &lower;
  inherit(lower, *upper);
  delete upper;
}

}  // namespace

bool Segments::Smaller::operator()(const Storage* a, const Storage* b) const {
  return std::tie(a->memory.bytes, a->memory.handle, a->offset) <
         std::tie(b->memory.bytes, b->memory.handle, b->offset);
}

Storage* Segments::use(Storage* block, std::uint64_t bytes) {
  if (block->memory.bytes > bytes) {
    Storage* rest = split(*block, bytes);
    rest->is_free = true;
    free_.insert(rest);
  }
  block->is_free = false;
  return block;
}

Storage* Segments::add(Storage* whole, std::uint64_t bytes) {
  first_.push_back(whole);
  return use(whole, bytes);
}

Storage* Segments::take(std::uint64_t bytes, const std::function<bool(const Storage&)>& suits) {
  int asked = 0;
  for (auto it = free_.lower_bound(bytes); it != free_.end() && asked < kAsked; ++it, ++asked) {
    Storage* block = *it;
    if (!suits(*block)) continue;
    free_.erase(it);
    return use(block, bytes);
  }
  return nullptr;
}

void Segments::give(Storage* block) {
  if (Storage* after = block->after; after != nullptr && after->is_free) {
    free_.erase(after);
    join(*block, after);
  }
  if (Storage* before = block->before; before != nullptr && before->is_free) {
    free_.erase(before);
    join(*before, block);
    block = before;
  }
  block->is_free = true;
  free_.insert(block);
}

std::vector<Storage*> Segments::take_whole(const std::function<bool(const Storage&)>& suits) {
  std::vector<Storage*> whole;
  std::erase_if(first_, [&](Storage* block) {
    if (!block->is_free || block->after != nullptr || !suits(*block)) return false;
    free_.erase(block);
    whole.push_back(block);
    return true;
  });
  return whole;
}

}  // namespace tenon::runtime
