// Timelines: what was given to a device, and which part of it has a point to wait for.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::runtime {

class DeviceState;

/// One timeline. Commands are counted as they are given; a point is asked for only when somebody
/// will wait. The mutex is held while a thread gives commands, or signals for another thread.
class Stream {
 public:
  Stream(DeviceState& device, TenonStream* handle) : device_(device), handle_(handle) {}

  /// Runs `give` (a call of the plugin) in order, and returns the command's number.
  template <class Give>
  std::uint64_t submit(Give&& give) {
    const std::lock_guard lock(mutex_);
    give(handle_);
    return ++submitted_;
  }
  /// A signalled point that command `number` precedes; 0 where it is known to have finished.
  std::uint64_t point_after(std::uint64_t number);
  /// Whether command `number` is known to have finished.
  bool has_finished(std::uint64_t number);
  /// Returns when command `number` has finished; throws what the device reports.
  void finish(std::uint64_t number);
  void finish_all();

  TenonStream* handle() const { return handle_; }

 private:
  void mark_finished(std::uint64_t number);

  DeviceState& device_;
  TenonStream* handle_;
  std::mutex mutex_;
  std::uint64_t submitted_ = 0;
  std::uint64_t signalled_ = 0;  // the last command that `point_` covers
  std::uint64_t point_ = 0;
  std::atomic<std::uint64_t> finished_{0};
  std::exception_ptr late_;  // what a question met that had no one to tell; the next wait throws it
};

/// The streams of one device: each thread takes one at its first use and leaves it to the next
/// thread when it ends.
class StreamTable {
 public:
  explicit StreamTable(DeviceState& device) : device_(device) {}

  /// The calling thread's stream; nullptr on a synchronous device.
  Stream* current();
  /// Returns when everything on every stream has finished; then throws the first thing that went wrong.
  void finish_all();
  void destroy_all();

 private:
  friend struct ThreadStreams;
  Stream* take();
  /// For destructors that run after a thread gave its own back.
  Stream* shared();
  void give_back(Stream* stream);

  DeviceState& device_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Stream>> all_;
  std::vector<Stream*> idle_;
  Stream* shared_ = nullptr;
};

}  // namespace tenon::runtime
