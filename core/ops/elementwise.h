// What ops are made of: programs by operands' dtypes, and their recorded application.
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

/// The ops of two operands, in the order of the table in elementwise.cpp.
enum class Binary { add, sub, mul, div, minimum, maximum, lt, le, gt, ge, eq, ne };

Tensor binary(Binary op, const Tensor& x, const Tensor& y);
Tensor binary(Binary op, const Tensor& x, Scalar y);
Tensor binary(Binary op, Scalar x, const Tensor& y);
/// x ← x op y, in x's dtype.
void binary_in_place(Binary op, Tensor& x, const Tensor& y);
void binary_in_place(Binary op, Tensor& x, Scalar y);

/// A copy converted to `dtype`, row-major.
Tensor convert(const Tensor& x, DType dtype);

}  // namespace tenon::ops
