// Reductions over some dimensions, or all where none is named; keepdim leaves reduced dimensions with
// extent 1. Differentiable where the mathematics is, to any order.
#pragma once

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// Integers and bool are summed in i64, unsigned ones in u64.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Integers become the default dtype; over nothing NaN.
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

}  // namespace tenon
#pragma GCC visibility pop
