// Steps of any optimiser: packs that share a program and a device are one launch.
#include <tenon/optim/optimizer.h>

#include <cmath>
#include <map>
#include <set>

#include <tenon/memory.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/nn/state_dict.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::optim {
namespace {

using program::Program;

/// A launch to come.
struct Launch {
  Program program;
  std::vector<ops::Operands> packs;
};
using Launches = std::map<std::pair<std::string, std::uint64_t>, Launch>;

void require_fitting(std::string_view op, const Tensor& p, std::span<const Tensor> others) {
  for (const Tensor& x : others) {
    require(x.shape() == p.shape() && x.dtype() == p.dtype(),
            "[{}] the parameter is {} {}, its gradient or state {} {}", op, name(p.dtype()), p.shape(),
            name(x.dtype()), x.shape());
  }
}

std::vector<std::uint64_t> bits_of(const Program& program, const std::vector<double>& scalars) {
  std::vector<std::uint64_t> bits;
  for (std::size_t i = 0; i < scalars.size(); ++i)
    bits.push_back(Scalar(scalars[i]).bits(program.scalar_dtype(static_cast<int>(i))));
  return bits;
}

std::string memory_name(std::size_t slot, const std::string& memory) {
  return std::to_string(slot) + "." + memory;
}

}  // namespace

Optimizer::Optimizer(std::string_view name, std::size_t groups) : name_(name) {
  require(groups > 0, "[{}] there are no parameters", name_);
}

void Optimizer::add_group(const std::vector<nn::Parameter>& parameters, double lr,
                          std::vector<Memory> memories) {
  require(!parameters.empty(), "[{}] there are no parameters", name_);
  std::map<const void*, std::size_t> seen;
  for (std::size_t i = 0; i < slots_.size(); ++i) seen.emplace(slots_[i].parameter.impl(), i);
  for (const nn::Parameter& parameter : parameters) {
    require(parameter.defined(), "[{}] parameter {} is undefined", name_, slots_.size());
    const auto [known, is_new] = seen.emplace(parameter.impl(), slots_.size());
    require(is_new, "[{}] parameter {} is parameter {} again", name_, slots_.size(), known->second);
    slots_.push_back({.parameter = parameter, .group = groups_.size()});
  }
  groups_.push_back({0, std::move(memories)});
  set_lr(groups_.size() - 1, lr);
}

std::vector<nn::Parameter> Optimizer::parameters() const {
  std::vector<nn::Parameter> all;
  for (const Slot& slot : slots_) all.push_back(slot.parameter);
  return all;
}

double Optimizer::lr(std::size_t group) const {
  require(group < groups_.size(), "[{}] there is no group {} among {}", name_, group, groups_.size());
  return groups_[group].lr;
}

void Optimizer::set_lr(std::size_t group, double lr) {
  require(group < groups_.size(), "[{}] there is no group {} among {}", name_, group, groups_.size());
  require(lr >= 0 && std::isfinite(lr), "[{}] lr is {}: it must be at least 0 and finite", name_, lr);
  groups_[group].lr = lr;
}

void Optimizer::set_lr(double lr) {
  for (std::size_t group = 0; group < groups_.size(); ++group) set_lr(group, lr);
}

void Optimizer::zero_grad() const {
  for (const Slot& slot : slots_) {
    nn::Parameter parameter = slot.parameter;
    parameter.set_grad({});
  }
}

/// Makes what is remembered of a parameter where it is first needed, or takes it where the parameter
/// went.
void Optimizer::remember(Slot& slot) const {
  const MemoryTag tag("optimizer");
  const Tensor& p = slot.parameter;
  const std::vector<Memory>& wanted = groups_[slot.group].memories;
  slot.memories.resize(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Tensor& x = slot.memories[i];
    if (!x.defined()) {
      x = full(p.shape(), wanted[i].initial, {.dtype = p.dtype(), .device = p.device()});
    } else if (x.device() != p.device() || x.dtype() != p.dtype()) {
      x = x.to(p.device()).to(p.dtype());
    }
  }
}

void Optimizer::step() {
  Launches launches;
  std::vector<Slot*> stepped;
  for (Slot& slot : slots_) {
    const Tensor& p = slot.parameter;
    if (!p.grad().defined()) continue;
    remember(slot);
    std::vector<Tensor> inputs{p, p.grad()};
    inputs.insert(inputs.end(), slot.memories.begin(), slot.memories.end());
    ops::common_device(name_, inputs);
    require_fitting(name_, p, inputs);
    const Update update = this->update(slot.group, p.dtype(), slot.steps + 1);
    ops::Operands pack{{p}, {}, bits_of(update.program, update.scalars)};
    pack.outputs.insert(pack.outputs.end(), slot.memories.begin(), slot.memories.end());
    for (const Tensor& y : pack.outputs) require_writable(name_, y);
    for (const Tensor& x : inputs) pack.inputs.push_back({x});
    launches.try_emplace({p.device().name(), update.program.id()}, Launch{update.program, {}})
        .first->second.packs.push_back(std::move(pack));
    stepped.push_back(&slot);
  }
  for (const auto& [key, launch] : launches) {
    ops::run(name_, launch.program, launch.packs);
    for (const ops::Operands& pack : launch.packs) {
      for (Tensor y : pack.outputs) mark_written(y);
    }
  }
  for (Slot* slot : stepped) ++slot->steps;
}

nn::StateDict Optimizer::state_dict() const {
  std::vector<std::int32_t> steps;
  nn::StateDict state;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    steps.push_back(static_cast<std::int32_t>(slot.steps));
    if (slot.steps == 0) continue;
    for (std::size_t k = 0; k < slot.memories.size(); ++k)
      state.emplace_back(memory_name(i, groups_[slot.group].memories[k].name), slot.memories[k]);
  }
  const Tensor counts = tensor(steps, {.device = slots_.front().parameter.device()});
  state.insert(state.begin(), {"steps", counts});
  return state;
}

void Optimizer::load_state_dict(const nn::StateDict& state) {
  const auto counts = std::find_if(state.begin(), state.end(),
                                   [](const auto& entry) { return entry.first == "steps"; });
  require(counts != state.end(), "[{}.load_state_dict] steps is missing", name_);
  const auto size = static_cast<std::int64_t>(slots_.size());
  require(counts->second.shape() == Shape{size} && counts->second.dtype() == i32,
          "[{}.load_state_dict] steps is {} {}, not i32 ({},)", name_, name(counts->second.dtype()),
          counts->second.shape(), size);
  const std::vector<std::int32_t> steps = counts->second.to_vector<std::int32_t>();
  std::vector<Slot> loaded = slots_;
  nn::StateDict own{{"steps", counts->second.clone()}};
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    Slot& slot = loaded[i];
    require(steps[i] >= 0, "[{}.load_state_dict] steps has {} at {}", name_, steps[i], i);
    slot.steps = steps[i];
    slot.memories.clear();
    if (slot.steps == 0) continue;
    remember(slot);
    for (std::size_t k = 0; k < slot.memories.size(); ++k)
      own.emplace_back(memory_name(i, groups_[slot.group].memories[k].name), slot.memories[k]);
  }
  nn::load_tensors(fmt::format("{}.load_state_dict", name_), own, state, {});
  slots_ = std::move(loaded);
}

}  // namespace tenon::optim
