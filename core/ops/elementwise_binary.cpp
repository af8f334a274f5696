// The table of elementwise ops of two operands.
#include <limits>
#include <numbers>

#include "core/base/fail.h"
#include "core/ops/functions.h"
#include "core/ops/rule.h"

namespace tenon {
namespace ops {
namespace {

Value plus(Value a, Value b) {
  return a.dtype() == bool_ ? a | b : a + b;
}
Value minus(Value a, Value b) {
  require(a.dtype() != bool_,
          "[sub] takes numbers, not two bools (logical_xor tells where they differ)");
  return a - b;
}
Value times(Value a, Value b) {
  return a.dtype() == bool_ ? a & b : a * b;
}
Value larger(Value a, Value b) {
  return a.dtype() == bool_ ? a | b : max(a, b);
}
Value smaller(Value a, Value b) {
  return a.dtype() == bool_ ? a & b : min(a, b);
}

/// Whether r, a remainder that is not 0, lies on the other side of 0 than b.
Value other_side(Value r, Value b) {
  return (r != 0) & ((r < 0) != (b < 0));
}

Value floored_remainder(Value a, Value b) {
  const Value r = rem(a, b);
  return select(other_side(r, b), r + b, r);
}

// The quotient without the remainder is whole but for rounding; by an infinity it is 0, or just below.
Value floored_quotient(Value a, Value b) {
  if (!is_floating(a.dtype())) {
    const Value q = a / b;
    return select(other_side(rem(a, b), b), q - 1, q);
  }
  const Value q = (a - floored_remainder(a, b)) / b, whole = floor(q);
  const Value nearest = select(q - whole > 0.5, whole + 1, whole);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Value by_infinity = select(other_side(a, b), number(a, -1), number(a, 0));
  const Value finite_by_infinite = (abs(b) == infinity) & (abs(a) < infinity);
  return select(b == 0, a / b, select(finite_by_infinite, by_infinity, nearest));
}

Value truncated_quotient(Value a, Value b) {
  return is_floating(a.dtype()) ? trunc(a / b) : a / b;
}

/// -|a|, which all signed integers have; unsigned ones stay.
Value below_zero(Value a) {
  return is_signed_integer(a.dtype()) ? min(a, -a) : a;
}
Value above_zero(Value a) {
  return is_signed_integer(a.dtype()) ? -a : a;
}

/// The greatest common divisor of two numbers of one sign, by Euclid: of w bits they take less than
/// 3w/2 divisions (Lamé 1844), and those that follow, by 0, change nothing.
Value common_divisor(Value a, Value b) {
  for (std::int64_t step = 0; step < 6 * size_of(a.dtype()); ++step) {
    a = a - b * (a / b);
    b = b - a * (b / a);
  }
  return a + b;
}
Value greatest_divisor(Value a, Value b) {
  return above_zero(common_divisor(below_zero(a), below_zero(b)));
}
Value least_multiple(Value a, Value b) {
  a = below_zero(a), b = below_zero(b);
  return above_zero(a / common_divisor(a, b) * b);
}

// A quarter of what is large, so that no sum overflows.
Value arc(Value y, Value x) {
  const Value part = select(max(abs(y), abs(x)) > 1, number(y, 0.25), number(y, 1));
  const Value right = angle(abs(y) * part, abs(x) * part);
  return with_sign(select(is_negative(x), std::numbers::pi - right, right), y);
}

Value length(Value a, Value b) {
  const Value longer = max(abs(a), abs(b)), ratio = min(abs(a), abs(b)) / longer;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Value infinite = (abs(a) == infinity) | (abs(b) == infinity);
  return select(infinite, number(a, infinity),
                select(longer == 0, longer, longer * sqrt(1 + ratio * ratio)));
}
Value direction(Value a, Value length) {
  return select(length == 0, number(a, 0), a / length);
}

/// x / (x² + y²) with the length of (x, y); 0 at the origin.
Value turn(Value x, Value length) {
  return select(length == 0, number(x, 0), x / length / length);
}

Value shift(program::Opcode opcode, Value a, Value count) {
  return a.builder().apply(opcode, a.dtype(), a, count);
}
Value width(Value a) {
  return number(a, static_cast<double>(8 * size_of(a.dtype())));
}
Value within_width(Value a, Value count) {
  return (count >= 0) & (count < width(a));
}

/// All digits gone: the sign is left.
Value shifted_right(Value a, Value count) {
  const Value shifted =
      shift(program::Opcode::shr, a, select(within_width(a, count), count, width(a) - 1));
  if (is_signed_integer(a.dtype())) return shifted;
  return select(within_width(a, count), shifted, number(a, 0));
}

Value share_of_sum(Value a, Value b, Value difference) {
  return select(a == b, number(a, 0.5), sigmoid(difference));
}

}  // namespace
}  // namespace ops

using ops::angle, ops::is_nan, ops::is_negative, ops::number, ops::with_sign;
using program::Opcode, program::Value;

#define TENON_BINARY(op, computes, ...)                                            \
  static constexpr ops::Rule op##_rule{#op, ops::Computes::computes, __VA_ARGS__}; \
  Tensor op(const Tensor& x, const Tensor& y) {                                    \
    return ops::evaluate(op##_rule, {x, y});                                       \
  }                                                                                \
  Tensor op(const Tensor& x, Scalar y) {                                           \
    return ops::evaluate(op##_rule, {x, y});                                       \
  }                                                                                \
  Tensor op(Scalar x, const Tensor& y) {                                           \
    return ops::evaluate(op##_rule, {x, y});                                       \
  }                                                                                \
  Tensor& op##_(Tensor& x, const Tensor& y) {                                      \
    return ops::evaluate_in_place(op##_rule, x, {x, y});                           \
  }                                                                                \
  Tensor& op##_(Tensor& x, Scalar y) {                                             \
    return ops::evaluate_in_place(op##_rule, x, {x, y});                           \
  }                                                                                \
  Tensor& op##_out(Tensor& out, const Tensor& x, const Tensor& y) {                \
    return ops::evaluate_out(op##_rule, out, {x, y});                              \
  }

// clang-format off
TENON_BINARY(add, alike, TENON_FORMULA(ops::plus(a, b)))
TENON_BINARY(sub, alike, TENON_FORMULA(ops::minus(a, b)))
TENON_BINARY(mul, alike, TENON_FORMULA(ops::times(a, b)))
TENON_BINARY(div, floats, TENON_FORMULA(a / b))
TENON_BINARY(floor_divide, numbers, TENON_FORMULA(ops::floored_quotient(a, b)),
             TENON_SLOPES(number(a, 0), number(a, 0)))
// da = 1, db = -floor(a / b)
TENON_BINARY(remainder, numbers, TENON_FORMULA(ops::floored_remainder(a, b)),
             TENON_SLOPES(number(a, 1), -ops::floored_quotient(a, b)))
TENON_BINARY(fmod, numbers, TENON_FORMULA(rem(a, b)))
TENON_BINARY(gcd, integers, TENON_FORMULA(ops::greatest_divisor(a, b)))
TENON_BINARY(lcm, integers, TENON_FORMULA(ops::least_multiple(a, b)))
TENON_BINARY(maximum, alike, TENON_FORMULA(ops::larger(a, b)))
TENON_BINARY(minimum, alike, TENON_FORMULA(ops::smaller(a, b)))
TENON_BINARY(fmax, alike,
             TENON_FORMULA(select(is_nan(a), b, select(is_nan(b), a, ops::larger(a, b)))))
TENON_BINARY(fmin, alike,
             TENON_FORMULA(select(is_nan(a), b, select(is_nan(b), a, ops::smaller(a, b)))))
// da = b / (a² + b²), db = -a / (a² + b²)
TENON_BINARY(atan2, floats, TENON_FORMULA(ops::arc(a, b)),
             TENON_SLOPES(ops::turn(b, ops::length(a, b)), -ops::turn(a, ops::length(a, b))))
// da = a / y, db = b / y
TENON_BINARY(hypot, floats, TENON_FORMULA(ops::length(a, b)),
             TENON_SLOPES(ops::direction(a, ops::length(a, b)), ops::direction(b, ops::length(a, b))))
// da = sign(a) sign(b)
TENON_BINARY(copysign, floats, TENON_FORMULA(with_sign(a, b)),
             TENON_SLOPES(select(a == 0, a, select(is_negative(a) == is_negative(b), number(a, 1), number(a, -1))),
                          number(a, 0)))
// da = eᵃ / (eᵃ + eᵇ)
TENON_BINARY(logaddexp, floats,
             TENON_FORMULA(select(a == b, a + std::numbers::ln2, max(a, b) + log1p(exp(-abs(a - b))))),
             TENON_SLOPES(ops::share_of_sum(a, b, a - b), ops::share_of_sum(a, b, b - a)))
// da = 2ᵃ / (2ᵃ + 2ᵇ)
TENON_BINARY(logaddexp2, floats,
             TENON_FORMULA(select(a == b, a + 1, max(a, b) + log1p(exp2(-abs(a - b))) * std::numbers::log2e)),
             TENON_SLOPES(ops::share_of_sum(a, b, (a - b) * std::numbers::ln2),
                          ops::share_of_sum(a, b, (b - a) * std::numbers::ln2)))
// da = log(b), 0 where there is nothing; db = a / b
TENON_BINARY(xlogy, floats, TENON_FORMULA(select((a == 0) & (b == b), number(a, 0), a * log(b))),
             TENON_SLOPES(select((a == 0) & (b <= 0), number(a, 0), log(b)), a / b))
TENON_BINARY(ldexp, floats, TENON_FORMULA(a * exp2(b)))
TENON_BINARY(heaviside, alike,
             TENON_FORMULA(select(a < 0, number(a, 0), select(a == 0, b, select(a > 0, number(a, 1), a)))),
             TENON_SLOPES(number(a, 0), select(a == 0, number(a, 1), number(a, 0))))
TENON_BINARY(nextafter, floats, TENON_FORMULA(ops::next_after(a, b)),
             TENON_SLOPES(number(a, 0), number(a, 0)), true)

TENON_BINARY(lt, relation, TENON_FORMULA(a < b))
TENON_BINARY(le, relation, TENON_FORMULA(a <= b))
TENON_BINARY(gt, relation, TENON_FORMULA(a > b))
TENON_BINARY(ge, relation, TENON_FORMULA(a >= b))
TENON_BINARY(eq, relation, TENON_FORMULA(a == b))
TENON_BINARY(ne, relation, TENON_FORMULA(a != b))
TENON_BINARY(logical_and, truth, TENON_FORMULA(a & b))
TENON_BINARY(logical_or, truth, TENON_FORMULA(a | b))
TENON_BINARY(logical_xor, truth, TENON_FORMULA(a ^ b))

TENON_BINARY(bitwise_and, bits, TENON_FORMULA(a & b))
TENON_BINARY(bitwise_or, bits, TENON_FORMULA(a | b))
TENON_BINARY(bitwise_xor, bits, TENON_FORMULA(a ^ b))
TENON_BINARY(bitwise_left_shift, integers,
             TENON_FORMULA(select(ops::within_width(a, b), ops::shift(Opcode::shl, a, b), number(a, 0))))
TENON_BINARY(bitwise_right_shift, integers, TENON_FORMULA(ops::shifted_right(a, b)))

static constexpr ops::Rule div_trunc_rule{"div", ops::Computes::numbers,
                                          TENON_FORMULA(ops::truncated_quotient(a, b))};
static constexpr ops::Rule div_floor_rule{"div", ops::Computes::numbers, floor_divide_rule.formula,
                                          floor_divide_rule.slopes};
// clang-format on
#undef TENON_BINARY

#define TENON_SCALED(op, symbol)                                              \
  static constexpr ops::Rule op##_scaled_rule{#op, ops::Computes::numbers,    \
                                              TENON_FORMULA(a symbol p * b)}; \
  Tensor op(const Tensor& x, const Tensor& y, Scalar alpha) {                 \
    return ops::evaluate(op##_scaled_rule, {x, y}, {alpha});                  \
  }                                                                           \
  Tensor& op##_(Tensor& x, const Tensor& y, Scalar alpha) {                   \
    return ops::evaluate_in_place(op##_scaled_rule, x, {x, y}, {alpha});      \
  }
TENON_SCALED(add, +)
TENON_SCALED(sub, -)
#undef TENON_SCALED

static const ops::Rule& quotient_rule(Rounding rounding) {
  switch (rounding) {
    case Rounding::none:
      return div_rule;
    case Rounding::trunc:
      return div_trunc_rule;
    case Rounding::floor:
      return div_floor_rule;
  }
  return div_rule;
}
Tensor div(const Tensor& x, const Tensor& y, Rounding rounding) {
  return ops::evaluate(quotient_rule(rounding), {x, y});
}
Tensor div(const Tensor& x, Scalar y, Rounding rounding) {
  return ops::evaluate(quotient_rule(rounding), {x, y});
}
Tensor& div_(Tensor& x, const Tensor& y, Rounding rounding) {
  return ops::evaluate_in_place(quotient_rule(rounding), x, {x, y});
}
Tensor& div_(Tensor& x, Scalar y, Rounding rounding) {
  return ops::evaluate_in_place(quotient_rule(rounding), x, {x, y});
}

#define TENON_IN_PLACE(symbol, op)                        \
  Tensor& Tensor::operator symbol(const Tensor & other) { \
    return op##_(*this, other);                           \
  }                                                       \
  Tensor& Tensor::operator symbol(Scalar other) {         \
    return op##_(*this, other);                           \
  }
TENON_IN_PLACE(+=, add)
TENON_IN_PLACE(-=, sub)
TENON_IN_PLACE(*=, mul)
TENON_IN_PLACE(/=, div)
TENON_IN_PLACE(%=, remainder)
TENON_IN_PLACE(&=, bitwise_and)
TENON_IN_PLACE(|=, bitwise_or)
TENON_IN_PLACE(^=, bitwise_xor)
TENON_IN_PLACE(<<=, bitwise_left_shift)
TENON_IN_PLACE(>>=, bitwise_right_shift)
#undef TENON_IN_PLACE

}  // namespace tenon
