// Another program as a test sees it: arguments in, output and exit status out.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace tenon::test {

struct ProcessResult {
  int status = -1;  ///< of exit, -1 where a signal ended it
  int signal = 0;   ///< that ended it
  bool timed_out = false;
  std::string out, err;
};

struct ProcessOptions {
  std::vector<std::string> env = {};  ///< "KEY=VALUE", on top of this process's own
  std::string folder = {};            ///< to run in
  int timeout_s = 240;                ///< then it is killed, so that no test hangs
  /// Called after each piece of output with all of it so far.
  std::function<void(pid_t, const ProcessResult&)> on_output = {};
};

/// Runs a program to its end; standard input is empty.
ProcessResult run_process(const std::vector<std::string>& arguments,
                          const ProcessOptions& options = {});

/// The same with this build's `tenon`.
ProcessResult run_tenon(std::vector<std::string> arguments, const ProcessOptions& options = {});

}  // namespace tenon::test
