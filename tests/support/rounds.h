// How long a randomised test runs.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace tenon::test {

/// TENON_FULL=1 (tools/test --full): long runs, all combinations.
inline bool full_run() {
  const char* full = std::getenv("TENON_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

/// `usual` rounds, and twenty times as many in a full run.
inline std::uint64_t rounds(std::uint64_t usual) {
  return full_run() ? 20 * usual : usual;
}

}  // namespace tenon::test
