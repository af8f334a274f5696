// One thread's part of a pool: the blocks that it keeps for itself, and its share of the figures.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "core/base/gate.h"
#include "core/runtime/hazard.h"
#include "core/runtime/pool_sizes.h"
#include "core/runtime/pool_tags.h"
#include "core/runtime/storage.h"

namespace tenon::runtime {

class Pool;

inline constexpr std::int64_t kUntold = 1 << 20;

/// Bytes that live blocks have. One thread's may be negative: it frees what others made.
struct Usage {
  std::array<std::int64_t, kMaxTags> by_tag{};
  std::int64_t change = 0;  // of their sum since the pool was last told
  std::int64_t high = 0;    // the most that `change` has been

  /// Whether the pool is to be told.
  [[nodiscard]] bool add(std::uint8_t tag, std::int64_t bytes) {
    by_tag[tag] += bytes;
    change += bytes;
    if (high < change) high = change;
    return change > kUntold || change < -kUntold;
  }
};

/// What stands below is used with the gate closed.
struct ThreadPart {
  explicit ThreadPart(Pool& owner) : pool(owner) {}

  /// A kept block that `stream` (nullptr: of a synchronous device) need not wait for; nullptr where
  /// none of the first few is.
  Storage* take(int list, const Stream* stream) {
    constexpr int kAsked = 8;
    Storage** link = &lists[static_cast<std::size_t>(list)];
    for (int asked = 0; *link != nullptr && asked < kAsked; ++asked, link = &(*link)->next) {
      Storage* block = *link;
      if (stream != nullptr && !is_free_for(*block, stream)) continue;
      *link = block->next;
      kept -= block->memory.bytes;
      return block;
    }
    return nullptr;
  }
  void keep(int list, Storage* block) {
    Storage*& first = lists[static_cast<std::size_t>(list)];
    block->next = std::exchange(first, block);
    kept += block->memory.bytes;
  }
  /// All kept blocks, linked by `next`.
  Storage* take_all();

  Pool& pool;
  ThreadPart* next = nullptr;  // of the same thread, on another device
  Gate gate;
  std::array<Storage*, kThreadLists> lists{};
  std::uint64_t kept = 0;  // bytes
  Usage usage;
};

/// The calling thread's parts, linked by `next`.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local ThreadPart* first_part;

}  // namespace tenon::runtime
