// Operations on tensors. Operands broadcast as NumPy's do and promote as tenon::promote says; all
// must live on one device. Each op is differentiable where its mathematics is, to any order.
#pragma once

#include <span>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

// --- Arithmetic. Integer division gives the default dtype f32; bool counts as an integer 0 or 1 ---

#define TENON_BINARY(name)                       \
  Tensor name(const Tensor& x, const Tensor& y); \
  Tensor name(const Tensor& x, Scalar y);        \
  Tensor name(Scalar x, const Tensor& y);
TENON_BINARY(operator+)
TENON_BINARY(operator-)
TENON_BINARY(operator*)
TENON_BINARY(operator/)
TENON_BINARY(minimum)  ///< NaN wins
TENON_BINARY(maximum)  ///< NaN wins
// Comparisons give bool.
TENON_BINARY(operator<)
TENON_BINARY(operator<=)
TENON_BINARY(operator>)
TENON_BINARY(operator>=)
TENON_BINARY(operator==)
TENON_BINARY(operator!=)
#undef TENON_BINARY

/// x where condition (bool), else y.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

// --- One operand. Integers become f32 but for neg, abs and relu ---

Tensor operator-(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor exp(const Tensor& x);
/// Natural; NaN below 0, -infinity at 0.
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// max(x, 0); the gradient at 0 is 0, NaN stays.
Tensor relu(const Tensor& x);

/// Any program over tensors: one launch, one result for each output of the program, differentiable.
/// Inputs broadcast; their dtypes are the program's. `scalars` are raw bits, see Scalar::bits.
std::vector<Tensor> elementwise(const program::Program& program, std::span<const Tensor> inputs,
                                std::span<const std::uint64_t> scalars = {});

// --- Reductions. No dims: over all. keepdim leaves reduced dimensions with extent 1 ---

/// Integers and bool are summed in i64, unsigned ones in u64.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Integers become f32; over nothing NaN.
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// NaN wins; over nothing InvalidArgument. The gradient is shared evenly among equal maxima.
Tensor max(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor min(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Where the greatest element stands along one dimension, or in row-major order over all: the first of
/// equals, NaN wins; i64. Over nothing InvalidArgument.
Tensor argmax(const Tensor& x, const Dims& dim = {}, bool keepdim = false);
/// The same of the least.
Tensor argmin(const Tensor& x, const Dims& dim = {}, bool keepdim = false);
/// Whether any element is not zero (NaN is not); bool, false over nothing.
Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Whether no element is zero; bool, true over nothing.
Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Sums x over broadcast dimensions, back to `shape`: the reverse of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);

// --- Linear algebra ---

/// (..., M, K) x (..., K, N) -> (..., M, N), leading dimensions broadcast; a 1-D operand is a row
/// (left) or a column (right), and its dimension leaves the result. Operands promote.
Tensor matmul(const Tensor& x, const Tensor& y);
/// x · weightᵀ + bias: x (..., in), weight (out, in), bias (out,) or undefined, all of one dtype.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// c + x · y: x (M, K), y (K, N), c broadcasts to (M, N); all of one dtype.
Tensor addmm(const Tensor& c, const Tensor& x, const Tensor& y);

// --- Indexing. Indices are integers of any dtype; a negative one counts from the end. One that is out
// of range is InvalidArgument: at once on a synchronous device, at the next wait on others ---

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
