// Timelines: what was given to a device, and which part of it has a point to wait for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tenon/error.h>
#include <tenon/plugin.h>

#include "core/runtime/deadline.h"
#include "core/runtime/launch_log.h"

namespace tenon::runtime {

class DeviceState;

/// What became of a command: the plugin's answer, and the command's number.
struct Given {
  std::int32_t code = TENON_OK;
  std::uint64_t number = 0;
};

/// One timeline. Commands are counted as they are given; a point is asked for only when somebody
/// will wait. The mutex is held while a thread gives commands, or signals for another thread. On a
/// synchronous device, where it only counts launches, there is no handle.
class Stream {
 public:
  Stream(DeviceState& device, TenonStream* handle, std::uint64_t id)
      : device_(device), handle_(handle), id_(id) {}

  /// The corr of the next launch.
  std::uint64_t next_launch() {
    return id_ << kStreamBit | (launches_.fetch_add(1, std::memory_order_relaxed) + 1);
  }
  std::int64_t launches() const { return static_cast<std::int64_t>(launches_.load()); }

  /// Runs `give` (a call of the plugin) in order; remembers what was launched.
  template <class Give>
  Given submit(Give&& give, const Launch* launch = nullptr) {
    const std::lock_guard lock(mutex_);
    const std::int32_t code = give(handle_);
    if (code == TENON_OK) ++submitted_;
    if (code == TENON_OK && launch != nullptr) log_.add(*launch, submitted_);
    return {code, submitted_};
  }
  /// A signalled point that command `number` precedes; 0 where it is known to have finished.
  std::uint64_t point_after(std::uint64_t number);
  /// Whether command `number` is known to have finished.
  bool has_finished(std::uint64_t number);
  /// Waits for command `number`; false where the device fails instead. What it reports is kept for
  /// `finish`; a lost device, and one that is too slow, throw here.
  bool await(std::uint64_t number, const Deadline& deadline = Deadline::usual());
  /// Returns when command `number` has finished; throws the first thing that the device has reported
  /// since the last time, and logs the rest.
  void finish(std::uint64_t number, const Deadline& deadline = Deadline::usual());
  void finish_all(const Deadline& deadline);

  TenonStream* handle() const { return handle_; }
  /// The launch of this corr, where it is remembered.
  std::optional<LaunchRecord> find_launch(std::uint64_t corr);
  /// "12, after matmul (launch 9)": the last point that is known to have completed; "" without one.
  std::string progress();
  /// What nobody was told goes to the log.
  void log_late();

 private:
  std::int32_t sync(std::uint64_t number, std::uint64_t point, const Deadline& deadline);
  /// Keeps the error of a call that failed for who waits next; a lost device tells it by itself.
  void keep_late(const char* call, std::int32_t code);
  std::vector<Error> take_late();
  void mark_finished(std::uint64_t number, std::uint64_t point);
  [[noreturn]] void fail_timed_out(std::uint64_t number, const Deadline& deadline);

  DeviceState& device_;
  TenonStream* const handle_;
  const std::uint64_t id_;
  std::atomic<std::uint64_t> launches_{0};
  std::atomic<std::uint64_t> finished_{0};

  // Held while a query asks, which may take away what this stream's own thread is about to be told.
  std::mutex telling_;
  std::mutex mutex_;  // guards what follows
  std::uint64_t submitted_ = 0;
  std::uint64_t signalled_ = 0;  // the last command that `point_` covers
  std::uint64_t point_ = 0;
  std::uint64_t completed_ = 0;  // the last point that is known to have
  LaunchLog log_;
  std::vector<Error> late_;  // what nobody was told, in order
};

/// The streams of one device: each thread takes one at its first use and leaves it to the next
/// thread when it ends.
class StreamTable {
 public:
  explicit StreamTable(DeviceState& device) : device_(device) {}

  /// The calling thread's stream; never nullptr.
  Stream* current();
  /// The same, or nullptr where it has none yet.
  Stream* own() const;
  /// Returns when everything on every stream has finished; then throws the first thing that went
  /// wrong, and logs the rest.
  void finish_all(const Deadline& deadline = Deadline::usual());
  void destroy_all();

  std::int64_t launches();
  std::optional<LaunchRecord> find_launch(std::uint64_t corr);

 private:
  friend struct ThreadStreams;
  Stream* take();
  /// For destructors that run after a thread gave its own back.
  Stream* shared();
  void give_back(Stream* stream);
  std::vector<Stream*> all();

  DeviceState& device_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Stream>> all_;
  std::vector<Stream*> idle_;
  Stream* shared_ = nullptr;
};

}  // namespace tenon::runtime
