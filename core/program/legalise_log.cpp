// What is made of logarithms and roots: log2, log1p, pow and rsqrt.
#include <limits>
#include <numbers>

#include "core/program/expand.h"

namespace tenon::program {
namespace {

/// ln(1 + f) = f - (hi - lo), for 1 + f in sqrt(1/2) .. sqrt(2), from 2 atanh(s) with s = f / (2 + f);
/// the form is that of Sun's fdlibm (e_log.c), in which an error of the quotient hardly matters.
Pair log1p_terms(Value f) {
  const Value s = f / (f + 2), z = s * s, half_square = 0.5 * f * f;
  return {half_square, s * (half_square + z * evaluate(polynomial::log_tail, z))};
}

/// A logarithm that is y for finite x > pole.
Value with_edges(Value y, Value x, double pole) {
  const Value nan = number(x, std::numeric_limits<double>::quiet_NaN());
  const Value below = select(x == pole, number(x, -kInfinity), nan);
  return select(x > pole, select(x < kInfinity, y, x), below);
}

Pair product(Pair a, Pair b) {
  const Pair upper = two_product(a.hi, b.hi);
  return {upper.hi, upper.lo + (a.hi * b.lo + a.lo * b.hi)};
}

/// log2(x) of a finite x > 0, with more digits than x has: s (2 + 2/3 z + ..) / ln 2 with s as above
/// and z = s², the first two terms in pairs.
Pair paired_log2(Value x) {
  const auto [f, k] = reduce_logarithm(x);
  const Pair below = fast_two_sum(number(f, 2), f);
  const Value quotient = f / below.hi;
  const Pair back = two_product(quotient, below.hi);
  const Pair s{quotient, (f - back.hi - back.lo - quotient * below.lo) / below.hi};
  const Pair z = product(s, s);

  const Pair first{number(f, by_dtype(f, 0x1.715476p+1, 0x1.71547652b82fep+1)),
                   number(f, by_dtype(f, 0x1.4ae0bf85ddf44p-25, 0x1.777d0ffda0d24p-55))};
  const Pair second{number(f, by_dtype(f, 0x1.ec709ep-1, 0x1.ec709dc3a03fdp-1)),
                    number(f, by_dtype(f, -0x1.e2fe0145b01f5p-28, 0x1.d27f05548af0cp-55))};
  const Pair third = product(second, z);
  const Value rest = third.lo + z.hi * z.hi * evaluate(polynomial::log2_tail, z.hi);
  const Pair sum = fast_two_sum(first.hi, third.hi);
  const Pair log = product(s, {sum.hi, sum.lo + (first.lo + rest)});
  const Pair whole = fast_two_sum(k, log.hi);
  return fast_two_sum(whole.hi, whole.lo + log.lo);
}

/// 2^(log2(x) y) of a finite x > 0, out to 0 and infinity.
Value power(Value x, Value y) {
  const double most = by_dtype(x, 0x1p40, 0x1p70), limit = by_dtype(x, 160, 1100);
  const Value kept = min(max(y, -most), most);
  const Pair log = paired_log2(x), exponent = two_product(kept, log.hi);
  const Value low = exponent.lo + kept * log.lo;
  const Value inside = abs(exponent.hi) < limit;
  const Value high = min(max(exponent.hi, -limit), limit), n = floor(high + 0.5);
  const Value r = high - n + select(inside, low, number(x, 0));
  return scaled(small_expm1(r * std::numbers::ln2) + 1, cast(n, i32));
}

}  // namespace

Value expand_log2(Value x) {
  const auto [f, k] = reduce_logarithm(x);
  const auto [hi, lo] = log1p_terms(f);
  return with_edges(k + (f - (hi - lo)) * std::numbers::log2e, x, 0);
}

/// 1 + x = 2^k (1 + f) + error; where k is 0, f is x.
Value expand_log1p(Value x) {
  const Pair sum = two_sum(number(x, 1), x);
  const auto [rounded_f, k] = reduce_logarithm(sum.hi);
  const Value f = select(k == 0, x, rounded_f);
  const Value error = select(k == 0, number(x, 0), sum.lo / sum.hi);
  const auto [hi, lo] = log1p_terms(f);
  const Value more = k * by_dtype(x, 0x1.7f7d1cf79abcap-20, 0x1.ef35793c7673p-45) + error;
  const Value y = k * by_dtype(x, 0x1.62e4p-1, 0x1.62e42fefa38p-1) + (f - (hi - (lo + more)));
  return with_edges(select(x == 0, x, y), x, -1);
}

/// 1 / sqrt(x), mended by a step of Newton's where that is a number.
Value expand_rsqrt(Value x) {
  const Value y = 1 / sqrt(x);
  const Value error = 1 - x * y * y;
  return select(error == error, y + 0.5 * y * error, y);
}

/// The special cases are those of C (ISO/IEC 9899, F.10.4.4).
Value expand_pow(Value x, Value y) {
  const Value size = abs(x), zero = number(x, 0), one = number(x, 1);
  const Value edge = (size == 0) | (size == kInfinity);
  const Value at_edge = select((size < 1) == (y < 0), number(x, kInfinity), zero);
  const Value magnitude = select(edge, at_edge, power(size, y));

  const Value whole = floor(y) == y;
  const Value odd = whole & (floor(y * 0.5) * 2 != y);
  const Value undefined = (x < 0) & (x > -kInfinity) & ~whole;
  const Value nan = number(x, std::numeric_limits<double>::quiet_NaN());
  const Value result = select(odd, with_sign_of(magnitude, x), magnitude);
  return select((x == 1) | (y == 0), one, select(undefined | (y != y), nan, result));
}

}  // namespace tenon::program
