// Elementwise choices between operands, and mixtures of them.
#include <limits>
#include <tuple>

#include <tenon/dtype_info.h>

#include "core/base/fail.h"
#include "core/ops/elementwise.h"
#include "core/ops/functions.h"
#include "core/ops/program_table.h"
#include "core/ops/rule.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value close(Value a, Value b, Value rtol, Value atol) {
  const Value finite = (abs(a) < kInfinity) & (abs(b) < kInfinity);
  return (a == b) | (finite & (abs(a - b) <= atol + rtol * abs(b)));
}

Value one_where(Value condition, Value like) {
  return select(condition, number(like, 1), number(like, 0));
}

#define TENON_RULE(op, text, computes, ...) constexpr Rule op{text, Computes::computes, __VA_ARGS__};
// clang-format off
TENON_RULE(kClose, "isclose", closeness, TENON_FORMULA(close(a, b, p, q)))
TENON_RULE(kCloseOrNan, "isclose", closeness,
           TENON_FORMULA(close(a, b, p, q) | (is_nan(a) & is_nan(b))))
TENON_RULE(kWithin, "clamp", numbers, TENON_FORMULA(min(max(a, b), c)))
// Of numbers, which the gradient is 0 at.
TENON_RULE(kAtLeast, "clamp", numbers, TENON_FORMULA(max(a, b)), TENON_SLOPES(one_where(a > b, a), number(a, 0)))
TENON_RULE(kAtMost, "clamp", numbers, TENON_FORMULA(min(a, b)), TENON_SLOPES(one_where(a < b, a), number(a, 0)))
TENON_RULE(kBetween, "clamp", numbers, kWithin.formula,
           TENON_SLOPES(one_where((a > b) & (a < c), a), number(a, 0), number(a, 0)))
// The nearer end is what it starts from, so that both are met exactly.
TENON_RULE(kLerp, "lerp", floats,
           TENON_FORMULA(select(abs(c) < 0.5, a + c * (b - a), b - (b - a) * (1 - c))))
TENON_RULE(kAddProduct, "addcmul", numbers, TENON_FORMULA(a + p * b * c))
TENON_RULE(kAddQuotient, "addcdiv", floats, TENON_FORMULA(a + p * b / c))
TENON_RULE(kReplace, "nan_to_num", floats,
           TENON_FORMULA(select(is_nan(a), p, select(a == kInfinity, q, select(a == -kInfinity, parameters[2], a)))))
// clang-format on
#undef TENON_RULE

/// What chooses between x and y, of these dtypes; a number stands as a scalar of the program.
const program::Program& where_program(const Operand& x, const Operand& y, DType a, DType b,
                                      DType dtype) {
  using Key = std::tuple<bool, bool, DType, DType, DType>;
  static ProgramTable<Key>& programs = *new ProgramTable<Key>;
  return programs.get({x.is_tensor(), y.is_tensor(), a, b, dtype}, [&] {
    program::Builder builder;
    const Value condition = builder.input(bool_);
    const Value first = x.is_tensor() ? cast(builder.input(a), dtype) : builder.scalar(dtype);
    const Value second = y.is_tensor() ? cast(builder.input(b), dtype) : builder.scalar(dtype);
    builder.output(select(condition, first, second));
    return builder.build();
  });
}

Tensor choose(const Tensor& condition, const Operand& x, const Operand& y) {
  const DType chosen_by = impl_of(condition, "where").dtype;
  require(chosen_by == bool_, "[where] the condition is {}, not bool", name(chosen_by));
  std::vector<Tensor> inputs{condition};
  std::vector<std::uint64_t> scalars;
  const DType a = x.is_tensor() ? impl_of(x.tensor(), "where").dtype
                                : promote(impl_of(y.tensor(), "where").dtype, x.number());
  const DType b = y.is_tensor() ? impl_of(y.tensor(), "where").dtype : promote(a, y.number());
  const DType dtype = promote(a, b);
  for (const Operand& each : {x, y}) {
    if (each.is_tensor()) {
      inputs.push_back(each.tensor());
    } else {
      require_fits("where", each.number(), dtype);
      scalars.push_back(each.number().bits(dtype));
    }
  }
  return apply("where", where_program(x, y, a, b, dtype), inputs, scalars).front();
}

}  // namespace
}  // namespace ops

using ops::evaluate, ops::evaluate_in_place;

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  return ops::choose(condition, x, y);
}
Tensor where(const Tensor& condition, const Tensor& x, Scalar y) {
  return ops::choose(condition, x, y);
}
Tensor where(const Tensor& condition, Scalar x, const Tensor& y) {
  return ops::choose(condition, x, y);
}

Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
  if (low && high) return evaluate(ops::kBetween, {x, *low, *high});
  if (low) return evaluate(ops::kAtLeast, {x, *low});
  require(high.has_value(), "[clamp] neither low nor high is given");
  return evaluate(ops::kAtMost, {x, *high});
}
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high) {
  return evaluate(ops::kWithin, {x, low, high});
}
Tensor& clamp_(Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) {
  if (low && high) return evaluate_in_place(ops::kBetween, x, {x, *low, *high});
  if (low) return evaluate_in_place(ops::kAtLeast, x, {x, *low});
  require(high.has_value(), "[clamp] neither low nor high is given");
  return evaluate_in_place(ops::kAtMost, x, {x, *high});
}

Tensor lerp(const Tensor& x, const Tensor& y, const Tensor& weight) {
  return evaluate(ops::kLerp, {x, y, weight});
}
Tensor lerp(const Tensor& x, const Tensor& y, Scalar weight) {
  return evaluate(ops::kLerp, {x, y, weight});
}
Tensor& lerp_(Tensor& x, const Tensor& y, const Tensor& weight) {
  return evaluate_in_place(ops::kLerp, x, {x, y, weight});
}
Tensor& lerp_(Tensor& x, const Tensor& y, Scalar weight) {
  return evaluate_in_place(ops::kLerp, x, {x, y, weight});
}
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return evaluate(ops::kAddProduct, {x, a, b}, {value});
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return evaluate(ops::kAddQuotient, {x, a, b}, {value});
}

Tensor& addcmul_(Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return evaluate_in_place(ops::kAddProduct, x, {x, a, b}, {value});
}
Tensor& addcdiv_(Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return evaluate_in_place(ops::kAddQuotient, x, {x, a, b}, {value});
}

Tensor nan_to_num(const Tensor& x, Replacements by) {
  const DType dtype = impl_of(x, "nan_to_num").dtype;
  if (!is_floating(dtype)) return x.clone();
  const double most = finfo(dtype).max;
  return evaluate(ops::kReplace, {x}, {by.nan, by.posinf.value_or(most), by.neginf.value_or(-most)});
}
Tensor& nan_to_num_(Tensor& x, Replacements by) {
  const DType dtype = impl_of(x, "nan_to_num").dtype;
  if (!is_floating(dtype)) return x;
  const double most = finfo(dtype).max;
  return evaluate_in_place(ops::kReplace, x, {x},
                           {by.nan, by.posinf.value_or(most), by.neginf.value_or(-most)});
}

Tensor isclose(const Tensor& x, const Tensor& y, CloseOptions options) {
  require(options.rtol >= 0 && options.atol >= 0,
          "[isclose] rtol is {} and atol {}: neither may be negative", options.rtol, options.atol);
  return evaluate(options.equal_nan ? ops::kCloseOrNan : ops::kClose, {x, y},
                  {options.rtol, options.atol});
}

}  // namespace tenon
