// Devices and the plugins they come from.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/dtype.h>

namespace tenon::runtime {
class DeviceState;
}

#pragma GCC visibility push(default)
namespace tenon {

/// What a device says of itself.
struct DeviceInfo {
  std::string kind;         ///< "cuda"
  std::string description;  ///< "NVIDIA H200"
  std::string uid;
  std::string driver;
  std::string plugin;        ///< the plugin's name
  std::uint64_t memory = 0;  ///< bytes
  bool synchronous = true;
  bool unified_memory = false;
  bool software = false;
  std::vector<DType> storage_dtypes, compute_dtypes;
};

/// Events since the process began; memory.h counts bytes.
struct DeviceStats {
  std::int64_t launches = 0;
  std::int64_t kernels = 0;     ///< prepared
  std::int64_t fallbacks = 0;   ///< ops that the device refused and the core ran otherwise
  std::int64_t host_bytes = 0;  ///< copied for ops that ran on a host device instead
};

/// A small handle on one device; devices live as long as the process.
class Device {
 public:
  explicit Device(runtime::DeviceState* state) : state_(state) {}

  /// What `tenon::device` finds it by: "cuda:1", or "cpu" where a kind has one synchronous device.
  const std::string& name() const;
  const DeviceInfo& info() const;
  DeviceStats stats() const;

  /// Returns when all work that any thread gave to the device has finished; throws what went wrong: the
  /// first thing, the others go to the log. InvalidArgument for an index out of range; DeviceError for
  /// the rest, also for what lasts longer than `timeout` (TENON_TIMEOUT=SECONDS, else without end); the
  /// device is not lost by that, and may be waited for again.
  void synchronize() const;
  void synchronize(std::chrono::nanoseconds timeout) const;

  bool operator==(const Device&) const = default;
  runtime::DeviceState& state() const { return *state_; }

 private:
  runtime::DeviceState* state_;
};

/// Its name.
std::ostream& operator<<(std::ostream& out, Device device);

/// The device of this name ("cuda:1", or "cuda" for the first); InvalidArgument lists those there are.
Device device(std::string_view name);

/// All devices, by plugin in the order of loading.
std::vector<Device> devices();

/// Where new tensors live: set_default_device's, else TENON_DEVICE's, else that of the plugin with
/// the highest score, then the first by name.
Device default_device();
void set_default_device(Device device);

/// What became of a plugin file.
struct PluginReport {
  std::string file = {};
  std::string name = {}, version = {};  ///< empty where it could not be asked
  bool loaded = false;
  std::string reason = {};  ///< why it did not load, or why it has no device
};

/// Every plugin file that was found, in the order of searching.
std::vector<PluginReport> plugins();

/// Loads one plugin file; throws IoError or DeviceError with the reason where it can't.
void load_plugin(const std::string& file);

/// Sets what a plugin gets from host->option: "cpu.isa". Before the plugin's devices are first used.
void set_option(const std::string& key, const std::string& value);

/// Ends all devices; nothing of Tenon may be used after it.
void shutdown();

}  // namespace tenon
#pragma GCC visibility pop
