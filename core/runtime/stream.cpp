// Points and threads' streams.
#include "core/runtime/stream.h"

#include <utility>

#include "core/runtime/device_state.h"

namespace tenon::runtime {

std::uint64_t Stream::point_after(std::uint64_t number) {
  if (finished_.load(std::memory_order_acquire) >= number) return 0;
  const std::lock_guard lock(mutex_);
  if (signalled_ < number) {
    check_status(device_, "stream_signal",
                 device_.api().stream_signal(device_.handle(), handle_, &point_));
    signalled_ = submitted_;
  }
  return point_;
}

void Stream::finish(std::uint64_t number) {
  const std::uint64_t point = point_after(number);
  if (point != 0) {
    check_status(device_, "stream_sync",
                 device_.api().stream_sync(device_.handle(), handle_, point, -1));
    mark_finished(number);
  }
  const std::unique_lock lock(mutex_);
  if (late_ != nullptr) std::rethrow_exception(std::exchange(late_, nullptr));
}

bool Stream::has_finished(std::uint64_t number) {
  const std::uint64_t point = point_after(number);
  if (point == 0) return true;
  const std::int32_t code = device_.api().stream_query(device_.handle(), handle_, point);
  if (code == TENON_NOT_READY) return false;
  try {
    check_status(device_, "stream_query", code);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    late_ = std::current_exception();
    return false;
  }
  mark_finished(number);
  return true;
}

void Stream::mark_finished(std::uint64_t number) {
  std::uint64_t seen = finished_.load();
  while (seen < number && !finished_.compare_exchange_weak(seen, number)) {
  }
}

void Stream::finish_all() {
  std::uint64_t last = 0;
  {
    const std::lock_guard lock(mutex_);
    last = submitted_;
  }
  finish(last);
}

/// What the calling thread holds; its end gives it back.
struct ThreadStreams {
  std::vector<std::pair<StreamTable*, Stream*>> taken;
  ~ThreadStreams() {
    for (const auto& [table, stream] : taken) table->give_back(stream);
    over = true;
  }
  static thread_local bool over;  // trivial, so it can still be read after the destructor
};
thread_local bool ThreadStreams::over = false;

Stream* StreamTable::current() {
  if (device_.synchronous()) return nullptr;
  if (ThreadStreams::over) return shared();
  thread_local ThreadStreams streams;
  for (const auto& [table, stream] : streams.taken) {
    if (table == this) return stream;
  }
  Stream* stream = take();
  streams.taken.emplace_back(this, stream);
  return stream;
}

Stream* StreamTable::shared() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (shared_ == nullptr) shared_ = take();
  return shared_;
}

Stream* StreamTable::take() {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    Stream* stream = idle_.back();
    idle_.pop_back();
    return stream;
  }
  TenonStream* handle = nullptr;
  check_status(device_, "stream_create", device_.api().stream_create(device_.handle(), &handle));
  return all_.emplace_back(std::make_unique<Stream>(device_, handle)).get();
}

void StreamTable::give_back(Stream* stream) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(stream);
}

void StreamTable::finish_all() {
  std::vector<Stream*> streams;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& stream : all_) streams.push_back(stream.get());
  }
  std::exception_ptr first;
  for (Stream* stream : streams) {
    try {
      stream->finish_all();
    } catch (...) {
      if (first == nullptr) first = std::current_exception();
    }
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void StreamTable::destroy_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& stream : all_) device_.api().stream_destroy(device_.handle(), stream->handle());
}

}  // namespace tenon::runtime
