// Modules: names, parameters, modes.
#include <algorithm>
#include <optional>

#include <fmt/ranges.h>
#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/nn.h>

#include "core/autograd/modes.h"
#include "core/base/fail.h"

namespace tenon::nn {

Parameter::Parameter(const Tensor& value) : Tensor(value.detach()) {
  set_requires_grad();
}

struct Module::State {
  std::vector<std::pair<std::string, Parameter>> parameters;
  std::vector<std::pair<std::string, Module>> children;
  bool training = true;
  std::string own_name;  // in its parent
  std::weak_ptr<const State> parent;

  std::string path() const {
    const auto above = parent.lock();
    const std::string before = above == nullptr ? "" : above->path();
    return before.empty() ? own_name : before + "." + own_name;
  }
  bool has(const std::string& name) const {
    const auto named = [&](const auto& entry) { return entry.first == name; };
    return std::any_of(parameters.begin(), parameters.end(), named) ||
           std::any_of(children.begin(), children.end(), named);
  }
  void check_name(const std::string& name) const {
    require(!name.empty() && name.find('.') == std::string::npos,
            "[Module] \"{}\" can't be a name: it is empty or has a dot", name);
    require(!has(name), "[Module] the name {} is taken", name);
  }
};

Module::Module() : state_(std::make_shared<State>()) {}

Parameter Module::add(const std::string& name, const Parameter& parameter) {
  state_->check_name(name);
  require(parameter.defined(), "[Module] the parameter {} is undefined", name);
  state_->parameters.emplace_back(name, parameter);
  return parameter;
}

void Module::add_child(const std::string& name, const Module& child) {
  state_->check_name(name);
  state_->children.emplace_back(name, child);
  child.state_->own_name = name;
  child.state_->parent = state_;
}

std::vector<std::pair<std::string, Parameter>> Module::named_parameters() const {
  auto all = state_->parameters;
  for (const auto& [name, child] : state_->children) {
    for (const auto& [inner, parameter] : child.named_parameters()) {
      all.emplace_back(name + "." + inner, parameter);
    }
  }
  return all;
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> all;
  for (const auto& [name, parameter] : named_parameters()) {
    const auto same = [&](const Parameter& other) { return other.is_same(parameter); };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back(parameter);
  }
  return all;
}

StateDict Module::state_dict() const {
  StateDict state;
  for (const auto& [name, parameter] : named_parameters()) state.emplace_back(name, parameter.detach());
  return state;
}

void Module::load_state_dict(const StateDict& state) {
  std::vector<std::string> mistakes;
  std::vector<std::pair<Tensor, Tensor>> copies;
  const auto own = named_parameters();
  for (const auto& [name, parameter] : own) {
    const auto found =
        std::find_if(state.begin(), state.end(), [&](const auto& e) { return e.first == name; });
    if (found == state.end()) {
      mistakes.push_back(fmt::format("{} is missing", name));
    } else if (found->second.shape() != parameter.shape()) {
      mistakes.push_back(fmt::format("{} has shape {}, the module's has {}", name,
                                     to_string(found->second.shape()), to_string(parameter.shape())));
    } else {
      copies.emplace_back(parameter, found->second);
    }
  }
  for (const auto& [name, value] : state) {
    const bool known =
        std::any_of(own.begin(), own.end(), [&](const auto& e) { return e.first == name; });
    if (!known) mistakes.push_back(fmt::format("{} is unexpected", name));
  }
  require(mistakes.empty(), "[load_state_dict] {}", fmt::join(mistakes, "; "));
  const NoGrad guard;
  for (auto& [parameter, value] : copies) parameter.copy_(value);
}

void Module::train(bool on) const {
  state_->training = on;
  for (const auto& [name, child] : state_->children) child.train(on);
}

std::string Module::path() const {
  return state_->path();
}

CallScope::CallScope(const Module& module) {
  const auto path = [](const void* state) { return static_cast<const Module::State*>(state)->path(); };
  const autograd::CallSite before = autograd::exchange_call_site({module.state_.get(), path});
  before_module_ = before.module;
  before_path_ = before.path;
}
CallScope::~CallScope() {
  autograd::exchange_call_site({before_module_, before_path_});
}

bool Module::is_training() const {
  return state_->training;
}

void Module::zero_grad() const {
  for (Parameter& parameter : parameters()) parameter.set_grad({});
}

void Module::move_to(Device device) const {
  const NoGrad guard;
  const auto moved = [&](const Tensor& x, std::string_view tag) {
    const MemoryTag tagged(tag);
    return x.to(device);
  };
  for (Parameter& parameter : parameters()) {
    if (parameter.device() == device) continue;
    parameter.set_data(moved(parameter, "parameters"));
    if (parameter.grad().defined()) parameter.set_grad(moved(parameter.grad(), "gradients"));
  }
}

}  // namespace tenon::nn
