// A device that takes less than the one it is made of.
#pragma once

#include <functional>
#include <vector>

#include <tenon/device.h>
#include <tenon/plugin.h>

#include "core/runtime/device_state.h"

namespace tenon::test {

/// Whether the device takes every program of the ABI as it is, and attachments: what launches are
/// counted by.
inline bool takes_whole_programs(Device device) {
  const TenonDeviceInfo& info = device.state().limits();
  return info.max_instructions >= TENON_MAX_INSTRUCTIONS && info.opcodes != 0;
}

/// Opened beside the device `of` of the same plugin; closed with this, when no tensor of it may be
/// left.
class LimitedDevice {
 public:
  LimitedDevice(Device of, const std::function<void(TenonDeviceInfo&)>& limit)
      : state_(make(of, limit)) {}
  ~LimitedDevice() { state_.close(); }
  LimitedDevice(const LimitedDevice&) = delete;
  LimitedDevice& operator=(const LimitedDevice&) = delete;

  Device device() const { return Device(&state_); }

 private:
  /// Kept: what the core knows of a device, it knows for as long as the process lives.
  static runtime::DeviceState& make(Device of, const std::function<void(TenonDeviceInfo&)>& limit) {
    static auto& all = *new std::vector<runtime::DeviceState*>;
    TenonDeviceInfo info = of.state().limits();
    limit(info);
    all.push_back(new runtime::DeviceState(of.state().api(), 0, "limited " + of.name(), info));
    return *all.back();
  }

  runtime::DeviceState& state_;
};

}  // namespace tenon::test
