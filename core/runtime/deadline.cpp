#include "core/runtime/deadline.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/base/fail.h"

namespace tenon::runtime {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kForever = std::chrono::hours(24 * 365 * 100);

nanoseconds read_timeout() {
  const char* value = std::getenv("TENON_TIMEOUT");
  const std::string_view text = value != nullptr ? value : "";
  if (text.empty()) return kForever;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  require(whole && seconds > 0, "[tenon] TENON_TIMEOUT is a number of seconds above 0, not \"{}\"",
          text);
  const std::chrono::duration<double> limit = kForever;
  if (seconds >= limit.count()) return kForever;
  return std::max(nanoseconds(1),
                  std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds)));
}

}  // namespace

Deadline::Deadline(nanoseconds after)
    : after_(after),
      limited_(after < kForever),
      end_(limited_ ? Clock::now() + after : Clock::time_point::max()) {}

Deadline Deadline::usual() {
  static const nanoseconds timeout = read_timeout();
  return Deadline(timeout);
}

std::int64_t Deadline::left_ns() const {
  if (!limited_) return -1;
  return std::max<std::int64_t>(0, nanoseconds(end_ - Clock::now()).count());
}

}  // namespace tenon::runtime
