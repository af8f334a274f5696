// Clipping: gradients of one device and dtype are laid one after the other by one launch, so that one
// REDUCE folds them all.
#include <tenon/nn/clip.h>

#include <cmath>
#include <map>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/tensor/impl.h"

namespace tenon::nn::utils {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// Gradients of one device and dtype.
using Gradients = std::map<std::pair<std::string, DType>, std::vector<Tensor>>;

Gradients gradients_of(std::string_view op, const std::vector<Parameter>& parameters) {
  Gradients all;
  for (const Parameter& parameter : parameters) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    require_writable(op, gradient);
    all[{gradient.device().name(), gradient.dtype()}].push_back(gradient);
  }
  return all;
}

/// Replaces each gradient by the program of it (and of `other`, where there is one).
void rewrite(std::string_view op, const Program& program, const std::vector<Tensor>& gradients,
             const Tensor& other, const std::vector<std::uint64_t>& scalars) {
  std::vector<ops::Operands> packs;
  for (const Tensor& gradient : gradients) {
    packs.push_back({{gradient}, {{gradient}}, scalars});
    if (other.defined()) packs.back().inputs.push_back({other});
  }
  ops::run(op, program, packs);
  for (Tensor gradient : gradients) mark_written(gradient);
}

/// The gradients' elements as one vector of what they are summed in.
Tensor flattened(const std::vector<Tensor>& gradients) {
  const MemoryTag tag("workspace");
  const DType dtype = gradients.front().dtype(), wide = ops::accumulator(dtype);
  std::int64_t count = 0;
  for (const Tensor& gradient : gradients) count += gradient.numel();
  const Tensor flat = allocate({count}, wide, gradients.front().device());
  std::vector<ops::Operands> packs;
  std::int64_t begin = 0;
  for (const Tensor& gradient : gradients) {
    const std::int64_t end = begin + gradient.numel();
    packs.push_back({{flat.slice(0, {begin, end}).view(gradient.shape())}, {{gradient}}});
    begin = end;
  }
  Builder b;
  b.output(cast(b.input(dtype), wide));
  ops::run("clip_grad_norm_", b.build(), packs);
  return flat;
}

/// Σ|g|^p, or max |g|.
Tensor power_sum(const Tensor& flat, double p) {
  Builder b;
  const Value g = b.input(flat.dtype());
  const bool greatest = std::isinf(p);
  const std::uint8_t how = greatest ? TENON_REDUCE_MAX : TENON_REDUCE_SUM;
  b.output(p == 2 ? g * g : greatest || p == 1 ? abs(g) : pow(abs(g), p));
  ops::Reduction work{.shape = flat.shape(),
                      .axes = 1,
                      .results = {allocate({1}, flat.dtype(), flat.device())},
                      .operators = {how},
                      .inputs = {{flat}},
                      .prologue = b.build()};
  ops::run("clip_grad_norm_", work);
  return work.results.front().view({});
}

/// From the sum of powers to the norm.
Tensor root(const Tensor& sum, double p) {
  if (std::isinf(p) || p == 1) return sum;
  Builder b;
  const Value x = b.input(sum.dtype());
  b.output(p == 2 ? sqrt(x) : pow(x, 1 / p));
  return elementwise(b.build(), {&sum, 1}).front();
}

/// g · min(1, max_norm / (norm + 1e-6)).
Program scaling(DType dtype, DType norm_dtype) {
  Builder b;
  const DType wide = ops::accumulator(dtype);
  const Value g = cast(b.input(dtype), wide), norm = b.input(norm_dtype);
  const Value factor = min(b.scalar(norm_dtype) / (norm + 1e-6), 1.0);
  b.output(cast(g * cast(factor, wide), dtype));
  return b.build();
}

Tensor norm_of(const Gradients& gradients, double p) {
  Tensor total;
  for (const auto& [key, list] : gradients) {
    const Tensor part = power_sum(flattened(list), p);
    if (!total.defined()) {
      total = part;
      continue;
    }
    const Tensor here = part.to(total.device());
    total = std::isinf(p) ? maximum(total, here) : total + here;
  }
  return root(total, p);
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Parameter>& parameters, double max_norm,
                       ClipNormOptions options) {
  constexpr std::string_view kOp = "clip_grad_norm_";
  require(max_norm >= 0, "[{}] max_norm is {}: it must be at least 0", kOp, max_norm);
  require(options.norm_type > 0, "[{}] norm_type is {}: it must be above 0", kOp, options.norm_type);
  const NoGrad guard;
  const Gradients gradients = gradients_of(kOp, parameters);
  if (gradients.empty()) return zeros({});
  const Tensor norm = norm_of(gradients, options.norm_type);
  if (options.error_if_nonfinite) {
    const double value = norm.item<double>();
    require(std::isfinite(value), "[{}] the norm of the gradients is {}", kOp, value);
  }
  for (const auto& [key, list] : gradients) {
    rewrite(kOp, scaling(key.second, norm.dtype()), list, norm.to(list.front().device()),
            {Scalar(max_norm).bits(norm.dtype())});
  }
  return norm;
}

void clip_grad_value_(const std::vector<Parameter>& parameters, double limit) {
  require(limit >= 0, "[clip_grad_value_] the limit is {}: it must be at least 0", limit);
  for (const auto& [key, list] : gradients_of("clip_grad_value_", parameters)) {
    Builder b;
    const Value g = b.input(key.second), most = b.scalar(key.second);
    b.output(min(max(g, -most), most));
    rewrite("clip_grad_value_", b.build(), list, {}, {Scalar(limit).bits(key.second)});
  }
}

}  // namespace tenon::nn::utils
