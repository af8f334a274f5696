// The table of elementwise ops of one operand.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/ops/functions.h"
#include "core/ops/rule.h"

namespace tenon {
namespace ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPi = std::numbers::pi;

/// f of floating numbers; integers are whole already.
template <class F>
Value whole(Value a, F f) {
  return is_floating(a.dtype()) ? f(a) : a;
}

Value fraction(Value a) {
  return is_floating(a.dtype()) ? a - trunc(a) : number(a, 0);
}

Value sign_of(Value a) {
  return select(a > 0, number(a, 1), select(a < 0, number(a, -1), a));
}

/// Infinities are not infinity of integers, whose every number is finite.
Value equals_infinity(Value a, double infinity) {
  return is_floating(a.dtype()) ? a == infinity : a != a;
}

/// The logarithm of the odds a to 1 - a.
Value log_odds(Value a) {
  return log(a) - log1p(-a);
}
Value slope_of_log_odds(Value a) {
  return 1 / (a * (1 - a));
}

// √π/2 exp(y²)
Value slope_of_erfinv(Value a) {
  const Value y = erfinv(abs(a));
  return exp(y * y) * (0.5 / std::numbers::inv_sqrtpi);
}

Value normalised_sine(Value a) {
  return select(a == 0, number(a, 1), sin(a * kPi) / (a * kPi));
}
// (cos(πa) - sinc(a)) / a
Value slope_of_normalised_sine(Value a) {
  return select(a == 0, number(a, 0), (cos(a * kPi) - normalised_sine(a)) / a);
}

}  // namespace
}  // namespace ops

using ops::number;
using program::Value;

#define TENON_TEST(op, computes, ...)                                              \
  static constexpr ops::Rule op##_rule{#op, ops::Computes::computes, __VA_ARGS__}; \
  Tensor op(const Tensor& x) {                                                     \
    return ops::evaluate(op##_rule, {x});                                          \
  }                                                                                \
  Tensor& op##_out(Tensor& out, const Tensor& x) {                                 \
    return ops::evaluate_out(op##_rule, out, {x});                                 \
  }
#define TENON_UNARY(op, computes, ...)                \
  TENON_TEST(op, computes, __VA_ARGS__)               \
  Tensor& op##_(Tensor& x) {                          \
    return ops::evaluate_in_place(op##_rule, x, {x}); \
  }

// clang-format off
TENON_UNARY(neg, numbers, TENON_FORMULA(-a))
TENON_UNARY(abs, numbers, TENON_FORMULA(abs(a)))
TENON_UNARY(sign, numbers, TENON_FORMULA(ops::sign_of(a)), TENON_SLOPES(number(a, 0)))
TENON_UNARY(square, numbers, TENON_FORMULA(a * a))
TENON_UNARY(reciprocal, wide, TENON_FORMULA(1 / a))
TENON_UNARY(floor, numbers, TENON_FORMULA(ops::whole(a, [](Value x) { return floor(x); })))
TENON_UNARY(ceil, numbers, TENON_FORMULA(ops::whole(a, [](Value x) { return ceil(x); })))
TENON_UNARY(trunc, numbers, TENON_FORMULA(ops::whole(a, [](Value x) { return trunc(x); })))
TENON_UNARY(round, numbers, TENON_FORMULA(ops::whole(a, [](Value x) { return round(x); })))
TENON_UNARY(frac, numbers, TENON_FORMULA(ops::fraction(a)))

TENON_TEST(isnan, relation, TENON_FORMULA(a != a))
TENON_TEST(isinf, test, TENON_FORMULA(ops::equals_infinity(abs(a), ops::kInfinity)))
TENON_TEST(isposinf, test, TENON_FORMULA(ops::equals_infinity(a, ops::kInfinity)))
TENON_TEST(isneginf, test, TENON_FORMULA(ops::equals_infinity(a, -ops::kInfinity)))
TENON_TEST(isfinite, test, TENON_FORMULA(a - a == 0))
TENON_TEST(signbit, test, TENON_FORMULA(ops::is_negative(a)))
TENON_UNARY(logical_not, truth, TENON_FORMULA(~a))
TENON_UNARY(bitwise_not, bits, TENON_FORMULA(~a))

TENON_UNARY(sqrt, floats, TENON_FORMULA(sqrt(a)))
TENON_UNARY(rsqrt, wide, TENON_FORMULA(rsqrt(a)))
TENON_UNARY(exp, wide, TENON_FORMULA(exp(a)))
TENON_UNARY(exp2, wide, TENON_FORMULA(exp2(a)))
TENON_UNARY(expm1, wide, TENON_FORMULA(expm1(a)))
TENON_UNARY(log, wide, TENON_FORMULA(log(a)))
TENON_UNARY(log2, wide, TENON_FORMULA(log2(a)))
TENON_UNARY(log10, wide, TENON_FORMULA(log(a) * std::numbers::log10e))
TENON_UNARY(log1p, wide, TENON_FORMULA(log1p(a)))
TENON_UNARY(logit, floats, TENON_FORMULA(ops::log_odds(a)), TENON_SLOPES(ops::slope_of_log_odds(a)))
TENON_UNARY(erf, floats, TENON_FORMULA(erf(a)))
// -2/√π exp(-a²)
TENON_UNARY(erfc, floats, TENON_FORMULA(ops::erfc(a)),
            TENON_SLOPES(exp(-(a * a)) * (-2 * std::numbers::inv_sqrtpi)))
TENON_UNARY(erfinv, wide, TENON_FORMULA(ops::with_sign(ops::erfinv(abs(a)), a)),
            TENON_SLOPES(ops::slope_of_erfinv(a)))
TENON_UNARY(lgamma, floats, TENON_FORMULA(ops::lgamma(a)), TENON_SLOPES(ops::digamma(a)))
TENON_UNARY(digamma, floats, TENON_FORMULA(ops::digamma(a)))

TENON_UNARY(sin, floats, TENON_FORMULA(sin(a)))
TENON_UNARY(cos, floats, TENON_FORMULA(cos(a)))
// 1 / cos²
TENON_UNARY(tan, wide, TENON_FORMULA(sin(a) / cos(a)), TENON_SLOPES(1 / (cos(a) * cos(a))))
TENON_UNARY(asin, wide, TENON_FORMULA(ops::with_sign(ops::angle(abs(a), sqrt((1 - a) * (1 + a))), a)),
            TENON_SLOPES(1 / sqrt((1 - a) * (1 + a))))
TENON_UNARY(acos, wide, TENON_FORMULA(2 * ops::angle(sqrt(1 - a), sqrt(1 + a))),
            TENON_SLOPES(-1 / sqrt((1 - a) * (1 + a))))
TENON_UNARY(atan, floats, TENON_FORMULA(ops::atan(a)), TENON_SLOPES(1 / (1 + a * a)))
TENON_UNARY(sinh, wide, TENON_FORMULA(ops::sinh(a)), TENON_SLOPES(ops::cosh(a)))
TENON_UNARY(cosh, wide, TENON_FORMULA(ops::cosh(a)), TENON_SLOPES((expm1(a) - expm1(-a)) * 0.5))
TENON_UNARY(tanh, floats, TENON_FORMULA(tanh(a)))
TENON_UNARY(asinh, floats, TENON_FORMULA(ops::asinh(a)), TENON_SLOPES(1 / sqrt(a * a + 1)))
TENON_UNARY(acosh, floats, TENON_FORMULA(ops::acosh(a)), TENON_SLOPES(1 / (sqrt(a - 1) * sqrt(a + 1))))
TENON_UNARY(atanh, floats, TENON_FORMULA(ops::atanh(a)), TENON_SLOPES(1 / ((1 - a) * (1 + a))))
TENON_UNARY(sinc, floats, TENON_FORMULA(ops::normalised_sine(a)),
            TENON_SLOPES(ops::slope_of_normalised_sine(a)))
TENON_UNARY(deg2rad, floats, TENON_FORMULA(a * (ops::kPi / 180)))
TENON_UNARY(rad2deg, floats, TENON_FORMULA(a * (180 / ops::kPi)))

static constexpr ops::Rule logit_within_rule{
    "logit", ops::Computes::floats,
    TENON_FORMULA(ops::log_odds(select(a < p, p, select(a > 1 - p, 1 - p, a)))),
    TENON_SLOPES(select((a < p) | (a > 1 - p), number(a, 0), ops::slope_of_log_odds(a)))};
// One of p and q is 1.
static constexpr ops::Rule round_to_rule{"round", ops::Computes::floats,
                                         TENON_FORMULA(round(a * p / q) / p * q)};
// clang-format on
#undef TENON_TEST
#undef TENON_UNARY

Tensor logit(const Tensor& x, double eps) {
  return ops::evaluate(logit_within_rule, {x}, {eps});
}
Tensor& logit_(Tensor& x, double eps) {
  return ops::evaluate_in_place(logit_within_rule, x, {x}, {eps});
}

/// 10 to the power, or 1.
static double power_of_ten(double power) {
  return std::pow(10, std::max(power, 0.0));
}
Tensor round(const Tensor& x, int decimals) {
  return ops::evaluate(round_to_rule, {x}, {power_of_ten(decimals), power_of_ten(-1.0 * decimals)});
}
Tensor& round_(Tensor& x, int decimals) {
  return ops::evaluate_in_place(round_to_rule, x, {x},
                                {power_of_ten(decimals), power_of_ten(-1.0 * decimals)});
}

}  // namespace tenon
