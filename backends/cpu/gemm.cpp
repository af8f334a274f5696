// A tile of c stays in registers while k runs: up to four rows, and as many vectors as the registers
// hold.
#include "gemm.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/gemm.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <tenon/sdk.h>

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;
template <class T>
constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

/// AVX2 and AVX-512 read and write the first lanes of a vector only, and touch no memory beyond.
constexpr bool kMasks = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;
/// Registers: 32 with AVX-512 and NEON, 16 else.
constexpr int kMaxVectors = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 ? 2 : 4;

/// The first lanes of a vector, 1 or more; the others are 0.
template <class T>
class First {
 public:
  explicit First(std::int64_t count)
      : count_(static_cast<std::size_t>(count)), mask_(hn::FirstN(Tag<T>(), count_)) {}

  HWY_INLINE Vec<T> load(const T* from) const {
    const Tag<T> d;
    if constexpr (kMasks) {
      return hn::MaskedLoad(mask_, d, from);
    } else {
      if (count_ == hn::Lanes(d)) return hn::LoadU(d, from);
      alignas(64) T lanes[kLanes<T>] = {};
      std::memcpy(lanes, from, count_ * sizeof(T));
      return hn::Load(d, lanes);
    }
  }
  HWY_INLINE void store(Vec<T> value, T* to) const {
    const Tag<T> d;
    if constexpr (kMasks) {
      hn::BlendedStore(value, mask_, d, to);
    } else {
      alignas(64) T lanes[kLanes<T>];
      hn::Store(value, d, lanes);
      std::memcpy(to, lanes, count_ * sizeof(T));
    }
  }

 private:
  std::size_t count_;
  hn::Mask<Tag<T>> mask_;
};

template <class T>
HWY_INLINE Vec<T> multiply_add(Vec<T> a, Vec<T> b, Vec<T> sum) {
  if constexpr (hwy::IsFloat<T>()) return hn::MulAdd(a, b, sum);
  return hn::Add(hn::Mul(a, b), sum);
}

/// c over `rows` rows and `vectors` vectors of columns, the last of which may be cut off.
template <class T, int rows, int vectors>
HWY_NOINLINE void multiply_tile(const Gemm& it, std::int64_t i, std::int64_t j) {
  constexpr std::int64_t lanes = kLanes<T>;
  constexpr int last = vectors - 1;
  const Tag<T> d;
  const First<T> cut(std::min(lanes, it.n - j - last * lanes));
  const auto load = [&](const T* from, int v) HWY_ATTR {
    return v < last ? hn::LoadU(d, from + v * lanes) : cut.load(from + last * lanes);
  };
  const T* a[rows];
  T* c[rows];
  HWY_UNROLL(4)
  for (int r = 0; r < rows; ++r) {
    a[r] = reinterpret_cast<const T*>(it.a) + (i + r) * it.a_row;
    c[r] = reinterpret_cast<T*>(it.c) + (i + r) * it.c_row + j;
  }
  Vec<T> sums[rows][vectors];
  HWY_UNROLL(4)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < vectors; ++v) sums[r][v] = it.add ? load(c[r], v) : hn::Zero(d);
  }
  const T* b = reinterpret_cast<const T*>(it.b) + j;
  std::int64_t at = 0;
  for (std::int64_t k = 0; k < it.k; ++k, at += it.a_column, b += it.b_row) {
    Vec<T> x[vectors];
    HWY_UNROLL(4)
    for (int v = 0; v < vectors; ++v) x[v] = load(b, v);
    HWY_UNROLL(4)
    for (int r = 0; r < rows; ++r) {
      const Vec<T> y = hn::Set(d, a[r][at]);
      HWY_UNROLL(4)
      for (int v = 0; v < vectors; ++v) sums[r][v] = multiply_add<T>(y, x[v], sums[r][v]);
    }
  }
  if (it.bias != nullptr) {
    const T* bias = reinterpret_cast<const T*>(it.bias);
    HWY_UNROLL(4)
    for (int v = 0; v < vectors; ++v) {
      const Vec<T> x = it.bias_column == 0 ? hn::Set(d, *bias) : load(bias + j, v);
      HWY_UNROLL(4)
      for (int r = 0; r < rows; ++r) sums[r][v] = hn::Add(sums[r][v], x);
    }
  }
  HWY_UNROLL(4)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < last; ++v) hn::StoreU(sums[r][v], d, c[r] + v * lanes);
    cut.store(sums[r][last], c[r] + last * lanes);
  }
}

template <class T, int vectors>
void multiply_panel(const Gemm& it, std::int64_t j) {
  std::int64_t i = 0;
  for (; i + 4 <= it.m; i += 4) multiply_tile<T, 4, vectors>(it, i, j);
  if (i + 2 <= it.m) {
    multiply_tile<T, 2, vectors>(it, i, j);
    i += 2;
  }
  if (i < it.m) multiply_tile<T, 1, vectors>(it, i, j);
}

template <class T>
void multiply(const Gemm& it) {
  constexpr std::int64_t lanes = kLanes<T>;
  std::int64_t j = 0;
  for (; it.n - j > (kMaxVectors - 1) * lanes; j += kMaxVectors * lanes) {
    multiply_panel<T, kMaxVectors>(it, j);
  }
  const std::int64_t left = it.n - j;
  if (left <= 0) return;
  if (left <= lanes) return multiply_panel<T, 1>(it, j);
  if constexpr (kMaxVectors > 2) {
    if (left > 2 * lanes) return multiply_panel<T, 3>(it, j);
    multiply_panel<T, 2>(it, j);
  }
}

/// Folds a vector to one block of 16 bytes.
template <class D, class V>
HWY_INLINE auto fold_blocks(D d, V x) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> half;
    return fold_blocks(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  } else {
    (void)d;
    return x;
  }
}

/// The sums of the lanes of four vectors.
template <class T>
HWY_INLINE void sum_lanes(const Vec<T> (&rows)[4], T (&sums)[4]) {
  const Tag<T> d;
  if constexpr (sizeof(T) == 4) {
    const hn::RepartitionToWide<hn::RebindToUnsigned<Tag<T>>> wide;
    const auto pair = [&](Vec<T> x, Vec<T> y) HWY_ATTR {
      return hn::BitCast(wide, hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y)));
    };
    const auto lower = pair(rows[0], rows[1]), upper = pair(rows[2], rows[3]);
    const auto all = hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, lower, upper)),
                             hn::BitCast(d, hn::InterleaveUpper(wide, lower, upper)));
    hn::StoreU(fold_blocks(d, all), hn::FixedTag<T, 4>(), sums);
  } else {
    for (int r = 0; r < 4; ++r) sums[r] = hn::GetLane(hn::SumOfLanes(d, rows[r]));
  }
}

template <class T>
void multiply_column(const Gemm& it) {
  constexpr std::int64_t lanes = kLanes<T>;
  const Tag<T> d;
  const std::int64_t whole = it.k / lanes * lanes;
  const T* const b = reinterpret_cast<const T*>(it.b);
  T* const c = reinterpret_cast<T*>(it.c);
  for (std::int64_t i = 0; i < it.m; i += 4) {
    const T* a[4];
    for (std::int64_t r = 0; r < 4; ++r) {  // the last row again where there are no four
      a[r] = reinterpret_cast<const T*>(it.a) + std::min(i + r, it.m - 1) * it.a_row;
    }
    Vec<T> products[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    for (std::int64_t k = 0; k < whole; k += lanes) {
      const Vec<T> x = hn::LoadU(d, b + k);
      HWY_UNROLL(4)
      for (int r = 0; r < 4; ++r) {
        products[r] = multiply_add<T>(hn::LoadU(d, a[r] + k), x, products[r]);
      }
    }
    if (whole < it.k) {
      const First<T> cut(it.k - whole);
      const Vec<T> x = cut.load(b + whole);
      HWY_UNROLL(4)
      for (int r = 0; r < 4; ++r) {
        products[r] = multiply_add<T>(cut.load(a[r] + whole), x, products[r]);
      }
    }
    T sums[4];
    sum_lanes<T>(products, sums);
    for (std::int64_t r = 0; r < std::min<std::int64_t>(4, it.m - i); ++r) {
      T& to = c[(i + r) * it.c_row];
      if (it.add) sums[r] += to;
      to = it.bias == nullptr ? sums[r] : sums[r] + *reinterpret_cast<const T*>(it.bias);
    }
  }
}

/// A block of 16 bytes by 16 bytes.
template <class T>
HWY_INLINE void transpose_block(const T* from, std::int64_t from_column, T* to, std::int64_t to_row) {
  constexpr int edge = 16 / sizeof(T);
  const hn::FixedTag<T, edge> d;
  const auto row = [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, from + j * from_column); };
  const auto put = [&](std::int64_t i, auto x)
                       HWY_ATTR { hn::StoreU(hn::BitCast(d, x), d, to + i * to_row); };
  if constexpr (edge == 2) {
    const auto x = row(0), y = row(1);
    put(0, hn::InterleaveLower(d, x, y));
    put(1, hn::InterleaveUpper(d, x, y));
  } else {
    const hn::RepartitionToWide<decltype(d)> wide;
    const auto x = row(0), y = row(1), z = row(2), w = row(3);
    const auto lower = hn::BitCast(wide, hn::InterleaveLower(d, x, y));
    const auto upper = hn::BitCast(wide, hn::InterleaveUpper(d, x, y));
    const auto next_lower = hn::BitCast(wide, hn::InterleaveLower(d, z, w));
    const auto next_upper = hn::BitCast(wide, hn::InterleaveUpper(d, z, w));
    put(0, hn::InterleaveLower(wide, lower, next_lower));
    put(1, hn::InterleaveUpper(wide, lower, next_lower));
    put(2, hn::InterleaveLower(wide, upper, next_upper));
    put(3, hn::InterleaveUpper(wide, upper, next_upper));
  }
}

template <class T>
void transpose(const std::byte* source, std::int64_t from_column, std::byte* target,
               std::int64_t to_row, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t edge = 16 / sizeof(T);
  const T* const from = reinterpret_cast<const T*>(source);
  T* const to = reinterpret_cast<T*>(target);
  const std::int64_t whole_rows = rows / edge * edge, whole_columns = columns / edge * edge;
  for (std::int64_t i = 0; i < whole_rows; i += edge) {
    for (std::int64_t j = 0; j < whole_columns; j += edge) {
      transpose_block(from + j * from_column + i, from_column, to + i * to_row + j, to_row);
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      to[i * to_row + j] = from[j * from_column + i];
    }
  }
}

template <class T>
constexpr GemmLoops loops() {
  using Bits = hwy::MakeUnsigned<T>;
  return {kMaxVectors * kLanes<T>, multiply<T>, multiply_column<T>, transpose<Bits>};
}

const GemmLoops& find_loops(std::uint8_t dtype) {
  static constexpr GemmLoops f32 = loops<float>(), f64 = loops<double>();
  static constexpr GemmLoops i32 = loops<std::uint32_t>(), i64 = loops<std::uint64_t>();
  if (dtype == TENON_DTYPE_F32) return f32;
  if (dtype == TENON_DTYPE_F64) return f64;
  return tenon::sdk::size_of(dtype) == 4 ? i32 : i64;
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(find_loops);

const GemmLoops& gemm_loops(std::uint8_t dtype) {
  return HWY_DYNAMIC_DISPATCH(find_loops)(dtype);
}

}  // namespace cpu
#endif
