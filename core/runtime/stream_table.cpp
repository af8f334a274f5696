// Which thread has which stream.
#include <utility>

#include <tenon/log.h>

#include "core/runtime/device_state.h"
#include "core/runtime/status.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {

/// A stream that the calling thread has taken.
struct Taken {
  StreamTable* table;
  Stream* stream;
  Taken* next;
};

// Plain enough to be read after the thread's destructors have run.
[[gnu::tls_model("initial-exec")]] static constinit thread_local Taken* first_taken = nullptr;
static constinit thread_local bool is_over = false;

/// Gives back what the thread holds when it ends.
struct ThreadStreams {
  ~ThreadStreams() {
    is_over = true;
    while (Taken* const taken = first_taken) {
      first_taken = taken->next;
      taken->table->give_back(taken->stream);
      delete taken;
    }
  }
};

Stream* StreamTable::own() const {
  for (const Taken* taken = first_taken; taken != nullptr; taken = taken->next) {
    if (taken->table == this) return taken->stream;
  }
  return nullptr;
}

Stream* StreamTable::current() {
  if (Stream* stream = own()) return stream;
  if (is_over) return shared();
  static thread_local ThreadStreams end;
  first_taken = new Taken{this, take(), first_taken};
  return first_taken->stream;
}

Stream* StreamTable::shared() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (shared_ == nullptr) shared_ = take();
  return shared_;
}

Stream* StreamTable::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Stream* stream = idle_.back();
      idle_.pop_back();
      return stream;
    }
  }
  TenonStream* handle = nullptr;
  if (!device_.synchronous()) {
    check_status(device_, "stream_create", device_.api().stream_create(device_.handle(), &handle));
  }
  const std::lock_guard lock(mutex_);
  return all_.emplace_back(std::make_unique<Stream>(device_, handle, all_.size())).get();
}

void StreamTable::give_back(Stream* stream) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(stream);
}

std::vector<Stream*> StreamTable::all() {
  const std::lock_guard lock(mutex_);
  std::vector<Stream*> streams;
  for (const auto& stream : all_) streams.push_back(stream.get());
  return streams;
}

void StreamTable::finish_all(const Deadline& deadline) {
  device_.check_alive();
  std::optional<Error> first;
  for (Stream* stream : all()) {
    try {
      stream->finish_all(deadline);
    } catch (const Error& error) {
      if (first) {
        log(LogLevel::Error, error.what());
      } else {
        first = error;
      }
    }
  }
  if (first) throw Error(*first);
}

void StreamTable::destroy_all() {
  for (Stream* stream : all()) {
    stream->log_late();
    if (stream->handle() != nullptr) {
      device_.api().stream_destroy(device_.open_handle(), stream->handle());
    }
  }
}

std::int64_t StreamTable::launches() {
  std::int64_t sum = 0;
  for (const Stream* stream : all()) sum += stream->launches();
  return sum;
}

std::optional<LaunchRecord> StreamTable::find_launch(std::uint64_t corr) {
  const std::uint64_t id = corr >> kStreamBit;
  const auto streams = all();
  return id < streams.size() ? streams[id]->find_launch(corr) : std::nullopt;
}

}  // namespace tenon::runtime
