// How long a randomised test runs.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace tenon::test {

/// `usual` rounds, and twenty times as many under TENON_FULL=1 (tools/test --full).
inline std::uint64_t rounds(std::uint64_t usual) {
  const char* full = std::getenv("TENON_FULL");
  return full != nullptr && std::string_view(full) == "1" ? 20 * usual : usual;
}

}  // namespace tenon::test
