// Names are compared first, so that nothing is half loaded; a wrong name is told the nearest right one.
#include "core/nn/state_dict.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/ranges.h>
#include <tenon/autograd.h>

#include "core/base/fail.h"

namespace tenon::nn {
namespace {

/// How many letters must be put in, left out or replaced (Levenshtein, 1966).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = diagonal + (a[i] == b[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, row[k] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// ", did you mean X?" where a name is that near.
std::string hint(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string* nearest = nullptr;
  std::size_t least = 1 + name.size() / 3;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = &candidate;
  }
  return nearest != nullptr ? fmt::format(", did you mean {}?", *nearest) : "";
}

}  // namespace

LoadReport load_tensors(std::string_view op, const StateDict& own, const StateDict& state,
                        LoadOptions options) {
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  const std::map<std::string, Tensor> known(own.begin(), own.end());
  LoadReport report;
  std::vector<std::string> mistakes;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    if (found == given.end()) {
      report.missing.push_back(name);
      if (options.strict) mistakes.push_back(name + " is missing");
    } else if (!found->second.defined()) {
      mistakes.push_back(name + " is undefined");
    } else if (found->second.shape() != tensor.shape()) {
      mistakes.push_back(fmt::format("{} is {}, not {}", name, to_string(found->second.shape()),
                                     to_string(tensor.shape())));
    } else {
      copies.emplace_back(tensor, found->second);
    }
  }
  for (const auto& [name, value] : state) {
    if (known.contains(name)) continue;
    report.unexpected.push_back(name);
    if (options.strict) mistakes.push_back(name + " is unexpected" + hint(name, report.missing));
  }
  require(mistakes.empty(), "[{}] {}", op, fmt::join(mistakes, "; "));
  const NoGrad guard;
  for (auto& [tensor, value] : copies) tensor.copy_(value);
  return report;
}

LoadReport Module::load_state_dict(const StateDict& state, LoadOptions options) const {
  return load_tensors("load_state_dict", state_dict(), state, options);
}

}  // namespace tenon::nn
