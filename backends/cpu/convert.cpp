// Conversions between dtypes, copies of one value, and copies past the caches.
#include <algorithm>
#include <cstring>

#include "steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/convert.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;

template <class From, class To>
void convert(std::byte* out, const std::byte* const* in, int n) {
  loop<From, To, 1>(out, in, n, [](auto x, auto, auto) HWY_ATTR { return x; });
}

template <class To>
void from_i32(std::byte* out, const std::byte* const* in, int n) {
  loop<std::int32_t, To, 1>(out, in, n,
                            [](auto x, auto, auto) HWY_ATTR { return hn::ConvertTo(F32(), x); });
}

/// Exact in two halves; their sum is rounded once.
template <class To>
void from_u32(std::byte* out, const std::byte* const* in, int n) {
  loop<std::uint32_t, To, 1>(out, in, n, [](auto x, auto, auto) HWY_ATTR {
    const auto half = [](auto bits) HWY_ATTR { return hn::ConvertTo(F32(), hn::BitCast(I32(), bits)); };
    const auto low = half(hn::And(x, hn::Set(U32(), 0xffff)));
    return hn::MulAdd(half(hn::ShiftRight<16>(x)), hn::Set(F32(), 65536), low);
  });
}

template <class To>
void from_bytes(std::byte* out, const std::byte* const* in, int n) {
  const hn::Rebind<std::uint8_t, F32> bytes;
  for_vectors(F32(), n, [&](int i, auto part) HWY_ATTR {
    const auto x = part.load(bytes, reinterpret_cast<const std::uint8_t*>(in[0]) + i);
    store<To>(hn::ConvertTo(F32(), hn::PromoteTo(I32(), x)), reinterpret_cast<To*>(out) + i, part);
  });
}

template <class To>
void from_bool(std::byte* out, const std::byte* const* in, int n) {
  for_vectors(F32(), n, [&](int i, auto part) HWY_ATTR {
    const auto mask = load_mask(F32(), reinterpret_cast<const bool*>(in[0]) + i, part);
    store<To>(hn::IfThenElseZero(mask, hn::Set(F32(), 1)), reinterpret_cast<To*>(out) + i, part);
  });
}

/// Truncates and saturates; NaN gives 0.
template <class From>
void to_i32(std::byte* out, const std::byte* const* in, int n) {
  for_vectors(F32(), n, [&](int i, auto part) HWY_ATTR {
    const auto x = load(reinterpret_cast<const From*>(in[0]) + i, part);
    const auto far = hn::RebindMask(I32(), hn::Ge(x, hn::Set(F32(), 2147483648.0f)));
    const auto whole = hn::ConvertTo(I32(), hn::IfThenElseZero(hn::Eq(x, x), x));
    part.store(hn::IfThenElse(far, hn::Set(I32(), 2147483647), whole), I32(),
               reinterpret_cast<std::int32_t*>(out) + i);
  });
}

void widen_f32(std::byte* out, const std::byte* const* in, int n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  for_vectors(d, n, [&](int i, auto part) HWY_ATTR {
    const auto x = part.load(half, reinterpret_cast<const float*>(in[0]) + i);
    part.store(hn::PromoteTo(d, x), d, reinterpret_cast<double*>(out) + i);
  });
}

void narrow_f64(std::byte* out, const std::byte* const* in, int n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  for_vectors(d, n, [&](int i, auto part) HWY_ATTR {
    const auto x = part.load(d, reinterpret_cast<const double*>(in[0]) + i);
    part.store(hn::DemoteTo(half, x), half, reinterpret_cast<float*>(out) + i);
  });
}

template <class To>
Step from(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_F32:
      return convert<float, To>;
    case TENON_DTYPE_BF16:
      return convert<sdk::bfloat16, To>;
    case TENON_DTYPE_F16:
      return kHasHalf ? convert<sdk::half, To> : nullptr;
    case TENON_DTYPE_I32:
      return from_i32<To>;
    case TENON_DTYPE_U32:
      return from_u32<To>;
    case TENON_DTYPE_U8:
      return from_bytes<To>;
    case TENON_DTYPE_BOOL:
      return from_bool<To>;
    default:
      return nullptr;
  }
}

/// nullptr where there is none. Only of f32 to 16 bits, where a value in between would be rounded
/// twice.
Step conversion(std::uint8_t source, std::uint8_t to) {
  if (source == TENON_DTYPE_F32 && to == TENON_DTYPE_F64) return widen_f32;
  if (source == TENON_DTYPE_F64 && to == TENON_DTYPE_F32) return narrow_f64;
  const bool is_exact =
      source == TENON_DTYPE_F32 || source == TENON_DTYPE_U8 || source == TENON_DTYPE_BOOL;
  switch (to) {
    case TENON_DTYPE_F32:
      return from<float>(source);
    case TENON_DTYPE_BF16:
      return is_exact ? from<sdk::bfloat16>(source) : nullptr;
    case TENON_DTYPE_F16:
      return kHasHalf && is_exact ? from<sdk::half>(source) : nullptr;
    case TENON_DTYPE_I32:
      return source == TENON_DTYPE_F32    ? to_i32<float>
             : source == TENON_DTYPE_BF16 ? to_i32<sdk::bfloat16>
                                          : nullptr;
    default:
      return nullptr;
  }
}

template <class T>
void fill(std::byte* out, std::uint64_t bits, int n) {
  const hn::ScalableTag<T> d;
  const auto value = hn::Set(d, static_cast<T>(bits));
  T* y = reinterpret_cast<T*>(out);
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) hn::Store(value, d, y + i);
}

/// A bool is any byte that is not 0.
void fill_bool(std::byte* out, std::uint64_t bits, int n) {
  fill<std::uint8_t>(out, (bits & 0xff) != 0, n);
}

Fill filler(std::uint8_t dtype) {
  if (dtype == TENON_DTYPE_BOOL) return fill_bool;
  switch (sdk::size_of(dtype)) {
    case 1:
      return fill<std::uint8_t>;
    case 2:
      return fill<std::uint16_t>;
    case 4:
      return fill<std::uint32_t>;
    default:
      return fill<std::uint64_t>;
  }
}

/// Of integers that wrap.
template <class T>
void sequence(std::byte* out, std::int64_t first, std::int64_t stride, int n) {
  const hn::ScalableTag<T> d;
  const T step = static_cast<T>(stride);
  alignas(64) T values[hn::MaxLanes(d)];
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    values[i] = static_cast<T>(static_cast<T>(first) + static_cast<T>(i) * step);
  }
  auto value = hn::Load(d, values);
  const auto next = hn::Set(d, static_cast<T>(step * static_cast<T>(hn::Lanes(d))));
  for_vectors(d, n, [&](int i, auto part) HWY_ATTR {
    part.store(value, d, reinterpret_cast<T*>(out) + i);
    value = hn::Add(value, next);
  });
}

Sequence sequences(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_I32:
    case TENON_DTYPE_U32:
      return sequence<std::uint32_t>;
    case TENON_DTYPE_I64:
    case TENON_DTYPE_U64:
      return sequence<std::uint64_t>;
    default:
      return nullptr;
  }
}

void stream_bytes(std::byte* to, const std::byte* from, std::size_t bytes) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto* x = reinterpret_cast<const std::uint8_t*>(from);
  auto* y = reinterpret_cast<std::uint8_t*>(to);
  const std::size_t crooked = reinterpret_cast<std::uintptr_t>(to) % lanes;
  std::size_t i = crooked == 0 ? 0 : std::min(bytes, lanes - crooked);
  std::memcpy(y, x, i);
  for (; i + lanes <= bytes; i += lanes) hn::Stream(hn::LoadU(d, x + i), d, y + i);
  std::memcpy(y + i, x + i, bytes - i);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

namespace sdk = tenon::sdk;

HWY_EXPORT(conversion);
HWY_EXPORT(filler);
HWY_EXPORT(sequences);
HWY_EXPORT(stream_bytes);

namespace {

template <class T>
void plain_sequence(std::byte* out, std::int64_t first, std::int64_t stride, int n) {
  for (int i = 0; i < n; ++i) {
    const std::int64_t value = sdk::meaning::add(first, i * stride);
    sdk::store(out, sdk::meaning::cast<T>(value), i);
  }
}

}  // namespace

Step find_conversion(std::uint8_t from, std::uint8_t to) {
  return HWY_DYNAMIC_DISPATCH(conversion)(from, to);
}

Fill find_fill(std::uint8_t dtype) {
  return HWY_DYNAMIC_DISPATCH(filler)(dtype);
}

Sequence find_sequence(std::uint8_t dtype) {
  const Sequence found = HWY_DYNAMIC_DISPATCH(sequences)(dtype);
  if (found != nullptr) return found;
  return sdk::dispatch(sdk::Everything{}, dtype,
                       []<class T>() -> Sequence { return plain_sequence<T>; });
}

void stream(std::byte* to, const std::byte* from, std::size_t bytes) {
  HWY_DYNAMIC_DISPATCH(stream_bytes)(to, from, bytes);
}

}  // namespace cpu
#endif
