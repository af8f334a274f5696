// Folds of values to one, over rows or over columns; for each instruction set.
//
// A row is folded to 64 values, element i into the one of number i mod 64, and those in halves: bits
// depend neither on the instruction set nor on where a row begins.
#include "fold.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fold_lanes.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

struct Sum {
  template <class L>
  static L identity() {
    return 0;
  }
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Add(a, b);
  }
};
struct Prod {
  template <class L>
  static L identity() {
    return 1;
  }
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};

/// The second where it is a NaN or better, else the first, which may be one too.
template <class D, class V>
HWY_INLINE V second_if(D, V a, V b, hn::Mask<D> better) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) better = hn::Or(hn::IsNaN(b), better);
  return hn::IfThenElse(better, b, a);
}
struct Max {
  template <class L>
  static L identity() {
    using Limits = std::numeric_limits<L>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return second_if(d, a, b, hn::Lt(a, b));
  }
};
struct Min {
  template <class L>
  static L identity() {
    using Limits = std::numeric_limits<L>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return second_if(d, a, b, hn::Lt(b, a));
  }
};

/// The lanes of a vector, in halves.
template <class F, class D, class V>
HWY_INLINE hn::TFromD<D> fold_vector(D d, V v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> h;
    return fold_vector<F>(h, F()(h, hn::LowerHalf(h, v), hn::UpperHalf(h, v)));
  } else if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::GetLane(F()(d, v, hn::Shuffle01(v)));
  } else {
    v = F()(d, v, hn::Shuffle1032(v));
    return hn::GetLane(F()(d, v, hn::Shuffle2301(v)));
  }
}

/// n values of T to one of R.
template <class T, class R, class F>
void fold_row(const std::byte* values, int n, std::byte* result) {
  const Tag<T> d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag<T>())), kSets = 64 / kLanes;
  const T* x = reinterpret_cast<const T*>(values);
  const auto start = hn::Set(d, F::template identity<Lane<T>>());
  hn::Vec<Tag<T>> sets[kSets];
#pragma GCC unroll 32
  for (int k = 0; k < kSets; ++k) sets[k] = start;
  for (; n >= 64; n -= 64, x += 64) {
#pragma GCC unroll 32
    for (int k = 0; k < kSets; ++k) sets[k] = F()(d, sets[k], load(x + k * kLanes));
  }
#pragma GCC unroll 32
  for (int k = 0; k < kSets; ++k) {
    const int left = n - k * kLanes;
    if (left >= kLanes) {
      sets[k] = F()(d, sets[k], load(x + k * kLanes));
    } else if (left > 0) {
      const First part{static_cast<std::size_t>(left)};
      const auto some = hn::IfThenElse(hn::FirstN(d, part.n), load(x + k * kLanes, part), start);
      sets[k] = F()(d, sets[k], some);
    }
  }
#pragma GCC unroll 8
  for (int half = kSets / 2; half > 0; half /= 2) {
#pragma GCC unroll 32
    for (int k = 0; k < half; ++k) sets[k] = F()(d, sets[k], sets[k + half]);
  }
  sdk::store(result, static_cast<R>(fold_vector<F>(d, sets[0])));
}

/// One vector of columns after the other, four at a time: `rows` rows of n values of T, `stride`
/// elements apart, to n of R.
template <class T, class R, class F>
void fold_columns(const std::byte* values, std::int64_t stride, int rows, int n, std::byte* result) {
  const Tag<T> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto start = hn::Set(d, F::template identity<Lane<T>>());
  R* y = reinterpret_cast<R*>(result);
  const T* x = reinterpret_cast<const T*>(values);
  int j = 0;
  for (; j + 4 * lanes <= n; j += 4 * lanes) {
    auto a = start, b = start, c = start, e = start;
    const T* at = x + j;
    for (int row = 0; row < rows; ++row, at += stride) {
      a = F()(d, a, load(at));
      b = F()(d, b, load(at + lanes));
      c = F()(d, c, load(at + 2 * lanes));
      e = F()(d, e, load(at + 3 * lanes));
    }
    store<R>(a, y + j);
    store<R>(b, y + j + lanes);
    store<R>(c, y + j + 2 * lanes);
    store<R>(e, y + j + 3 * lanes);
  }
  for_vectors(d, n - j, [&](int i, auto part) HWY_ATTR {
    auto sum = start;
    const T* at = x + j + i;
    for (int row = 0; row < rows; ++row, at += stride) sum = F()(d, sum, load(at, part));
    store<R>(sum, y + j + i, part);
  });
}

/// The first of n values that is the best of them.
template <class T>
int find(const std::byte* values, int n, const std::byte* best) {
  const Tag<T> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const T* x = reinterpret_cast<const T*>(values);
  const Lane<T> wanted = sdk::load<T>(best);
  const auto is_wanted = [&](auto v) HWY_ATTR {
    if constexpr (hwy::IsFloat<Lane<T>>()) {
      if (wanted != wanted) return hn::IsNaN(v);
    }
    return hn::Eq(v, hn::Set(d, wanted));
  };
  int i = 0;
  for (; i + lanes <= n; i += lanes) {
    const std::intptr_t at = hn::FindFirstTrue(d, is_wanted(load(x + i)));
    if (at >= 0) return i + static_cast<int>(at);
  }
  const First part{static_cast<std::size_t>(n - i)};
  return i +
         static_cast<int>(std::max<std::intptr_t>(
             0, hn::FindFirstTrue(d, hn::And(hn::FirstN(d, part.n), is_wanted(load(x + i, part))))));
}

template <class T, class R, class F>
Folds folds() {
  return {fold_row<T, R, F>, fold_columns<T, R, F>};
}

template <class T, class R>
Folds for_opcode(std::uint8_t opcode) {
  switch (opcode) {
    case TENON_OP_ADD:
      return folds<T, R, Sum>();
    case TENON_OP_MUL:
      if constexpr (std::is_same_v<T, std::int64_t>)
        return {};  // no instruction
      else
        return folds<T, R, Prod>();
    case TENON_OP_MAX:
      return folds<T, R, Max>();
    case TENON_OP_MIN:
      return folds<T, R, Min>();
    default:
      return {};
  }
}

Folds lane_folds(std::uint8_t opcode, std::uint8_t dtype, std::uint8_t result) {
  const bool is_wide = dtype != result && result == TENON_DTYPE_F32;
  if (dtype != result && !is_wide) return {};
  switch (dtype) {
    case TENON_DTYPE_F32:
      return for_opcode<float, float>(opcode);
    case TENON_DTYPE_F64:
      return is_wide ? Folds{} : for_opcode<double, double>(opcode);
    case TENON_DTYPE_BF16:
      return is_wide ? for_opcode<sdk::bfloat16, float>(opcode)
                     : for_opcode<sdk::bfloat16, sdk::bfloat16>(opcode);
    case TENON_DTYPE_F16:
      if constexpr (kHasHalf) {
        return is_wide ? for_opcode<sdk::half, float>(opcode)
                       : for_opcode<sdk::half, sdk::half>(opcode);
      }
      return {};
    case TENON_DTYPE_I32:
      return is_wide ? Folds{} : for_opcode<std::int32_t, std::int32_t>(opcode);
    case TENON_DTYPE_I64:
      return is_wide ? Folds{} : for_opcode<std::int64_t, std::int64_t>(opcode);
    default:
      return {};
  }
}

Find finder(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_F32:
      return find<float>;
    case TENON_DTYPE_F64:
      return find<double>;
    case TENON_DTYPE_BF16:
      return find<sdk::bfloat16>;
    case TENON_DTYPE_I32:
      return find<std::int32_t>;
    case TENON_DTYPE_I64:
      return find<std::int64_t>;
    default:
      return nullptr;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(lane_folds);
HWY_EXPORT(finder);

Folds find_folds(std::uint8_t opcode, std::uint8_t dtype, std::uint8_t result) {
  return HWY_DYNAMIC_DISPATCH(lane_folds)(opcode, dtype, result);
}

Find find_finder(std::uint8_t dtype) {
  return HWY_DYNAMIC_DISPATCH(finder)(dtype);
}

}  // namespace cpu
#endif
