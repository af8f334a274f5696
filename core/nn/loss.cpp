#include "core/nn/loss.h"

#include <limits>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::nn {

using program::Value;

DType common_dtype(std::string_view op, const Tensor& x, const Tensor& y) {
  impl_of(x, op), impl_of(y, op);
  require(x.shape() == y.shape(), "[{}] shapes differ: {} and {}", op, x.shape(), y.shape());
  const auto wide = [](const Tensor& z) { return autograd::autocast_dtype(autograd::Cast::wide, z); };
  const DType dtype = promote(wide(x), wide(y));
  return is_floating(dtype) ? dtype : f32;
}

namespace {

DType common_dtype(std::string_view op, const Tensor& x, const Tensor& y,
                   std::initializer_list<Tensor> others, std::string_view further) {
  DType dtype = nn::common_dtype(op, x, y);
  for (const Tensor& other : others) {
    if (!other.defined()) continue;
    require(broadcast(op, x.shape(), other.shape()) == x.shape(),
            "[{}] {} of shape {} does not broadcast to {}", op, further, other.shape(), x.shape());
    dtype = promote(dtype, other.dtype());
  }
  return dtype;
}

}  // namespace

Tensor reduced(std::string_view op, ops::Formula& f, Value value, const Shape& shape, DType dtype,
               LossReduction how, std::optional<double> count) {
  const ops::Fold all = ops::fold_of(op, shape, {}, false);
  switch (how) {
    case LossReduction::none:
      f.output(value, dtype);
      return f.apply(op);
    case LossReduction::sum:
      f.output(value);
      return f.sum(op, all, dtype);
    case LossReduction::mean:
      break;
  }
  f.output(value / f.scalar(count.value_or(all.count)));
  const Tensor mean = f.sum(op, all, dtype);
  return all.count > 0 ? mean : mean * std::numeric_limits<double>::quiet_NaN();
}

Value hinge(ops::Formula& f, Value v) {
  return select(v < 0.0, f.constant(0), v);
}

Loss::Loss(std::string_view op, const Tensor& input, const Tensor& target,
           std::initializer_list<Tensor> others, std::string_view further)
    : name(op),
      shape(impl_of(input, op).shape),
      dtype(common_dtype(op, input, target, others, further)),
      f(dtype),
      x(f(input)),
      y(f(target)) {}

}  // namespace tenon::nn
