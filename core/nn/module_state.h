// What a module's handles share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <tenon/nn/module.h>

namespace tenon::nn {

struct NamedBuffer {
  std::string name;
  Buffer buffer;
  bool persistent = true;
};

/// By the number that a handle knows it by.
template <class Hook>
using Hooks = std::vector<std::pair<std::uint64_t, Hook>>;

struct Module::State {
  explicit State(const std::type_info& of) : type(&of) {}

  const std::type_info* type;
  Named<Parameter> parameters;
  std::vector<NamedBuffer> buffers;
  Named<Module> children;
  Hooks<ForwardPreHook> pre_hooks;
  Hooks<ForwardHook> hooks;
  std::uint64_t next_hook = 0;
  bool training = true;
  std::atomic<bool> called = false;
  std::string own_name;  // in its parent
  std::weak_ptr<const State> parent;

  std::string path() const;
  std::string type_name() const;
  /// InvalidArgument where a name is taken, empty or has a dot.
  void require_free(const std::string& name) const;
  /// Makes `child` a child of `self`.
  static void adopt(const std::shared_ptr<State>& self, const std::string& name, const Module& child);
};

}  // namespace tenon::nn
