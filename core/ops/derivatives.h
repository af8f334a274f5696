// The backward of an elementwise op: its derivative program, found once for each program.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/autograd/record.h"
#include "core/program/slopes.h"

namespace tenon::ops {

/// Called before the op runs, since it saves inputs; empty where no input is to get a gradient.
/// Backward is one launch over the saved inputs and the outputs' gradients, then sums over what was
/// broadcast.
autograd::Backward plan_backward(std::string_view op, const program::Program& program,
                                 std::span<const Tensor> inputs,
                                 std::span<const std::uint64_t> scalars);

/// From now on the derivative of this program, which has one output, is made of these.
void set_slopes(const program::Program& program, program::Slopes slopes);

}  // namespace tenon::ops
