// A device that takes less than the one it is made of.
#pragma once

#include <deque>
#include <functional>
#include <optional>

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

/// Whether both have the same opcodes, none made of others: what the devices of this tree then compute
/// has the same bits.
inline bool compute_alike(Device a, Device b) {
  return a.state().limits().opcodes == b.state().limits().opcodes;
}

/// Opened beside the device `of` of the same plugin; closed with this, when no tensor of it may be
/// left.
class LimitedDevice {
 public:
  LimitedDevice(Device of, const std::function<void(TenonDeviceInfo&)>& limit)
      : LimitedDevice(of, limit, of.state().api()) {}
  /// Called by another table.
  LimitedDevice(Device of, const std::function<void(TenonDeviceInfo&)>& limit, const TenonPlugin& table)
      : state_(make(of, limit, table)) {}
  ~LimitedDevice() { state_.close(); }
  LimitedDevice(const LimitedDevice&) = delete;
  LimitedDevice& operator=(const LimitedDevice&) = delete;

  Device device() const { return Device(&state_); }

 private:
  /// Kept: what the core knows of a device, it knows for as long as the process lives.
  struct Kept {
    TenonPlugin table;
    std::optional<runtime::DeviceState> state;
  };
  static runtime::DeviceState& make(Device of, const std::function<void(TenonDeviceInfo&)>& limit,
                                    const TenonPlugin& table) {
    static auto& all = *new std::deque<Kept>;
    TenonDeviceInfo info = of.state().limits();
    limit(info);
    Kept& kept = all.emplace_back(table);
    return kept.state.emplace(kept.table, 0, "limited " + of.name(), info);
  }

  runtime::DeviceState& state_;
};

}  // namespace tenon::test
