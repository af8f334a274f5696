// The softmax that composites share.
#pragma once

#include <string_view>

#include <tenon/tensor.h>

namespace tenon::ops {

/// What is done along the dimension.
enum class Softmax {
  plain,
  log,
  masked  ///< 0 where all is -infinity
};
/// Recorded; of `dtype`.
Tensor softmax(std::string_view op, Softmax kind, const Tensor& x, int dim, DType dtype);

}  // namespace tenon::ops
