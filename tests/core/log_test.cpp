// Messages: which come through, and where they go.
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/log.h>
#include <tenon/tensor.h>

#include "tests/support/new_process.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;
using Line = std::pair<LogLevel, std::string>;

/// Collects messages, and puts level and stderr back at its end.
class Collected {
 public:
  explicit Collected(LogLevel level) : before_(log_level()) {
    set_log_level(level);
    set_log_callback([this](LogLevel at, std::string_view text) { lines.emplace_back(at, text); });
  }
  ~Collected() {
    set_log_callback({});
    set_log_level(before_);
  }
  Collected(const Collected&) = delete;
  Collected& operator=(const Collected&) = delete;

  std::vector<Line> lines;

 private:
  LogLevel before_;
};

void log_each_level() {
  log(LogLevel::Error, "e");
  log(LogLevel::Warning, "w");
  log(LogLevel::Info, "i");
  log(LogLevel::Debug, "d");
}

/// What log_each_level writes to stderr.
std::string written() {
  testing::internal::CaptureStderr();
  log_each_level();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, LevelsAboveTheOneSetAreDropped) {
  const std::vector<Line> all = {
      {LogLevel::Error, "e"}, {LogLevel::Warning, "w"}, {LogLevel::Info, "i"}, {LogLevel::Debug, "d"}};
  for (std::size_t count = 1; count <= all.size(); ++count) {
    Collected collected(all[count - 1].first);
    log_each_level();
    EXPECT_EQ(collected.lines, std::vector<Line>(all.begin(), all.begin() + static_cast<int>(count)));
  }
}

TEST(Log, WithoutACallbackGoesToStderr) {
  in_new_process({"TENON_LOG="}, [] {
    EXPECT_EQ(log_level(), LogLevel::Warning);
    EXPECT_EQ(written(), "tenon: error: e\ntenon: warning: w\n");
    {
      const Collected collected(LogLevel::Debug);
    }
    EXPECT_EQ(written(), "tenon: error: e\ntenon: warning: w\n");
  });
}

TEST(Log, TheEnvironmentSetsTheFirstLevel) {
  in_new_process({"TENON_LOG=debug"}, [] {
    EXPECT_EQ(written(), "tenon: error: e\ntenon: warning: w\ntenon: info: i\ntenon: debug: d\n");
  });
}
TEST(Log, TheEnvironmentSetsErrorsOnly) {
  in_new_process({"TENON_LOG=error"}, [] { EXPECT_EQ(written(), "tenon: error: e\n"); });
}
TEST(Log, TheEnvironmentSetsInfo) {
  in_new_process({"TENON_LOG=info"}, [] { EXPECT_EQ(log_level(), LogLevel::Info); });
}

TEST(Log, ACallbackIsCalledOneAtATime) {
  Collected collected(LogLevel::Info);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) log(LogLevel::Info, "a message");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collected.lines.size(), 800U);
}

TEST(Log, ACallbackMayLog) {
  Collected collected(LogLevel::Info);
  set_log_callback([&](LogLevel at, std::string_view text) {
    collected.lines.emplace_back(at, text);
    if (at == LogLevel::Error) log(LogLevel::Info, "inner");
  });
  log(LogLevel::Error, "outer");
  EXPECT_THAT(collected.lines,
              ElementsAre(Line{LogLevel::Error, "outer"}, Line{LogLevel::Info, "inner"}));
}

TEST(Log, APluginsMessageNamesThePlugin) {
  in_new_process({}, [] {
    const Tensor alive = ones({3}, {.device = device("faulty:0")});
    Collected collected(LogLevel::Warning);
    shutdown();
    EXPECT_THAT(collected.lines,
                ElementsAre(Line{LogLevel::Warning,
                                 "faulty: [faulty] faulty:0 is closed with 1 allocations alive"}));
  });
}

}  // namespace
}  // namespace tenon::test
