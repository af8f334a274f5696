// The binary runs itself, and finds out by a variable that it is the inner one.
#include "tests/support/new_process.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace tenon::test {
namespace {

constexpr const char* kInside = "TENON_TEST_INSIDE";

}  // namespace

void in_new_process(const std::vector<std::string>& env, const std::function<void()>& body) {
  if (std::getenv(kInside) != nullptr) return body();
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = std::string(test.test_suite_name()) + "." + test.name();
  ProcessOptions options{.env = env};
  options.env.push_back(std::string(kInside) + "=1");
  // Its failures are this test's, which judges them by their text.
  options.env.push_back("TENON_TEST_PROMISED=");
  const ProcessResult result = run_process({"/proc/self/exe", "--gtest_filter=" + name}, options);
  const bool passed =
      result.status == 0 && result.out.find("[  PASSED  ] 1 test.") != std::string::npos;
  EXPECT_TRUE(passed) << "status " << result.status << ", signal " << result.signal << "\n"
                      << result.out << result.err;
}

}  // namespace tenon::test
