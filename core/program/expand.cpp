// What the expansions share; see expand.h.
#include "core/program/expand.h"

#include <numbers>

#include "core/base/fail.h"

namespace tenon::program {

Value expand(Opcode opcode, const std::array<Value, 3>& operands) {
  const auto [a, b, c] = operands;
  switch (opcode) {
    case Opcode::fma:
      return expand_fma(a, b, c);
    case Opcode::rem:
      return expand_rem(a, b);
    case Opcode::pow:
      return expand_pow(a, b);
    case Opcode::mulhi:
      return expand_mulhi(a, b);
#define TENON_UNARY(name) \
  case Opcode::name:      \
    return expand_##name(a);
      TENON_UNARY(round)
      TENON_UNARY(trunc)
      TENON_UNARY(sin)
      TENON_UNARY(cos)
      TENON_UNARY(tanh)
      TENON_UNARY(erf)
      TENON_UNARY(exp2)
      TENON_UNARY(log2)
      TENON_UNARY(rsqrt)
      TENON_UNARY(log1p)
      TENON_UNARY(expm1)
      TENON_UNARY(sigmoid)
#undef TENON_UNARY
    case Opcode::add:
    case Opcode::sub:
    case Opcode::mul:
    case Opcode::div:
    case Opcode::neg:
    case Opcode::abs:
    case Opcode::min:
    case Opcode::max:
    case Opcode::and_:
    case Opcode::or_:
    case Opcode::xor_:
    case Opcode::not_:
    case Opcode::shl:
    case Opcode::shr:
    case Opcode::lt:
    case Opcode::le:
    case Opcode::eq:
    case Opcode::ne:
    case Opcode::select:
    case Opcode::cast:
    case Opcode::bitcast:
    case Opcode::floor:
    case Opcode::sqrt:
    case Opcode::exp:
    case Opcode::log:
    case Opcode::philox:
      break;
  }
  fail(ErrorKind::InvalidArgument, "[legalise] {} is mandatory", name(opcode));
}

Value evaluate(const Polynomial& polynomial, Value x) {
  const auto coefficients = x.dtype() == f32 ? polynomial.single : polynomial.twice;
  Value sum = number(x, coefficients.back());
  for (std::size_t i = coefficients.size() - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

Format format(Value x) {
  return x.dtype() == f32 ? Format{u32, 32, 23, 127} : Format{u64, 64, 52, 1023};
}

Value number(Value partner, double value) {
  return partner.builder().constant(partner.dtype(), value);
}

Value raw(Value partner, std::uint64_t bits) {
  return partner.builder().constant_bits(partner.dtype(), bits);
}

Value shift_left(Value a, Value count) {
  return a.builder().apply(Opcode::shl, a.dtype(), a, count);
}
Value shift_right(Value a, Value count) {
  return a.builder().apply(Opcode::shr, a.dtype(), a, count);
}

Value sign_bit(Value x) {
  const Format f = format(x);
  const Value bits = bitcast(x, f.bits);
  return bits & raw(bits, std::uint64_t{1} << (f.width - 1));
}

Value with_sign_of(Value magnitude, Value x) {
  const Value sign = sign_bit(x);
  return bitcast(bitcast(magnitude, sign.dtype()) | sign, x.dtype());
}

Parts split(Value x) {
  const Format f = format(x);
  const Value size = abs(x);
  const Value tiny = size < by_dtype(x, 0x1p-126, 0x1p-1022);
  const Value bits = bitcast(select(tiny, x * by_dtype(x, 0x1p24, 0x1p53), x), f.bits);
  const Value biased =
      cast((bits >> f.fraction) & raw(bits, 2 * static_cast<unsigned>(f.bias) + 1), i32);
  const Value bias = select(tiny, x.builder().constant(i32, f.bias + f.fraction + 1),
                            x.builder().constant(i32, f.bias));

  const std::uint64_t exponent_bits = (2 * static_cast<std::uint64_t>(f.bias) + 1) << f.fraction;
  const Value fraction =
      (bits & raw(bits, ~exponent_bits)) | raw(bits, static_cast<std::uint64_t>(f.bias) << f.fraction);
  const Value special = (x == 0) | ~(size < kInfinity);
  return {select(special, x, bitcast(fraction, x.dtype())), biased - bias};
}

Value whole_digits(Value fraction) {
  const Format f = format(fraction);
  const Value bits = bitcast(fraction, f.bits);
  const std::uint64_t one = std::uint64_t{1} << f.fraction;
  return (bits & raw(bits, one - 1)) | raw(bits, one);
}

Value power_of_two(Value exponent, DType dtype) {
  const DType bits = dtype == f32 ? u32 : u64;
  const int bias = dtype == f32 ? 127 : 1023, fraction = dtype == f32 ? 23 : 52;
  return bitcast(cast(exponent + bias, bits) << fraction, dtype);
}

Value scaled(Value x, Value exponent) {
  const Value half = exponent >> 1;
  return x * power_of_two(half, x.dtype()) * power_of_two(exponent - half, x.dtype());
}

Pair two_sum(Value a, Value b) {
  const Value sum = a + b, b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

Pair fast_two_sum(Value a, Value b) {
  const Value sum = a + b;
  return {sum, b - (sum - a)};
}

namespace {

/// x as two halves of its digits.
Pair halves(Value x) {
  const Value shifted = x * by_dtype(x, 0x1p12 + 1, 0x1p27 + 1);
  const Value hi = shifted - (shifted - x);
  return {hi, x - hi};
}

}  // namespace

Pair two_product(Value a, Value b) {
  const Pair x = halves(a), y = halves(b);
  const Value product = a * b;
  return {product, ((x.hi * y.hi - product) + x.hi * y.lo + x.lo * y.hi) + x.lo * y.lo};
}

Value small_expm1(Value r) {
  return r + r * r * evaluate(polynomial::exp_tail, r);
}

Exponent reduce_exponent(Value x) {
  // The upper part of ln 2 is short, so that its product with n is exact (Cody and Waite, 1980).
  const double upper = by_dtype(x, 0x1.62e4p-1, 0x1.62e42fefa38p-1);
  const double lower = by_dtype(x, 0x1.7f7d1cf79abcap-20, 0x1.ef35793c7673p-45);
  const Value n = floor(x * std::numbers::log2e + 0.5);
  return {x - n * upper - n * lower, cast(n, i32)};
}

Logarithm reduce_logarithm(Value x) {
  const Parts parts = split(x);
  const Value large = parts.fraction > std::numbers::sqrt2;
  const Value fraction = select(large, parts.fraction * 0.5, parts.fraction);
  return {fraction - 1, cast(parts.exponent + cast(large, i32), x.dtype())};
}

}  // namespace tenon::program
