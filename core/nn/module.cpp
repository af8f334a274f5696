// Modules: registration, names, modes, hooks.
#include <tenon/nn/module.h>

#include <algorithm>
#include <set>

#include <tenon/autograd.h>
#include <tenon/memory.h>

#include "core/autograd/modes.h"
#include "core/base/fail.h"
#include "core/nn/module_state.h"
#include "core/tensor/impl.h"

namespace tenon::nn {
namespace {

/// A module's own entries, then its children's with their names before.
template <class T, class Own>
Named<T> with_children(Named<T> all, const Named<Module>& children, Own of_child) {
  for (const auto& [name, child] : children) {
    for (auto& [inner, entry] : of_child(child)) all.emplace_back(name + "." + inner, std::move(entry));
  }
  return all;
}

/// Gives a leaf other data, whose dtype may be another; every handle on it sees them.
void replace_data(Tensor& x, const Tensor& data) {
  tenon::detail::TensorImpl& impl = *x.impl();
  if (impl.dtype != data.dtype()) impl.grad = {};
  impl.dtype = data.dtype();
  x.set_data(data);
}

}  // namespace

Parameter::Parameter(const Tensor& value) : Held(value.detach()) {
  set_requires_grad();
}

void Module::State::require_free(const std::string& name) const {
  require(!name.empty() && name.find('.') == std::string::npos,
          "[Module] \"{}\" can't be a name: it is empty or has a dot", name);
  const auto has_name = [&](const auto& entry) { return entry.first == name; };
  const bool taken = std::any_of(parameters.begin(), parameters.end(), has_name) ||
                     std::any_of(children.begin(), children.end(), has_name) ||
                     std::any_of(buffers.begin(), buffers.end(),
                                 [&](const auto& entry) { return entry.name == name; });
  require(!taken, "[Module] the name {} is taken", name);
}

std::string Module::State::path() const {
  const auto above = parent.lock();
  const std::string before = above == nullptr ? "" : above->path();
  return before.empty() ? own_name : before + "." + own_name;
}

void Module::State::adopt(const std::shared_ptr<State>& self, const std::string& name,
                          const Module& child) {
  self->children.emplace_back(name, child);
  child.state_->own_name = name;
  child.state_->parent = self;
}

Module::Module(const std::type_info& type) : state_(std::make_shared<State>(type)) {}

Parameter Module::add(const std::string& name, const Parameter& parameter) {
  state_->require_free(name);
  require(parameter.defined(), "[Module] the parameter {} is undefined", name);
  state_->parameters.emplace_back(name, parameter);
  return parameter;
}

Buffer Module::register_buffer(const std::string& name, const Tensor& value, bool persistent) {
  state_->require_free(name);
  require(value.defined(), "[Module] the buffer {} is undefined", name);
  return state_->buffers.emplace_back(NamedBuffer{name, Buffer(value), persistent}).buffer;
}

void Module::add_child(const std::string& name, const Module& child) {
  state_->require_free(name);
  State::adopt(state_, name, child);
}

Named<Parameter> Module::named_parameters() const {
  return with_children(state_->parameters, state_->children,
                       [](const Module& child) { return child.named_parameters(); });
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> all;
  std::set<const void*> seen;
  for (const auto& [name, parameter] : named_parameters()) {
    if (seen.insert(parameter.impl()).second) all.push_back(parameter);
  }
  return all;
}

Named<Buffer> Module::named_buffers() const {
  Named<Buffer> own;
  for (const NamedBuffer& entry : state_->buffers) own.emplace_back(entry.name, entry.buffer);
  return with_children(std::move(own), state_->children,
                       [](const Module& child) { return child.named_buffers(); });
}

Named<Module> Module::named_children() const {
  return state_->children;
}

Named<Module> Module::named_modules() const {
  Named<Module> all;
  std::set<const void*> seen;
  const auto visit = [&](const auto& again, const std::string& path, const Module& module) -> void {
    if (!seen.insert(module.state_.get()).second) return;
    all.emplace_back(path, module);
    for (const auto& [name, child] : module.state_->children)
      again(again, path.empty() ? name : path + "." + name, child);
  };
  visit(visit, "", *this);
  return all;
}

void Module::apply(const std::function<void(const Module&)>& f) const {
  std::set<const void*> seen;
  const auto visit = [&](const auto& again, const Module& module) -> void {
    if (!seen.insert(module.state_.get()).second) return;
    for (const auto& [name, child] : module.state_->children) again(again, child);
    f(module);
  };
  visit(visit, *this);
}

StateDict Module::state_dict() const {
  StateDict own;
  for (const auto& [name, parameter] : state_->parameters) own.emplace_back(name, parameter.detach());
  for (const NamedBuffer& entry : state_->buffers) {
    if (entry.persistent) own.emplace_back(entry.name, entry.buffer.detach());
  }
  return with_children(std::move(own), state_->children,
                       [](const Module& child) { return child.state_dict(); });
}

void Module::train(bool on) const {
  state_->training = on;
  for (const auto& [name, child] : state_->children) child.train(on);
}

bool Module::is_training() const {
  return state_->training;
}

void Module::set_trainable(bool on) const {
  for (Parameter& parameter : parameters()) parameter.set_requires_grad(on);
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
  for (auto& [name, buffer] : named_buffers()) {
    if (buffer.device() != device) buffer.set_data(moved(buffer, "parameters"));
  }
}

void Module::convert_to(DType dtype) const {
  require(is_floating(dtype), "[to] a module's parameters can't be {}; use a floating dtype",
          tenon::name(dtype));
  const NoGrad guard;
  const MemoryTag tag("parameters");
  const auto convert = [&](Tensor& x) {
    if (is_floating(x.dtype()) && x.dtype() != dtype) replace_data(x, x.to(dtype));
  };
  for (Parameter& parameter : parameters()) convert(parameter);
  for (auto& [name, buffer] : named_buffers()) convert(buffer);
}

std::string Module::path() const {
  return state_->path();
}

// --- Calls and their hooks ---

CallScope::CallScope(const Module& module) {
  const auto path = [](const void* called) {
    const auto& state = *static_cast<const Module::State*>(called);
    const std::string names = state.path();
    return names.empty() ? state.type_name() : names;
  };
  const autograd::CallSite before = autograd::exchange_call_site({module.state_.get(), path});
  before_module_ = before.module;
  before_path_ = before.path;
}
CallScope::~CallScope() {
  autograd::exchange_call_site({before_module_, before_path_});
}

void HookHandle::remove() {
  if (remove_) std::exchange(remove_, nullptr)();
}

HookHandle Module::register_forward_pre_hook(ForwardPreHook hook) const {
  require(hook != nullptr, "[register_forward_pre_hook] the hook is empty");
  state_->pre_hooks.emplace_back(state_->next_hook, std::move(hook));
  return HookHandle([number = state_->next_hook++, weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock())
      std::erase_if(state->pre_hooks, [&](const auto& entry) { return entry.first == number; });
  });
}

HookHandle Module::register_forward_hook(ForwardHook hook) const {
  require(hook != nullptr, "[register_forward_hook] the hook is empty");
  state_->hooks.emplace_back(state_->next_hook, std::move(hook));
  return HookHandle([number = state_->next_hook++, weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock())
      std::erase_if(state->hooks, [&](const auto& entry) { return entry.first == number; });
  });
}

bool Module::first_call() const {
  return !state_->called.load(std::memory_order_relaxed) && !state_->called.exchange(true);
}

bool Module::has_hooks() const {
  return !state_->pre_hooks.empty() || !state_->hooks.empty();
}

// Over copies: a hook may remove itself.
void Module::run_pre_hooks(std::span<Tensor> inputs) const {
  const auto hooks = state_->pre_hooks;
  for (const auto& [number, hook] : hooks) hook(*this, inputs);
}

void Module::run_hooks(std::span<const Tensor> inputs, std::span<Tensor> outputs) const {
  const auto hooks = state_->hooks;
  for (const auto& [number, hook] : hooks) hook(*this, inputs, outputs);
}

}  // namespace tenon::nn
