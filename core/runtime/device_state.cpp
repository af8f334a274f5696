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

const char* meaning(std::int32_t code) {
  switch (code) {
    case TENON_UNSUPPORTED:
      return "unsupported";
    case TENON_NOT_READY:
      return "not ready";
    case TENON_INVALID:
      return "a call that breaks the plugin contract";
    case TENON_INDEX:
      return "an index out of range";
    case TENON_OOM:
      return "out of memory";
    case TENON_DEVICE_LOST:
      return "the device is lost";
    case TENON_TIMEOUT:
      return "timed out";
  }
  return "an internal error";
}

std::string describe_fault() {
  const auto fault = take_fault();
  if (!fault) return "";
  return fmt::format(" (launch {}, value {}, position {})", fault->corr, fault->value, fault->position);
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
  if (TenonDevice* handle = handle_.load(std::memory_order_acquire)) return handle;
  const std::lock_guard lock(opening_);  // not call_once: under TSan it hangs after an exception
  TenonDevice* handle = handle_.load(std::memory_order_relaxed);
  if (handle == nullptr) {
    check_status(*this, "device_open", api_.device_open(index_, &handle));
    handle_.store(handle, std::memory_order_release);
  }
  return handle;
}

void DeviceState::close() {
  if (handle_ == nullptr) return;
  try {
    streams_->finish_all();
    pool_->trim();
  } catch (const Error& error) {
    log(LogLevel::Error, error.what());  // a device that failed is closed all the same
  }
  kernels_->clear();
  streams_->destroy_all();
  api_.device_close(handle_);
  handle_ = nullptr;
}

void check_status(const DeviceState& device, const char* call, std::int32_t code) {
  if (code == TENON_OK) return;
  std::string text = code > 0 ? take_note() : take_error();
  if (text.empty()) text = meaning(code);
  const ErrorKind kind = code == TENON_OOM           ? ErrorKind::OutOfMemory
                         : code == TENON_UNSUPPORTED ? ErrorKind::Unsupported
                                                     : ErrorKind::DeviceError;
  fail(kind, "[{}] {} failed: {}{}", device.name(), call, text, describe_fault());
}

}  // namespace tenon::runtime
