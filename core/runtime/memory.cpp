// The public face of the pools.
#include <tenon/memory.h>

#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "core/runtime/registry.h"

namespace tenon {

MemoryStats memory_stats(Device device) {
  return device.state().pool().stats();
}

void reset_peak(Device device) {
  device.state().pool().reset_peak();
}

void empty_cache(Device device) {
  runtime::check_not_forked();
  device.state().pool().trim();
}

void set_memory_limit(Device device, std::uint64_t bytes) {
  device.state().pool().set_limit(bytes);
}

}  // namespace tenon
