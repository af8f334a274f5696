// Searching in what is sorted.
#pragma once

#include <string_view>

#include <tenon/tensor.h>

namespace tenon::ops {

/// How many elements of sorted (n,) are less than each value, or (..., n) row by row of (..., m); with
/// `right` not greater. Both of one dtype; the result is of the dtype that places have.
Tensor count_before(std::string_view op, const Tensor& sorted, const Tensor& values, bool right);

}  // namespace tenon::ops
