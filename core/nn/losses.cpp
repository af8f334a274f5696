// Losses: each is a formula for one element; its mean or sum is one REDUCE with the formula as
// prologue, and its gradient one derived program.
#include <tenon/nn/losses.h>

#include <cmath>
#include <limits>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/derivatives.h"
#include "core/ops/elementwise.h"
#include "core/ops/kinds.h"
#include "core/ops/program_table.h"
#include "core/tensor/impl.h"

namespace tenon::nn {
namespace {

using program::Builder;
using program::Program;
using program::Value;
using Values = std::vector<Value>;

/// The loss of one element: of inputs, x and y first, then weights; and of the loss's numbers.
struct Rule {
  std::string_view name;
  Value (*formula)(const Values& in, const Values& numbers);
};

/// What is computed of the inputs.
struct Loss {
  std::vector<Tensor> inputs;
  std::vector<double> numbers;
  Reduction reduction;
  DType dtype;  // of the result

  DType compute() const { return ops::accumulator(dtype); }
  const Shape& shape() const { return inputs.front().shape(); }
  /// What the elements' sum is multiplied by, where it is.
  std::optional<double> scale() const {
    if (reduction == Reduction::mean) return 1 / static_cast<double>(inputs.front().numel());
    if (reduction == Reduction::batchmean) return 1 / static_cast<double>(shape()[0]);
    return {};
  }
  std::vector<std::uint64_t> scalars() const {
    std::vector<std::uint64_t> bits;
    for (const double number : numbers) bits.push_back(Scalar(number).bits(compute()));
    if (const auto by = scale()) bits.push_back(Scalar(std::isinf(*by) ? 1 : *by).bits(compute()));
    return bits;
  }
};

Loss make_loss(std::string_view name, const Tensor& x, const Tensor& y, std::vector<Tensor> weights,
               std::vector<double> numbers, Reduction reduction) {
  DType dtype = promote(impl_of(x, name).dtype, impl_of(y, name).dtype);
  require(x.shape() == y.shape(), "[{}] shapes differ: {} and {}", name, to_string(x.shape()),
          to_string(y.shape()));
  require(reduction != Reduction::batchmean || x.rank() > 0,
          "[{}] batchmean needs a batch, not a scalar", name);
  Loss loss{{x, y}, std::move(numbers), reduction, dtype};
  for (const Tensor& weight : weights) {
    require(broadcast(name, x.shape(), impl_of(weight, name).shape) == x.shape(),
            "[{}] a weight of shape {} does not broadcast to {}", name, to_string(weight.shape()),
            to_string(x.shape()));
    loss.dtype = promote(loss.dtype, weight.dtype());
    loss.inputs.push_back(weight);
  }
  if (!is_floating(loss.dtype)) loss.dtype = f32;
  return loss;
}

/// Each input in its own dtype, all computed in one, scaled if so; as the result where nothing is
/// folded.
Program build(const Rule& rule, const Loss& loss) {
  Builder b;
  Values in, numbers;
  for (const Tensor& x : loss.inputs) in.push_back(cast(b.input(x.dtype()), loss.compute()));
  for (std::size_t i = 0; i < loss.numbers.size(); ++i) numbers.push_back(b.scalar(loss.compute()));
  Value value = rule.formula(in, numbers);
  if (loss.scale()) value = value * b.scalar(loss.compute());
  b.output(loss.reduction == Reduction::none ? cast(value, loss.dtype) : value);
  return b.build();
}

const Program& program_of(const Rule& rule, const Loss& loss) {
  using Key = std::tuple<const Rule*, Reduction, DType, std::vector<DType>>;
  static auto& programs = *new ops::ProgramTable<Key>;
  std::vector<DType> dtypes;
  for (const Tensor& x : loss.inputs) dtypes.push_back(x.dtype());
  return programs.get({&rule, loss.reduction, loss.dtype, dtypes}, [&] { return build(rule, loss); });
}

/// The sum over all elements of a program's values, 0-d; nothing is recorded.
Tensor fold(std::string_view name, const Program& program, const Loss& loss) {
  const Shape& shape = loss.shape();
  ops::Reduction work{.shape = shape,
                      .axes = (1u << shape.size()) - 1,
                      .results = {allocate(Shape(Dims::filled(shape.size(), 1)), loss.compute(),
                                           ops::common_device(name, loss.inputs))},
                      .operators = {TENON_REDUCE_SUM},
                      .inputs = {},
                      .prologue = program,
                      .scalars = loss.scalars()};
  for (const Tensor& x : loss.inputs) work.inputs.push_back({x});
  ops::run(name, work);
  return work.results.front().view({});
}

/// What is left to do with a recorded fold: the result's dtype, and the mean of nothing.
Tensor finish(const Tensor& total, const Loss& loss) {
  const Tensor result = total.to(loss.dtype);
  const bool of_nothing = loss.scale() && std::isinf(*loss.scale());
  return of_nothing ? result * std::numeric_limits<double>::quiet_NaN() : result;
}

/// Of elements of `shape`, each with the gradient of their sum.
autograd::Backward of_each(autograd::Backward elementwise, const Shape& shape) {
  return [=](std::span<const Tensor> dy) {
    const Tensor each = dy[0].expand(shape);
    return elementwise({&each, 1});
  };
}

Tensor evaluate(const Rule& rule, const Loss& loss) {
  const Program& program = program_of(rule, loss);
  if (loss.reduction == Reduction::none)
    return ops::apply(rule.name, program, loss.inputs, loss.scalars()).front();
  const Tensor total = fold(rule.name, program, loss);
  if (autograd::needs_record(loss.inputs)) {
    autograd::record(
        rule.name, loss.inputs, {&total, 1},
        of_each(ops::plan_backward(rule.name, program, loss.inputs, loss.scalars()), loss.shape()));
  }
  return finish(total, loss);
}

constexpr Rule kMSE{"MSELoss", [](const Values& in, const Values&) {
                      const Value d = in[0] - in[1];
                      return d * d;
                    }};
constexpr Rule kL1{"L1Loss", [](const Values& in, const Values&) { return abs(in[0] - in[1]); }};
constexpr Rule kSmoothL1{"SmoothL1Loss", [](const Values& in, const Values& numbers) {
                           const Value d = abs(in[0] - in[1]), beta = numbers[0];
                           return select(d < beta, 0.5 * d * d / beta, d - 0.5 * beta);
                         }};
constexpr Rule kHuber{"HuberLoss", [](const Values& in, const Values& numbers) {
                        const Value d = abs(in[0] - in[1]), delta = numbers[0];
                        return select(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta));
                      }};

/// log p, at least -100.
Value clamped_log(Value p) {
  return max(log(p), -100.0);
}
Value weighted(Value value, const Values& in, std::size_t weight) {
  return in.size() > weight ? value * in[weight] : value;
}
constexpr Rule kBCE{"BCELoss", [](const Values& in, const Values&) {
                      const Value x = in[0], y = in[1];
                      return weighted((y - 1.0) * clamped_log(1.0 - x) - y * clamped_log(x), in, 2);
                    }};
// d/dx = (x - y) / (x·(1 - x)): the formula's own is infinite at 0 and 1. PyTorch's least is a float.
constexpr Rule kBCESlope{"BCELoss", [](const Values& in, const Values&) {
                           const Value x = in[0], y = in[1];
                           return weighted((x - y) / max((1.0 - x) * x, double{1e-12F}), in, 2);
                         }};
// d/dy = log(1 - x) - log x.
constexpr Rule kBCETargetSlope{"BCELoss", [](const Values& in, const Values&) {
                                 return weighted(clamped_log(1.0 - in[0]) - clamped_log(in[0]), in, 2);
                               }};
constexpr Rule kBCEWithLogits{"BCEWithLogitsLoss", [](const Values& in, const Values&) {
                                const Value x = in[0], y = in[1];
                                return weighted(max(x, 0.0) - x * y + log1p(exp(-abs(x))), in, 2);
                              }};
// (1 - y)·x + (1 + (p - 1)·y)·log(1 + exp(-x)).
constexpr Rule kPositiveBCEWithLogits{
    "BCEWithLogitsLoss", [](const Values& in, const Values&) {
      const Value x = in[0], y = in[1], positive = in[2];
      const Value log_term = log1p(exp(-abs(x))) + max(-x, 0.0);
      return weighted((1.0 - y) * x + (1.0 + (positive - 1.0) * y) * log_term, in, 3);
    }};
// Where y is 0 its logarithm is not to be met.
constexpr Rule kKLDiv{"KLDivLoss", [](const Values& in, const Values&) {
                        const Value x = in[0], y = in[1];
                        const Value log_y = log(select(y > 0.0, y, y.builder().constant(y.dtype(), 1)));
                        return y * (log_y - x);
                      }};
constexpr Rule kLogKLDiv{"KLDivLoss",
                         [](const Values& in, const Values&) { return exp(in[1]) * (in[1] - in[0]); }};

std::vector<Tensor> defined(std::initializer_list<Tensor> tensors) {
  std::vector<Tensor> list;
  for (const Tensor& x : tensors) {
    if (x.defined()) list.push_back(x);
  }
  return list;
}

/// The gradients of x and y, each a formula of the inputs, times dy.
std::vector<Tensor> bce_gradients(const std::vector<Tensor>& inputs, Loss loss, const Tensor& dy) {
  loss.inputs = inputs;
  const Tensor each = loss.reduction == Reduction::none ? dy : dy.expand(loss.shape());
  const auto gradient = [&](const Rule& rule, const Tensor& of) {
    if (!of.requires_grad()) return Tensor();
    const Tensor slope =
        ops::apply(rule.name, program_of(rule, loss), loss.inputs, loss.scalars()).front();
    return (slope * each).to(of.dtype());
  };
  std::vector<Tensor> gradients(inputs.size());
  gradients[0] = gradient(kBCESlope, inputs[0]);
  gradients[1] = gradient(kBCETargetSlope, inputs[1]);
  return gradients;
}

}  // namespace

Tensor MSELoss::forward(const Tensor& x, const Tensor& y) const {
  return evaluate(kMSE, make_loss(kMSE.name, x, y, {}, {}, options_.reduction));
}

Tensor L1Loss::forward(const Tensor& x, const Tensor& y) const {
  return evaluate(kL1, make_loss(kL1.name, x, y, {}, {}, options_.reduction));
}

SmoothL1Loss::SmoothL1Loss(SmoothL1LossOptions options) : options_(options) {
  require(options_.beta >= 0 && std::isfinite(options_.beta),
          "[SmoothL1Loss] beta is {}: it must be at least 0 and finite", options_.beta);
}

// With β 0 no difference is below it, and the first branch's division gives a NaN that select leaves;
// its derivative would not.
Tensor SmoothL1Loss::forward(const Tensor& x, const Tensor& y) const {
  if (options_.beta == 0)
    return evaluate(kL1, make_loss(kSmoothL1.name, x, y, {}, {}, options_.reduction));
  return evaluate(kSmoothL1, make_loss(kSmoothL1.name, x, y, {}, {options_.beta}, options_.reduction));
}

HuberLoss::HuberLoss(HuberLossOptions options) : options_(options) {
  require(options_.delta > 0 && std::isfinite(options_.delta),
          "[HuberLoss] delta is {}: it must be above 0 and finite", options_.delta);
}

Tensor HuberLoss::forward(const Tensor& x, const Tensor& y) const {
  return evaluate(kHuber, make_loss(kHuber.name, x, y, {}, {options_.delta}, options_.reduction));
}

Tensor BCELoss::forward(const Tensor& x, const Tensor& y) const {
  const Loss loss = make_loss(kBCE.name, x, y, defined({options_.weight}), {}, options_.reduction);
  const bool recorded = autograd::needs_record(loss.inputs);
  const std::vector<autograd::Saved> saved(loss.inputs.begin(), loss.inputs.end());
  Tensor value;
  {
    const NoGrad guard;
    value = evaluate(kBCE, loss);
  }
  if (recorded) {
    Loss rest = loss;
    rest.inputs.clear();
    autograd::record(kBCE.name, loss.inputs, {&value, 1}, [rest, saved](std::span<const Tensor> dy) {
      std::vector<Tensor> inputs;
      for (const autograd::Saved& one : saved) inputs.push_back(one.get(kBCE.name));
      return bce_gradients(inputs, rest, dy[0]);
    });
  }
  return value;
}

Tensor BCEWithLogitsLoss::forward(const Tensor& x, const Tensor& y) const {
  const Rule& rule = options_.pos_weight.defined() ? kPositiveBCEWithLogits : kBCEWithLogits;
  const auto weights = defined({options_.pos_weight, options_.weight});
  return evaluate(rule, make_loss(rule.name, x, y, weights, {}, options_.reduction));
}

Tensor KLDivLoss::forward(const Tensor& x, const Tensor& y) const {
  const Rule& rule = options_.log_target ? kLogKLDiv : kKLDiv;
  return evaluate(rule, make_loss(rule.name, x, y, {}, {}, options_.reduction));
}

}  // namespace tenon::nn
