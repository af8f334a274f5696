// The table of activations.
#include <cmath>
#include <numbers>

#include "core/base/fail.h"
#include "core/ops/functions.h"
#include "core/ops/rule.h"

namespace tenon {
namespace ops {
namespace {

// Klambauer, Unterthiner, Mayr, Hochreiter: "Self-normalizing neural networks", 2017.
constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

/// alpha · (eᵃ - 1) below 0, a above; and its slope.
Value exponential(Value a, Value alpha) {
  return select(a > 0, a, alpha * expm1(min(a, 0.0)));
}
Value slope_of_exponential(Value a, Value alpha) {
  return select(a > 0, number(a, 1), alpha * exp(min(a, 0.0)));
}

Value clamped(Value a, Value low, Value high) {
  return select(a <= low, low, select(a >= high, high, a));
}
Value hard_sigmoid(Value a) {
  return clamped(a + 3, number(a, 0), number(a, 6)) * (1.0 / 6);
}

// tanh(√(2/π) (a + 0.044715 a³))
Value gelu_tanh(Value a) {
  return tanh((a + 0.044715 * (a * a * a)) * (std::numbers::sqrt2 * std::numbers::inv_sqrtpi));
}

}  // namespace
}  // namespace ops

using ops::number;
using program::Value;

#define TENON_UNARY(op, computes, ...)                                             \
  static constexpr ops::Rule op##_rule{#op, ops::Computes::computes, __VA_ARGS__}; \
  Tensor op(const Tensor& x) {                                                     \
    return ops::evaluate(op##_rule, {x});                                          \
  }                                                                                \
  Tensor& op##_(Tensor& x) {                                                       \
    return ops::evaluate_in_place(op##_rule, x, {x});                              \
  }                                                                                \
  Tensor& op##_out(Tensor& out, const Tensor& x) {                                 \
    return ops::evaluate_out(op##_rule, out, {x});                                 \
  }
#define TENON_RULE(op, ...) \
  static constexpr ops::Rule op##_rule{#op, ops::Computes::floats, __VA_ARGS__};

// clang-format off
TENON_UNARY(sigmoid, floats, TENON_FORMULA(sigmoid(a)))
TENON_UNARY(logsigmoid, floats, TENON_FORMULA(-ops::softplus(-a)))
TENON_UNARY(relu, numbers, TENON_FORMULA(select(a <= 0, number(a, 0), a)))
TENON_UNARY(relu6, numbers, TENON_FORMULA(select(a <= 0, number(a, 0), select(a >= 6, number(a, 6), a))))
TENON_UNARY(silu, floats, TENON_FORMULA(a * sigmoid(a)))
TENON_UNARY(mish, floats, TENON_FORMULA(a * tanh(ops::softplus(a))))
TENON_UNARY(selu, floats, TENON_FORMULA(ops::kSeluScale * ops::exponential(a, number(a, ops::kSeluAlpha))),
            TENON_SLOPES(ops::kSeluScale * ops::slope_of_exponential(a, number(a, ops::kSeluAlpha))))
TENON_UNARY(softsign, floats, TENON_FORMULA(a / (1 + abs(a))))
TENON_UNARY(tanhshrink, floats, TENON_FORMULA(a - tanh(a)))
TENON_UNARY(hardsigmoid, floats, TENON_FORMULA(ops::hard_sigmoid(a)))
TENON_UNARY(hardswish, floats, TENON_FORMULA(a * ops::hard_sigmoid(a)))

// Φ(a) + a φ(a)
TENON_RULE(gelu, TENON_FORMULA(a * ops::normal_below(a)),
           TENON_SLOPES(ops::normal_below(a) + a * ops::normal_density(a)))
TENON_RULE(gelu_tanh, TENON_FORMULA(0.5 * a * (1 + ops::gelu_tanh(a))))
TENON_RULE(leaky_relu, TENON_FORMULA(select(a > 0, a, a * p)))
TENON_RULE(prelu, TENON_FORMULA(select(a > 0, a, a * b)))
TENON_RULE(elu, TENON_FORMULA(ops::exponential(a, p)), TENON_SLOPES(ops::slope_of_exponential(a, p)))
TENON_RULE(celu, TENON_FORMULA(select(a > 0, a, p * expm1(min(a / p, 0.0)))),
           TENON_SLOPES(select(a > 0, number(a, 1), exp(min(a / p, 0.0)))))
TENON_RULE(softplus, TENON_FORMULA(max(a, 0.0) + log1p(exp(-abs(a * p))) / p), TENON_SLOPES(sigmoid(a * p)))
TENON_RULE(hardtanh, TENON_FORMULA(ops::clamped(a, p, q)))
TENON_RULE(hardshrink, TENON_FORMULA(select((a >= -p) & (a <= p), number(a, 0), a)))
TENON_RULE(softshrink, TENON_FORMULA(select(a > p, a - p, select(a < -p, a + p, a * 0))))
TENON_RULE(threshold, TENON_FORMULA(select(a <= p, q, a)))
// clang-format on
#undef TENON_UNARY
#undef TENON_RULE

Tensor gelu(const Tensor& x, bool by_tanh) {
  return ops::evaluate(by_tanh ? gelu_tanh_rule : gelu_rule, {x});
}
Tensor leaky_relu(const Tensor& x, double slope) {
  return ops::evaluate(leaky_relu_rule, {x}, {slope});
}
Tensor prelu(const Tensor& x, const Tensor& slope) {
  return ops::evaluate(prelu_rule, {x, slope});
}
Tensor elu(const Tensor& x, double alpha) {
  return ops::evaluate(elu_rule, {x}, {alpha});
}
Tensor celu(const Tensor& x, double alpha) {
  require(alpha != 0, "[celu] alpha is 0");
  return ops::evaluate(celu_rule, {x}, {alpha});
}
Tensor& celu_(Tensor& x, double alpha) {
  require(alpha != 0, "[celu] alpha is 0");
  return ops::evaluate_in_place(celu_rule, x, {x}, {alpha});
}
Tensor softplus(const Tensor& x, double beta) {
  require(beta > 0, "[softplus] beta is {}: it must be above 0", beta);
  return ops::evaluate(softplus_rule, {x}, {beta});
}
Tensor hardtanh(const Tensor& x, double low, double high) {
  require(low <= high, "[hardtanh] low is {} and high {}", low, high);
  return ops::evaluate(hardtanh_rule, {x}, {low, high});
}
Tensor hardshrink(const Tensor& x, double lambda) {
  require(lambda >= 0, "[hardshrink] lambda is {}: it must be at least 0", lambda);
  return ops::evaluate(hardshrink_rule, {x}, {lambda});
}
Tensor softshrink(const Tensor& x, double lambda) {
  require(lambda >= 0, "[softshrink] lambda is {}: it must be at least 0", lambda);
  return ops::evaluate(softshrink_rule, {x}, {lambda});
}
Tensor threshold(const Tensor& x, double limit, double value) {
  return ops::evaluate(threshold_rule, {x}, {limit, value});
}
Tensor& threshold_(Tensor& x, double limit, double value) {
  return ops::evaluate_in_place(threshold_rule, x, {x}, {limit, value});
}

}  // namespace tenon
