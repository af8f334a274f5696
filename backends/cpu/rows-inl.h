// Loops along a row, in the lanes that its dtype is computed in; for each instruction set.
#if defined(TENON_CPU_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_ROWS_INL_H
#undef TENON_CPU_ROWS_INL_H
#else
#define TENON_CPU_ROWS_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <limits>

#include "lanes-inl.h"
#include "math-inl.h"
#include "rows.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

template <class T>
using Lanes = hn::Vec<Tag<T>>;

template <class T>
HWY_INLINE Lanes<T> all(Lane<T> value) {
  return hn::Set(Tag<T>(), value);
}

template <class T>
constexpr std::int64_t lane_count() {
  return static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));
}

/// The lanes of a part, `other` in those beyond.
template <class T>
HWY_INLINE Lanes<T> within(Whole, Lanes<T> value, Lanes<T>) {
  return value;
}
template <class T>
HWY_INLINE Lanes<T> within(First part, Lanes<T> value, Lanes<T> other) {
  return hn::IfThenElse(hn::FirstN(Tag<T>(), part.n), value, other);
}

HWY_INLINE hn::Vec<hn::ScalableTag<double>> exp(hn::Vec<hn::ScalableTag<double>> x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(hn::ScalableTag<double>(), x));
}

/// body(i, part) for each vector of n elements; all but the last are whole.
template <class T, class Body>
HWY_INLINE void each_vector(std::int64_t n, Body body) {
  constexpr std::int64_t lanes = lane_count<T>();
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, Whole{});
  if (i < n) body(i, First{static_cast<std::size_t>(n - i)});
}

/// start folded with value(i, part) of each vector, whatever is in the lanes beyond: in four
/// parts, for speed and accuracy.
template <class T, class V, class F>
HWY_INLINE Lanes<T> fold(std::int64_t n, Lanes<T> start, V value, F combine) {
  constexpr std::int64_t lanes = lane_count<T>();
  Lanes<T> a = start, b = start, c = start, d = start;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = combine(a, value(i, Whole{}));
    b = combine(b, value(i + lanes, Whole{}));
    c = combine(c, value(i + 2 * lanes, Whole{}));
    d = combine(d, value(i + 3 * lanes, Whole{}));
  }
  for (; i + lanes <= n; i += lanes) a = combine(a, value(i, Whole{}));
  if (i < n) {
    const First part{static_cast<std::size_t>(n - i)};
    b = combine(b, within<T>(part, value(i, part), start));
  }
  return combine(combine(a, b), combine(c, d));
}

/// Σ value(i, part).
template <class T, class V>
HWY_INLINE Lane<T> sum_of(std::int64_t n, V value) {
  const auto add = [](Lanes<T> x, Lanes<T> y) HWY_ATTR { return hn::Add(x, y); };
  return hn::GetLane(hn::SumOfLanes(Tag<T>(), fold<T>(n, all<T>(0), value, add)));
}

/// The greatest of a row; 0 where all is -infinity, so that distances to it have a meaning. A NaN may
/// get lost, or not.
template <class T>
HWY_INLINE Lane<T> greatest_of(const T* x, std::int64_t n) {
  constexpr Lane<T> least = -std::numeric_limits<Lane<T>>::infinity();
  const auto value = [&](std::int64_t i, auto part) HWY_ATTR { return load(x + i, part); };
  const auto more = [](Lanes<T> a, Lanes<T> b) HWY_ATTR { return hn::Max(a, b); };
  const Lane<T> found = hn::GetLane(hn::MaxOfLanes(Tag<T>(), fold<T>(n, all<T>(least), value, more)));
  return found == least ? 0 : found;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#endif
