// For runs in which tests may fail, but only with one error.
#pragma once

namespace tenon::test {

/// Runs all tests. Under TENON_TEST_PROMISED=REGEX failures whose text matches are no failures of the
/// run: they are counted, and what is returned is 0 unless there were others, or no test at all.
int run_all_tests();

}  // namespace tenon::test
