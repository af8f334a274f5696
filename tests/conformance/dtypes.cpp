// Every dtype as bits and as an exact real number.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {
namespace {

struct Format {
  int mantissa;  // stored bits
  int bias;
};

Format format(std::uint8_t dtype) {
  if (dtype == TENON_DTYPE_F16) return {10, 15};
  if (dtype == TENON_DTYPE_BF16) return {7, 127};
  if (dtype == TENON_DTYPE_F32) return {23, 127};
  return {52, 1023};
}

std::size_t width(std::uint8_t dtype) {
  return 8 * size_of(dtype);
}
Bits mask(std::uint8_t dtype) {
  return ~Bits{0} >> (64 - width(dtype));
}

// The least and the greatest integer of a dtype, exactly.
long double least(std::uint8_t dtype) {
  return is_signed(dtype) ? -std::ldexp(1.0L, static_cast<int>(width(dtype)) - 1) : 0.0L;
}
long double greatest(std::uint8_t dtype) {
  return std::ldexp(1.0L, static_cast<int>(width(dtype)) - (is_signed(dtype) ? 1 : 0)) - 1;
}

// A unit in the last place of a number of this size.
long double unit(std::uint8_t dtype, long double real) {
  const Format f = format(dtype);
  int exponent = 0;
  std::frexp(real, &exponent);
  const int least = 1 - f.bias;
  return std::ldexp(1.0L, (real == 0 ? least : std::max(exponent - 1, least)) - f.mantissa);
}

Bits round_to_float(std::uint8_t dtype, long double value) {
  const Format f = format(dtype);
  const Bits sign = std::signbit(value) ? Bits{1} << (width(dtype) - 1) : 0;
  const Bits infinity = static_cast<Bits>(2 * f.bias + 1) << f.mantissa;
  if (std::isnan(value)) return infinity | (Bits{1} << (f.mantissa - 1));
  if (std::isinf(value)) return sign | infinity;
  if (value == 0) return sign;
  int exponent = 0;
  std::frexp(value, &exponent);
  if (exponent > f.bias + 1) return sign | infinity;
  const int unit = std::max(exponent - 1, 1 - f.bias) - f.mantissa;
  // Counted in units the value is an integer; a carry into the exponent is right as it is.
  const auto count = static_cast<Bits>(std::nearbyint(std::ldexp(std::fabs(value), -unit)));
  const Bits hidden = Bits{1} << f.mantissa;
  if (count < hidden) return sign | count;
  const auto stored = static_cast<Bits>(unit + f.mantissa + f.bias - 1) << f.mantissa;
  return sign | std::min(stored + count, infinity);
}

}  // namespace

const std::vector<std::uint8_t>& all_dtypes() {
  static const std::vector<std::uint8_t> all = {
#define TENON_DTYPE(name, NAME, code, bytes) code,
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  };
  return all;
}

const char* name_of(std::uint8_t dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  if (dtype == code) return #NAME;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  return "?";
}

std::size_t size_of(std::uint8_t dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  if (dtype == code) return bytes;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  return 0;
}

bool is_float(std::uint8_t dtype) {
  return dtype >= TENON_DTYPE_F16 && dtype <= TENON_DTYPE_F64;
}
bool is_integer(std::uint8_t dtype) {
  return dtype >= TENON_DTYPE_U8 && dtype <= TENON_DTYPE_I64;
}
bool is_signed(std::uint8_t dtype) {
  return is_integer(dtype) && dtype % 2 == 1;
}

long double epsilon(std::uint8_t dtype) {
  return std::ldexp(1.0L, -format(dtype).mantissa - 1);
}

bool is_nan(std::uint8_t dtype, Bits bits) {
  if (!is_float(dtype)) return false;
  const Format f = format(dtype);
  const Bits infinity = static_cast<Bits>(2 * f.bias + 1) << f.mantissa;
  return (bits & (mask(dtype) >> 1)) > infinity;
}

long double to_real(std::uint8_t dtype, Bits bits) {
  if (dtype == TENON_DTYPE_BOOL) return bits != 0 ? 1 : 0;
  if (is_integer(dtype)) {
    const bool negative = is_signed(dtype) && (bits >> (width(dtype) - 1) & 1) != 0;
    if (!negative) return static_cast<long double>(bits);
    return -static_cast<long double>((~bits & mask(dtype))) - 1;
  }
  const Format f = format(dtype);
  const bool negative = (bits >> (width(dtype) - 1) & 1) != 0;
  const Bits magnitude = bits & (mask(dtype) >> 1);
  const Bits fraction = magnitude & ((Bits{1} << f.mantissa) - 1);
  const int stored = static_cast<int>(magnitude >> f.mantissa);
  long double value = 0;
  if (is_nan(dtype, bits)) {
    value = std::numeric_limits<long double>::quiet_NaN();
  } else if (stored == 2 * f.bias + 1) {
    value = std::numeric_limits<long double>::infinity();
  } else if (stored == 0) {
    value = std::ldexp(static_cast<long double>(fraction), 1 - f.bias - f.mantissa);
  } else {
    value = std::ldexp(static_cast<long double>(fraction | Bits{1} << f.mantissa),
                       stored - f.bias - f.mantissa);
  }
  return negative ? -value : value;
}

Bits from_real(std::uint8_t dtype, long double value) {
  if (dtype == TENON_DTYPE_BOOL) return value != 0 ? 1 : 0;
  if (is_float(dtype)) return round_to_float(dtype, value);
  if (std::isnan(value)) return 0;
  const long double whole = std::trunc(value);
  if (whole <= least(dtype))
    return from_integer(dtype, is_signed(dtype) ? INT64_MIN >> (64 - width(dtype)) : 0);
  if (whole >= greatest(dtype)) return is_signed(dtype) ? mask(dtype) >> 1 : mask(dtype);
  if (whole < 0) return static_cast<Bits>(static_cast<std::int64_t>(whole)) & mask(dtype);
  return static_cast<Bits>(whole);
}

Bits from_integer(std::uint8_t dtype, std::int64_t value) {
  if (dtype == TENON_DTYPE_BOOL) return value != 0 ? 1 : 0;
  if (is_float(dtype)) return round_to_float(dtype, static_cast<long double>(value));
  return static_cast<Bits>(value) & mask(dtype);
}

Bits cast(std::uint8_t to, std::uint8_t from, Bits bits) {
  if (to == TENON_DTYPE_BOOL) return to_real(from, bits) != 0 ? 1 : 0;
  if (is_integer(from) && is_integer(to)) {
    const auto shift = static_cast<int>(64 - width(from));
    const Bits high = bits << shift;
    const Bits wide =
        is_signed(from) ? static_cast<Bits>(std::bit_cast<std::int64_t>(high) >> shift) : high >> shift;
    return wide & mask(to);
  }
  return from_real(to, to_real(from, bits));
}

std::string show(std::uint8_t dtype, Bits bits) {
  char text[96];
  const int digits = static_cast<int>(2 * size_of(dtype));
  if (is_float(dtype)) {
    std::snprintf(text, sizeof text, "%.*Lg (0x%0*llx)", dtype == TENON_DTYPE_F64 ? 17 : 9,
                  to_real(dtype, bits), digits, static_cast<unsigned long long>(bits));
  } else {
    std::snprintf(text, sizeof text, "%.0Lf (0x%0*llx)", to_real(dtype, bits), digits,
                  static_cast<unsigned long long>(bits));
  }
  return text;
}

bool same(std::uint8_t dtype, Bits a, Bits b) {
  return a == b || (is_nan(dtype, a) && is_nan(dtype, b));
}

bool within(std::uint8_t dtype, Bits got, long double real, double ulp) {
  if (std::isnan(real) || is_nan(dtype, got)) return std::isnan(real) && is_nan(dtype, got);
  const long double value = to_real(dtype, got);
  if (std::isinf(real)) return value == real;
  if (size_of(dtype) == 2) {
    const long double off = ulp * unit(TENON_DTYPE_F32, real);
    return value >= to_real(dtype, from_real(dtype, real - off)) &&
           value <= to_real(dtype, from_real(dtype, real + off));
  }
  if (std::isinf(value)) {
    const long double step = unit(dtype, real);
    const long double overflow = std::ldexp(1.0L, format(dtype).bias + 1) - step / 2;
    return (value > 0) == (real > 0) && std::fabs(real) + ulp * step >= overflow;
  }
  return std::fabs(value - real) <= ulp * unit(dtype, real);
}

}  // namespace tenon::conformance
