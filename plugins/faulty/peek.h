// The plugin's extension "faulty.peek": where a test finds a device's memory behind its back, to look
// at it or to break it.
#pragma once

#include <cstdint>

struct FaultyPeek {
  /// The address of byte 0, with 256 guard bytes before it and after the last; NULL for no live handle.
  void* (*address)(std::uint64_t handle);
};
