#include "tests/support/promised.h"

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <regex>

#include <gtest/gtest.h>

namespace tenon::test {
namespace {

class Count : public testing::EmptyTestEventListener {
 public:
  explicit Count(const char* regex) : promised_(regex) {}

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::atomic<int>& kind = std::regex_search(result.message(), promised_) ? kept : broken;
    ++kind;
  }

  std::atomic<int> kept = 0, broken = 0;

 private:
  const std::regex promised_;
};

}  // namespace

int run_all_tests() {
  const char* regex = std::getenv("TENON_TEST_PROMISED");
  if (regex == nullptr || *regex == '\0') return RUN_ALL_TESTS();
  testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  auto* count = new Count(regex);
  tests.listeners().Append(count);  // which owns it
  const bool failed = RUN_ALL_TESTS() != 0;
  const int passed = tests.successful_test_count();
  std::cout << passed << " tests passed; " << count->kept << " failures with the promised error, "
            << count->broken << " with others\n";
  const bool as_promised = count->kept > 0 && count->broken == 0;
  return (failed && !as_promised) || tests.test_to_run_count() == 0 ? 1 : 0;
}

}  // namespace tenon::test
