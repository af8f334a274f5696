// The log's lines of level error while it lives.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/log.h>

namespace tenon::test {

class ErrorLog {
 public:
  ErrorLog() {
    set_log_callback([this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level == LogLevel::Error) lines_.emplace_back(text);
    });
  }
  ~ErrorLog() { set_log_callback({}); }
  ErrorLog(const ErrorLog&) = delete;
  ErrorLog& operator=(const ErrorLog&) = delete;

  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace tenon::test
