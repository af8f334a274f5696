// Functions of f32 that take f64 on the way; for each instruction set. As math-inl.h.
#if defined(TENON_CPU_MATH64_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_MATH64_INL_H
#undef TENON_CPU_MATH64_INL_H
#else
#define TENON_CPU_MATH64_INL_H
#endif

#include <hwy/highway.h>

#include <cmath>

#include "math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

using F64 = hn::ScalableTag<double>;
using U64 = hn::RebindToUnsigned<F64>;
using VD = hn::Vec<F64>;
using VU64 = hn::Vec<U64>;
using HalfF32 = hn::Rebind<float, F64>;

HWY_INLINE VD f64(double value) {
  return hn::Set(F64(), value);
}

template <class... Rest>
HWY_INLINE VD polynomial(VD x, double c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return f64(c0);
  } else {
    return hn::MulAdd(polynomial(x, rest...), x, f64(c0));
  }
}

HWY_INLINE VD lower(VF x) {
  return hn::PromoteTo(F64(), hn::LowerHalf(HalfF32(), x));
}
HWY_INLINE VD upper(VF x) {
  return hn::PromoteTo(F64(), hn::UpperHalf(HalfF32(), x));
}
HWY_INLINE VF halves(VD low, VD high) {
  return hn::Combine(F32(), hn::DemoteTo(HalfF32(), high), hn::DemoteTo(HalfF32(), low));
}

/// y, but where `rare` is set: there function(a, b), lane by lane.
template <class Function>
HWY_NOINLINE VF patch(VF y, MF rare, VF a, VF b, Function function) {
  const F32 d;
  alignas(64) float values[hn::MaxLanes(d)], x[hn::MaxLanes(d)], z[hn::MaxLanes(d)],
      is_rare[hn::MaxLanes(d)];
  hn::Store(y, d, values);
  hn::Store(a, d, x);
  hn::Store(b, d, z);
  hn::Store(hn::IfThenElseZero(rare, f32(1)), d, is_rare);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (is_rare[i] != 0) values[i] = function(x[i], z[i]);
  }
  return hn::Load(d, values);
}

/// x = r + quadrant · π/2 with |r| <= π/4, for |x| below kFar.
struct Turned {
  VF r;
  VI quadrant;
};
constexpr float kFar = 1e6f;

HWY_INLINE Turned turn(VF x) {
  const hn::Rebind<std::int32_t, F64> di;
  const auto rest = [](VD a, VD n) HWY_ATTR {
    // π/2 in three parts; two have 33 bits, so that their products with n are exact.
    const VD b = hn::NegMulAdd(n, f64(0x1.921fb54400000p+0), a);
    return hn::NegMulAdd(n, f64(0x1.3198a2e037073p-69),
                         hn::NegMulAdd(n, f64(0x1.0b4611a600000p-34), b));
  };
  const VD a = lower(x), b = upper(x);
  const VD m = hn::Round(hn::Mul(a, f64(0.63661977236758134))),
           n = hn::Round(hn::Mul(b, f64(0.63661977236758134)));
  return {halves(rest(a, m), rest(b, n)), hn::Combine(I32(), hn::DemoteTo(di, n), hn::DemoteTo(di, m))};
}

/// The sine of r + quadrant · π/2.
HWY_INLINE VF sine(Turned at) {
  const VF u = hn::Mul(at.r, at.r);
  const VF odd = hn::MulAdd(hn::Mul(at.r, u),
                            polynomial(u, -0.1666665457f, 0.008332158413f, -0.0001951495804f), at.r);
  const VF even =
      hn::MulAdd(hn::Mul(u, u), polynomial(u, 0.04166664562f, -0.001388731306f, 2.443278498e-5f),
                 hn::NegMulAdd(f32(0.5f), u, f32(1)));
  const I32 di;
  const auto is_even = hn::Ne(hn::And(at.quadrant, hn::Set(di, 1)), hn::Zero(di));
  const VF y = hn::IfThenElse(hn::RebindMask(F32(), is_even), even, odd);
  const VI sign = hn::ShiftLeft<30>(hn::And(at.quadrant, hn::Set(di, 2)));
  return hn::Xor(y, hn::BitCast(F32(), sign));
}

HWY_INLINE VF sin(VF x) {
  const VF y = hn::IfThenElse(hn::Eq(x, hn::Zero(F32())), x, sine(turn(x)));
  const MF far = hn::Not(hn::Lt(hn::Abs(x), f32(kFar)));
  if (HWY_LIKELY(hn::AllFalse(F32(), far))) return y;
  return patch(y, far, x, x,
               [](float a, float) { return static_cast<float>(std::sin(static_cast<double>(a))); });
}

HWY_INLINE VF cos(VF x) {
  Turned at = turn(x);
  at.quadrant = hn::Add(at.quadrant, hn::Set(I32(), 1));
  const VF y = sine(at);
  const MF far = hn::Not(hn::Lt(hn::Abs(x), f32(kFar)));
  if (HWY_LIKELY(hn::AllFalse(F32(), far))) return y;
  return patch(y, far, x, x,
               [](float a, float) { return static_cast<float>(std::cos(static_cast<double>(a))); });
}

/// Of a positive normal number: 2 artanh(s) / ln 2 + e with (1 + s) / (1 - s) in √½ .. √2.
HWY_INLINE VD log2(VD x) {
  const U64 d;
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcd;
  const VU64 shifted = hn::Add(hn::BitCast(d, x), hn::Set(d, 0x3ff0000000000000 - kRootHalf));
  // Behind 2^52, an integer is the last bits of a number.
  const VD e = hn::BitCast(F64(), hn::Or(hn::ShiftRight<52>(shifted), hn::Set(d, 0x4330000000000000)));
  const VD m = hn::BitCast(
      F64(), hn::Add(hn::And(shifted, hn::Set(d, 0x000fffffffffffff)), hn::Set(d, kRootHalf)));
  const VD s = hn::Div(hn::Sub(m, f64(1)), hn::Add(m, f64(1))), v = hn::Mul(s, s);
  const VD p = polynomial(v, 2.88539008179011077, 0.961796673307849439, 0.577083591862328749,
                          0.411672282895323802, 0.340738554009989853);
  return hn::MulAdd(s, p, hn::Sub(e, f64(0x1p52 + 1023)));
}

/// 2^x, beyond f32's range its limits.
HWY_INLINE VD exp2(VD x) {
  const VD in = hn::Min(hn::Max(x, f64(-1000)), f64(1000));
  const VD n = hn::Round(in);
  const VD p = polynomial(hn::Sub(in, n), 0.999999999961676365, 0.693147180728462959,
                          0.24022651198206958, 0.0555041035338893146, 0.0096180272470539738,
                          0.00133339226104957397, 0.000154692933555234843, 0.0000152019129130028436);
  const VD shifted = hn::Add(n, f64(0x1.8p52 + 1023));
  const VU64 power = hn::ShiftLeft<52>(hn::BitCast(U64(), shifted));
  return hn::Mul(p, hn::BitCast(F64(), power));
}

HWY_INLINE MF is_whole(VF x) {
  return hn::Eq(hn::Round(x), x);
}

/// 2^(y log2 |x|), negative for an odd y and a negative x.
HWY_INLINE VF pow(VF x, VF y) {
  const VF a = hn::Abs(x);
  VF z = halves(exp2(hn::Mul(lower(y), log2(lower(a)))), exp2(hn::Mul(upper(y), log2(upper(a)))));
  const MF negative = hn::Lt(x, hn::Zero(F32()));
  const MF odd = hn::And(negative, hn::Not(is_whole(hn::Mul(y, f32(0.5f)))));
  z = hn::IfThenElse(odd, hn::Neg(z), z);
  z = hn::IfThenElse(hn::And(negative, hn::Not(is_whole(y))), hn::NaN(F32()), z);
  const VF inf = hn::Inf(F32());
  const MF usual =
      hn::And(hn::And(hn::Gt(a, hn::Zero(F32())), hn::Lt(a, inf)), hn::Lt(hn::Abs(y), inf));
  if (HWY_LIKELY(hn::AllTrue(F32(), usual))) return z;
  return patch(z, hn::Not(usual), x, y, [](float b, float e) { return std::pow(b, e); });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#endif
