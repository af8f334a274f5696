// The devices that fuzz targets run on.
#pragma once

#include <cstdlib>

#include <tenon/device.h>

#include "tests/support/paths.h"

namespace tenon::fuzz {

/// Sees to it that this build's plugins are found, that the hostile one does not dawdle, and that what
/// is absurdly large is refused.
inline bool find_devices() {
  setenv("TENON_PLUGIN_PATH", TENON_TEST_FAULTY_DIR ":" TENON_TEST_PLUGIN_DIR, 0);
  setenv("TENON_FAULTY_DELAY_US", "0", 0);
  setenv("TENON_MEMORY_LIMIT", "64MiB", 0);
  return !devices().empty();
}

}  // namespace tenon::fuzz
