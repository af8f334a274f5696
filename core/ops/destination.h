// Results that go into a tensor which is there already: f_out and f_ of what is no elementwise program.
// The op runs as ever; only where it asks for memory it is given that tensor's, if it fits.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

#include <tenon/tensor.h>

namespace tenon::ops {

/// For an op's result: a new tensor, or within write_out another handle on `out`, once. Within
/// write_over it is one on x, where x is `over`: an operand that the op needs no more when it writes.
Tensor result(std::string_view op, const Shape& shape, DType dtype, Device device,
              const Tensor& over = {});

/// Writes what `compute`, an op over the operands, gives into `out`: directly, unless it is of another
/// dtype or shares memory with an operand. InvalidArgument where that would have to be recorded.
Tensor& write_out(std::string_view op, Tensor& out, std::span<const Tensor> operands,
                  const std::function<Tensor()>& compute);
Tensor& write_out(std::string_view op, Tensor& out, std::initializer_list<Tensor> operands,
                  const std::function<Tensor()>& compute);

/// x takes the elements that `compute`, an op over x and the operands, gives, and its place on the
/// tape. What is to be recorded must not save x itself.
Tensor& write_over(std::string_view op, Tensor& x, std::initializer_list<Tensor> operands,
                   const std::function<Tensor()>& compute);
/// x for an op within write_over that saves it: a copy where it is recorded.
Tensor kept(const Tensor& x, std::initializer_list<Tensor> operands = {});

}  // namespace tenon::ops
