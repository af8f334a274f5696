// Modules of modules.
#include <tenon/nn/containers.h>

#include <fmt/ranges.h>

#include "core/base/fail.h"

namespace tenon::nn {

namespace detail {

void no_module(std::string_view list, std::size_t index, std::size_t count) {
  fail(ErrorKind::InvalidArgument, "[{}] there is no module {} among {}", list, index, count);
}

void no_module(std::string_view name, const std::vector<std::string>& names) {
  fail(ErrorKind::InvalidArgument, "[ModuleDict] no module \"{}\"; there are {}", name,
       fmt::join(names, ", "));
}

}  // namespace detail

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const AnyModule& step : *steps_) y = step(y);
  return y;
}

}  // namespace tenon::nn
