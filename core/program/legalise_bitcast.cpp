// Bitcasts between dtypes of 8 or 16 bits that are not computed: casts between integers, and the
// encodings of f16 and bf16 by way of f32's.
#include "core/program/expand.h"

namespace tenon::program {
namespace {

/// The bits of an f16, which f32 holds exactly: another bias, and denormals that are whole numbers of
/// 2^-24.
Value encoded_f16(Value x) {
  const Value bits = bitcast(x, u32), size = abs(x);
  const Value digits = (bits & raw(bits, 0x7fffffff)) >> 13;
  const Value special = (digits & raw(bits, 0x3ff)) | raw(bits, 0x7c00);
  const Value denormal = cast(size * 0x1p24, u32);
  const Value normal = select(size < kInfinity, digits - (112 << 10), special);
  return ((bits >> 16) & raw(bits, 0x8000)) | select(size < 0x1p-14, denormal, normal);
}

/// The f32 of an f16's bits.
Value decoded_f16(Value bits) {
  const Value digits = (bits & raw(bits, 0x7fff)) << 13;
  const Value exponent = bits & raw(bits, 0x7c00);
  const Value denormal = bitcast(cast(bits & raw(bits, 0x3ff), f32) * 0x1p-24, u32);
  const Value normal = select(exponent == 0x7c00, digits | raw(bits, 0x7f800000), digits + (112 << 23));
  const Value sign = (bits & raw(bits, 0x8000)) << 16;
  return bitcast(sign | select(exponent == 0, denormal, normal), f32);
}

/// In the low half of a u32; the upper one may hold anything.
Value encoded(Value x) {
  if (x.dtype() == bf16) return bitcast(cast(x, f32), u32) >> 16;
  return x.dtype() == f16 ? encoded_f16(cast(x, f32)) : cast(x, u32);
}

}  // namespace

Value narrow_bitcast(Value x, DType dtype) {
  if (is_integer(x.dtype()) && is_integer(dtype)) return cast(x, dtype);
  const Value bits = encoded(x);
  if (is_integer(dtype)) return cast(bits, dtype);
  return cast(dtype == f16 ? decoded_f16(bits) : bitcast(bits << 16, f32), dtype);
}

}  // namespace tenon::program
