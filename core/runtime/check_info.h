// What a device says of itself, before anything relies on it.
#pragma once

#include <cstdint>
#include <string>

#include <tenon/plugin.h>

namespace tenon::runtime {

/// Throws DeviceError, `FILE: device "acme:0": max_rank is 0, must be at least 4`, where device `index`
/// of the plugin in `file` contradicts itself or what plugin.h asks of every device. What a newer minor
/// version may say is no contradiction: unknown dtypes and opcodes, limits above the core's own.
void check_info(const std::string& file, std::uint32_t index, const TenonDeviceInfo& info);

}  // namespace tenon::runtime
