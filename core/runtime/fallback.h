// The record behind tenon::fallback_counts, and the policy.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/fallback.h>

namespace tenon::runtime {

class DeviceState;

/// One device's fallbacks; thread-safe.
class FallbackLog {
 public:
  void add(std::string_view op, std::string_view how);
  std::int64_t total() const;
  std::vector<FallbackCount> counts() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::int64_t, std::less<>> counts_;
};

/// Says that `op` is about to run another way on the device, and counts it; Unsupported with `reason`
/// where the policy is `error`.
void fall_back(std::string_view op, DeviceState& device, std::string_view how, std::string_view reason);

}  // namespace tenon::runtime
