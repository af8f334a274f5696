// One setting for the process, one log for each device.
#include "core/runtime/fallback.h"

#include <atomic>
#include <cstdlib>
#include <optional>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"

namespace tenon {
namespace {

Fallback read_environment() {
  const char* text = std::getenv("TENON_FALLBACK");
  const std::string_view word = text == nullptr ? "" : text;
  if (word.empty() || word == "decompose") return Fallback::decompose;
  if (word == "error") return Fallback::error;
  if (word == "host") return Fallback::host;
  fail(ErrorKind::InvalidArgument, "TENON_FALLBACK: no \"{}\"; there are error, decompose, host", word);
}

std::atomic<int> chosen{-1};

}  // namespace

Fallback fallback() {
  const int value = chosen.load(std::memory_order_relaxed);
  return value >= 0 ? static_cast<Fallback>(value) : read_environment();
}

void set_fallback(Fallback fallback) {
  chosen = static_cast<int>(fallback);
}

std::vector<FallbackCount> fallback_counts(const Device& device) {
  return device.state().fallbacks().counts();
}

namespace runtime {

void FallbackLog::add(std::string_view op, std::string_view how) {
  const std::lock_guard lock(mutex_);
  ++counts_[{std::string(op), std::string(how)}];
}

std::int64_t FallbackLog::total() const {
  const std::lock_guard lock(mutex_);
  std::int64_t sum = 0;
  for (const auto& [what, count] : counts_) sum += count;
  return sum;
}

std::vector<FallbackCount> FallbackLog::counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<FallbackCount> list;
  for (const auto& [what, count] : counts_) list.push_back({what.first, what.second, count});
  return list;
}

void fall_back(std::string_view op, DeviceState& device, std::string_view how,
               std::string_view reason) {
  if (fallback() == Fallback::error) {
    fail(ErrorKind::Unsupported, "[{}] {} does not support {} (TENON_FALLBACK=error forbids: {})", op,
         device.name(), reason, how);
  }
  device.fallbacks().add(op, how);
}

}  // namespace runtime
}  // namespace tenon
