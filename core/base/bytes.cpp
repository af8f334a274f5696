#include "core/base/bytes.h"

#include <charconv>

#include <fmt/format.h>

namespace tenon {
namespace {

constexpr std::string_view kUnits = "KMGTPE";

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  std::size_t unit = 0;
  std::uint64_t one = 1024;
  for (; unit + 1 < kUnits.size() && bytes / 1024 >= one; ++unit) one *= 1024;
  if (bytes % one == 0) return fmt::format("{} {}iB", bytes / one, kUnits[unit]);
  return fmt::format("{:.1f} {}iB", static_cast<double>(bytes) / static_cast<double>(one),
                     kUnits[unit]);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  if (unit.empty()) return number;
  const std::size_t power = kUnits.substr(0, 4).find(unit.front());
  unit.remove_prefix(1);
  if (power == std::string_view::npos || (!unit.empty() && unit != "iB")) return std::nullopt;
  const std::uint64_t one = std::uint64_t{1} << (10 * (power + 1));
  if (__builtin_mul_overflow(number, one, &number)) return std::nullopt;
  return number;
}

}  // namespace tenon
