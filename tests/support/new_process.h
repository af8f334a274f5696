// A test's body in a process of its own: for what a process has only once, such as plugins, options
// and environment variables.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tenon::test {

/// Runs `body` in a new process of this binary, as the calling test, with the variables "KEY=VALUE" on
/// top of this one's; the test fails, with all that the process wrote, where the body does. Once in a
/// test, which does nothing else.
void in_new_process(const std::vector<std::string>& env, const std::function<void()>& body);

}  // namespace tenon::test
