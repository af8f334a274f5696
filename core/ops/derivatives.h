// The backward of an elementwise op: its derivative program, found once for each program.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/autograd/record.h"
#include "core/ops/fold.h"
#include "core/ops/run.h"
#include "core/program/slopes.h"

namespace tenon::ops {

/// The node to attach to the op's results. Called before the op runs, since it saves inputs,
/// `overwritten` as a copy; nullptr where no input is to get a gradient. Backward is one launch over
/// the saved inputs and the outputs' gradients, then sums over what was broadcast. With a fold the op's
/// results are the sums of the program's.
std::shared_ptr<autograd::Node> plan_node(std::string_view op, const program::Program& program,
                                          TensorRefs inputs, std::span<const std::uint64_t> scalars,
                                          const Tensor& overwritten = {}, const Fold* fold = nullptr);

/// From now on the derivative of this program, which has one output, is made of these.
void set_slopes(const program::Program& program, program::Slopes slopes);

}  // namespace tenon::ops
