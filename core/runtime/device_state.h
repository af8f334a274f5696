// One device in this process: the plugin's table, the open device, and what the core keeps for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <tenon/device.h>
#include <tenon/plugin.h>

#include "core/runtime/fallback.h"

namespace tenon::runtime {

class Pool;
class KernelCache;
class StreamTable;
class VaryingShapes;

/// Counters behind tenon::DeviceStats.
struct Counters {
  std::atomic<std::int64_t> launches{0}, kernels{0}, host_bytes{0};
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

  /// Opens the device at the first call; DeviceError where the plugin can't, or in a forked process.
  TenonDevice* handle();

  Pool& pool() { return *pool_; }
  KernelCache& kernels() { return *kernels_; }
  VaryingShapes& varying_shapes() { return *varying_shapes_; }
  StreamTable& streams() { return *streams_; }
  Counters& counters() { return counters_; }
  FallbackLog& fallbacks() { return fallbacks_; }

  /// Finishes all work, gives back all that the device holds and closes it.
  void close();

 private:
  const TenonPlugin& api_;
  std::uint32_t index_;
  std::string name_;
  TenonDeviceInfo limits_;
  DeviceInfo info_;
  std::mutex opening_;
  std::atomic<TenonDevice*> handle_{nullptr};
  Counters counters_;
  FallbackLog fallbacks_;
  std::unique_ptr<StreamTable> streams_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<KernelCache> kernels_;
  std::unique_ptr<VaryingShapes> varying_shapes_;
};

/// Throws the tenon::Error for a call of the plugin that did not answer TENON_OK, with the plugin's own
/// text.
void check_status(const DeviceState& device, const char* call, std::int32_t code);

}  // namespace tenon::runtime
