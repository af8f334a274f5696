// One device in this process: the plugin's table, the open device, and what the core keeps for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <tenon/device.h>
#include <tenon/error.h>
#include <tenon/plugin.h>

#include "core/runtime/fallback.h"
#include "core/runtime/status.h"

namespace tenon::runtime {

class Pool;
class KernelCache;
class StreamTable;
class VaryingShapes;

/// Counters behind tenon::DeviceStats.
struct Counters {
  std::atomic<std::int64_t> kernels{0}, host_bytes{0};
};

class DeviceState {
 public:
  /// `api` is the host's own copy of the plugin's table and outlives this.
  DeviceState(const TenonPlugin& api, std::uint32_t index, std::string name,
              const TenonDeviceInfo& info);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  const TenonPlugin& api() const { return api_; }
  const std::string& name() const { return name_; }
  const DeviceInfo& info() const { return info_; }
  const TenonDeviceInfo& limits() const { return limits_; }
  /// Has no streams: every call has finished when it returns.
  bool synchronous() const { return info_.synchronous; }

  /// Opens the device at the first call; DeviceError where the plugin can't, in a forked process, and
  /// once the device is lost or closed. What is passed in each call of the plugin.
  TenonDevice* handle();
  /// nullptr where it is not open: for what ends things on a device, lost or not.
  TenonDevice* open_handle() const { return handle_.load(std::memory_order_acquire); }

  /// Ends the device: this call and all that follow throw the same text.
  [[noreturn]] void lose(std::string_view reason);
  bool is_over() const { return over_.load(std::memory_order_acquire); }
  /// Throws where the device is lost or closed.
  void check_alive() const {
    if (is_over()) throw Error(ErrorKind::DeviceError, why_over_);
  }

  Pool& pool() { return *pool_; }
  KernelCache& kernels() { return *kernels_; }
  VaryingShapes& varying_shapes() { return *varying_shapes_; }
  StreamTable& streams() { return *streams_; }
  Counters& counters() { return counters_; }
  FallbackLog& fallbacks() { return fallbacks_; }

  /// Finishes all work, gives back all that the device holds and closes it.
  void close();

 private:
  void end(std::string why);

  const TenonPlugin& api_;
  std::uint32_t index_;
  std::string name_;
  TenonDeviceInfo limits_;
  DeviceInfo info_;
  std::mutex opening_, ending_;
  std::atomic<bool> over_{false};
  std::string why_over_;  // written once, before `over_`
  std::atomic<TenonDevice*> handle_{nullptr};
  Counters counters_;
  FallbackLog fallbacks_;
  std::unique_ptr<StreamTable> streams_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<KernelCache> kernels_;
  std::unique_ptr<VaryingShapes> varying_shapes_;
};

}  // namespace tenon::runtime
