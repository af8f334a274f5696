// The softmax that composites share.
#pragma once

#include <cstdint>
#include <string_view>

#include <tenon/plugin.h>
#include <tenon/tensor.h>

namespace tenon::ops {

/// What is done along the dimension.
enum class Softmax : std::uint32_t {
  plain = TENON_SOFTMAX_PLAIN,
  log = TENON_SOFTMAX_LOG,
  masked = TENON_SOFTMAX_MASKED  ///< 0 where all is -infinity
};
/// Recorded; of `dtype`.
Tensor softmax(std::string_view op, Softmax kind, const Tensor& x, int dim, DType dtype);

}  // namespace tenon::ops
