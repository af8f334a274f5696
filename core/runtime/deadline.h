// How long the host waits for a device.
#pragma once

#include <chrono>
#include <cstdint>

namespace tenon::runtime {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// From now on; a time that no clock counts to is no limit.
  explicit Deadline(std::chrono::nanoseconds after);
  /// TENON_TIMEOUT=SECONDS from now on, no limit where it is not set; InvalidArgument where it is no
  /// number above 0.
  static Deadline usual();

  bool limited() const { return limited_; }
  bool over() const { return limited_ && Clock::now() >= end_; }
  /// For stream_sync: what is left, negative without a limit.
  std::int64_t left_ns() const;
  /// What it began with.
  double seconds() const { return std::chrono::duration<double>(after_).count(); }

 private:
  std::chrono::nanoseconds after_;
  bool limited_;
  Clock::time_point end_;
};

}  // namespace tenon::runtime
