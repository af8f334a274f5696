// The innermost loops of own matrix products, for the machine's best instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cpu {

/// c = a · b, or c += a · b, of one dtype; strides in elements. Columns of b and c follow each other
/// without gaps; a lies in any way.
struct Gemm {
  std::int64_t m, n, k;
  const std::byte* a;
  std::int64_t a_row, a_column;
  const std::byte* b;
  std::int64_t b_row;
  std::byte* c;
  std::int64_t c_row;
  bool add;
  const std::byte* bias;     // added to what c becomes, a value for each column; or nullptr
  std::int64_t bias_column;  // 1, or 0 where all columns have the same value
};

struct GemmLoops {
  std::int64_t panel;  // columns that are computed at a time
  /// Each element of c sums in ascending order of k, wherever it stands.
  void (*multiply)(const Gemm& gemm);
  /// For n = 1 and a_column = b_row = 1: each element of c is a sum over vectors, which is then summed.
  void (*multiply_column)(const Gemm& gemm);
  /// The matrix whose columns begin `from_column` apart in `from`, row by row: rows begin `to_row`
  /// apart.
  void (*transpose)(const std::byte* from, std::int64_t from_column, std::byte* to, std::int64_t to_row,
                    std::int64_t rows, std::int64_t columns);
};

/// For f32 and f64, and for integers of 32 and 64 bits, which wrap.
const GemmLoops& gemm_loops(std::uint8_t dtype);

}  // namespace cpu
