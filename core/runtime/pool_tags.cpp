#include "core/runtime/pool_tags.h"

#include <array>
#include <atomic>
#include <mutex>

#include <tenon/memory.h>

#include "core/base/fail.h"

namespace tenon {
namespace runtime {

constinit thread_local std::uint8_t current_tag = 0;

namespace {

/// Names are only ever added, so those below `count` are read without the lock.
struct Names {
  std::array<std::string, kMaxTags> all{"tensors"};
  std::atomic<std::size_t> count{1};
  std::mutex adding;
};
Names& names() {
  static auto& leaked = *new Names;
  return leaked;
}

std::uint8_t number_of(std::string_view name) {
  Names& known = names();
  const auto find = [&](std::size_t from, std::size_t to) {
    while (from < to && known.all[from] != name) ++from;
    return from;
  };
  const std::size_t seen = known.count.load(std::memory_order_acquire);
  std::size_t tag = find(0, seen);
  if (tag == seen) {
    const std::lock_guard lock(known.adding);
    const std::size_t count = known.count.load(std::memory_order_relaxed);
    tag = find(seen, count);
    require(tag < kMaxTags, "[MemoryTag] {} is one name too many: there are {}, the first is {}", name,
            kMaxTags, known.all[0]);
    if (tag == count) {
      known.all[tag] = name;
      known.count.store(count + 1, std::memory_order_release);
    }
  }
  return static_cast<std::uint8_t>(tag);
}

}  // namespace

const std::string& tag_name(std::uint8_t tag) {
  return names().all[tag];
}

}  // namespace runtime

MemoryTag::MemoryTag(std::string_view name)
    : before_(std::exchange(runtime::current_tag, runtime::number_of(name))) {}
MemoryTag::~MemoryTag() {
  runtime::current_tag = before_;
}

}  // namespace tenon
