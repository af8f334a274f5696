// Opening, closing, and what a plugin's codes mean to the caller.
#include "core/runtime/device_state.h"

#include <tenon/log.h>

#include "core/base/fail.h"
#include "core/runtime/host.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/pool.h"
#include "core/runtime/registry.h"
#include "core/runtime/stream.h"
#include "core/runtime/table.h"
#include "core/runtime/varying.h"

namespace tenon::runtime {
namespace {

std::vector<DType> dtypes_of(std::uint32_t mask) {
  std::vector<DType> list;
#define TENON_DTYPE(name, NAME, code, bytes) \
  if ((mask >> code & 1u) != 0) list.push_back(DType::name);
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  return list;
}

}  // namespace

DeviceState::DeviceState(const TenonPlugin& api, std::uint32_t index, std::string name,
                         const TenonDeviceInfo& info)
    : api_(api),
      index_(index),
      name_(std::move(name)),
      limits_(info),
      streams_(std::make_unique<StreamTable>(*this)),
      pool_(std::make_unique<Pool>(*this)),
      kernels_(std::make_unique<KernelCache>(*this)),
      varying_shapes_(std::make_unique<VaryingShapes>(*kernels_)) {
  info_ = {.kind = info.kind,
           .description = info.name,
           .uid = info.uid,
           .driver = info.driver,
           .plugin = api.name,
           .memory = info.memory_bytes,
           .synchronous = !has_streams(api),
           .unified_memory = (info.flags & TENON_DEVICE_UNIFIED) != 0,
           .software = (info.flags & TENON_DEVICE_SOFTWARE) != 0,
           .storage_dtypes = dtypes_of(info.storage_dtypes),
           .compute_dtypes = dtypes_of(info.compute_dtypes)};
}

DeviceState::~DeviceState() = default;

TenonDevice* DeviceState::handle() {
  check_not_forked();
  check_alive();
  expect_faults();
  if (TenonDevice* handle = open_handle()) return handle;
  const std::lock_guard lock(opening_);  // not call_once: under TSan it hangs after an exception
  TenonDevice* handle = open_handle();
  if (handle == nullptr) {
    Deadline::usual();  // a bad TENON_TIMEOUT is told before the first wait
    check_status(*this, "device_open", api_.device_open(index_, &handle));
    handle_.store(handle, std::memory_order_release);
  }
  return handle;
}

void DeviceState::end(std::string why) {
  const std::lock_guard lock(ending_);
  if (is_over()) return;
  why_over_ = std::move(why);
  over_.store(true, std::memory_order_release);
}

void DeviceState::lose(std::string_view reason) {
  Stream* own = streams_->own();
  const std::string progress = own != nullptr ? own->progress() : "";
  end(fmt::format("[{}] the device is lost: {}{}{}; restart the process, or use another device", name_,
                  reason, progress.empty() ? "" : "; the last point that completed is ", progress));
  throw Error(ErrorKind::DeviceError, why_over_);
}

void DeviceState::close() {
  TenonDevice* handle = open_handle();
  const std::string closed = fmt::format("[{}] the device is closed: shutdown() was called", name_);
  if (handle == nullptr) return end(closed);
  const auto try_to = [](auto&& step) {
    try {
      step();
    } catch (const Error& error) {
      log(LogLevel::Error, error.what());  // a device that failed is closed all the same
    }
  };
  try_to([&] { streams_->finish_all(); });
  if (!is_over()) try_to([&] { pool_->trim(); });
  end(closed);
  kernels_->clear();
  streams_->destroy_all();
  api_.device_close(handle);
  handle_ = nullptr;
}

}  // namespace tenon::runtime
