// The 16-bit floating types: elements of f16 and bf16 tensors on the host. They hold and convert;
// arithmetic is float's.
#pragma once

#include <compare>
#include <cstdint>
#include <type_traits>

#include <tenon/dtype.h>

#pragma GCC visibility push(default)
namespace tenon {

/// A number of `dtype`, f16 or bf16, in two bytes.
template <DType dtype>
class Half {
 public:
  constexpr Half() = default;
  /// Rounded once, to nearest, ties to even; beyond the largest finite number infinity; NaN is quiet.
  explicit Half(double x);
  static constexpr Half from_bits(std::uint16_t bits) {
    Half x;
    x.bits_ = bits;
    return x;
  }

  constexpr std::uint16_t bits() const { return bits_; }
  /// Exact.
  explicit operator float() const;
  explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }

  /// As numbers: zeros of both signs are equal, NaN equals nothing.
  friend bool operator==(Half a, Half b) { return static_cast<float>(a) == static_cast<float>(b); }
  friend std::partial_ordering operator<=>(Half a, Half b) {
    return static_cast<float>(a) <=> static_cast<float>(b);
  }

 private:
  std::uint16_t bits_ = 0;
};

using float16 = Half<f16>;    ///< IEEE 754 binary16
using bfloat16 = Half<bf16>;  ///< the upper half of an f32

template <>
float16::Half(double x);
template <>
float16::operator float() const;
template <>
bfloat16::Half(double x);
template <>
bfloat16::operator float() const;

template <>
inline constexpr DType dtype_of<float16> = f16;
template <>
inline constexpr DType dtype_of<bfloat16> = bf16;

/// A C++ type of numbers: the arithmetic ones and the two above.
template <class T>
concept Number = std::is_arithmetic_v<T> || std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;
template <class T>
concept FloatingNumber = Number<T> && !std::is_integral_v<T>;

}  // namespace tenon
#pragma GCC visibility pop
