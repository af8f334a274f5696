// Parts of a line, and lines of parts.
#pragma once

#include <string_view>
#include <vector>

#include <tenon/tensor.h>

namespace tenon::ops {

/// All but the first, or all but the last, along dim.
inline Tensor without_first(const Tensor& x, int dim) {
  return x.slice(dim, {.start = 1});
}
inline Tensor without_last(const Tensor& x, int dim) {
  return x.slice(dim, {.stop = -1});
}

/// Parts one behind the other along dim, of one dtype and of shapes that fit; recorded.
Tensor joined(std::string_view op, const std::vector<Tensor>& parts, int dim);

}  // namespace tenon::ops
