// Gradients held within bounds, in place.
#pragma once

#include <vector>

#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn::utils {

struct ClipNormOptions {
  double norm_type = 2;  ///< p of the p-norm, above 0; infinity for the greatest absolute value
  /// Reads the norm, and is InvalidArgument where it is NaN or infinite; nothing is clipped then.
  bool error_if_nonfinite = false;
};

/// The norm of all gradients as one vector, 0-d, on a device that has some; each gradient is
/// multiplied by max_norm/(norm + 1e-6) where that is below 1. A few launches for each device and
/// dtype, however many gradients; 0 where there is none.
Tensor clip_grad_norm_(const std::vector<Parameter>& parameters, double max_norm,
                       ClipNormOptions options = {});

/// Each element of the gradients within ±limit; one launch for each device and dtype.
void clip_grad_value_(const std::vector<Parameter>& parameters, double limit);

}  // namespace tenon::nn::utils
#pragma GCC visibility pop
