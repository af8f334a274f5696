// Reading and writing at places that integer tensors name, of any integer dtype; a negative index
// counts from the end. One that is out of range is InvalidArgument: at once on a synchronous device, at
// the next wait on others. Differentiable in what is read and written.
#pragma once

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// Rows `index` (1-D) of x along `dim`, in their order.
Tensor index_select(const Tensor& x, int dim, const Tensor& index);
/// y[i][j] = x[index[i][j]][j] (dim 0, likewise others): shaped like index, whose other extents are at
/// most x's.
Tensor gather(const Tensor& x, int dim, const Tensor& index);

enum class Scatter { assign, add, max, min };
/// A copy of x that takes src[i][j] at [index[i][j]][j] (dim 0, likewise others), for each element of
/// index, which no extent of src is below. assign: the last in row-major order stays. max and min have
/// no gradient.
Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& src,
               Scatter how = Scatter::assign);
/// Rows of weight (rows, width): (...) indices -> (..., width). Negative indices are out of range.
Tensor embedding(const Tensor& weight, const Tensor& index);

}  // namespace tenon
#pragma GCC visibility pop
