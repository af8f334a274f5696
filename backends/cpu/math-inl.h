// Elementary functions of f32, within the bounds of opcodes.def; for each instruction set.
//
// Polynomials are minimax fits, found by tools of our own over the reduced interval named beside each.
#if defined(TENON_CPU_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_MATH_INL_H
#undef TENON_CPU_MATH_INL_H
#else
#define TENON_CPU_MATH_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<I32>;
using MF = hn::Mask<F32>;

HWY_INLINE VF f32(float value) {
  return hn::Set(F32(), value);
}

/// c0 + c1·x + c2·x² ...
template <class... Rest>
HWY_INLINE VF polynomial(VF x, float c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return f32(c0);
  } else {
    return hn::MulAdd(polynomial(x, rest...), x, f32(c0));
  }
}

HWY_INLINE VF nan_through(VF x, VF y) {
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

/// x · 2^n for n in -252 .. 254, rounded at the end only.
HWY_INLINE VF scale(VF x, VI n) {
  const I32 di;
  const VI half = hn::ShiftRight<1>(n);
  const auto power = [&](VI e) HWY_ATTR {
    return hn::BitCast(F32(), hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127))));
  };
  return hn::Mul(hn::Mul(x, power(half)), power(hn::Sub(n, half)));
}

/// (e^r - 1 - r) / r² on |r| <= ln(2) / 2.
HWY_INLINE VF exp_tail(VF r) {
  return polynomial(r, 0.5000000068f, 0.1666666587f, 0.04166629495f, 0.008333497077f, 0.001394465952f,
                    0.0001979034034f);
}

/// n and r with x = n · ln(2) + r, |r| <= ln(2) / 2.
struct Exponent {
  VF n, r;
};
HWY_INLINE Exponent reduce_exponent(VF x) {
  const VF n = hn::Round(hn::Mul(x, f32(1.44269504f)));
  // ln(2) in two parts; the first has ten bits, so that its product with n is exact.
  return {n, hn::NegMulAdd(n, f32(-2.12194440e-4f), hn::NegMulAdd(n, f32(0.693359375f), x))};
}

/// e^x · 2^more, which is a normal number.
HWY_INLINE VF exp_scaled(VF x, int more) {
  const auto [n, r] = reduce_exponent(x);
  const VF y = hn::Add(f32(1), hn::MulAdd(hn::Mul(r, r), exp_tail(r), r));
  const VI power = hn::Add(hn::ConvertTo(I32(), n), hn::Set(I32(), more));
  return hn::BitCast(F32(), hn::Add(hn::BitCast(I32(), y), hn::ShiftLeft<23>(power)));
}

/// e^r · 2^n for |r| <= ln(2) / 2 and whole n.
HWY_INLINE VF exp_reduced(VF r, VF n) {
  const VF y = hn::Add(f32(1), hn::MulAdd(hn::Mul(r, r), exp_tail(r), r));
  return scale(y, hn::ConvertTo(I32(), n));
}

HWY_INLINE VF exp(VF x) {
  const VF in = hn::Min(hn::Max(x, f32(-104)), f32(89));
  const auto [n, r] = reduce_exponent(in);
  return nan_through(x, exp_reduced(r, n));
}

HWY_INLINE VF exp2(VF x) {
  const VF in = hn::Min(hn::Max(x, f32(-151)), f32(129));
  const VF n = hn::Round(in);
  return nan_through(x, exp_reduced(hn::Mul(hn::Sub(in, n), f32(0.693147181f)), n));
}

HWY_INLINE VF expm1(VF x) {
  const VF near = hn::MulAdd(hn::Mul(x, x), exp_tail(x), x);
  const VF far = hn::Sub(exp(x), f32(1));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), f32(0.34657f)), near, far);
}

/// x = (1 + t) · 2^e with 1 + t in √½ .. √2; of positive finite x.
struct Parts {
  VF t, e;
};

HWY_INLINE Parts split(VF x) {
  const I32 di;
  const MF denormal = hn::Lt(x, f32(1.17549435e-38f));
  const VI bits = hn::BitCast(di, hn::IfThenElse(denormal, hn::Mul(x, f32(8388608)), x));
  // Counted from √½, the mantissa carries into the exponent where it is past √2.
  const VI shifted = hn::Add(bits, hn::Set(di, 0x3f800000 - 0x3f3504f3));
  const VI e = hn::Sub(hn::ShiftRight<23>(shifted), hn::Set(di, 127));
  const VI m = hn::Add(hn::And(shifted, hn::Set(di, 0x007fffff)), hn::Set(di, 0x3f3504f3));
  const VF exponent = hn::ConvertTo(F32(), e);
  return {hn::Sub(hn::BitCast(F32(), m), f32(1)),
          hn::IfThenElse(denormal, hn::Sub(exponent, f32(23)), exponent)};
}

/// log(1 + t) - t, of a split number.
HWY_INLINE VF log_tail(VF t) {
  const VF q = polynomial(t, 0.3333331045f, -0.2499998657f, 0.2000222628f, -0.16669252f, 0.1421866475f,
                          -0.1238433226f, 0.1187291591f, -0.1178987895f, 0.06915580812f);
  const VF square = hn::Mul(t, t);
  return hn::NegMulAdd(f32(0.5f), square, hn::Mul(hn::Mul(square, t), q));
}

/// y, which holds for positive finite x, and what logarithms are elsewhere.
HWY_INLINE VF log_edges(VF x, VF y) {
  const VF inf = hn::Inf(F32());
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(F32())), hn::Neg(inf), y);
  y = hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::NaN(F32()), y);
  return nan_through(x, y);
}

HWY_INLINE VF log(VF x) {
  const Parts p = split(x);
  const VF low = hn::MulAdd(p.e, f32(-2.12194440e-4f), log_tail(p.t));
  return log_edges(x, hn::MulAdd(p.e, f32(0.693359375f), hn::Add(p.t, low)));
}

HWY_INLINE VF log2(VF x) {
  const Parts p = split(x);
  return log_edges(x, hn::MulAdd(hn::Add(p.t, log_tail(p.t)), f32(1.44269504f), p.e));
}

/// What 1 + x loses of x, log(1 + x) is given back in proportion.
HWY_INLINE VF log1p(VF x) {
  const VF u = hn::Add(f32(1), x), kept = hn::Sub(u, f32(1));
  const VF y = hn::Mul(log(u), hn::Div(x, kept));
  const MF as_is = hn::Or(hn::Eq(kept, hn::Zero(F32())), hn::Eq(x, hn::Inf(F32())));
  return hn::IfThenElse(as_is, x, y);
}

HWY_INLINE VF tanh(VF x) {
  const VF a = hn::Abs(x), u = hn::Mul(x, x);
  const VF q = polynomial(u, -0.3333333091f, 0.1333320977f, -0.05394720464f, 0.02170296893f,
                          -0.008182678031f, 0.00214754043f);
  const VF near = hn::MulAdd(hn::Mul(u, x), q, x);
  const VF e = exp(hn::Add(a, a));
  const VF far = hn::CopySign(hn::Sub(f32(1), hn::Div(f32(2), hn::Add(e, f32(1)))), x);
  return nan_through(x, hn::IfThenElse(hn::Lt(a, f32(0.625f)), near, far));
}

/// By 1 - erfc, whose logarithm is a polynomial, from 1 on.
HWY_INLINE VF erf(VF x) {
  const VF a = hn::Abs(x), u = hn::Mul(x, x);
  const VF near =
      hn::Mul(x, polynomial(u, 1.128379167f, -0.3761263843f, 0.1128378197f, -0.02686540004f,
                            0.005220945429f, -0.0008482828803f, 0.0001125694772f, -9.641515789e-6f));
  const VF b = hn::Min(a, f32(4));
  const VF log_erfc = polynomial(b, -0.0003537407323f, -1.127039951f, -0.6382258163f, -0.1030372502f,
                                 0.02180526279f, -0.002939593741f, 0.0001855726621f);
  const VF far = hn::CopySign(hn::Sub(f32(1), exp_scaled(log_erfc, 0)), x);
  return nan_through(x, hn::IfThenElse(hn::Lt(a, f32(1)), near, far));
}

/// With an exponential that cannot overflow.
HWY_INLINE VF sigmoid(VF x) {
  const VF e = hn::Mul(exp_scaled(hn::Max(hn::Neg(hn::Abs(x)), f32(-104)), 64), f32(0x1p-64f));
  const VF top = hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), e, f32(1));
  return nan_through(x, hn::Div(top, hn::Add(f32(1), e)));
}

HWY_INLINE VF rsqrt(VF x) {
  return hn::Div(f32(1), hn::Sqrt(x));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#endif
