// A property that a fuzz target holds the product to; one that does not hold ends the process, which is
// what a fuzzer takes for a finding.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tenon::fuzz {

inline void check(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

}  // namespace tenon::fuzz
