// Matrix products: one MATMUL whose operands are described by shape and strides.
#include <algorithm>
#include <array>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/kinds.h"
#include "core/ops/products.h"
#include "core/tensor/impl.h"

namespace tenon {

using autograd::autocast_in;
using autograd::Cast;

namespace {

Shape batch_of(const Shape& shape) {
  Shape batch = shape;
  batch.erase(batch.size() - 1);
  batch.erase(batch.size() - 1);
  return batch;
}

/// y, the product of a row (left) or a column (right), as the matrix that it is.
Tensor as_matrix(const Tensor& y, bool row, bool column) {
  const Tensor columns = column ? y.unsqueeze(-1) : y;
  return row ? columns.unsqueeze(-2) : columns;
}

/// Both of rank 2 or more and of one dtype; a has a row, or b a column, that leaves the result.
Tensor matrix_product(const Tensor& a, const Tensor& b, bool row, bool column) {
  Shape shape = ops::product_shape("matmul", a, b);
  if (column) shape.erase(shape.size() - 1);
  if (row) shape.erase(shape.size() - (column ? 1 : 2));
  const Tensor y = ops::result("matmul", shape, a.dtype(), a.device());
  ops::run("matmul", {.dst = as_matrix(y.detach(), row, column), .a = a, .b = b});
  const Tensor inputs[] = {a, b};
  if (autograd::needs_record(inputs)) {
    // y = a·b: da = dy·bᵀ, db = aᵀ·dy, summed over broadcast batches.
    autograd::record("matmul", inputs, {&y, 1},
                     [a = autograd::Saved(a), b = autograd::Saved(b), wants_a = a.requires_grad(),
                      wants_b = b.requires_grad(), row, column](std::span<const Tensor> dy) {
                       const Tensor &x = a.get("matmul"), &w = b.get("matmul");
                       const Tensor g = as_matrix(dy[0], row, column);
                       std::vector<Tensor> dx(2);
                       if (wants_a) dx[0] = sum_to(matmul(g, w.transpose(-2, -1)), x.shape());
                       if (wants_b) dx[1] = sum_to(matmul(x.transpose(-2, -1), g), w.shape());
                       return dx;
                     });
  }
  return y;
}

/// cast(sum + bias): what linear does to the sums of its product.
program::Program add_bias(DType dtype) {
  const DType acc = ops::accumulator(dtype);
  program::Builder builder;
  const auto sum = builder.input(acc), bias = builder.input(dtype);
  builder.output(cast(sum + cast(bias, acc), dtype));
  return builder.build();
}

/// x (..., width) as one matrix.
Tensor rows_of(const Tensor& x) {
  std::int64_t rows = 1;
  for (int d = 0; d + 1 < x.rank(); ++d) rows *= x.size(d);
  return x.reshape({rows, x.size(-1)});
}

/// x (..., K) · wᵀ (N, K) + bias, all of one dtype; nothing is recorded.
Tensor linear_forward(const Tensor& x, const Tensor& w, const Tensor& bias) {
  Shape shape = x.shape();
  shape[shape.size() - 1] = w.size(0);
  const Tensor y = allocate(shape, x.dtype(), x.device());
  const auto matrix = [&](const Tensor& t) {
    return x.rank() == 1 || x.is_contiguous() ? rows_of(t.detach()) : t.detach();
  };
  ops::Product work{.dst = matrix(y), .a = matrix(x), .b = w.detach().transpose(0, 1)};
  if (bias.defined()) {
    work.epilogue = add_bias(x.dtype());
    work.inputs = {{bias.detach()}};
  }
  ops::run("linear", work);
  return y;
}

/// The gradients of x, w and bias, of those that want one.
std::vector<Tensor> linear_backward(const Tensor& x, const Tensor& w, const Tensor& dy,
                                    std::span<const bool> wanted) {
  std::vector<Tensor> dx(wanted.size());
  if (wanted[0]) dx[0] = matmul(dy, w);
  if (wanted[1]) dx[1] = matmul(rows_of(dy).transpose(0, 1), rows_of(x));
  if (wanted.size() > 2 && wanted[2]) dx[2] = sum_to(dy, {w.size(0)});
  return dx;
}

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require(weight.rank() == 2 && x.rank() >= 1 && x.size(-1) == weight.size(1),
          "[linear] x {} and weight {} do not fit: (..., in) and (out, in)", x.shape(), weight.shape());
  require(!bias.defined() || bias.shape() == Shape{weight.size(0)}, "[linear] bias is {}, not ({},)",
          bias.defined() ? to_string(bias.shape()) : "", weight.size(0));
}

}  // namespace

Shape ops::product_shape(std::string_view op, const Tensor& x, const Tensor& y) {
  require(x.size(-1) == y.size(-2), "[{}] inner dimensions differ: {} x {}", op, x.shape(), y.shape());
  const Shape a = batch_of(x.shape()), b = batch_of(y.shape());
  for (int d = 1; d <= std::min(a.size(), b.size()); ++d) {
    const std::int64_t m = a[a.size() - d], n = b[b.size() - d];
    require(m == n || m == 1 || n == 1, "[{}] leading dimensions do not broadcast: {} x {}", op,
            x.shape(), y.shape());
  }
  Shape shape = broadcast(op, a, b);
  shape.push_back(x.size(-2));
  shape.push_back(y.size(-1));
  return shape;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  impl_of(x, "linear");
  impl_of(weight, "linear");
  check_linear(x, weight, bias);
  std::vector<Tensor> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  ops::common_device("linear", inputs);
  for (Tensor& t : inputs) t = autocast_in(Cast::low, t);
  DType dtype = inputs[0].dtype();
  for (const Tensor& t : inputs) dtype = promote(dtype, t.dtype());
  for (Tensor& t : inputs) t = t.to(dtype);
  const Tensor y = linear_forward(inputs[0], inputs[1], bias.defined() ? inputs[2] : Tensor());
  if (autograd::needs_record(inputs)) {
    std::array<bool, 3> wanted{};
    for (std::size_t i = 0; i < inputs.size(); ++i) wanted[i] = inputs[i].requires_grad();
    autograd::record("linear", inputs, {&y, 1},
                     [x = autograd::Saved(inputs[0]), w = autograd::Saved(inputs[1]), wanted,
                      count = inputs.size()](std::span<const Tensor> dy) {
                       return linear_backward(x.get("linear"), w.get("linear"), dy[0],
                                              std::span(wanted).first(count));
                     });
  }
  return y;
}

Tensor matmul(const Tensor& left, const Tensor& right) {
  const Tensor x = autocast_in(Cast::low, left), y = autocast_in(Cast::low, right);
  const DType dtype = promote(impl_of(x, "matmul").dtype, impl_of(y, "matmul").dtype);
  const Tensor operands[] = {x, y};
  ops::common_device("matmul", operands);
  require(x.rank() >= 1 && y.rank() >= 1,
          "[matmul] a 0-d operand has no inner dimension: {} x {}; use *", x.shape(), y.shape());
  const std::int64_t inner = y.size(y.rank() == 1 ? 0 : -2);
  require(x.size(-1) == inner, "[matmul] inner dimensions differ: {} x {}", x.shape(), y.shape());
  Tensor a = x.to(dtype), b = y.to(dtype);
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a = a.unsqueeze(0);
  if (column) b = b.unsqueeze(1);
  return matrix_product(a, b, row, column);
}

Tensor& matmul_out(Tensor& out, const Tensor& x, const Tensor& y) {
  return ops::write_out("matmul", out, {x, y}, [&] { return matmul(x, y); });
}

}  // namespace tenon
