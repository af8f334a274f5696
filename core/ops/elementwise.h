// Programs over tensors, recorded: what elementwise ops are made of.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <tenon/ops.h>
#include <tenon/program.h>

namespace tenon::ops {

/// Runs a program over new outputs and records it: its derivative is one program too.
std::vector<Tensor> apply(std::string_view op, const program::Program& program,
                          std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars = {});

/// Writes the program's one result over x, to which the inputs broadcast, and moves x behind it on the
/// tape.
void apply_in_place(std::string_view op, const program::Program& program, Tensor& x,
                    std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars = {});

/// Writes the program's one result into `out`, which has the inputs' common shape; InvalidArgument
/// where that would have to be recorded.
void apply_out(std::string_view op, const program::Program& program, Tensor& out,
               std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars = {});

/// A copy converted to `dtype`, row-major.
Tensor convert(const Tensor& x, DType dtype);

}  // namespace tenon::ops
