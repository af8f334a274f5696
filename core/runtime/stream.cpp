// Points, waits, and what they report.
#include "core/runtime/stream.h"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include <tenon/log.h>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/status.h"

namespace tenon::runtime {

std::uint64_t Stream::point_after(std::uint64_t number) {
  if (finished_.load(std::memory_order_acquire) >= number) return 0;
  std::int32_t code = TENON_OK;
  std::uint64_t point = 0;
  {
    const std::lock_guard lock(mutex_);
    if (signalled_ < number) {
      code = device_.api().stream_signal(device_.handle(), handle_, &point_);
      if (code == TENON_OK) signalled_ = submitted_;
    }
    point = point_;
  }
  check_status(device_, "stream_signal", code);
  return point;
}

bool Stream::has_finished(std::uint64_t number) {
  const std::uint64_t point = point_after(number);
  if (point == 0) return true;
  const std::lock_guard lock(telling_);
  const std::int32_t code = device_.api().stream_query(device_.handle(), handle_, point);
  if (code == TENON_NOT_READY && !fault_pending()) return false;
  keep_late("stream_query", code);
  if (code == TENON_OK) mark_finished(number, point);
  return code == TENON_OK;
}

bool Stream::await(std::uint64_t number, const Deadline& deadline) {
  device_.check_alive();
  const std::uint64_t point = point_after(number);
  if (point == 0) return true;
  std::int32_t code = sync(number, point, deadline);
  keep_late("stream_sync", code);
  if (code == TENON_INDEX) {  // told and cleared: the wait itself goes on
    code = sync(number, point, deadline);
    keep_late("stream_sync", code);
  }
  device_.check_alive();
  if (code == TENON_OK) mark_finished(number, point);
  return code == TENON_OK;
}

void Stream::finish(std::uint64_t number, const Deadline& deadline) {
  await(number, deadline);
  const std::vector<Error> late = take_late();
  for (std::size_t i = 1; i < late.size(); ++i) log(LogLevel::Error, late[i].what());
  if (!late.empty()) throw Error(late.front());
}

void Stream::finish_all(const Deadline& deadline) {
  std::uint64_t last = 0;
  {
    const std::lock_guard lock(mutex_);
    last = submitted_;
  }
  finish(last, deadline);
}

/// stream_sync, again while it answers before its time: after a pause, not to spin.
std::int32_t Stream::sync(std::uint64_t number, std::uint64_t point, const Deadline& deadline) {
  using namespace std::chrono_literals;
  for (std::chrono::microseconds pause = 50us;; pause = std::min<decltype(pause)>(2 * pause, 10ms)) {
    const std::int32_t code =
        device_.api().stream_sync(device_.handle(), handle_, point, deadline.left_ns());
    const bool ran_out = code == TENON_TIMEOUT && deadline.limited();
    if (code != TENON_NOT_READY && !ran_out) return code;
    if (deadline.over()) fail_timed_out(number, deadline);
    std::this_thread::sleep_for(pause);
  }
}

void Stream::fail_timed_out(std::uint64_t number, const Deadline& deadline) {
  take_error();
  const std::lock_guard lock(mutex_);
  const LaunchRecord* launch = log_.last_until(number);
  fail(ErrorKind::DeviceError,
       "[{}] timed out after {:g} s waiting for {}; the device is not lost: wait again, or allow it "
       "more time (TENON_TIMEOUT)",
       device_.name(), deadline.seconds(),
       launch != nullptr ? fmt::format("{} ({})", launch->op, launch_name(launch->corr)) : "a copy");
}

void Stream::keep_late(const char* call, std::int32_t code) {
  try {
    check_status(device_, call, code);
  } catch (const Error& error) {
    if (device_.is_over()) return;  // each later call tells it
    const std::lock_guard lock(mutex_);
    const bool again = !late_.empty() && std::string_view(late_.back().what()) == error.what();
    if (!again) late_.push_back(error);
  }
}

std::vector<Error> Stream::take_late() {
  const std::lock_guard telling(telling_);
  const std::lock_guard lock(mutex_);
  return std::exchange(late_, {});
}

void Stream::log_late() {
  for (const Error& late : take_late()) log(LogLevel::Error, late.what());
}

void Stream::mark_finished(std::uint64_t number, std::uint64_t point) {
  const std::lock_guard lock(mutex_);
  completed_ = std::max(completed_, point);
  if (finished_.load() < number) finished_.store(number, std::memory_order_release);
}

std::optional<LaunchRecord> Stream::find_launch(std::uint64_t corr) {
  const std::lock_guard lock(mutex_);
  const LaunchRecord* found = log_.find(corr);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

std::string Stream::progress() {
  const std::lock_guard lock(mutex_);
  if (completed_ == 0) return "";
  const LaunchRecord* launch = log_.last_until(finished_.load());
  if (launch == nullptr) return fmt::format("{}", completed_);
  return fmt::format("{}, after {} ({})", completed_, launch->op, launch_name(launch->corr));
}

}  // namespace tenon::runtime
