// Matrices copied row by row into the dtype that they are multiplied in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gemm.h"
#include "steps.h"

namespace cpu {

/// A part of a matrix where it lies; strides in elements.
struct Part {
  const std::byte* data;
  std::int64_t row, column;
  std::int64_t rows, columns;
};

class Packer {
 public:
  Packer(std::uint8_t from, std::uint8_t to);

  /// Rows begin `to_row` elements apart.
  void operator()(const Part& part, std::byte* to, std::int64_t to_row) const;

 private:
  void pack_rows(const Part& part, std::byte* to, std::int64_t to_row) const;
  void pack_columns(const Part& part, std::byte* to, std::int64_t to_row) const;
  void pack_line(const std::byte* from, std::int64_t stride, std::int64_t n, std::byte* to) const;

  std::int64_t from_size_, to_size_;
  Step cast_;  // nullptr where there is nothing to do
  const GemmLoops& loops_;
};

}  // namespace cpu
