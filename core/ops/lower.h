// From a program to one, or several, that a device takes.
#pragma once

#include <string>

#include "core/program/split.h"

namespace tenon::runtime {
class DeviceState;
}

namespace tenon::ops {

/// How a program runs on a device that does not take it as it is.
struct Lowered {
  program::Plan plan;
  std::string reason;  // what of the program the device does not take; "" under TENON_SPLIT alone
};

/// nullptr where the device takes the program. Worked out at the first call and kept. Under
/// TENON_SPLIT=1 (read once) each instruction is a part of its own: the same bits, to find out what
/// fusion breaks. Unsupported where there is no way.
const Lowered* lower(const program::Program& program, runtime::DeviceState& device);

/// The program as the device takes it for an attachment, in one part; nullptr where it must run apart.
const program::Program* lower_attachment(const program::Program& program, runtime::DeviceState& device);

}  // namespace tenon::ops
