#include "plugins/faulty/device.h"

#include <algorithm>

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

Heap& heap() {
  static Heap* const instance = new Heap;
  return *instance;
}

}  // namespace faulty

using faulty::Failure;
using faulty::text;
using faulty::Unsupported;

TenonDevice::TenonDevice(const TenonHost& host, std::uint32_t index)
    : host_(host), name_(text("faulty:", index)), behaviour_(faulty::read_behaviour(host, index)) {}

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
  // Behind a guard zone of 256 bytes: an odd multiple of 256.
  const std::size_t alignment = (behaviour_.barely_aligned ? 2 : 1) * faulty::kAlignment;
  try {
    const faulty::Block& block = faulty::heap().allocate(this, bytes, alignment);
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
  faulty::Delays delays = behaviour_.delays;
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

std::string TenonDevice::count_launch() {
  const std::uint64_t n = ++launches_, every = behaviour_.late_fault_every;
  if (n == behaviour_.lost_at) {
    lose(text("launch ", n, ": option lost_at"));
    check_alive();
  }
  if (n == behaviour_.late_fault_at) {
    return text("[faulty] launch ", n, " of ", name_, " fails late: option late_fault_at");
  }
  if (every == 0 || n % every != 0) return "";
  return text("[faulty] launch ", n, " of ", name_, " fails late: option late_fault_every is ", every);
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
