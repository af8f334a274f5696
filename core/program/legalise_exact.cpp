// The opcodes that are exact: round, trunc, fma, rem and mulhi.
#include <limits>

#include "core/program/expand.h"

namespace tenon::program {
namespace {

/// a + b rounded to odd: if it is not exact, the one of its neighbours whose last digit is 1.
Value odd_sum(Value a, Value b) {
  const Pair sum = two_sum(a, b);
  const Value bits = bitcast(sum.hi, format(a).bits), one = raw(bits, 1);
  const Value away = (sum.lo > 0) == (sum.hi > 0);
  const Value odd = select(away, bits | one, (bits - one) | one);
  return bitcast(select(sum.lo == 0, bits, odd), a.dtype());
}

/// hi + lo rounded as its product with 2^exponent is to be; lo was rounded to odd. A product that is
/// denormal has fewer digits, so the first normal one is added before, to put the last digit in its
/// place.
Value rounded_for(Value exponent, Value hi, Value lo) {
  const Format f = format(hi);
  const Value first = power_of_two(max(1 - f.bias - exponent, 1 - f.bias), hi.dtype());
  const Value near = hi + lo;
  const Value anchor = select(abs(near) < first, with_sign_of(first, near), raw(near, 0));
  const Pair sum = two_sum(anchor, hi);
  return with_sign_of(abs(sum.hi + odd_sum(sum.lo, lo) - anchor), near);
}

/// a · b modulo m, of unsigned integers a, b < 2 m, where m has as many digits as `floating`. A
/// quotient in floats is off by less than 64, and the products may wrap, since their difference is
/// small again.
Value product_modulo(Value a, Value b, Value m, DType floating) {
  const Value quotient = cast(cast(a, floating) * cast(b, floating) / cast(m, floating), m.dtype());
  const Value rest = a * b - quotient * m + (m << 6);
  return rest - rest / m * m;
}

Value integer_rem(Value a, Value b) {
  return select(b == 0, raw(a, 0), a - a / b * b);
}

/// |a| modulo |b| where |a| >= |b|: with n the difference of the exponents, the digits of a times 2^n
/// modulo those of b. The power comes from squarings by the digits of n.
Value floating_rem(Value a, Value b) {
  const Format f = format(a);
  const int squarings = a.dtype() == f32 ? 4 : 6;
  const Parts x = split(a), y = split(b);
  const Value modulus = whole_digits(y.fraction), one = raw(modulus, 1);
  const Value n = cast(max(x.exponent - y.exponent, 0), f.bits);
  Value power = shift_left(one, n >> squarings);
  for (int i = squarings; i-- > 0;) {
    power = product_modulo(power, power, modulus, a.dtype());
    power = shift_left(power, (n >> i) & one);
  }
  const Value rest = product_modulo(whole_digits(x.fraction), power, modulus, a.dtype());
  return scaled(cast(rest, a.dtype()) * by_dtype(a, 0x1p-23, 0x1p-52), y.exponent);
}

}  // namespace

Value expand_trunc(Value x) {
  return with_sign_of(floor(abs(x)), x);
}

/// A number so large that its last digit stands for 1 makes the addition round.
Value expand_round(Value x) {
  const double large = by_dtype(x, 0x1p23, 0x1p52);
  const Value size = abs(x);
  return with_sign_of(select(size < large, size + large - large, size), x);
}

/// Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding
/// to odd", IEEE TC 57(4), 2008; on fractions, so that nothing overflows or loses digits on the way.
/// What is too small to matter but for its sign is brought nearer.
Value expand_fma(Value a, Value b, Value c) {
  const Format f = format(a);
  const DType dtype = a.dtype();
  const double far = by_dtype(a, -60, -120), lowest = -f.bias - 3 * (f.fraction + 1);
  const Parts x = split(a), y = split(b), z = split(c);
  const Value of_product = x.exponent + y.exponent;
  const Value of_c =
      select(c == 0, raw(z.exponent, static_cast<std::uint32_t>(-4 * f.bias)), z.exponent);
  const Value exponent = max(of_product, of_c);

  const Pair product =
      two_product(x.fraction, y.fraction * power_of_two(max(of_product - exponent, far), dtype));
  const Pair low = two_sum(z.fraction * power_of_two(max(of_c - exponent, far), dtype), product.lo);
  const Pair high = two_sum(product.hi, low.hi);
  const Value kept = max(exponent, lowest);
  const Value sum = scaled(rounded_for(kept, high.hi, odd_sum(low.lo, high.lo)), kept);

  const Value plain = x.fraction * y.fraction;
  const Value regular = (abs(plain) < kInfinity) & (plain != 0) & (abs(c) < kInfinity);
  return select(regular, sum, plain + c);
}

Value expand_rem(Value a, Value b) {
  if (!is_floating(a.dtype())) return integer_rem(a, b);
  const Value size = abs(a), by = abs(b);
  const Value defined = (size < kInfinity) & (by > 0);
  const Value rest = select(defined, with_sign_of(floating_rem(a, b), a),
                            number(a, std::numeric_limits<double>::quiet_NaN()));
  return select(size < by, a, rest);
}

/// By halves of the digits (Warren, "Hacker's Delight", 8-2); >> keeps the sign of signed ones.
Value expand_mulhi(Value a, Value b) {
  const int half = static_cast<int>(4 * size_of(a.dtype()));
  const Value mask = raw(a, (std::uint64_t{1} << half) - 1);
  const Value a_low = a & mask, b_low = b & mask, a_high = a >> half, b_high = b >> half;
  const Value middle = a_high * b_low + (((a_low * b_low) >> half) & mask);
  const Value other = a_low * b_high + (middle & mask);
  return a_high * b_high + (middle >> half) + (other >> half);
}

}  // namespace tenon::program
