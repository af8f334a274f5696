// Modules of modules: in a row, in a list, by name.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

/// A module of any class that takes a tensor to a tensor; it is the same module, not a copy.
class AnyModule : public Module {
 public:
  template <class M>
    requires(std::derived_from<M, Module> && !std::same_as<M, AnyModule>)
  AnyModule(const M& module)  // NOLINT: implicit, as a handle on the same
      : Module(module), call_([module](const Tensor& x) { return module(x); }) {}
  Tensor operator()(const Tensor& x) const {
    const CallScope scope(*this);
    return call_(x);
  }

 private:
  std::function<Tensor(const Tensor&)> call_;
};

namespace detail {
[[noreturn]] void no_module(std::string_view list, std::size_t index, std::size_t count);
[[noreturn]] void no_module(std::string_view name, const std::vector<std::string>& names);
}  // namespace detail

/// Modules one after the other; their names are "0", "1" and so on.
class Sequential : public Layer<Sequential> {
 public:
  template <class... M>
    requires(std::derived_from<M, Module> && ...)
  explicit Sequential(const M&... modules) {
    (push_back(modules), ...);
  }
  void push_back(const AnyModule& module) { steps_->push_back(add(std::to_string(size()), module)); }
  std::size_t size() const { return steps_->size(); }
  /// InvalidArgument where there is none.
  const AnyModule& operator[](std::size_t i) const {
    if (i >= size()) detail::no_module("Sequential", i, size());
    return (*steps_)[i];
  }
  auto begin() const { return std::as_const(*steps_).begin(); }
  auto end() const { return std::as_const(*steps_).end(); }
  Tensor forward(const Tensor& x) const;

 private:
  Shared<std::vector<AnyModule>> steps_;
};

/// Modules of one class, or of any, by their place; it is no layer itself. Their names are "0", "1" ...
template <class M = AnyModule>
class ModuleList : public Layer<ModuleList<M>> {
 public:
  ModuleList() = default;
  explicit ModuleList(const std::vector<M>& modules) {
    for (const M& module : modules) push_back(module);
  }
  void push_back(const M& module) { modules_->push_back(this->add(std::to_string(size()), module)); }
  std::size_t size() const { return modules_->size(); }
  /// InvalidArgument where there is none.
  const M& operator[](std::size_t i) const {
    if (i >= size()) detail::no_module("ModuleList", i, size());
    return (*modules_)[i];
  }
  auto begin() const { return std::as_const(*modules_).begin(); }
  auto end() const { return std::as_const(*modules_).end(); }

 private:
  Shared<std::vector<M>> modules_;
};

/// Modules of one class, or of any, by name, in the order of insertion; it is no layer itself.
template <class M = AnyModule>
class ModuleDict : public Layer<ModuleDict<M>> {
 public:
  ModuleDict() = default;
  explicit ModuleDict(const Named<M>& modules) {
    for (const auto& [name, module] : modules) insert(name, module);
  }
  /// InvalidArgument for a name that is taken, empty or has a dot.
  void insert(const std::string& name, const M& module) {
    modules_->emplace_back(name, this->add(name, module));
  }
  std::size_t size() const { return modules_->size(); }
  bool contains(std::string_view name) const { return find(name) != end(); }
  /// InvalidArgument lists the names there are.
  const M& operator[](std::string_view name) const {
    const auto found = find(name);
    if (found == end()) detail::no_module(name, keys());
    return found->second;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& entry : *modules_) names.push_back(entry.first);
    return names;
  }
  auto begin() const { return std::as_const(*modules_).begin(); }
  auto end() const { return std::as_const(*modules_).end(); }

 private:
  auto find(std::string_view name) const {
    return std::find_if(begin(), end(), [&](const auto& entry) { return entry.first == name; });
  }
  Shared<Named<M>> modules_;
};

}  // namespace tenon::nn
#pragma GCC visibility pop
