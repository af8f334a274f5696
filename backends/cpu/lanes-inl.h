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
#include <type_traits>

#include <tenon/sdk.h>

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace sdk = tenon::sdk;

/// SSE4 has no instruction for f16, and Highway's own way leaves out infinities and denormals.
constexpr bool kHasHalf = HWY_TARGET != HWY_SSE4;
/// Lanes of this many bytes on can be left out of a load or a store.
constexpr std::size_t kMaskedFrom = HWY_TARGET == HWY_AVX3 ? 1 : HWY_TARGET == HWY_AVX2 ? 4 : 16;

/// The lanes that T is computed in: 16-bit floats in f32.
template <class T>
using Lane = sdk::Compute<T>;
template <class T>
using Tag = hn::ScalableTag<Lane<T>>;

/// The first n lanes, the others 0; nothing behind them is read.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_part(D d, const T* from, std::size_t n) {
  if constexpr (sizeof(T) >= kMaskedFrom) {
    return hn::MaskedLoad(hn::FirstN(d, n), d, from);
  } else {
    alignas(64) T rest[hn::MaxLanes(d)] = {};
    for (std::size_t i = 0; i < n; ++i) rest[i] = from[i];
    return hn::Load(d, rest);
  }
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_part(hn::Vec<D> value, D d, T* to, std::size_t n) {
  if constexpr (sizeof(T) >= kMaskedFrom) {
    hn::BlendedStore(value, hn::FirstN(d, n), d, to);
  } else {
    alignas(64) T rest[hn::MaxLanes(d)];
    hn::Store(value, d, rest);
    for (std::size_t i = 0; i < n; ++i) to[i] = rest[i];
  }
}

/// Where the elements of a vector lie: all of its lanes, or the first ones.
struct Whole {
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* from) const {
    return hn::LoadU(d, from);
  }
  template <class D>
  HWY_INLINE void store(hn::Vec<D> value, D d, hn::TFromD<D>* to) const {
    hn::StoreU(value, d, to);
  }
};
struct First {
  std::size_t n;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* from) const {
    return load_part(d, from, n);
  }
  template <class D>
  HWY_INLINE void store(hn::Vec<D> value, D d, hn::TFromD<D>* to) const {
    store_part(value, d, to, n);
  }
};

template <class T, class Part = Whole>
HWY_INLINE hn::Vec<Tag<T>> load(const T* from, Part part = {}) {
  const Tag<T> d;
  const hn::Rebind<std::uint16_t, Tag<T>> half;
  if constexpr (std::is_same_v<T, sdk::bfloat16>) {
    const hn::RebindToUnsigned<Tag<T>> wide;
    const auto bits = part.load(half, reinterpret_cast<const std::uint16_t*>(from));
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
  } else if constexpr (std::is_same_v<T, sdk::half>) {
    const auto bits = part.load(half, reinterpret_cast<const std::uint16_t*>(from));
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, Tag<T>>(), bits));
  } else {
    return part.load(d, from);
  }
}

/// To nearest, ties to even; a NaN stays one.
template <class V>
HWY_INLINE auto to_bfloat16(V value) {
  const hn::RebindToUnsigned<hn::DFromV<V>> wide;
  const hn::Rebind<std::uint16_t, hn::DFromV<V>> half;
  const auto bits = hn::BitCast(wide, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(wide, 0x7fff)), odd));
  const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(wide, 0x40));
  const auto is_nan = hn::RebindMask(wide, hn::IsNaN(value));
  return hn::DemoteTo(
      half, hn::BitCast(hn::RebindToSigned<decltype(wide)>(), hn::IfThenElse(is_nan, quiet, rounded)));
}

template <class T, class Part = Whole>
HWY_INLINE void store(hn::Vec<Tag<T>> value, T* to, Part part = {}) {
  const hn::Rebind<std::uint16_t, Tag<T>> half;
  if constexpr (std::is_same_v<T, sdk::bfloat16>) {
    part.store(to_bfloat16(value), half, reinterpret_cast<std::uint16_t*>(to));
  } else if constexpr (std::is_same_v<T, sdk::half>) {
    const auto rounded = hn::DemoteTo(hn::Rebind<hwy::float16_t, Tag<T>>(), value);
    part.store(hn::BitCast(half, rounded), half, reinterpret_cast<std::uint16_t*>(to));
  } else {
    part.store(value, Tag<T>(), to);
  }
}

/// Whether lanes of a mask are set, as bytes.
template <class D, class Part>
HWY_INLINE void store_mask(D, hn::Mask<D> mask, bool* to, Part part) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto ones = hn::IfThenElseZero(hn::RebindMask(wide, mask), hn::Set(wide, 1));
  part.store(hn::TruncateTo(bytes, ones), bytes, reinterpret_cast<std::uint8_t*>(to));
}

template <class D, class Part>
HWY_INLINE hn::Mask<D> load_mask(D d, const bool* from, Part part) {
  const hn::Rebind<std::uint8_t, D> bytes;
  const hn::RebindToUnsigned<D> wide;
  const auto loaded = part.load(bytes, reinterpret_cast<const std::uint8_t*>(from));
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    const hn::Rebind<std::uint32_t, D> words;
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(wide, hn::PromoteTo(words, loaded)), hn::Zero(wide)));
  } else {
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(wide, loaded), hn::Zero(wide)));
  }
}

/// body(i, part) for vectors of D that make up 0 .. n.
template <class D, class Body>
HWY_INLINE void for_vectors(D d, int n, Body body) {
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= n; i += lanes) body(i, Whole{});
  if (i < n) body(i, First{static_cast<std::size_t>(n - i)});
}

/// out[i] = body(vectors of in...[i]), a mask where R is bool. What a vector is not filled by is
/// computed as the rest, so that no bit depends on the place of an element.
template <class T, class R, int arity, class Body>
HWY_INLINE void loop(std::byte* out, const std::byte* const* in, int n, Body body) {
  const T* x[3];
  for (int k = 0; k < 3; ++k) x[k] = reinterpret_cast<const T*>(in[k < arity ? k : 0]);
  R* const y = reinterpret_cast<R*>(out);
  for_vectors(Tag<T>(), n, [&](int i, auto part) HWY_ATTR {
    const auto a = load(x[0] + i, part);
    const auto b = arity > 1 ? load(x[1] + i, part) : a, c = arity > 2 ? load(x[2] + i, part) : a;
    if constexpr (std::is_same_v<R, bool>) {
      store_mask(Tag<T>(), body(a, b, c), y + i, part);
    } else {
      store<R>(body(a, b, c), y + i, part);
    }
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#endif
