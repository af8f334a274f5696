// Elementwise operations: each is one program and one launch. Operands broadcast as NumPy's do and
// promote as tenon::promote says; all must live on one device. Each is differentiable where its
// mathematics is, to any order.
#pragma once

#include <span>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

// --- Arithmetic. Integer division gives the default dtype; bool counts as an integer 0 or 1 ---

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

// --- One operand. Integers become the default dtype but for neg, abs and relu ---

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

}  // namespace tenon
#pragma GCC visibility pop
