// Programs over tensors, recorded: what elementwise ops are made of.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <tenon/ops.h>
#include <tenon/program.h>

#include "core/ops/run.h"

namespace tenon::ops {

/// Runs a program over new outputs and records it: its derivative is one program too.
std::vector<Tensor> apply(std::string_view op, const program::Program& program,
                          std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars = {});
/// The same into `outputs`, for inputs that are known to have the program's dtypes.
void apply(std::string_view op, const program::Program& program, TensorRefs inputs,
           std::span<const std::uint64_t> scalars, std::span<Tensor> outputs);

/// Writes the program's one result over x, to which the inputs broadcast, and moves x behind it on the
/// tape.
void apply_in_place(std::string_view op, const program::Program& program, Tensor& x, TensorRefs inputs,
                    std::span<const std::uint64_t> scalars = {});

/// Writes the program's one result into `out`, which has the inputs' common shape; InvalidArgument
/// where that would have to be recorded.
void apply_out(std::string_view op, const program::Program& program, Tensor& out, TensorRefs inputs,
               std::span<const std::uint64_t> scalars = {});

// What a result that is written into `out` must meet; all InvalidArgument.
/// It is not recorded, can be written, and is on the operands' device.
void check_out(std::string_view op, const Tensor& out, TensorRefs operands);
void check_shape(std::string_view op, const Tensor& out, const Shape& result);
/// A result may go into its own kind of dtype or a later one; 1.5 would be lost in an integer.
void check_holds(std::string_view op, DType holder, DType result);

/// A copy converted to `dtype`, row-major.
Tensor convert(const Tensor& x, DType dtype);

}  // namespace tenon::ops
