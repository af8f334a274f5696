#include "core/runtime/pool_thread.h"

#include <algorithm>

#include "core/runtime/pool.h"

namespace tenon::runtime {

Storage* ThreadPart::take_all() {
  Storage* all = nullptr;
  for (Storage*& first : lists) {
    while (first != nullptr) {
      Storage* block = first;
      first = block->next;
      block->next = all;
      all = block;
    }
  }
  kept = 0;
  return all;
}

// Plain enough to be read after the thread's destructors have run.
constinit thread_local ThreadPart* first_part = nullptr;
static constinit thread_local bool is_over = false;

/// Gives back what the thread holds when it ends.
struct ThreadEnd {
  ~ThreadEnd() {
    is_over = true;
    for (ThreadPart* part = std::exchange(first_part, nullptr); part != nullptr;) {
      ThreadPart* const next = part->next;
      part->pool.leave(*part);
      part = next;
    }
  }
};

ThreadPart& Pool::join() {
  if (is_over) return nobody_;
  thread_local ThreadEnd end;
  auto* part = new ThreadPart(*this);
  part->next = std::exchange(first_part, part);
  const std::lock_guard lock(mutex_);
  return *parts_.emplace_back(part);
}

void Pool::leave(ThreadPart& part) {
  publish(part);
  const std::lock_guard lock(mutex_);
  std::erase(parts_, &part);
  give(part.take_all());
  const std::lock_guard nobody(nobody_.gate);
  for (std::size_t tag = 0; tag < kMaxTags; ++tag) {
    nobody_.usage.by_tag[tag] += part.usage.by_tag[tag];
  }
  delete &part;
}

void Pool::publish(ThreadPart& part) {
  const std::lock_guard lock(mutex_);
  const std::lock_guard own(part.gate);
  peak_ = std::max(peak_, published_ + part.usage.high);
  published_ += part.usage.change;
  part.usage.change = part.usage.high = 0;
}

}  // namespace tenon::runtime
