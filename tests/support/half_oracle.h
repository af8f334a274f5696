// What the 16-bit floats are, from their definition: values by a formula, rounding by search among
// them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace tenon::test {

/// A sign, 15 - fraction_bits bits of exponent, a fraction.
struct HalfFormat {
  int fraction_bits;

  std::uint32_t infinity() const { return (0x7fffu >> fraction_bits) << fraction_bits; }
  int bias() const { return (1 << (14 - fraction_bits)) - 1; }
  /// Of magnitude bits below infinity().
  long double magnitude(std::uint32_t bits) const {
    const std::uint32_t fraction = bits & ((1u << fraction_bits) - 1), exponent = bits >> fraction_bits;
    if (exponent == 0)
      return std::ldexp(static_cast<long double>(fraction), 1 - bias() - fraction_bits);
    return std::ldexp(static_cast<long double>(fraction + (1u << fraction_bits)),
                      static_cast<int>(exponent) - bias() - fraction_bits);
  }
};
inline constexpr HalfFormat kF16Format{10}, kBf16Format{7};

/// Every finite magnitude, in the order of its bits, and as the last what the next one would be.
inline std::vector<long double> magnitudes(HalfFormat format) {
  std::vector<long double> all;
  for (std::uint32_t bits = 0; bits <= format.infinity(); ++bits) all.push_back(format.magnitude(bits));
  return all;
}

/// The bits of the nearest magnitude, of the even one of two; NaN is any NaN.
inline std::uint16_t nearest_half(long double x, HalfFormat format,
                                  const std::vector<long double>& all) {
  const std::uint32_t sign = std::signbit(x) ? 0x8000u : 0;
  if (std::isnan(x)) return static_cast<std::uint16_t>(format.infinity() | 1);
  const long double size = std::fabs(x);
  if (size >= all.back()) return static_cast<std::uint16_t>(sign | format.infinity());
  const auto above =
      static_cast<std::uint32_t>(std::upper_bound(all.begin(), all.end(), size) - all.begin());
  const long double to_lower = size - all[above - 1], to_upper = all[above] - size;
  const bool up = to_upper < to_lower || (to_upper == to_lower && above % 2 == 0);
  return static_cast<std::uint16_t>(sign | (up ? above : above - 1));
}

}  // namespace tenon::test
