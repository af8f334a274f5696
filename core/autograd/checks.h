// Looking through tensors for what is no number.
#pragma once

#include <span>
#include <string_view>

#include <tenon/tensor.h>

namespace tenon::autograd {

enum class Looking { for_nan, for_nan_or_infinity };

/// Sets `flag`, a bool of one element on x's device, to whether any element of x is such: one launch.
void look(Looking what, const Tensor& x, const Tensor& flag);

/// InvalidArgument where a gradient dx of the op holds NaN and no dy does.
void check_anomaly(std::string_view op, std::string_view module, std::span<const Tensor> dy,
                   std::span<const Tensor> dx);

}  // namespace tenon::autograd
