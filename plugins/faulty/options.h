// What the user sets: plugin.cpp's head lists all options.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenon/plugin.h>

namespace faulty {

/// A number among the plugin's options; throws TENON_INVALID where the user's text is not one.
std::uint64_t option(const TenonHost& host, const char* key, std::uint64_t fallback);

/// Whether an option is `word`; throws TENON_INVALID where it is another one.
bool chosen(const TenonHost& host, const char* key, const char* word);

/// What each device has.
std::uint64_t memory_bytes(const TenonHost& host);

/// How long the commands of a stream sleep before they run.
struct Delays {
  std::uint64_t seed, min_us, max_us;
};

/// How a device behaves from its opening on. Launches count from 1; 0 is never.
struct Behaviour {
  Delays delays;
  std::uint64_t late_fault_at, late_fault_every, lost_at;
  std::uint64_t not_ready_percent;
  bool barely_aligned;
};

Behaviour read_behaviour(const TenonHost& host, std::uint32_t index);

}  // namespace faulty
