// A module as text.
#include <cxxabi.h>

#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "core/nn/module_state.h"

namespace tenon::nn {
namespace {

struct Totals {
  std::int64_t elements = 0, trainable = 0, buffered = 0;
  std::set<const void*> seen;

  /// Counts a tensor the first time it is met.
  void add(const Tensor& x, bool is_buffer) {
    if (!seen.insert(x.impl()).second) return;
    if (is_buffer) {
      buffered += x.numel();
      return;
    }
    elements += x.numel();
    if (x.requires_grad()) trainable += x.numel();
  }
};

std::string line(int depth, const std::string& name, const Tensor& x, std::string_view remark) {
  return fmt::format("{:{}}{} {} {}: {}{}\n", "", 2 * depth, name, to_string(x.shape()),
                     tenon::name(x.dtype()), x.numel(), remark);
}

std::string tree(const Module& module, const std::string& name, int depth, Totals& totals) {
  std::string text =
      fmt::format("{:{}}{}{}\n", "", 2 * depth, name.empty() ? "" : name + ": ", module.type_name());
  const auto is_own = [](const std::string& path) { return path.find('.') == std::string::npos; };
  for (const auto& [path, x] : module.named_parameters()) {
    if (!is_own(path)) continue;
    text += line(depth + 1, path, x, x.requires_grad() ? "" : ", frozen");
    totals.add(x, false);
  }
  for (const auto& [path, x] : module.named_buffers()) {
    if (!is_own(path)) continue;
    text += line(depth + 1, path, x, ", buffer");
    totals.add(x, true);
  }
  for (const auto& [child_name, child] : module.named_children()) {
    text += tree(child, child_name, depth + 1, totals);
  }
  return text;
}

}  // namespace

std::string Module::State::type_name() const {
  char* const demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, nullptr);
  std::string full = demangled != nullptr ? demangled : type->name();
  std::free(demangled);
  full = full.substr(0, full.find('<'));
  return full.substr(full.rfind(':') + 1);
}

std::string Module::type_name() const {
  return state_->type_name();
}

std::string Module::summary() const {
  Totals totals;
  std::string text = tree(*this, "", 0, totals);
  text += fmt::format("{} parameters, {} trainable", totals.elements, totals.trainable);
  if (totals.buffered > 0) text += fmt::format("; {} in buffers", totals.buffered);
  return text + "\n";
}

}  // namespace tenon::nn
