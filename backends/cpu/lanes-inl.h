// How values of a dtype come into vectors, and go out of them; for each instruction set.
#if defined(TENON_CPU_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_LANES_INL_H
#undef TENON_CPU_LANES_INL_H
#else
#define TENON_CPU_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tenon/sdk.h>

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace sdk = tenon::sdk;

/// SSE4 has no instruction for f16, and Highway's own way leaves out infinities and denormals.
constexpr bool kHasHalf = HWY_TARGET != HWY_SSE4;

/// The lanes that T is computed in: 16-bit floats in f32.
template <class T>
using Lane = sdk::Compute<T>;
template <class T>
using Tag = hn::ScalableTag<Lane<T>>;

template <class T>
HWY_INLINE hn::Vec<Tag<T>> load(const T* from) {
  const Tag<T> d;
  if constexpr (std::is_same_v<T, sdk::bfloat16>) {
    const hn::Rebind<std::uint16_t, Tag<T>> half;
    const hn::RebindToUnsigned<Tag<T>> wide;
    const auto bits = hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from));
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
  } else if constexpr (std::is_same_v<T, sdk::half>) {
    const hn::Rebind<hwy::float16_t, Tag<T>> half;
    return hn::PromoteTo(d, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(from)));
  } else {
    return hn::LoadU(d, from);
  }
}

template <class T>
HWY_INLINE void store(hn::Vec<Tag<T>> value, T* to) {
  const Tag<T> d;
  if constexpr (std::is_same_v<T, sdk::bfloat16>) {
    const hn::Rebind<std::uint16_t, Tag<T>> half;
    const hn::RebindToUnsigned<Tag<T>> wide;
    // To nearest, ties to even; a NaN stays one.
    const auto bits = hn::BitCast(wide, value);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1));
    const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(wide, 0x7fff)), odd));
    const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(wide, 0x40));
    const auto is_nan = hn::RebindMask(wide, hn::IsNaN(value));
    hn::StoreU(hn::DemoteTo(half, hn::BitCast(hn::RebindToSigned<decltype(wide)>(),
                                              hn::IfThenElse(is_nan, quiet, rounded))),
               half, reinterpret_cast<std::uint16_t*>(to));
  } else if constexpr (std::is_same_v<T, sdk::half>) {
    const hn::Rebind<hwy::float16_t, Tag<T>> half;
    hn::StoreU(hn::DemoteTo(half, value), half, reinterpret_cast<hwy::float16_t*>(to));
  } else {
    hn::StoreU(value, d, to);
  }
}

/// out[i] = F(in...[i]) over whole vectors; what is left goes through buffers, so that no bit depends
/// on the place of an element.
template <class T, class R, int arity, class F>
HWY_INLINE void loop(std::byte* out, const std::byte* const* in, int n, F body) {
  const T* x[3] = {};
  for (int k = 0; k < arity; ++k) x[k] = reinterpret_cast<const T*>(in[k]);
  R* y = reinterpret_cast<R*>(out);
  const int lanes = static_cast<int>(hn::Lanes(Tag<T>()));
  int i = 0;
  for (; i + lanes <= n; i += lanes) body(y + i, x[0] + i, x[1] + i, x[2] + i);
  if (i == n) return;
  alignas(64) T rest[3][64 / sizeof(Lane<T>)] = {};
  alignas(64) R result[64 / sizeof(Lane<T>)];
  const auto left = static_cast<std::size_t>(n - i);
  for (int k = 0; k < arity; ++k) std::memcpy(rest[k], x[k] + i, left * sizeof(T));
  body(result, rest[0], rest[1], rest[2]);
  std::memcpy(y + i, result, left * sizeof(R));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#endif
