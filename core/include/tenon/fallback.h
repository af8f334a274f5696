// What happens where a device refuses an op as it was described. Nothing of it is silent: each time is
// counted, by op and by what was done instead.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenon/device.h>

#pragma GCC visibility push(default)
namespace tenon {

enum class Fallback {
  error,      ///< Unsupported: only what the device does as it stands
  decompose,  ///< the core's own decomposition, where it has one, else Unsupported
  host        ///< where there is none, the first synchronous device that does it, with copies
};

/// What set_fallback said last, else TENON_FALLBACK, else decompose.
Fallback fallback();
void set_fallback(Fallback fallback);

/// How often an op ran another way.
struct FallbackCount {
  std::string op = {};   ///< "sum"
  std::string how = {};  ///< "prologue apart", "on reference"
  std::int64_t count = 0;
};

/// Those of one device since the process began, by op.
std::vector<FallbackCount> fallback_counts(const Device& device);

}  // namespace tenon
#pragma GCC visibility pop
