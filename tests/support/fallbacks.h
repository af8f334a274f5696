// The policy for what a device refuses, and what was counted.
#pragma once

#include <cstdint>
#include <string>

#include <tenon/fallback.h>

namespace tenon::test {

/// The policy, for as long as it lives.
class Policy {
 public:
  explicit Policy(Fallback policy) : before_(fallback()) { set_fallback(policy); }
  ~Policy() { set_fallback(before_); }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

 private:
  Fallback before_;
};

/// How often `op` ran in another way.
inline std::int64_t count_of(const Device& device, const std::string& op, const std::string& how) {
  for (const FallbackCount& one : fallback_counts(device)) {
    if (one.op == op && one.how == how) return one.count;
  }
  return 0;
}

}  // namespace tenon::test
