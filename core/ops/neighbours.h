// Parts of a line.
#pragma once

#include <tenon/tensor.h>

namespace tenon::ops {

/// All but the first, or all but the last, along dim.
inline Tensor without_first(const Tensor& x, int dim) {
  return x.slice(dim, {.start = 1});
}
inline Tensor without_last(const Tensor& x, int dim) {
  return x.slice(dim, {.stop = -1});
}

}  // namespace tenon::ops
