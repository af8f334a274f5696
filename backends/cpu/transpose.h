// Copies of transposed matrices.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cpu {

/// to[r · to_stride + c] = from[r + c · from_stride] for all rows r and columns c, of elements of
/// 1, 2, 4 or 8 bytes; strides in elements.
using Transpose = void (*)(std::byte* to, std::int64_t to_stride, const std::byte* from,
                           std::int64_t from_stride, std::int64_t rows, std::int64_t columns);
Transpose find_transpose(std::size_t size);

/// Rows that share the lines of the cache that they are read from.
constexpr std::int64_t rows_of_a_line(std::size_t size) {
  return static_cast<std::int64_t>(64 / size);
}

}  // namespace cpu
