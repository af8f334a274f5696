// From a program to one, or several, that a device takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/program/split.h"

namespace tenon::runtime {
class DeviceState;
}

namespace tenon::ops {

/// How fallbacks of programs are counted.
inline constexpr std::string_view kInOtherInstructions = "in other instructions";

/// How a program runs on a device that does not take it as it is.
struct Lowered {
  program::Plan plan;
  std::string reason;  // what of the program the device does not take; "" under TENON_SPLIT alone
  std::optional<program::Program> whole = {};  // the same inputs, scalars and outputs, where it fits
};

/// nullptr where the device takes the program. Worked out at the first call and kept. Under
/// TENON_SPLIT=1 (read once) each instruction is a part of its own: the same bits, to find out what
/// fusion breaks. Unsupported where there is no way.
const Lowered* lower(const program::Program& program, runtime::DeviceState& device);

/// The program as the device takes it for an attachment of `op`, in one part (counted where it is in
/// other instructions); nullptr where it must run apart.
const program::Program* lower_attachment(std::string_view op, const program::Program& program,
                                         runtime::DeviceState& device);

}  // namespace tenon::ops
