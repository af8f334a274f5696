#include "core/ops/functions.h"

#include <cmath>
#include <numbers>

namespace tenon::ops {

using std::numbers::inv_sqrtpi;
using std::numbers::ln2;
using std::numbers::pi;
using std::numbers::sqrt2;

bool is_double(Value x) {
  return x.dtype() == f64;
}

Value is_nan(Value x) {
  return x != x;
}

Value is_negative(Value x) {
  if (!is_floating(x.dtype())) return x < 0;
  return bitcast(x, size_of(x.dtype()) == 2 ? i16 : is_double(x) ? i64 : i32) < 0;
}

Value with_sign(Value magnitude, Value x) {
  if (is_floating(x.dtype())) return program::with_sign_of(abs(magnitude), x);
  return select(x < 0, -abs(magnitude), abs(magnitude));
}

// y / x beyond tan(3π/8) is turned by π/2, beyond tan(π/8) by π/4; the rest is a polynomial's.
Value angle(Value y, Value x) {
  const Value infinite = (y == program::kInfinity) & (x == program::kInfinity);
  y = select(infinite, number(y, 1), y);
  x = select(infinite, number(x, 1), x);
  const Value steep = y > x * (sqrt2 + 1), middle = y > x * (sqrt2 - 1);
  const Value above = select(steep, -x, select(middle, y - x, y));
  const Value below = select(steep, y, select(middle, y + x, x));
  const Value base = select(steep, number(y, pi / 2), select(middle, number(y, pi / 4), number(y, 0)));
  const Value t = above / below, z = t * t;
  const Value turned = t + t * (z * evaluate(program::polynomial::atan_tail, z));
  return select((y == 0) & (x == 0), y, base + turned);
}

Value atan(Value x) {
  return with_sign(angle(abs(x), number(x, 1)), x);
}

/// erfc(x) = exp(-x²) R(x) / (1 + 2x) for x >= 1/2, of which R is a polynomial's; what x² is rounded
/// by would be lost digits of exp.
static Value upper_erfc(Value x) {
  const Value far = min(max(x, 0.5), is_double(x) ? 28.0 : 11.0);
  const Value scaled = evaluate(program::polynomial::erfc_scaled, (far - 4) / (far + 4));
  const program::Pair square = program::two_product(far, far);
  const Value bell = exp(-square.hi);
  return (bell - bell * square.lo) * (scaled / (1 + 2 * far));
}

// Below 1/2 nothing is lost by the difference.
Value erfc(Value x) {
  return select(x < 0.5, 1 - erf(x), upper_erfc(x));
}

// By log(1 - x²), as Giles does ("Approximating the erfinv function", 2010); then one step of Halley's
// from y, where erf(y) lacks `missing`.
Value erfinv(Value x) {
  const Value w = -log((1 - x) * (1 + x));
  Value y = x * evaluate(program::polynomial::erfinv_start, (w - 4) / (w + 8));
  if (is_double(x)) {
    const Value missing = select(y < 0.5, x - erf(y), upper_erfc(y) - (1 - x));
    const Value step = missing * exp(y * y) * (0.5 / inv_sqrtpi);
    y = y + step / (1 - y * step);
  }
  return select(x == 1, number(x, program::kInfinity), y);
}

// (t + t / (t + 1)) / 2 with t = e^|x| - 1, and where that overflows (e^(|x|/2) / 2) e^(|x|/2).
Value sinh(Value x) {
  const Value size = abs(x), t = expm1(min(size, 20.0)), half = exp(size * 0.5);
  return with_sign(select(size < 20, (t + t / (t + 1)) * 0.5, half * 0.5 * half), x);
}

Value cosh(Value x) {
  const Value half = exp(abs(x) * 0.5);
  return half * 0.5 * half + 0.5 / half / half;
}

namespace {

/// log(2 x) where x² would overflow.
Value log_twice(Value x) {
  return log(x) + ln2;
}
double large(Value x) {
  return is_double(x) ? 0x1p500 : 0x1p60;
}

}  // namespace

// log(a + √(a² + 1)) = log1p(a + a² / (1 + √(a² + 1))) with a = |x|.
Value asinh(Value x) {
  const Value size = abs(x), a = min(size, large(x)), square = a * a;
  const Value near = log1p(a + square / (1 + sqrt(square + 1)));
  return with_sign(select(size > large(x), log_twice(size), near), x);
}

// log(x + √(x² - 1)) = log1p(t + √t √(t + 2)) with t = x - 1; NaN below 1.
Value acosh(Value x) {
  const Value t = min(x, large(x)) - 1;
  return select(x > large(x), log_twice(x), log1p(t + sqrt(t) * sqrt(t + 2)));
}

// log1p(2a / (1 - a)) / 2 with a = |x|; NaN beyond 1.
Value atanh(Value x) {
  const Value a = abs(x);
  return with_sign(log1p(2 * a / (1 - a)) * 0.5, x);
}

Value softplus(Value x) {
  return max(x, 0.0) + log1p(exp(-abs(x)));
}

Value normal_density(Value x) {
  return exp(x * x * -0.5) * (inv_sqrtpi / sqrt2);
}
Value normal_below(Value x) {
  return 0.5 * (1 + erf(x * (1 / sqrt2)));
}

Value next_after(Value x, Value y) {
  const auto width = static_cast<unsigned>(8 * size_of(x.dtype()));
  const DType bits = width == 16 ? i16 : width == 32 ? i32 : i64;
  const auto least = [&](std::uint64_t sign) {
    return x.builder().constant_bits(x.dtype(), sign << (width - 1) | 1);
  };
  const Value place = bitcast(x, bits);
  const Value step = select((x < y) == (x > 0), number(place, 1), number(place, -1));
  const Value beside_zero = select(y > 0, least(0), least(1));
  const Value next = select(x == 0, beside_zero, bitcast(place + step, x.dtype()));
  return select(is_nan(x) | is_nan(y), x + y, select(x == y, y, next));
}

}  // namespace tenon::ops
