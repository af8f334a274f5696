// Products of matrices and what is made of them; differentiable to any order. Operands promote unless
// said otherwise. Integers are multiplied where the device computes in them, and wrap. f_(c, ..) writes
// over c and is recorded; f_out(out, ..) writes into a tensor of the result's shape, and is not.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// (..., M, K) x (..., K, N) -> (..., M, N), leading dimensions broadcast; a 1-D operand is a row
/// (left) or a column (right), and its dimension leaves the result.
Tensor matmul(const Tensor& x, const Tensor& y);
Tensor& matmul_out(Tensor& out, const Tensor& x, const Tensor& y);
/// matmul of (M, K) and (K, N) only,
Tensor mm(const Tensor& x, const Tensor& y);
Tensor& mm_out(Tensor& out, const Tensor& x, const Tensor& y);
/// of (B, M, K) and (B, K, N),
Tensor bmm(const Tensor& x, const Tensor& y);
Tensor& bmm_out(Tensor& out, const Tensor& x, const Tensor& y);
/// of (M, K) and (K,),
Tensor mv(const Tensor& x, const Tensor& y);
Tensor& mv_out(Tensor& out, const Tensor& x, const Tensor& y);
/// of (K,) and (K,).
Tensor dot(const Tensor& x, const Tensor& y);

/// x · weightᵀ + bias: x (..., in), weight (out, in), bias (out,) or undefined, all of one dtype.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

struct AddmmOptions {
  Scalar beta = 1, alpha = 1;
};
/// beta · c + alpha · x · y: x (M, K), y (K, N), c broadcasts to (M, N); all of one dtype. With beta 0
/// c is not read.
Tensor addmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});
Tensor& addmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});
Tensor& addmm_out(Tensor& out, const Tensor& c, const Tensor& x, const Tensor& y,
                  AddmmOptions options = {});
/// The same of x (B, M, K) and y (B, K, N).
Tensor baddbmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});
Tensor& baddbmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});
Tensor& baddbmm_out(Tensor& out, const Tensor& c, const Tensor& x, const Tensor& y,
                    AddmmOptions options = {});
/// Of the same x and y, the sum of all B products; c broadcasts to (M, N).
Tensor addbmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});
Tensor& addbmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options = {});

/// x (M,) by y (N,): all products, (M, N).
Tensor outer(const Tensor& x, const Tensor& y);
/// Σ x · y along one dimension of both, broadcast.
Tensor vecdot(const Tensor& x, const Tensor& y, int dim = -1);
/// The vector product of three elements along one dimension of both, broadcast.
Tensor cross(const Tensor& x, const Tensor& y, int dim = -1);
/// Products summed over dimension x_dims[i] of x with y_dims[i] of y: what is left of x, then of y.
Tensor tensordot(const Tensor& x, const Tensor& y, const Dims& x_dims, const Dims& y_dims);
/// Over the last `dims` dimensions of x and the first of y.
Tensor tensordot(const Tensor& x, const Tensor& y, int dims = 2);
/// Blocks of y, each times one element of x; at most four dimensions.
Tensor kron(const Tensor& x, const Tensor& y);
/// The sums of diagonal `offset`, counted to the right, of the matrices in the last two dimensions; in
/// `dtype`, or sum's.
Tensor trace(const Tensor& x, std::int64_t offset = 0, std::optional<DType> dtype = {});
/// The product of n square matrices x (..., M, M), by squares; without factors 1. n is not negative.
Tensor matrix_power(const Tensor& x, std::int64_t n);
/// The last two dimensions exchanged; a view.
Tensor matrix_transpose(const Tensor& x);

/// Einstein's sum: "ij,jk->ik". A letter names a dimension of each operand that has it; repeated in one
/// operand it is a diagonal, absent from the output it is summed over. "..." stands for dimensions that
/// broadcast. Without "->" the output is "..." and, by the alphabet (A-Z, a-z), the letters that stand
/// once. Extents of 1 stretch. Contracted from left to right.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace tenon
#pragma GCC visibility pop
