// A dimension in blocks of two halves: what scans and sorting networks combine.
#pragma once

#include <cstdint>

#include <tenon/tensor.h>

namespace tenon::ops {

/// Views of shape (outer, blocks, half, inner).
struct Halves {
  Tensor first, second;
};

/// x is row-major, and its extent along `dim` a multiple of 2 · half.
inline Halves halves(const Tensor& x, int dim, std::int64_t half) {
  std::int64_t outer = 1, inner = 1;
  for (int d = 0; d < x.rank(); ++d) {
    if (d < dim) outer *= x.size(d);
    if (d > dim) inner *= x.size(d);
  }
  const Tensor blocks = x.view({outer, x.size(dim) / (2 * half), 2, half, inner});
  return {blocks.select(2, 0), blocks.select(2, 1)};
}

}  // namespace tenon::ops
