// What the devices say they can do, and the refusal of everything else: whole, under option `minimal`
// without all that plugin.h leaves to a plugin's choice, under `limits` for the smallest programs only.
#pragma once

#include <cstdint>

#include <tenon/plugin.h>
#include <tenon/sdk/view.h>

namespace faulty {

/// Devices 0 .. kDeviceCount - 1.
TenonDeviceInfo describe(const TenonHost& host, std::uint32_t index);

/// Throws Unsupported where an op, which sdk::check has accepted, takes more than what is offered.
void require_offered(const TenonHost& host, tenon::sdk::OpView op);

/// Whether optional slots of the table are left out too.
bool is_minimal(const TenonHost& host);

}  // namespace faulty
