// beta · c + alpha · x · y: one MATMUL, scaled and added to in its epilogue.
#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/kinds.h"
#include "core/ops/products.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

program::Program epilogue(DType dtype, bool adds) {
  const DType acc = accumulator(dtype);
  program::Builder b;
  program::Value y = b.input(acc);
  y = y * b.scalar(acc);
  if (adds) {
    const program::Value c = cast(b.input(dtype), acc);
    y = y + c * b.scalar(acc);
  }
  b.output(cast(y, dtype));
  return b.build();
}

void check_factor(std::string_view op, std::string_view what, Scalar factor, DType dtype) {
  require(!factor.is_floating() || is_floating(dtype), "[{}] {} is {}, which {} does not hold", op,
          what, factor.to_double(), name(dtype));
  require_fits(op, factor, dtype);
}

bool is_number(Scalar factor, int value) {
  return factor.to_double() == value;
}

Tensor scaled(const Tensor& dy, Scalar factor) {
  return is_number(factor, 1) ? dy : dy * factor;
}

}  // namespace

Tensor affine_product(std::string_view op, const Tensor& c, const Tensor& x, const Tensor& y,
                      const AddmmOptions& options) {
  const DType dtype = x.dtype(), acc = accumulator(dtype);
  const Shape shape = product_shape(op, x, y);
  require(!c.defined() || (c.rank() <= shape.size() && broadcast(op, c.shape(), shape) == shape),
          "[{}] {} does not broadcast to {}", op, c.defined() ? to_string(c.shape()) : "", shape);
  check_factor(op, "alpha", options.alpha, dtype);
  check_factor(op, "beta", options.beta, dtype);
  const bool adds = c.defined() && !is_number(options.beta, 0);
  std::vector<Tensor> inputs{x, y};
  if (adds) inputs.push_back(c);
  common_device(op, inputs);

  Product work{.dst = result(op, shape, dtype, x.device(), c), .a = x, .b = y};
  work.epilogue = epilogue(dtype, adds);
  work.scalars = {options.alpha.bits(acc)};
  if (adds) {
    work.inputs = {{c}};
    work.scalars.push_back(options.beta.bits(acc));
  }
  run(op, work);
  if (autograd::needs_record(inputs)) {
    // da = alpha dy bᵀ, db = alpha aᵀ dy, dc = beta dy, summed over what was broadcast.
    autograd::record(op, inputs, {&work.dst, 1},
                     [op, adds, options, a = autograd::Saved(x), b = autograd::Saved(y),
                      from = adds ? c.shape() : Shape()](std::span<const Tensor> dy) {
                       const Tensor &left = a.get(op), &right = b.get(op);
                       const Tensor g = scaled(dy[0], options.alpha);
                       std::vector<Tensor> dx{sum_to(matmul(g, right.transpose(-2, -1)), left.shape()),
                                              sum_to(matmul(left.transpose(-2, -1), g), right.shape())};
                       if (adds) dx.push_back(sum_to(scaled(dy[0], options.beta), from));
                       return dx;
                     });
  }
  return work.dst;
}

namespace {

void check_batches(std::string_view op, const Tensor& x, const Tensor& y) {
  impl_of(x, op);
  impl_of(y, op);
  require(x.rank() != 3 || y.rank() != 3 || x.size(0) == y.size(0), "[{}] batches differ: {} x {}", op,
          x.shape(), y.shape());
}

/// addmm and baddbmm are one function of matrices of `rank`.
Tensor checked_affine(std::string_view op, int rank, const Tensor& added, const Tensor& left,
                      const Tensor& right, const AddmmOptions& options) {
  const Tensor operands[] = {added, left, right};
  common_device(op, operands);
  const auto low = [](const Tensor& t) { return autograd::autocast_in(autograd::Cast::low, t); };
  const Tensor c = low(added), x = low(left), y = low(right);
  for (const Tensor* t : {&x, &y}) {
    require(t->dtype() == c.dtype(), "[{}] operands are {} and {}; convert one", op, name(c.dtype()),
            name(t->dtype()));
  }
  require(x.rank() == rank && y.rank() == rank, "[{}] takes {}-D operands, not {} x {}", op, rank,
          x.shape(), y.shape());
  return affine_product(op, c, x, y, options);
}

}  // namespace
}  // namespace ops

Tensor addmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  return ops::checked_affine("addmm", 2, c, x, y, options);
}

Tensor& addmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  return ops::write_over("addmm", c, {x, y}, [&] { return addmm(c, x, y, options); });
}
Tensor& addmm_out(Tensor& out, const Tensor& c, const Tensor& x, const Tensor& y,
                  AddmmOptions options) {
  return ops::write_out("addmm", out, {c, x, y}, [&] { return addmm(c, x, y, options); });
}

Tensor baddbmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  ops::check_batches("baddbmm", x, y);
  return ops::checked_affine("baddbmm", 3, c, x, y, options);
}
Tensor& baddbmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  return ops::write_over("baddbmm", c, {x, y}, [&] { return baddbmm(c, x, y, options); });
}
Tensor& baddbmm_out(Tensor& out, const Tensor& c, const Tensor& x, const Tensor& y,
                    AddmmOptions options) {
  return ops::write_out("baddbmm", out, {c, x, y}, [&] { return baddbmm(c, x, y, options); });
}

// Σ over batches and K together: (M, B · K) x (B · K, N).
Tensor addbmm(const Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  ops::check_batches("addbmm", x, y);
  require(x.rank() == 3 && y.rank() == 3, "[addbmm] takes 3-D operands, not {} x {}", x.shape(),
          y.shape());
  require(x.size(2) == y.size(1), "[addbmm] inner dimensions differ: {} x {}", x.shape(), y.shape());
  return ops::checked_affine("addbmm", 2, c, x.transpose(0, 1).flatten(1), y.flatten(0, 1), options);
}
Tensor& addbmm_(Tensor& c, const Tensor& x, const Tensor& y, AddmmOptions options) {
  return ops::write_over("addbmm", c, {x, y}, [&] { return addbmm(c, x, y, options); });
}

}  // namespace tenon
