// Products of matrices and what is made of them; differentiable to any order.
#pragma once

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// (..., M, K) x (..., K, N) -> (..., M, N), leading dimensions broadcast; a 1-D operand is a row
/// (left) or a column (right), and its dimension leaves the result. Operands promote.
Tensor matmul(const Tensor& x, const Tensor& y);
/// x · weightᵀ + bias: x (..., in), weight (out, in), bias (out,) or undefined, all of one dtype.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// c + x · y: x (M, K), y (K, N), c broadcasts to (M, N); all of one dtype.
Tensor addmm(const Tensor& c, const Tensor& x, const Tensor& y);

}  // namespace tenon
#pragma GCC visibility pop
