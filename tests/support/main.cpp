// The main of every test binary: the plugins of this build are found before GoogleTest asks for the
// devices that parameterised tests run on.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/paths.h"
#include "tests/support/promised.h"

int main(int argc, char** argv) {
  setenv("TENON_PLUGIN_PATH", TENON_TEST_FAULTY_DIR ":" TENON_TEST_PLUGIN_DIR, 0);
  testing::InitGoogleMock(&argc, argv);
  return tenon::test::run_all_tests();
}
