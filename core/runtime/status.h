// What a plugin's answers mean: from its codes, texts and faults to tenon::Error.
#pragma once

#include <cstdint>
#include <string_view>

namespace tenon::runtime {

class DeviceState;
struct Launch;

/// Throws for a call of the plugin that did not answer TENON_OK, or reported a fault. A late fault is
/// told with the op of its launch; TENON_DEVICE_LOST ends the device. Not under a stream's lock.
void check_status(DeviceState& device, std::string_view call, std::int32_t code);
/// The same for `launch` itself.
void check_launch(DeviceState& device, const Launch& launch, std::int32_t code);

}  // namespace tenon::runtime
