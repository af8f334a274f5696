// Plain numbers, as ops take them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <tenon/half.h>

#pragma GCC visibility push(default)
namespace tenon {

/// A C++ number on its way into an op; it does not promote a tensor within its kind
/// (bool, integer, floating).
class Scalar {
 public:
  template <Number T>
  Scalar(T value)  // NOLINT: implicit, so that `x * 2` works
      : is_bool_(std::is_same_v<T, bool>), is_floating_(FloatingNumber<T>) {
    if constexpr (FloatingNumber<T>) {
      floating_ = static_cast<double>(value);
    } else {
      integer_ = static_cast<std::int64_t>(value);
      is_unsigned_ = std::is_unsigned_v<T> && sizeof(T) == 8;
    }
  }
  bool is_bool() const { return is_bool_; }
  bool is_floating() const { return is_floating_; }
  double to_double() const;
  /// Truncated and saturated; NaN gives 0.
  std::int64_t to_int64() const;
  template <class T>
  T to() const {
    if constexpr (std::is_same_v<T, bool>)
      return is_floating_ ? floating_ != 0 : integer_ != 0;
    else if constexpr (FloatingNumber<T> && sizeof(T) < sizeof(double))
      return static_cast<T>(to_odd());
    else if constexpr (FloatingNumber<T>)
      return static_cast<T>(to_double());
    else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
      return static_cast<T>(bits(u64));
    else
      return static_cast<T>(std::clamp<std::int64_t>(to_int64(), std::numeric_limits<T>::min(),
                                                     std::numeric_limits<T>::max()));
  }
  /// Whether it is within the range of `dtype`, where that is one of integers, which a floating number
  /// is truncated to; NaN is not. True for all else.
  bool fits(DType dtype) const;
  /// The bits of this number as `dtype`, rounded once, in the low bytes: what a program's scalar takes.
  std::uint64_t bits(DType dtype) const;

 private:
  /// As a double that rounds to fewer bits as the number itself does.
  double to_odd() const;

  double floating_ = 0;
  std::int64_t integer_ = 0;
  bool is_bool_ = false, is_floating_ = false, is_unsigned_ = false;
};

}  // namespace tenon
#pragma GCC visibility pop
