// Numbers on their way into ops.
#include <bit>
#include <cmath>
#include <limits>

#include <tenon/tensor.h>

#include "core/base/half.h"

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

std::int64_t Scalar::to_int64() const {
  return is_floating_ ? saturate<std::int64_t>(floating_) : integer_;
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
      return f16_bits(to_double());
    case bf16:
      return bf16_bits(to_double());
    case f32:
      return std::bit_cast<std::uint32_t>(static_cast<float>(to_double()));
    case f64:
      return std::bit_cast<std::uint64_t>(to_double());
  }
  return 0;
}

}  // namespace tenon
