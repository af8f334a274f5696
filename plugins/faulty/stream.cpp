#include "plugins/faulty/stream.h"

#include <chrono>
#include <utility>

#include "plugins/faulty/text.h"

namespace faulty {

std::uint64_t Timeline::signal() {
  const std::lock_guard lock(mutex_);
  return ++signalled_;
}

void Timeline::complete(std::uint64_t point) {
  const std::lock_guard lock(mutex_);
  completed_ = point;
  moved_.notify_all();
}

void Timeline::check_signalled(const char* who, std::uint64_t point) const {
  const std::lock_guard lock(mutex_);
  if (point != 0 && point <= signalled_) return;
  throw Failure(TENON_INVALID, text("[faulty] ", who, ": point ", point,
                                    " was never signalled; the last is ", signalled_));
}

bool Timeline::reached(std::uint64_t point) const {
  const std::lock_guard lock(mutex_);
  return completed_ >= point;
}

bool Timeline::wait(std::uint64_t point, std::int64_t timeout_ns) const {
  constexpr std::int64_t kForever = std::int64_t{1} << 60;  // 36 years; later clock values overflow
  const auto there = [&] { return completed_ >= point; };
  std::unique_lock lock(mutex_);
  if (timeout_ns < 0 || timeout_ns > kForever) {
    moved_.wait(lock, there);
    return true;
  }
  return moved_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), there);
}

Turn::Turn(const TenonDevice* device, TenonStream* stream) : stream_(stream) {
  device->check_alive();
  if (stream == nullptr || &stream->device() != device) {
    throw Failure(TENON_INVALID, text("[faulty] not a stream of ", device->name()));
  }
  if (stream->entered_.exchange(true, std::memory_order_acquire)) {
    throw Failure(TENON_INVALID, "[faulty] two threads are in one stream at the same time");
  }
}

Turn::~Turn() {
  stream_->entered_.store(false, std::memory_order_release);
}

}  // namespace faulty

using faulty::Failure;
using faulty::text;

TenonStream::TenonStream(TenonDevice& device, const faulty::Delays& delays)
    : device_(device),
      random_(delays.seed),
      delay_us_(delays.min_us, delays.max_us),
      seed_(delays.seed),
      worker_([this] { work(); }) {}

TenonStream::~TenonStream() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_one();
  worker_.join();
  if (!fault_) return;
  const TenonHost& host = device_.host();
  host.log(
      host.ctx, TENON_LOG_WARNING,
      text("[faulty] a stream ends with a fault that no query or sync told: ", fault_->text).c_str());
}

void TenonStream::push(Command command) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(command));
  filled_.notify_one();
}

std::uint64_t TenonStream::signal() {
  const std::uint64_t point = timeline_->signal();
  push([this, point] { timeline_->complete(point); });
  return point;
}

void TenonStream::wait_for(const TenonStream& other, std::uint64_t point) {
  other.timeline_->check_signalled("stream_wait", point);
  push([theirs = other.timeline_, point] { theirs->wait(point); });
}

std::int32_t TenonStream::query(std::uint64_t point) {
  timeline_->check_signalled("stream_query", point);
  return !is_spurious() && timeline_->reached(point) ? report() : TENON_NOT_READY;
}

std::int32_t TenonStream::sync(std::uint64_t point, std::int64_t timeout_ns) {
  timeline_->check_signalled("stream_sync", point);
  if (is_spurious()) return TENON_NOT_READY;
  if (timeline_->wait(point, timeout_ns)) return report();
  throw Failure(TENON_TIMEOUT, text("[faulty] stream_sync: point ", point, " was not reached within ",
                                    timeout_ns, " ns"));
}

bool TenonStream::is_spurious() {
  const std::uint64_t percent = device_.behaviour().not_ready_percent;
  return percent != 0 && std::mt19937_64(seed_ + ++asked_)() % 100 < percent;
}

void TenonStream::keep(const faulty::LateFault& fault) {
  const std::lock_guard lock(mutex_);
  if (!fault_) fault_ = fault;
}

std::int32_t TenonStream::report() {
  const TenonHost& host = device_.host();
  if (device_.lost()) {
    const TenonFault fault{sizeof(TenonFault), TENON_DEVICE_LOST, 0, 0, 0, 0, 0};
    host.fault(host.ctx, &fault);
    device_.check_alive();
  }
  std::optional<faulty::LateFault> late;
  {
    const std::lock_guard lock(mutex_);
    late.swap(fault_);
  }
  if (!late) return TENON_OK;
  host.fault(host.ctx, &late->fault);
  throw Failure(late->fault.code, late->text);
}

void TenonStream::work() {
  for (;;) {
    Command command;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [&] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      command = std::move(queue_.front());
      queue_.pop_front();
    }
    sleep();
    command();
  }
}

void TenonStream::sleep() {
  if (const std::uint64_t us = delay_us_(random_); us != 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
  }
}
