// Squares of as many elements as a 128-bit vector has are transposed in registers.
#include "transpose.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/transpose.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Interleaved log2(side) times, the halves of the rows become the columns.
template <class T>
HWY_INLINE void transpose_square(T* to, std::int64_t to_stride, const T* from,
                                 std::int64_t from_stride) {
  constexpr int kSide = 16 / sizeof(T);
  const hn::FixedTag<T, kSide> d;
  hn::Vec<decltype(d)> v[kSide], w[kSide];
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) v[i] = hn::LoadU(d, from + i * from_stride);
#pragma GCC unroll 4
  for (int stage = 1; stage < kSide; stage *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < kSide / 2; ++i) {
      w[2 * i] = hn::InterleaveLower(d, v[i], v[i + kSide / 2]);
      w[2 * i + 1] = hn::InterleaveUpper(d, v[i], v[i + kSide / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kSide; ++i) v[i] = w[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < kSide; ++i) hn::StoreU(v[i], d, to + i * to_stride);
}

template <class T>
HWY_INLINE void transpose_plainly(T* to, std::int64_t to_stride, const T* from,
                                  std::int64_t from_stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) to[r * to_stride + c] = from[r + c * from_stride];
  }
}

/// As many rows at a time as share the lines that they are read from, and of each as many columns as
/// make the lines that they are written to. What is read next is asked for, since it lies far apart.
template <class T>
void transpose(std::byte* out, std::int64_t to_stride, const std::byte* in, std::int64_t from_stride,
               std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kSide = 16 / sizeof(T), kLine = rows_of_a_line(sizeof(T));
  T* to = reinterpret_cast<T*>(out);
  const T* from = reinterpret_cast<const T*>(in);
  const std::int64_t whole = columns / kSide * kSide;
  for (; rows > 0; rows -= kLine, from += kLine, to += kLine * to_stride) {
    const std::int64_t band = std::min(rows, kLine), squares = band / kSide * kSide;
    for (std::int64_t line = 0; line < whole; line += kLine) {
      const std::int64_t end = std::min(line + kLine, whole), next = std::min(end + kLine, columns);
      for (std::int64_t c = end; c < next; ++c) hwy::Prefetch(from + c * from_stride);
      for (std::int64_t r = 0; r < squares; r += kSide) {
        for (std::int64_t c = line; c < end; c += kSide) {
          transpose_square(to + r * to_stride + c, to_stride, from + r + c * from_stride, from_stride);
        }
      }
    }
    transpose_plainly(to + whole, to_stride, from + whole * from_stride, from_stride, squares,
                      columns - whole);
    transpose_plainly(to + squares * to_stride, to_stride, from + squares, from_stride, band - squares,
                      columns);
  }
}

Transpose transposition(std::size_t size) {
  switch (size) {
    case 1:
      return transpose<std::uint8_t>;
    case 2:
      return transpose<std::uint16_t>;
    case 4:
      return transpose<std::uint32_t>;
    default:
      return transpose<std::uint64_t>;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(transposition);

Transpose find_transpose(std::size_t size) {
  return HWY_DYNAMIC_DISPATCH(transposition)(size);
}

}  // namespace cpu
#endif
