// What dtypes hold follows from how many bits they have, and of which kind.
#include <tenon/dtype_info.h>

#include <cmath>
#include <limits>

#include "core/base/fail.h"

namespace tenon {
namespace {

/// The bits of a number behind its point, and the exponent of the greatest.
struct Format {
  int digits, exponent;
};

Format format_of(DType dtype) {
  if (dtype == f16) return {10, 15};
  if (dtype == bf16) return {7, 127};
  return dtype == f32 ? Format{23, 127} : Format{52, 1023};
}

int bits_of(DType dtype) {
  return static_cast<int>(8 * size_of(dtype));
}

}  // namespace

FloatInfo finfo(DType dtype) {
  require(is_floating(dtype), "[finfo] {} is not floating", name(dtype));
  const Format format = format_of(dtype);
  const double eps = std::ldexp(1, -format.digits);
  return {.bits = bits_of(dtype),
          .eps = eps,
          .max = std::ldexp(2 - eps, format.exponent),
          .smallest_normal = std::ldexp(1, 1 - format.exponent)};
}

IntegerInfo iinfo(DType dtype) {
  require(is_integer(dtype), "[iinfo] {} is not an integer dtype", name(dtype));
  const int bits = bits_of(dtype);
  if (is_unsigned_integer(dtype)) return {bits, 0, ~std::uint64_t{0} >> (64 - bits)};
  const std::int64_t max = std::numeric_limits<std::int64_t>::max() >> (64 - bits);
  return {bits, -max - 1, static_cast<std::uint64_t>(max)};
}

DType promote(DType dtype, Scalar number) {
  if (number.is_floating()) return is_floating(dtype) ? dtype : default_dtype();
  return dtype == bool_ && !number.is_bool() ? i64 : dtype;
}

}  // namespace tenon
