// Elementwise operations: each is one program and one launch. Operands broadcast as NumPy's do and
// promote as tenon::promote says; a number takes the tensor's dtype within its kind, and all tensors
// live on one device. Each is differentiable where its mathematics is, to any order. What is floating
// by nature turns integers into the default dtype.
//
// f(x) gives a new tensor; f_(x) writes over x, in x's dtype, and is recorded; f_out(out, x) writes
// into a tensor of the result's shape, and is not recorded.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

#define TENON_UNARY(name)       \
  Tensor name(const Tensor& x); \
  Tensor& name##_(Tensor& x);   \
  Tensor& name##_out(Tensor& out, const Tensor& x);
#define TENON_TEST(name)        \
  Tensor name(const Tensor& x); \
  Tensor& name##_out(Tensor& out, const Tensor& x);
#define TENON_BINARY(name)                       \
  Tensor name(const Tensor& x, const Tensor& y); \
  Tensor name(const Tensor& x, Scalar y);        \
  Tensor name(Scalar x, const Tensor& y);        \
  Tensor& name##_(Tensor& x, const Tensor& y);   \
  Tensor& name##_(Tensor& x, Scalar y);          \
  Tensor& name##_out(Tensor& out, const Tensor& x, const Tensor& y);
#define TENON_OPERATOR(symbol, name)                                \
  inline Tensor operator symbol(const Tensor& x, const Tensor& y) { \
    return name(x, y);                                              \
  }                                                                 \
  inline Tensor operator symbol(const Tensor& x, Scalar y) {        \
    return name(x, y);                                              \
  }                                                                 \
  inline Tensor operator symbol(Scalar x, const Tensor& y) {        \
    return name(x, y);                                              \
  }

// --- Arithmetic; integers wrap. bool counts as an integer 0 or 1, but where all operands are bools
// add is or, mul and, sub an error, and maximum, minimum, fmax, fmin and heaviside stay bool ---

TENON_BINARY(add)
TENON_BINARY(sub)
TENON_BINARY(mul)
TENON_BINARY(div)  ///< integers give the default dtype
/// The greatest whole number that is at most x / y; 0 for integers where y is 0.
TENON_BINARY(floor_divide)
/// x - y · floor(x / y), of y's sign, as Python's %; for integers 0 where y is 0.
TENON_BINARY(remainder)
TENON_BINARY(fmod)  ///< x - y · trunc(x / y), of x's sign, as C's
/// The greatest common divisor of integers, and their least common multiple: neither is negative unless
/// it wraps.
TENON_BINARY(gcd)
TENON_BINARY(lcm)
TENON_BINARY(pow)      ///< integers wrap; to a negative power they give the whole part, 0 where x is 0
TENON_BINARY(maximum)  ///< NaN wins
TENON_BINARY(minimum)  ///< NaN wins
TENON_BINARY(fmax)     ///< NaN loses
TENON_BINARY(fmin)     ///< NaN loses
/// The angle of the point (y, x), in -π .. π: atan2(y, x); the gradient at the origin is 0.
TENON_BINARY(atan2)
TENON_BINARY(hypot)       ///< √(x² + y²), without overflow on the way
TENON_BINARY(copysign)    ///< |x| with the sign of y
TENON_BINARY(nextafter)   ///< the number next to x on the way to y; has no gradient
TENON_BINARY(logaddexp)   ///< log(eˣ + eʸ)
TENON_BINARY(logaddexp2)  ///< log₂(2ˣ + 2ʸ)
TENON_BINARY(xlogy)       ///< x · log(y), 0 where x is 0 and y is not NaN
TENON_BINARY(ldexp)       ///< x · 2ʸ
TENON_BINARY(heaviside)   ///< 0 below 0, y at 0, 1 above
TENON_OPERATOR(+, add)
TENON_OPERATOR(-, sub)
TENON_OPERATOR(*, mul)
TENON_OPERATOR(/, div)
TENON_OPERATOR(%, remainder)
/// x + alpha · y and x - alpha · y; of integers alpha is a whole number, bools count as integers.
Tensor add(const Tensor& x, const Tensor& y, Scalar alpha);
Tensor sub(const Tensor& x, const Tensor& y, Scalar alpha);
Tensor& add_(Tensor& x, const Tensor& y, Scalar alpha);
Tensor& sub_(Tensor& x, const Tensor& y, Scalar alpha);

enum class Rounding : std::uint8_t { none, trunc, floor };
/// x / y rounded; where it is, integers stay integers, 0 where y is 0.
Tensor div(const Tensor& x, const Tensor& y, Rounding rounding);
Tensor div(const Tensor& x, Scalar y, Rounding rounding);
Tensor& div_(Tensor& x, const Tensor& y, Rounding rounding);
Tensor& div_(Tensor& x, Scalar y, Rounding rounding);

TENON_UNARY(neg)
inline Tensor operator-(const Tensor& x) {
  return neg(x);
}
/// A copy.
inline Tensor operator+(const Tensor& x) {
  return x.clone();
}
TENON_UNARY(abs)
TENON_UNARY(sign)  ///< -1, 0 or 1; NaN stays
TENON_UNARY(square)
TENON_UNARY(reciprocal)
TENON_UNARY(floor)
TENON_UNARY(ceil)
TENON_UNARY(trunc)
TENON_UNARY(round)  ///< to the nearest whole number, halves to the even one
/// To so many digits behind the point; to tens, hundreds and so on by negative ones.
Tensor round(const Tensor& x, int decimals);
Tensor& round_(Tensor& x, int decimals);
TENON_UNARY(frac)  ///< x - trunc(x)

// --- Comparisons give bool; those with NaN are false, but ne. A number may be beyond the dtype ---

TENON_BINARY(lt)
TENON_BINARY(le)
TENON_BINARY(gt)
TENON_BINARY(ge)
TENON_BINARY(eq)
TENON_BINARY(ne)
TENON_OPERATOR(<, lt)
TENON_OPERATOR(<=, le)
TENON_OPERATOR(>, gt)
TENON_OPERATOR(>=, ge)
TENON_OPERATOR(==, eq)
TENON_OPERATOR(!=, ne)
TENON_TEST(isnan)
TENON_TEST(isinf)
TENON_TEST(isposinf)
TENON_TEST(isneginf)
TENON_TEST(isfinite)
TENON_TEST(signbit)  ///< whether the sign is negative, of zeros and NaN too

struct CloseOptions {
  double rtol = 1e-5, atol = 1e-8;
  bool equal_nan = false;
};
/// |x - y| <= atol + rtol · |y|, or equal; bool.
Tensor isclose(const Tensor& x, const Tensor& y, CloseOptions options = {});

// --- Logic: of whether operands are not 0. Bits: of integers and bools; shifts give integers ---

TENON_BINARY(logical_and)
TENON_BINARY(logical_or)
TENON_BINARY(logical_xor)
TENON_UNARY(logical_not)
TENON_BINARY(bitwise_and)
TENON_BINARY(bitwise_or)
TENON_BINARY(bitwise_xor)
TENON_BINARY(bitwise_left_shift)   ///< 0 where y is the dtype's width or more; y is not negative
TENON_BINARY(bitwise_right_shift)  ///< the sign stays; y is not negative
TENON_UNARY(bitwise_not)
TENON_OPERATOR(&, bitwise_and)
TENON_OPERATOR(|, bitwise_or)
TENON_OPERATOR(^, bitwise_xor)
TENON_OPERATOR(<<, bitwise_left_shift)
TENON_OPERATOR(>>, bitwise_right_shift)
inline Tensor operator~(const Tensor& x) {
  return bitwise_not(x);
}

// --- Powers, exponentials, logarithms ---

TENON_UNARY(sqrt)
TENON_UNARY(rsqrt)
TENON_UNARY(exp)
TENON_UNARY(exp2)
TENON_UNARY(expm1)
TENON_UNARY(log)  ///< natural; NaN below 0, -infinity at 0
TENON_UNARY(log2)
TENON_UNARY(log10)
TENON_UNARY(log1p)
TENON_UNARY(logit)  ///< log(x / (1 - x))
/// The same of x within eps .. 1 - eps, or of the nearer end.
Tensor logit(const Tensor& x, double eps);
Tensor& logit_(Tensor& x, double eps);
TENON_UNARY(erf)
TENON_UNARY(erfc)     ///< 1 - erf(x), with all its digits where that is small
TENON_UNARY(erfinv)   ///< what erf takes to x
TENON_UNARY(lgamma)   ///< log |Γ(x)|, infinity at its poles 0, -1, -2 ..
TENON_UNARY(digamma)  ///< the derivative of lgamma: ∓infinity at ±0, NaN at the other poles

// --- Trigonometry, in radians ---

TENON_UNARY(sin)
TENON_UNARY(cos)
TENON_UNARY(tan)
TENON_UNARY(asin)
TENON_UNARY(acos)
TENON_UNARY(atan)
TENON_UNARY(sinh)
TENON_UNARY(cosh)
TENON_UNARY(tanh)
TENON_UNARY(asinh)
TENON_UNARY(acosh)
TENON_UNARY(atanh)
TENON_UNARY(sinc)  ///< sin(πx) / (πx), 1 at 0
TENON_UNARY(deg2rad)
TENON_UNARY(rad2deg)

// --- Activations ---

TENON_UNARY(sigmoid)  ///< 1 / (1 + e⁻ˣ)
TENON_UNARY(logsigmoid)
TENON_UNARY(relu)         ///< max(x, 0); the gradient at 0 is 0, NaN stays
TENON_UNARY(relu6)        ///< the gradient at 0 and 6 is 0
TENON_UNARY(silu)         ///< x · sigmoid(x)
TENON_UNARY(mish)         ///< x · tanh(softplus(x)) (Misra 2019)
TENON_UNARY(selu)         ///< Klambauer et al. 2017
TENON_UNARY(softsign)     ///< x / (1 + |x|)
TENON_UNARY(tanhshrink)   ///< x - tanh(x)
TENON_UNARY(hardsigmoid)  ///< min(max(x + 3, 0), 6) / 6; the gradient at both ends is 0
TENON_UNARY(hardswish)    ///< x · hardsigmoid(x)
/// x · Φ(x) with the normal distribution Φ, or its approximation by tanh (Hendrycks & Gimpel 2016).
Tensor gelu(const Tensor& x, bool by_tanh = false);
/// x above 0, slope · x below.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// leaky_relu with slopes that are learnt; `slope` broadcasts to x.
Tensor prelu(const Tensor& x, const Tensor& slope);
/// x above 0, alpha · (eˣ - 1) below.
Tensor elu(const Tensor& x, double alpha = 1);
/// x above 0, alpha · (e^(x / alpha) - 1) below.
Tensor celu(const Tensor& x, double alpha = 1);
Tensor& celu_(Tensor& x, double alpha = 1);
/// log(1 + e^(beta x)) / beta.
Tensor softplus(const Tensor& x, double beta = 1);
/// x within low .. high, else the nearer end; the gradient at the ends is 0.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
/// x outside -lambda .. lambda, else 0.
Tensor hardshrink(const Tensor& x, double lambda = 0.5);
/// x moved by lambda towards 0, at most to it.
Tensor softshrink(const Tensor& x, double lambda = 0.5);
/// x where it is greater than `limit`, else value.
Tensor threshold(const Tensor& x, double limit, double value);
Tensor& threshold_(Tensor& x, double limit, double value);

// --- Choices and mixtures ---

/// x where condition (bool), else y.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);
Tensor where(const Tensor& condition, const Tensor& x, Scalar y);
Tensor where(const Tensor& condition, Scalar x, const Tensor& y);
/// min(max(x, low), high), each where it is given; NaN wins. The gradient at a number is 0, at an
/// element of a tensor half x's and half that's.
Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high = {});
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);
Tensor& clamp_(Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high = {});
/// x + weight · (y - x).
Tensor lerp(const Tensor& x, const Tensor& y, const Tensor& weight);
Tensor lerp(const Tensor& x, const Tensor& y, Scalar weight);
Tensor& lerp_(Tensor& x, const Tensor& y, const Tensor& weight);
Tensor& lerp_(Tensor& x, const Tensor& y, Scalar weight);
/// x + value · a · b.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
Tensor& addcmul_(Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
/// x + value · a / b.
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
Tensor& addcdiv_(Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);

struct Replacements {
  double nan = 0;
  std::optional<double> posinf = {}, neginf = {};  ///< the dtype's greatest and least
};
/// x with NaN and infinities replaced.
Tensor nan_to_num(const Tensor& x, Replacements by = {});
Tensor& nan_to_num_(Tensor& x, Replacements by = {});

#undef TENON_UNARY
#undef TENON_TEST
#undef TENON_BINARY
#undef TENON_OPERATOR

// --- Programs of one's own ---

/// Any program over tensors: one launch, one result for each output of the program, differentiable.
/// Inputs broadcast; their dtypes are the program's. `scalars` are raw bits, see Scalar::bits.
std::vector<Tensor> elementwise(const program::Program& program, std::span<const Tensor> inputs,
                                std::span<const std::uint64_t> scalars = {});

/// f over the elements of tensors, as one kernel on every device, with its gradient:
///   Tensor y = elementwise([](program::Value x, program::Value w) { return tanh(x) * w; }, x, w);
/// f takes a program::Value for each tensor, of its dtype, and gives one.
template <class F, std::same_as<Tensor>... X>
  requires std::is_invocable_r_v<program::Value, F, std::conditional_t<true, program::Value, X>...>
Tensor elementwise(F&& f, const X&... x) {
  program::Builder builder;
  // An undefined tensor is refused below, in the name of this function.
  const std::array<program::Value, sizeof...(X)> inputs{
      builder.input(x.defined() ? x.dtype() : default_dtype())...};
  builder.output(std::apply(f, inputs));
  const Tensor tensors[] = {x...};
  return elementwise(builder.build(), tensors).front();
}

}  // namespace tenon
#pragma GCC visibility pop
