// What the environment says about memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tenon::runtime {

struct PoolSettings {
  bool direct = false;  // TENON_POOL=direct: every block is an allocation of the plugin's own
  std::optional<std::uint64_t> limit;  // TENON_MEMORY_LIMIT
  std::string problem;                 // what can't be read; "" where all can
};

/// Read once.
const PoolSettings& pool_settings();

}  // namespace tenon::runtime
