// Batch normalisation: two means of the batch, one program that normalises, one that keeps the running
// statistics.
#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/nn/layers.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/elementwise.h"
#include "core/ops/program_table.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::nn {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// inputs x, mean, variance and, where affine, weight and bias; scalar eps.
Program normalisation(DType x, DType statistics, std::optional<DType> affine) {
  Builder b;
  const DType compute = ops::accumulator(promote(x, statistics));
  const auto in = [&](DType dtype) { return cast(b.input(dtype), compute); };
  const Value value = in(x), mean = in(statistics), variance = in(statistics);
  Value y = (value - mean) * rsqrt(variance + b.scalar(compute));
  if (affine) {
    const Value weight = in(*affine);
    y = y * weight + in(*affine);
  }
  b.output(cast(y, x));
  return b.build();
}

Tensor normalise(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight,
                 const Tensor& bias, double eps) {
  using Key = std::tuple<DType, DType, bool, DType>;
  static auto& programs = *new ops::ProgramTable<Key>;
  std::vector<Tensor> inputs{x, mean, variance};
  std::optional<DType> affine;
  if (weight.defined()) {
    affine = weight.dtype();
    inputs.insert(inputs.end(), {weight, bias});
  }
  const Program& program =
      programs.get({x.dtype(), mean.dtype(), affine.has_value(), affine.value_or(f32)},
                   [&] { return normalisation(x.dtype(), mean.dtype(), affine); });
  const std::uint64_t bits = Scalar(eps).bits(ops::accumulator(promote(x.dtype(), mean.dtype())));
  return ops::apply("BatchNorm1d", program, inputs, {&bits, 1}).front();
}

/// running ← (1 - part)·running + part·correction·batch. Inputs running, batch and, where it counts
/// batches, their number, of which a part is one; scalars correction, else part.
Program running_program(DType running, DType batch, bool counts) {
  Builder b;
  const DType compute = ops::accumulator(promote(running, batch));
  const Value before = cast(b.input(running), compute), now = cast(b.input(batch), compute);
  const Value correction = b.scalar(compute);
  const Value part = counts ? 1.0 / cast(b.input(i32), compute) : b.scalar(compute);
  b.output(cast((1.0 - part) * before + part * (correction * now), running));
  return b.build();
}

}  // namespace

BatchNorm1d::BatchNorm1d(std::int64_t channels, BatchNorm1dOptions options)
    : channels_(channels), options_(options) {
  require(channels > 0, "[BatchNorm1d] {} channels: there must be one at least", channels);
  require(options.eps >= 0, "[BatchNorm1d] eps is {}: it must be at least 0", options.eps);
  const double momentum = options.momentum.value_or(0);
  require(momentum >= 0 && momentum <= 1, "[BatchNorm1d] momentum is {}: it must be from 0 to 1",
          momentum);
  const MemoryTag tag("parameters");
  if (options.affine) {
    weight = add("weight", Parameter(ones({channels}, options.tensor)));
    bias = add("bias", Parameter(zeros({channels}, options.tensor)));
  }
  if (options.track_running_stats) {
    running_mean = register_buffer("running_mean", zeros({channels}, options.tensor));
    running_var = register_buffer("running_var", ones({channels}, options.tensor));
    num_batches_tracked = register_buffer("num_batches_tracked",
                                          zeros({}, {.dtype = i32, .device = options.tensor.device}));
  }
}

void BatchNorm1d::check(const Tensor& x) const {
  const Shape& shape = impl_of(x, "BatchNorm1d").shape;
  require((shape.size() == 2 || shape.size() == 3) && shape[1] == channels_,
          "[BatchNorm1d] x is {}, not (N, {}) or (N, {}, L)", shape, channels_, channels_);
  require(is_floating(x.dtype()), "[BatchNorm1d] x is {}; use a floating dtype", name(x.dtype()));
}

// Mean and variance in one launch.
void BatchNorm1d::track(const Tensor& mean, const Tensor& variance, double count) const {
  const NoGrad guard;
  Tensor batches = num_batches_tracked;
  add_(batches, 1);
  const DType running = running_mean.dtype(), batch = mean.dtype();
  const DType compute = ops::accumulator(promote(running, batch));
  std::vector<ops::Operands> packs;
  const auto add_pack = [&](const Tensor& own, const Tensor& now, double correction) {
    ops::Operands pack{
        {own}, {{own}, {now.detach().view(own.shape())}}, {Scalar(correction).bits(compute)}};
    if (options_.momentum) {
      pack.scalars.push_back(Scalar(*options_.momentum).bits(compute));
    } else {
      pack.inputs.push_back({batches});
    }
    packs.push_back(std::move(pack));
  };
  add_pack(running_mean, mean, 1);
  add_pack(running_var, variance, count / (count - 1));
  ops::run("BatchNorm1d", running_program(running, batch, !options_.momentum), packs);
  for (Tensor written : {Tensor(running_mean), Tensor(running_var)}) mark_written(written);
}

Tensor BatchNorm1d::forward(const Tensor& x) const {
  check(x);
  const Shape along = x.rank() == 2 ? Shape{channels_} : Shape{channels_, 1};
  const auto view = [&](const Tensor& own) { return own.defined() ? own.view(along) : own; };
  const Tensor scale = view(weight), shift = view(bias);
  if (!is_training() && running_mean.defined())
    return normalise(x, view(running_mean), view(running_var), scale, shift, options_.eps);

  const auto count = static_cast<double>(x.numel() / channels_);
  require(!is_training() || count > 1,
          "[BatchNorm1d] {} has one value for each channel, which has no variance to train with",
          x.shape());
  const Dims dims = x.rank() == 2 ? Dims{0} : Dims{0, 2};
  const Tensor wide = x.to(ops::accumulator(x.dtype()));
  const Tensor mean = wide.mean(dims, true), difference = wide - mean;
  const Tensor variance = (difference * difference).mean(dims, true);
  if (is_training() && running_mean.defined()) track(mean, variance, count);
  return normalise(x, mean, variance, scale, shift, options_.eps);
}

}  // namespace tenon::nn
