// fork, exec, and one poll loop over both pipes.
#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

#include "tests/support/paths.h"

namespace tenon::test {
namespace {

using Clock = std::chrono::steady_clock;

void check(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
  Pipe() { check(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2"); }
  ~Pipe() {
    for (int& end : ends) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends{-1, -1};  // to read, to write
};

std::vector<std::string> environment(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string key = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const std::string& other : more) replaced |= other.starts_with(key);
    if (!replaced) all.push_back(text);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* argv, char* const* env, const char* folder, int out, int err) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  const bool ready = ::dup2(nothing, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2 &&
                     (*folder == '\0' || ::chdir(folder) == 0);
  if (ready) ::execve(argv[0], argv, env);
  ::_exit(127);
}

/// Appends what a pipe has; closes it at its end.
void drain(int& end, std::string& text) {
  std::array<char, 4096> piece;
  const ssize_t count = ::read(end, piece.data(), piece.size());
  if (count > 0)
    text.append(piece.data(), static_cast<std::size_t>(count));
  else if (count == 0 || errno != EINTR)
    Pipe::close(end);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  Pipe out, err;
  std::vector<std::string> argv_texts = arguments, env_texts = environment(options.env);
  const std::vector<char*> argv = pointers(argv_texts), env = pointers(env_texts);
  const pid_t child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) become(argv.data(), env.data(), options.folder.c_str(), out.ends[1], err.ends[1]);
  Pipe::close(out.ends[1]);
  Pipe::close(err.ends[1]);

  ProcessResult result;
  const auto deadline = Clock::now() + std::chrono::seconds(options.timeout_s);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    std::array<pollfd, 2> ends{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
    ::poll(ends.data(), ends.size(), 100);
    if (ends[0].revents != 0) drain(out.ends[0], result.out);
    if (ends[1].revents != 0) drain(err.ends[0], result.err);
    if (options.on_output && (ends[0].revents | ends[1].revents) != 0) options.on_output(child, result);
    if (!result.timed_out && Clock::now() > deadline) {
      result.timed_out = true;
      ::kill(child, SIGKILL);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) check(errno == EINTR, "waitpid");
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

ProcessResult run_tenon(std::vector<std::string> arguments, const ProcessOptions& options) {
  arguments.insert(arguments.begin(), TENON_TEST_BIN);
  return run_process(arguments, options);
}

}  // namespace tenon::test
