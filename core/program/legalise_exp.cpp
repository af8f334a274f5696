// What is made of exp: exp2, expm1, sigmoid, tanh and erf.
#include <numbers>

#include "core/program/expand.h"

namespace tenon::program {

/// x = n + f, then 2^n exp(f ln 2).
Value expand_exp2(Value x) {
  const Value kept = min(max(x, by_dtype(x, -152, -1080)), by_dtype(x, 130, 1026));
  const Value n = floor(kept + 0.5);
  return scaled(small_expm1((kept - n) * std::numbers::ln2) + 1, cast(n, i32));
}

/// 2^n ((exp(r) - 1) + (1 - 2^-n)).
Value expand_expm1(Value x) {
  const Value kept = min(max(x, by_dtype(x, -25, -45)), by_dtype(x, 90, 711));
  const auto [r, n] = reduce_exponent(kept);
  const Value rest = 1 - power_of_two(max(-n, -100), x.dtype());
  return select(x == 0, x, scaled(small_expm1(r) + rest, n));
}

/// exp(-|x|) for negative x, or 1, over 1 + exp(-|x|).
Value expand_sigmoid(Value x) {
  const auto [r, n] = reduce_exponent(max(-abs(x), by_dtype(x, -106, -750)));
  const Value e = scaled(small_expm1(r) + 1, n);
  return select(x < 0, e, raw(e, 0) + 1) / (e + 1);
}

/// Small x by a polynomial, others by 1 - 2 / (exp(2 |x|) + 1).
Value expand_tanh(Value x) {
  const Value size = abs(x), square = x * x;
  const Value small = size + size * (square * evaluate(polynomial::tanh_tail, square));
  const Value large = 1 - 2 / (exp(size + size) + 1);
  return with_sign_of(select(size < 1, small, large), x);
}

/// Small x by a polynomial, others by 1 - exp of a polynomial.
Value expand_erf(Value x) {
  const Value size = abs(x);
  const Value small = size * (evaluate(polynomial::erf_tail, x * x) + 1);
  const Value large = 1 - exp(evaluate(polynomial::log_erfc, min(size, by_dtype(x, 4, 6)) - 1));
  return with_sign_of(select(size < 1, small, large), x);
}

}  // namespace tenon::program
