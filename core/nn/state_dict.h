// Named tensors into named tensors.
#pragma once

#include <string_view>

#include <tenon/nn/module.h>

namespace tenon::nn {

/// Copies the tensors of `state` into those of `own` of the same names. InvalidArgument, naming `op`,
/// says all that does not fit, and then nothing is changed.
LoadReport load_tensors(std::string_view op, const StateDict& own, const StateDict& state,
                        LoadOptions options);

}  // namespace tenon::nn
