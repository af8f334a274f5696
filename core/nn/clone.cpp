// Clones: the registered tree is copied first; then the copy constructors of the module's class, which
// meet the originals member by member, take from that what belongs to the tree.
#include <map>
#include <optional>

#include <tenon/autograd.h>
#include <tenon/memory.h>

#include "core/base/fail.h"
#include "core/nn/module_state.h"

namespace tenon::nn {
namespace detail {

/// By the originals' addresses.
struct Cloning::Context {
  template <class T>
  struct Entry {
    T clone;
    std::string name;  // of the original
    bool taken = false;
  };
  Context* outer = nullptr;
  std::map<const void*, Entry<Tensor>> tensors;
  std::map<const void*, Entry<std::shared_ptr<Module::State>>> modules;
  std::map<const void*, std::shared_ptr<void>> shared;
  Copies copies = Copies::new_ones;
  bool met_strangers = false;

  static Context*& current() {
    static thread_local Context* context = nullptr;
    return context;
  }

  /// A clone of a parameter or buffer, which is one however often it is met.
  template <class T>
  T clone_tensor(const std::string& name, const T& x) {
    const auto found = tensors.find(x.impl());
    if (found != tensors.end()) return as<T>(found->second.clone);
    const MemoryTag tag("parameters");
    Tensor copy = x.detach().clone();
    copy.set_requires_grad(x.requires_grad());
    tensors.emplace(x.impl(), Entry<Tensor>{copy, name});
    return as<T>(copy);
  }

  std::shared_ptr<Module::State> clone_module(const std::string& name, const Module& module) {
    const Module::State& from = *module.state_;
    const auto found = modules.find(&from);
    if (found != modules.end()) return found->second.clone;
    const auto to = std::make_shared<Module::State>(*from.type);
    to->training = from.training;
    const std::string prefix = name.empty() ? "" : name + ".";
    for (const auto& [own, x] : from.parameters) {
      to->parameters.emplace_back(own, clone_tensor(prefix + own, x));
    }
    for (const auto& [own, x, persistent] : from.buffers) {
      to->buffers.push_back({own, clone_tensor(prefix + own, x), persistent});
    }
    for (const auto& [own, child] : from.children) {
      Module copy;
      copy.state_ = clone_module(prefix + own, child);
      Module::State::adopt(to, own, copy);
    }
    modules.emplace(&from, Entry<std::shared_ptr<Module::State>>{to, name});
    return to;
  }

  /// Makes what belongs to a module its own clone.
  void look_through(const std::string& name, const Module& module) {
    const Module::State& from = *module.state_;
    if (!modules.emplace(&from, Entry<std::shared_ptr<Module::State>>{module.state_, name}).second)
      return;
    const std::string prefix = name.empty() ? "" : name + ".";
    for (const auto& [own, x] : from.parameters)
      tensors.emplace(x.impl(), Entry<Tensor>{x, prefix + own});
    for (const auto& [own, x, persistent] : from.buffers)
      tensors.emplace(x.impl(), Entry<Tensor>{x, prefix + own});
    for (const auto& [own, child] : from.children) look_through(prefix + own, child);
  }

  /// A handle of T's class on this very tensor.
  template <class T>
  static T as(const Tensor& x) {
    T handle;
    static_cast<Tensor&>(handle) = x;
    return handle;
  }
};

Cloning::Cloning(const Module& root, Copies copies) : context_(std::make_unique<Context>()) {
  const NoGrad guard;
  Context*& current = Context::current();
  context_->copies = copies;
  context_->outer = std::exchange(current, nullptr);  // what is built here are no members' copies
  try {
    if (copies == Copies::the_same)
      context_->look_through(root.path(), root);
    else
      context_->clone_module("", root);
  } catch (...) {
    current = context_->outer;
    throw;
  }
  current = context_.get();
}

Cloning::~Cloning() {
  Context::current() = context_->outer;
}

void Cloning::require_complete() const {
  const auto check = [](const auto& entries, std::string_view what, std::string_view type) {
    for (const auto& [original, entry] : entries) {
      require(entry.taken,
              "[clone] no member of the copy is the {} {}: hold it as {}, or what holds it in a "
              "nn::Shared",
              what, entry.name, type);
    }
  };
  check(context_->tensors, "parameter or buffer", "a nn::Parameter or nn::Buffer");
  check(context_->modules, "module", "its class");
}

void Cloning::require_own() const {
  if (!context_->met_strangers) return;
  for (const auto& [original, entry] : context_->tensors) {
    require(entry.taken,
            "[Module] {} is registered, but the member that held it has been assigned another tensor, "
            "which is not: give that one to add() in its place",
            entry.name);
  }
}

Held::Held(const Held& other) : Tensor(other) {
  Cloning::Context* const context = Cloning::Context::current();
  if (context == nullptr || !other.defined()) return;
  const auto found = context->tensors.find(other.impl());
  if (found == context->tensors.end()) {
    context->met_strangers = true;
    return;
  }
  found->second.taken = true;
  Tensor::operator=(found->second.clone);
}

std::shared_ptr<void> clone_of(const std::shared_ptr<void>& value,
                               std::shared_ptr<void> (*copy)(const void*)) {
  Cloning::Context* const context = Cloning::Context::current();
  if (context == nullptr || context->copies == Copies::the_same) return value;
  if (const auto found = context->shared.find(value.get()); found != context->shared.end())
    return found->second;
  return context->shared.emplace(value.get(), copy(value.get())).first->second;
}

}  // namespace detail

Module::Module(const Module& other) : state_(other.state_) {
  using Context = detail::Cloning::Context;
  Context* const context = Context::current();
  if (context == nullptr) return;
  const auto found = context->modules.find(state_.get());
  if (found == context->modules.end()) return;
  found->second.taken = true;
  state_ = found->second.clone;
}

}  // namespace tenon::nn
