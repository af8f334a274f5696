// Layers and losses, from public ops.
#include <cmath>

#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/base/fail.h"

namespace tenon::nn {
namespace {

void require_same_shape(std::string_view loss, const Tensor& x, const Tensor& y) {
  require(x.shape() == y.shape(), "[{}] shapes differ: {} and {}", loss, to_string(x.shape()),
          to_string(y.shape()));
}

/// max(x, 0) - x·y + log(1 + exp(-|x|)) as one program.
const program::Program& bce_with_logits(DType dtype) {
  const auto build = [](DType d) {
    program::Builder b;
    const auto x = b.input(d), y = b.input(d);
    b.output(max(x, 0.0) - x * y + log1p(exp(-abs(x))));
    return b.build();
  };
  static const program::Program single = build(f32), wide = build(f64);
  return dtype == f64 ? wide : single;
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, LinearOptions options) {
  require(in > 0 && out > 0, "[Linear] {} inputs and {} outputs: both must be positive", in, out);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  const random::UniformOptions range{-bound, bound};
  const MemoryTag tag("parameters");
  weight = add("weight", Parameter(random::uniform({out, in}, range, options.tensor)));
  if (options.bias) bias = add("bias", Parameter(random::uniform({out}, range, options.tensor)));
}

Tensor Linear::operator()(const Tensor& x) const {
  require(x.rank() > 0 && x.size(-1) == weight.size(1),
          "[Linear] the last extent of {} is not the weight's {}", to_string(x.shape()),
          weight.size(1));
  const CallScope scope(*this);
  return linear(x, weight, bias);
}

Tensor ReLU::operator()(const Tensor& x) const {
  return relu(x);
}
Tensor Sigmoid::operator()(const Tensor& x) const {
  return sigmoid(x);
}

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const Step& step : *steps_) y = step(y);
  return y;
}

Tensor MSELoss::operator()(const Tensor& x, const Tensor& y) const {
  require_same_shape("MSELoss", x, y);
  const Tensor difference =
      autograd::autocast_in(autograd::Cast::wide, x) - autograd::autocast_in(autograd::Cast::wide, y);
  return (difference * difference).mean();
}

Tensor BCEWithLogitsLoss::operator()(const Tensor& x, const Tensor& y) const {
  require_same_shape("BCEWithLogitsLoss", x, y);
  const DType dtype = promote(x.dtype(), y.dtype()) == f64 ? f64 : f32;
  const Tensor inputs[] = {x.to(dtype), y.to(dtype)};
  return elementwise(bce_with_logits(dtype), inputs).front().mean();
}

}  // namespace tenon::nn
