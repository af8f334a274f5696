// The 16-bit floats as storage types. To float is exact; from float, double or an integer is rounded
// once, to nearest, ties to even. Arithmetic is float's, rounded by whoever stores it again:
//
//   const half c(a * b);
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>

namespace tenon::sdk {

/// A sign, an exponent of 15 - fraction_bits bits, a fraction: IEEE 754 but for its size.
template <int fraction_bits>
class Float16 {
 public:
  Float16() = default;
  explicit Float16(double x) : bits_(rounded(x)) {}
  explicit Float16(float x) : Float16(static_cast<double>(x)) {}
  explicit Float16(std::integral auto x) : Float16(to_odd(x)) {}

  /// Exact.
  operator float() const {
    const uint32_t sign = (bits_ & 0x8000u) << 16;
    const uint32_t magnitude = (bits_ & 0x7fffu) << (23 - fraction_bits);
    if ((bits_ & 0x7fff) >= kInfinity) return std::bit_cast<float>(sign | 0x7f800000u | magnitude);
    // With float's bias the exponent is too small by a constant; the product mends denormals as well.
    const float scaled = std::bit_cast<float>(magnitude) * static_cast<float>(power(127 - kBias));
    return sign == 0 ? scaled : -scaled;
  }

 private:
  static constexpr int kBias = (1 << (14 - fraction_bits)) - 1;
  static constexpr uint16_t kInfinity = (0x7fff >> fraction_bits) << fraction_bits;

  static constexpr double power(int exponent) {
    return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
  }

  static uint16_t rounded(double x) {
    const auto with_sign = [&](uint64_t magnitude) {
      return static_cast<uint16_t>((std::signbit(x) ? 0x8000u : 0u) | magnitude);
    };
    if (std::isnan(x)) return with_sign(kInfinity | 1u << (fraction_bits - 1));
    const auto bits = std::bit_cast<uint64_t>(std::fabs(x));
    if (std::fabs(x) < power(1 - kBias)) {
      // A denormal, or zero: next to `steps` a double's last bit is a denormal's.
      const double steps = power(1 - kBias - fraction_bits + 52);
      return with_sign(std::bit_cast<uint64_t>(std::fabs(x) + steps) - std::bit_cast<uint64_t>(steps));
    }
    constexpr int dropped = 52 - fraction_bits;
    const uint64_t exact = bits - (static_cast<uint64_t>(1023 - kBias) << 52);
    const uint64_t below_half = (uint64_t{1} << (dropped - 1)) - 1 + (exact >> dropped & 1);
    return with_sign(std::min<uint64_t>((exact + below_half) >> dropped, kInfinity));
  }

  /// As a double whose last bit is odd where bits were lost: rounding it again is rounding once.
  template <std::integral T>
  static double to_odd(T x) {
    if constexpr (sizeof(T) < 8) {
      return static_cast<double>(x);
    } else {
      uint64_t magnitude = x < 0 ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
      if (magnitude >> 53 != 0 && (magnitude & 0x7ff) != 0) {
        magnitude = (magnitude & ~uint64_t{0x7ff}) | 0x800;
      }
      return x < 0 ? -static_cast<double>(magnitude) : static_cast<double>(magnitude);
    }
  }

  uint16_t bits_;
};

/// IEEE 754 binary16.
using half = Float16<10>;
/// The upper half of a float.
using bfloat16 = Float16<7>;

template <class T>
inline constexpr bool is_float16 = std::same_as<T, half> || std::same_as<T, bfloat16>;

/// What values of T are computed in: 16-bit floats in f32.
template <class T>
using Compute = std::conditional_t<is_float16<T>, float, T>;

}  // namespace tenon::sdk
