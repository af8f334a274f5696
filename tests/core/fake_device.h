// A device of a plugin that lives in the test: each of its answers is what the test wants. It keeps
// bytes, computes nothing, and has done all it was given when the call returns.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/device.h>
#include <tenon/plugin.h>

#include "core/runtime/device_state.h"
#include "core/runtime/launch_log.h"

/// What the fake plugin's functions are given: the script. A missing line answers TENON_OK.
struct TenonDevice {
  std::function<std::int32_t()> on_mem_alloc, on_copy, on_create, on_signal, on_prepare;
  std::function<std::int32_t(const TenonLaunch&)> on_launch;
  std::function<std::int32_t(const TenonImport&, TenonMem&)> on_import;  ///< without: unsupported
  std::function<std::int32_t()> on_query;
  std::function<std::int32_t(std::int64_t timeout_ns)> on_sync;

  bool maps_memory = false;  ///< the host sees what is allocated

  std::atomic<int> calls{0};  ///< of any function that a lost device is not to be asked
  std::atomic<int> frees{0}, released{0}, destroyed{0}, closed{0};
  std::atomic<std::uint64_t> points{0}, last_corr{0};
};

namespace tenon::test {

/// The host table of plugin "fake".
const TenonHost& fake_host();
inline std::int32_t fake_fail(std::int32_t code, const char* text) {
  return fake_host().fail(fake_host().ctx, code, text);
}
/// Reports a fault as it stands.
inline void report(const TenonFault& fault) {
  fake_host().fault(fake_host().ctx, &fault);
}
/// An index fault of a launch.
TenonFault bad_index(std::uint64_t corr, std::int64_t value, std::int64_t position,
                     std::uint32_t pack = 0, std::uint32_t operand = 0);

/// One of them, under a name of its own ("fake:3"); all stay until the process ends.
class FakeDevice {
 public:
  enum Kind { Asynchronous, Synchronous };
  explicit FakeDevice(Kind kind = Asynchronous);

  runtime::DeviceState& state() { return *state_; }
  Device device() { return Device(state_); }
  const std::string& name() { return state_->name(); }
  TenonDevice* operator->() { return script_; }

  /// Gives a launch without operands; `extents` are those of index operands, as of a GATHER over one
  /// dimension, for each pack. Its corr.
  std::uint64_t launch(std::string_view op, const std::vector<std::vector<std::int64_t>>& extents = {});

 private:
  TenonDevice* script_;
  runtime::DeviceState* state_;
};

}  // namespace tenon::test
