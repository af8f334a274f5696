#include "plugins/faulty/options.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "plugins/faulty/memory.h"
#include "plugins/faulty/text.h"

namespace faulty {

std::uint64_t option(const TenonHost& host, const char* key, std::uint64_t fallback) {
  const char* value = host.option(host.ctx, key);
  if (value == nullptr || *value == '\0') return fallback;
  char* end = nullptr;
  errno = 0;
  const unsigned long long number = std::strtoull(value, &end, 10);
  if (*value < '0' || *value > '9' || *end != '\0' || errno != 0) {
    throw Failure(TENON_INVALID,
                  text("[faulty] option ", key, " must be a whole number, not '", value, "'"));
  }
  return number;
}

bool chosen(const TenonHost& host, const char* key, const char* word) {
  const char* value = host.option(host.ctx, key);
  if (value == nullptr || *value == '\0') return false;
  if (std::string_view(value) == word) return true;
  throw Failure(TENON_INVALID, text("[faulty] option ", key, " must be ", word, ", not '", value, "'"));
}

std::uint64_t memory_bytes(const TenonHost& host) {
  return option(host, "memory_bytes", std::uint64_t{2} << 30);
}

Behaviour read_behaviour(const TenonHost& host, std::uint32_t index) {
  const std::uint64_t min = option(host, "delay_min_us", 0);
  const Behaviour read{.delays = {.seed = option(host, "seed", 1) + 0x9E3779B97F4A7C15ULL * index,
                                  .min_us = min,
                                  .max_us = std::max(min, option(host, "delay_us", 20))},
                       .late_fault_at = option(host, "late_fault_at", 0),
                       .late_fault_every = option(host, "late_fault_every", 0),
                       .lost_at = option(host, "lost_at", 0),
                       .not_ready_percent = option(host, "not_ready", 0),
                       .barely_aligned = chosen(host, "alignment", "minimal")};
  if (read.not_ready_percent >= 100) {
    throw Failure(TENON_INVALID, text("[faulty] option not_ready must be below 100 percent, not ",
                                      read.not_ready_percent));
  }
  return read;
}

}  // namespace faulty
