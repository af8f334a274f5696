// Optional opcodes from mandatory ones, and the arithmetic that they share. Values are f32 or f64, or
// integers of 32 or 64 bits.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include <tenon/program.h>

namespace tenon::program {

/// `opcode` of operands of one dtype, from mandatory opcodes of that dtype, i32 and the unsigned dtype
/// of its size.
Value expand(Opcode opcode, const std::array<Value, 3>& operands);

/// The same bits as another dtype of 8 or 16 bits, from casts and operations of 32.
Value narrow_bitcast(Value x, DType dtype);

// One for each optional opcode, in legalise_*.cpp.
Value expand_fma(Value a, Value b, Value c);
Value expand_rem(Value a, Value b);
Value expand_pow(Value x, Value y);
Value expand_mulhi(Value a, Value b);
Value expand_round(Value x);
Value expand_trunc(Value x);
Value expand_sin(Value x);
Value expand_cos(Value x);
Value expand_tanh(Value x);
Value expand_erf(Value x);
Value expand_exp2(Value x);
Value expand_log2(Value x);
Value expand_rsqrt(Value x);
Value expand_log1p(Value x);
Value expand_expm1(Value x);
Value expand_sigmoid(Value x);

// ---------------------------------------------------------------------------------- constants

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A constant of the partner's dtype.
Value number(Value partner, double value);

/// One of two numbers, by x's dtype: for f32, for f64.
inline double by_dtype(Value x, double single, double twice) {
  return x.dtype() == f32 ? single : twice;
}

/// Coefficients for f32 and for f64; the constant term is first.
struct Polynomial {
  std::span<const double> single, twice;
};

namespace polynomial {
#define TENON_LIST(...) {__VA_ARGS__}
#define TENON_POLYNOMIAL(name, of_f32, of_f64)              \
  inline constexpr double name##_f32[] = TENON_LIST of_f32; \
  inline constexpr double name##_f64[] = TENON_LIST of_f64; \
  inline constexpr Polynomial name{name##_f32, name##_f64};
#include "core/program/polynomials.def"
#undef TENON_POLYNOMIAL
#undef TENON_LIST
}  // namespace polynomial

/// By Horner's rule.
Value evaluate(const Polynomial& polynomial, Value x);

// ------------------------------------------------------------------------------- encodings

/// How a floating dtype is encoded; `bits` is the unsigned dtype of its size.
struct Format {
  DType bits;
  int width, fraction, bias;
};
Format format(Value x);

/// A constant of the partner's dtype, by its bits.
Value raw(Value partner, std::uint64_t bits);
/// a shifted by as many digits as the whole number `count` of its dtype says.
Value shift_left(Value a, Value count);
Value shift_right(Value a, Value count);

/// The sign bit of x, of Format::bits.
Value sign_bit(Value x);
/// A magnitude >= 0, or NaN, with the sign of x.
Value with_sign_of(Value magnitude, Value x);

/// x = fraction · 2^exponent with 1 <= |fraction| < 2; 0, infinities and NaN are their own fraction.
struct Parts {
  Value fraction;
  Value exponent;  ///< i32
};
Parts split(Value x);
/// The digits of a Parts::fraction as a whole number of Format::bits: |fraction| ·
/// 2^(Format::fraction).
Value whole_digits(Value fraction);

/// 2^exponent for an i32 exponent that a normal number has.
Value power_of_two(Value exponent, DType dtype);
/// x · 2^exponent rounded once, for |exponent| <= 2 · bias; x · 2^(exponent / 2) is to be a normal
/// number.
Value scaled(Value x, Value exponent);

// ------------------------------------------------------------------------------- error-free sums

/// The unevaluated sum hi + lo.
struct Pair {
  Value hi, lo;
};
/// a + b (Knuth, TAOCP 2, 4.2.2).
Pair two_sum(Value a, Value b);
/// a + b where a = 0 or |a| >= |b| (Dekker, "A floating-point technique for extending the available
/// precision", 1971).
Pair fast_two_sum(Value a, Value b);
/// a · b unless its parts are denormal (Dekker and Veltkamp, as above).
Pair two_product(Value a, Value b);

// ------------------------------------------------------------------------------ shared functions

/// exp(r) - 1 for |r| <= 0.3475.
Value small_expm1(Value r);

/// x = n ln 2 + r with |r| <= 0.3475, for |x| that exp takes to finite numbers above 0, or not far
/// beyond.
struct Exponent {
  Value r;
  Value n;  ///< i32
};
Exponent reduce_exponent(Value x);

/// A positive x = 2^k (1 + f) with 1 + f in sqrt(1/2) .. sqrt(2).
struct Logarithm {
  Value f;
  Value k;  ///< a whole number of x's dtype
};
Logarithm reduce_logarithm(Value x);

}  // namespace tenon::program
