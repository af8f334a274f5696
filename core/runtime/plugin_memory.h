// Memory from a plugin, held to what the plugin's header promises of it.
#pragma once

#include <optional>

#include "core/runtime/device_state.h"

namespace tenon::runtime {

/// What mem_alloc answers, with exactly the bytes that were asked for; nothing where the device has no
/// memory (take_error() says why). DeviceError where the answer breaks the contract: handle 0 or one
/// that is alive, fewer bytes, host memory that a live allocation has, an address that is not aligned.
std::optional<TenonMem> ask_plugin(DeviceState& device, std::uint64_t bytes);

/// Gives it back.
void return_to_plugin(DeviceState& device, const TenonMem& memory);

}  // namespace tenon::runtime
