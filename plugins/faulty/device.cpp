#include "plugins/faulty/device.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "plugins/faulty/stream.h"
#include "plugins/faulty/text.h"

namespace faulty {
namespace {

// Counts every attempt to allocate, on any device.
std::atomic<std::uint64_t> allocations{0};

void fail_on_demand(const TenonHost& host) {
  const std::uint64_t n = ++allocations;
  if (n == option(host, "oom_at", 0)) {
    throw Failure(TENON_OOM, text("[faulty] allocation ", n, " fails: option oom_at"));
  }
  const std::uint64_t every = option(host, "oom_every", 0);
  if (every != 0 && n % every == 0) {
    throw Failure(TENON_OOM, text("[faulty] allocation ", n, " fails: option oom_every is ", every));
  }
}

// Looks like no address that the host could follow.
std::uint64_t fake_address(std::uint64_t handle) {
  return (0xFA17ULL << 48) | (handle << 20);
}

}  // namespace

std::uint64_t option(const TenonHost& host, const char* key, std::uint64_t fallback) {
  const char* value = host.option(host.ctx, key);
  if (value == nullptr || *value == '\0') return fallback;
  char* end = nullptr;
  errno = 0;
  const unsigned long long number = std::strtoull(value, &end, 10);
  if (*value < '0' || *value > '9' || *end != '\0' || errno != 0) {
    throw Failure(TENON_INVALID,
                  text("[faulty] option ", key, " must be a whole number, not '", value, "'"));
  }
  return number;
}

std::uint64_t memory_bytes(const TenonHost& host) {
  return option(host, "memory_bytes", std::uint64_t{2} << 30);
}

Heap& heap() {
  static Heap* const instance = new Heap;
  return *instance;
}

}  // namespace faulty

using faulty::Failure;
using faulty::text;
using faulty::Unsupported;

namespace {

faulty::Delays read_delays(const TenonHost& host, std::uint32_t index) {
  const std::uint64_t min = faulty::option(host, "delay_min_us", 0);
  return {.seed = faulty::option(host, "seed", 1) + 0x9E3779B97F4A7C15ULL * index,
          .min_us = min,
          .max_us = std::max(min, faulty::option(host, "delay_us", 20))};
}

}  // namespace

TenonDevice::TenonDevice(const TenonHost& host, std::uint32_t index)
    : host_(host), name_(text("faulty:", index)), delays_(read_delays(host, index)) {}

TenonDevice::~TenonDevice() {
  streams_.clear();
  const auto left = faulty::heap().remove_all(this);
  for (const auto& block : left) check_guards(*block);
  if (left.empty()) return;
  host_.log(host_.ctx, TENON_LOG_WARNING,
            text("[faulty] ", name_, " is closed with ", left.size(), " allocations alive").c_str());
}

void TenonDevice::reserve(std::uint64_t bytes) {
  const std::uint64_t limit = faulty::memory_bytes(host_);
  std::uint64_t used = used_.load();
  do {
    if (used > limit || bytes > limit - used) {
      throw Failure(TENON_OOM,
                    text("[faulty] ", bytes, " bytes asked for, ", limit > used ? limit - used : 0,
                         " of ", limit, " are free on ", name_));
    }
  } while (!used_.compare_exchange_weak(used, used + bytes));
}

TenonMem TenonDevice::allocate(std::uint32_t space, std::uint64_t bytes) {
  check_alive();
  if (space != TENON_SPACE_DEVICE) {
    throw Unsupported(
        text("[faulty] no memory space ", space, ": the host can read none of this device's memory"));
  }
  faulty::fail_on_demand(host_);
  reserve(bytes);
  try {
    const faulty::Block& block = faulty::heap().allocate(this, bytes);
    return {.struct_size = sizeof(TenonMem),
            .space = space,
            .handle = block.handle(),
            .bytes = bytes,
            .host_ptr = nullptr,
            .device_addr = faulty::fake_address(block.handle())};
  } catch (...) {
    used_ -= bytes;
    throw;
  }
}

void TenonDevice::free(std::uint64_t handle) {
  const auto block = faulty::heap().remove(this, handle);
  if (!block) {
    lose(text("mem_free: handle ", handle, " is not alive on ", name_));
    return;
  }
  used_ -= block->bytes();
  if (const int queued = block->queued(); queued != 0) {
    lose(text("mem_free: handle ", handle, " of ", block->bytes(), " bytes is still used by ", queued,
              " queued operands"));
    return;
  }
  check_guards(*block);
}

TenonMemInfo TenonDevice::memory_info() const {
  check_alive();
  const std::uint64_t total = faulty::memory_bytes(host_), used = used_.load();
  return {.struct_size = sizeof(TenonMemInfo),
          .pad = 0,
          .free_bytes = total > used ? total - used : 0,
          .total_bytes = total};
}

void TenonDevice::check_guards(const faulty::Block& block) {
  const std::string where = block.broken_guard();
  if (where.empty()) return;
  lose(text("the guard zone ", where, " handle ", block.handle(), " of ", block.bytes(),
            " bytes was written to"));
}

TenonStream* TenonDevice::create_stream() {
  check_alive();
  const std::lock_guard lock(mutex_);
  faulty::Delays delays = delays_;
  delays.seed += ++streams_created_;
  streams_.push_back(std::make_unique<TenonStream>(*this, delays));
  return streams_.back().get();
}

void TenonDevice::destroy_stream(TenonStream* stream) {
  std::unique_ptr<TenonStream> ending;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(streams_.begin(), streams_.end(),
                                    [=](const auto& mine) { return mine.get() == stream; });
    if (found != streams_.end()) {
      ending = std::move(*found);
      streams_.erase(found);
    }
  }
  if (!ending) lose(text("stream_destroy: no such stream on ", name_));
}

void TenonDevice::lose(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (why_lost_.empty()) why_lost_ = text("[faulty] ", name_, " is lost: ", why);
    lost_.store(true, std::memory_order_release);
  }
  host_.log(host_.ctx, TENON_LOG_ERROR, text("[faulty] ", name_, ": ", why).c_str());
}

void TenonDevice::check_alive() const {
  if (!lost()) return;
  const std::lock_guard lock(mutex_);
  throw Failure(TENON_DEVICE_LOST, why_lost_);
}
