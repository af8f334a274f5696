// Both 16-bit formats are one rule with another split of 15 bits into exponent and fraction.
#include "core/base/half.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <tenon/half.h>

namespace tenon {
namespace {

struct Format {
  int fraction_bits;
  int min_exponent;  // of the smallest normal number
};
constexpr Format kF16{10, -14};
constexpr Format kBf16{7, -126};

std::uint16_t round_to(double x, Format format) {
  const auto sign = static_cast<std::uint32_t>(std::signbit(x) ? 0x8000 : 0);
  const std::uint32_t infinity = (0x7fffu >> format.fraction_bits) << format.fraction_bits;
  if (std::isnan(x)) {
    return static_cast<std::uint16_t>(sign | infinity | 1u << (format.fraction_bits - 1));
  }
  if (std::isinf(x)) return static_cast<std::uint16_t>(sign | infinity);
  if (x == 0) return static_cast<std::uint16_t>(sign);
  const int exponent = std::max(std::ilogb(x), format.min_exponent);
  if (exponent > 1 - format.min_exponent) return static_cast<std::uint16_t>(sign | infinity);
  // |x| in units of the last place, below 2^(fraction_bits + 1): a carry runs on into the exponent.
  const double units = std::nearbyint(std::scalbn(std::fabs(x), format.fraction_bits - exponent));
  const auto biased = static_cast<std::uint32_t>(exponent - format.min_exponent);
  return static_cast<std::uint16_t>(
      sign | ((biased << format.fraction_bits) + static_cast<std::uint32_t>(units)));
}

}  // namespace

std::uint16_t f16_bits(double x) {
  return round_to(x, kF16);
}
std::uint16_t bf16_bits(double x) {
  return round_to(x, kBf16);
}

float f16_value(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -magnitude : magnitude;
}

float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template <>
float16::Half(double x) : bits_(f16_bits(x)) {}
template <>
float16::operator float() const {
  return f16_value(bits_);
}
template <>
bfloat16::Half(double x) : bits_(bf16_bits(x)) {}
template <>
bfloat16::operator float() const {
  return bf16_value(bits_);
}

}  // namespace tenon
