// What the pool says of itself: figures, and the text when there is no memory.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/ranges.h>

#include "core/base/bytes.h"
#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/pool.h"
#include "core/runtime/pool_settings.h"

namespace tenon::runtime {
namespace {

constexpr std::size_t kHoldersNamed = 5;

/// Live blocks of one size and tag.
struct Holder {
  std::uint64_t bytes = 0;
  std::uint8_t tag = 0;
  std::uint64_t count = 1;

  std::string text() const {
    const std::string each = fmt::format("{} [{}]", bytes_text(bytes), tag_name(tag));
    return count == 1 ? each : fmt::format("{} x {}", count, each);
  }
};

/// Those that hold most, in one text.
std::string largest(const Segments& small, const Segments& big) {
  std::map<std::pair<std::uint64_t, std::uint8_t>, std::uint64_t> counts;
  const auto add = [&](const Storage& block) {
    const std::uint8_t tag = block.tag.load(std::memory_order_relaxed);
    if (!block.is_free && tag != kNoTag) ++counts[{block.memory.bytes, tag}];
  };
  small.for_each(add);
  big.for_each(add);
  std::vector<Holder> holders;
  for (const auto& [key, count] : counts) holders.push_back({key.first, key.second, count});
  const auto rank = [](const Holder& h) { return std::tuple(h.bytes * h.count, h.bytes, h.tag); };
  std::sort(holders.begin(), holders.end(),
            [&](const Holder& a, const Holder& b) { return rank(a) > rank(b); });
  std::vector<std::string> texts;
  for (const Holder& holder : holders) {
    if (texts.size() < kHoldersNamed) texts.push_back(holder.text());
  }
  return texts.empty() ? "" : fmt::format("; largest: {}", fmt::join(texts, ", "));
}

}  // namespace

std::uint64_t Pool::limit() const {
  return limit_.value_or(pool_settings().limit.value_or(UINT64_MAX));
}

void Pool::set_limit(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

MemoryStats Pool::stats() {
  const std::lock_guard lock(mutex_);
  MemoryStats stats{
      .reserved = static_cast<std::int64_t>(reserved_), .allocations = allocations_, .limit = limit()};
  std::array<std::int64_t, kMaxTags> by_tag{};
  std::int64_t high = 0;
  for (ThreadPart* part : parts_) {
    const std::lock_guard own(part->gate);
    for (std::size_t tag = 0; tag < kMaxTags; ++tag) by_tag[tag] += part->usage.by_tag[tag];
    high = std::max(high, part->usage.high);
  }
  for (std::size_t tag = 0; tag < kMaxTags; ++tag) {
    stats.live += by_tag[tag];
    if (by_tag[tag] != 0) stats.by_tag[tag_name(static_cast<std::uint8_t>(tag))] = by_tag[tag];
  }
  stats.peak = std::max({peak_, published_ + high, stats.live});
  return stats;
}

void Pool::reset_peak() {
  const std::lock_guard lock(mutex_);
  std::int64_t live = published_;
  for (ThreadPart* part : parts_) {
    const std::lock_guard own(part->gate);
    live += part->usage.change;
    part->usage.high = part->usage.change;
  }
  peak_ = live;
}

void Pool::fail_for(std::uint64_t asked) {
  const std::string plugin = take_error();
  const MemoryStats now = stats();
  const std::lock_guard lock(mutex_);
  std::string limited, said;
  if (now.limit != UINT64_MAX) {
    limited = fmt::format(", limit {}{}", bytes_text(now.limit), limit_ ? "" : " (TENON_MEMORY_LIMIT)");
  }
  if (!plugin.empty()) said = fmt::format("; the plugin says: {}", plugin);
  fail(ErrorKind::OutOfMemory,
       "[{}] out of memory: {} asked for; {} in use by tensors, {} kept for reuse{}{}{} (take smaller "
       "batches, or drop tensors that are not needed)",
       device_.name(), bytes_text(asked), bytes_text(static_cast<std::uint64_t>(now.live)),
       bytes_text(static_cast<std::uint64_t>(now.reserved - now.live)), limited, largest(small_, big_),
       said);
}

}  // namespace tenon::runtime
