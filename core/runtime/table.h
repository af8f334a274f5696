// The host's own copy of a plugin's table.
#pragma once

#include <string>

#include <tenon/plugin.h>

namespace tenon::runtime {

/// A checked copy of `table`: what an older header lacks is zero, what is optional and absent gets a
/// default that answers "unsupported". DeviceError, beginning with `file`, where the major version
/// differs, a mandatory entry is missing, or only some of the stream slots are there.
TenonPlugin adopt_table(const std::string& file, const TenonPlugin& table);

/// Whether an adopted table has a timeline of its own; without one every call is synchronous.
bool has_streams(const TenonPlugin& table);

}  // namespace tenon::runtime
