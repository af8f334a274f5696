// Numbers on their way into ops.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <tenon/scalar.h>

#include "core/base/half.h"
#include "core/base/read_scalar.h"

namespace tenon {
namespace {

/// Truncates and saturates; NaN gives 0: what a cast on a device does.
template <class T>
T saturate(double value) {
  if (std::isnan(value)) return 0;
  constexpr double kUpper = 2.0 * static_cast<double>(std::numeric_limits<T>::max() / 2 + 1);
  if (value >= kUpper) return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

}  // namespace

double Scalar::to_double() const {
  if (is_floating_) return floating_;
  return is_unsigned_ ? static_cast<double>(static_cast<std::uint64_t>(integer_))
                      : static_cast<double>(integer_);
}

/// Of the doubles around an integer that is none, the one with an odd last bit (Boldo and Melquiond,
/// "When double rounding is odd", 2005).
double Scalar::to_odd() const {
  if (is_floating_ || integer_ == 0) return to_double();
  const bool negative = !is_unsigned_ && integer_ < 0;
  const std::uint64_t bits = static_cast<std::uint64_t>(integer_);
  const std::uint64_t size = negative ? 0 - bits : bits;
  const int dropped = std::max(0, 64 - 53 - std::countl_zero(size));
  std::uint64_t kept = size >> dropped;
  if (kept << dropped != size) kept |= 1;
  const double odd = std::ldexp(static_cast<double>(kept), dropped);
  return negative ? -odd : odd;
}

std::int64_t Scalar::to_int64() const {
  if (is_floating_) return saturate<std::int64_t>(floating_);
  return is_unsigned_ && integer_ < 0 ? std::numeric_limits<std::int64_t>::max() : integer_;
}

bool Scalar::fits(DType dtype) const {
  if (is_bool_ || !is_integer(dtype)) return true;
  const int width = static_cast<int>(size_of(dtype)) * 8 - (is_signed_integer(dtype) ? 1 : 0);
  if (is_floating_) {
    const double top = std::ldexp(1, width), whole = std::trunc(floating_);
    return whole < top && whole >= (is_signed_integer(dtype) ? -top : 0);
  }
  if (is_unsigned_ && integer_ < 0) return dtype == u64;  // beyond the signed range
  if (dtype == u64) return integer_ >= 0;
  if (width >= 63) return true;
  const std::int64_t top = std::int64_t{1} << width;
  return integer_ < top && integer_ >= (is_signed_integer(dtype) ? -top : 0);
}

std::uint64_t Scalar::bits(DType dtype) const {
  const auto as = [this]<class T>(T) -> std::uint64_t {
    const T value = is_floating_ ? saturate<T>(floating_) : static_cast<T>(integer_);
    return static_cast<std::make_unsigned_t<T>>(value);
  };
  switch (dtype) {
    case bool_:
      return is_floating_ ? floating_ != 0 : integer_ != 0;
    case u8:
      return as(std::uint8_t{});
    case i8:
      return as(std::int8_t{});
    case u16:
      return as(std::uint16_t{});
    case i16:
      return as(std::int16_t{});
    case u32:
      return as(std::uint32_t{});
    case i32:
      return as(std::int32_t{});
    case u64:
      return as(std::uint64_t{});
    case i64:
      return as(std::int64_t{});
    case f16:
      return f16_bits(to_odd());
    case bf16:
      return bf16_bits(to_odd());
    case f32:
      return std::bit_cast<std::uint32_t>(static_cast<float>(to_odd()));
    case f64:
      return std::bit_cast<std::uint64_t>(to_double());
  }
  return 0;
}

Scalar read_scalar(DType dtype, const std::byte* from) {
  const auto value = [&]<class T>(T x) {
    std::memcpy(&x, from, sizeof x);
    return x;
  };
  switch (dtype) {
    case bool_:
      return value(std::uint8_t{}) != 0;
    case u8:
      return value(std::uint8_t{});
    case i8:
      return value(std::int8_t{});
    case u16:
      return value(std::uint16_t{});
    case i16:
      return value(std::int16_t{});
    case u32:
      return value(std::uint32_t{});
    case i32:
      return value(std::int32_t{});
    case u64:
      return value(std::uint64_t{});
    case i64:
      return value(std::int64_t{});
    case f16:
      return value(float16{});
    case bf16:
      return value(bfloat16{});
    case f32:
      return value(float{});
    case f64:
      return value(double{});
  }
  return 0;
}

}  // namespace tenon
