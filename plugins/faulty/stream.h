// A stream of a faulty device: one thread that runs one queue, late. Two streams keep no order but
// what stream_wait asks for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include <tenon/plugin.h>

#include "plugins/faulty/device.h"

namespace faulty {

/// The points of one stream; outlives it in the queues of streams that wait for it.
class Timeline {
 public:
  std::uint64_t signal();
  void complete(std::uint64_t point);
  /// Throws TENON_INVALID for a point that signal never gave.
  void check_signalled(const char* who, std::uint64_t point) const;
  bool reached(std::uint64_t point) const;
  /// False where the time (in ns, < 0 without end) ran out first.
  bool wait(std::uint64_t point, std::int64_t timeout_ns = -1) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable moved_;
  std::uint64_t signalled_ = 0, completed_ = 0;
};

/// What went wrong in a worker, until a query or sync tells the host.
struct LateFault {
  TenonFault fault;
  std::string text;
};

/// Who queues in a stream holds a turn: a second thread in it at that time breaks the contract.
class Turn {
 public:
  /// Throws where the stream is missing, another device's or has a thread inside, or the device is
  /// lost.
  Turn(const TenonDevice* device, TenonStream* stream);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  TenonStream* stream_;
};

}  // namespace faulty

struct TenonStream {
 public:
  using Command = std::function<void()>;

  TenonStream(TenonDevice& device, const faulty::Delays& delays);
  /// Runs what is queued, then ends the worker.
  ~TenonStream();
  TenonStream(const TenonStream&) = delete;
  TenonStream& operator=(const TenonStream&) = delete;

  TenonDevice& device() const { return device_; }

  // Queueing calls; the caller holds a Turn.
  void push(Command command);
  std::uint64_t signal();
  void wait_for(const TenonStream& other, std::uint64_t point);

  // Option not_ready answers them with TENON_NOT_READY, whatever has been reached.
  std::int32_t query(std::uint64_t point);
  std::int32_t sync(std::uint64_t point, std::int64_t timeout_ns);

  // For commands, in the worker.
  std::mt19937_64& random() { return random_; }
  /// Keeps the first fault since the last one that was reported.
  void keep(const faulty::LateFault& fault);

 private:
  friend class faulty::Turn;
  void work();
  void sleep();
  std::int32_t report();
  /// Whether this answer is a NOT_READY for nothing.
  bool is_spurious();

  TenonDevice& device_;
  const std::shared_ptr<faulty::Timeline> timeline_ = std::make_shared<faulty::Timeline>();
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::uint64_t> delay_us_;
  std::atomic<bool> entered_{false};
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> asked_{0};

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Command> queue_;
  bool ending_ = false;
  std::optional<faulty::LateFault> fault_;
  std::thread worker_;
};
