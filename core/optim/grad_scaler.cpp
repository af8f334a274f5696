// Loss scaling: gradients are unscaled in one launch per device and dtype, and looked through.
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <tenon/amp.h>
#include <tenon/ops.h>

#include "core/autograd/checks.h"
#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::amp {
namespace {

program::Program unscale_program(DType dtype) {
  const DType acc = ops::accumulator(dtype);
  program::Builder b;
  b.output(cast(cast(b.input(dtype), acc) * b.scalar(acc), dtype));
  return b.build();
}

/// Gradients · factor, in place.
void multiply(const std::vector<Tensor>& gradients, double factor) {
  std::map<std::pair<std::string, DType>, std::vector<ops::Operands>> groups;
  for (const Tensor& g : gradients) {
    require_writable("GradScaler", g);
    const std::uint64_t bits = Scalar(factor).bits(ops::accumulator(g.dtype()));
    groups[{g.device().name(), g.dtype()}].push_back({{g}, {{g}}, {bits}});
  }
  for (const auto& [key, packs] : groups) ops::run("GradScaler", unscale_program(key.second), packs);
  for (Tensor g : gradients) mark_written(g);
}

/// Whether any gradient holds infinity or NaN: a launch for each, a read for each device.
bool any_not_finite(const std::vector<Tensor>& gradients) {
  std::map<std::string, std::vector<Tensor>> by_device;
  for (const Tensor& g : gradients) {
    if (g.numel() > 0) by_device[g.device().name()].push_back(g);
  }
  bool found = false;
  for (const auto& [name, group] : by_device) {
    const Tensor flags =
        allocate({static_cast<std::int64_t>(group.size())}, bool_, group.front().device());
    for (std::size_t i = 0; i < group.size(); ++i) {
      autograd::look(autograd::Looking::for_nan_or_infinity, group[i],
                     flags.select(0, static_cast<std::int64_t>(i)));
    }
    for (const bool flag : flags.to_vector<bool>()) found |= flag;
  }
  return found;
}

}  // namespace

GradScaler::GradScaler(GradScalerOptions options) : options_(options) {
  require(options.growth_factor > 1, "[GradScaler] the growth factor is {}: it must exceed 1",
          options.growth_factor);
  require(options.backoff_factor > 0 && options.backoff_factor < 1,
          "[GradScaler] the backoff factor is {}: it must be between 0 and 1", options.backoff_factor);
  require(options.growth_interval > 0, "[GradScaler] the growth interval is {}: it must be positive",
          options.growth_interval);
  set_state({options.init_scale, 0});
}

void GradScaler::set_state(const GradScalerState& state) {
  require(std::isfinite(state.scale) && state.scale > 0,
          "[GradScaler] the scale is {}: it must be positive and finite", state.scale);
  state_ = state;
}

Tensor GradScaler::scale(const Tensor& loss) const {
  return (size_of(loss.dtype()) == 2 ? loss.to(f32) : loss) * state_.scale;
}

void GradScaler::unscale_(optim::Optimizer& optimizer) {
  require(!seen_.contains(&optimizer),
          "[GradScaler] the gradients were unscaled since the last update()");
  std::vector<Tensor> gradients;
  for (const nn::Parameter& parameter : optimizer.parameters()) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  require(!gradients.empty(), "[GradScaler] no parameter has a gradient");
  multiply(gradients, 1 / state_.scale);
  seen_[&optimizer].found_inf = any_not_finite(gradients);
}

bool GradScaler::step(optim::Optimizer& optimizer) {
  if (!seen_.contains(&optimizer)) unscale_(optimizer);
  Progress& progress = seen_[&optimizer];
  require(!progress.stepped, "[GradScaler] step() was called since the last update()");
  progress.stepped = true;
  if (!progress.found_inf) optimizer.step();
  return !progress.found_inf;
}

void GradScaler::update() {
  require(!seen_.empty(), "[GradScaler] no gradients were unscaled since the last update()");
  bool found = false;
  for (const auto& [optimizer, progress] : seen_) found |= progress.found_inf;
  seen_.clear();
  if (found) {
    state_ = {state_.scale * options_.backoff_factor, 0};
  } else if (++state_.growth_tracker == options_.growth_interval) {
    const double grown = state_.scale * options_.growth_factor;
    state_ = {grown <= std::numeric_limits<float>::max() ? grown : state_.scale, 0};
  }
}

}  // namespace tenon::amp
