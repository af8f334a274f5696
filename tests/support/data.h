// Real data: what ships with the project, and what may lie beside it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/paths.h"

namespace tenon::test {

/// A file of examples/data, which is always there.
inline std::string example_data(const std::string& name) {
  return std::string(TENON_TEST_SOURCE_DIR "/examples/data/") + name;
}

/// Where a file that does not ship is looked for: in TENON_DATA, else in ../shared/data.
inline std::string shared_data(const std::string& name) {
  const char* const folder = std::getenv("TENON_DATA");
  const bool is_set = folder != nullptr && *folder != '\0';
  return std::string(is_set ? folder : TENON_TEST_SOURCE_DIR "/../shared/data") + "/" + name;
}

inline bool data_is_required() {
  const char* const value = std::getenv("TENON_REQUIRE_DATA");
  return value != nullptr && std::string(value) == "1";
}

}  // namespace tenon::test

/// Ends the test where `file` is missing: skipped, or failed under TENON_REQUIRE_DATA=1.
#define TENON_NEEDS_FILE(file)                                                             \
  if (!std::filesystem::exists(file)) {                                                    \
    if (tenon::test::data_is_required())                                                   \
      GTEST_FAIL() << (file) << " is missing (TENON_REQUIRE_DATA=1)";                      \
    GTEST_SKIP() << (file) << " is missing; TENON_DATA names the folder of the data sets"; \
  }                                                                                        \
  static_assert(true)
