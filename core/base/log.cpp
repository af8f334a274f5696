// Levels, TENON_LOG and the callback.
#include <tenon/log.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace tenon {
namespace {

LogLevel level_from_environment() {
  const char* text = std::getenv("TENON_LOG");
  const std::string_view value = text != nullptr ? text : "";
  if (value == "error") return LogLevel::Error;
  if (value == "info") return LogLevel::Info;
  if (value == "debug") return LogLevel::Debug;
  return LogLevel::Warning;
}

std::atomic<LogLevel>& current_level() {
  static std::atomic<LogLevel> level{level_from_environment()};
  return level;
}

struct Sink {
  std::recursive_mutex mutex;  // a callback may log
  LogCallback callback;
};
Sink& sink() {
  static Sink& leaked = *new Sink;  // plugins may log while the process ends
  return leaked;
}

const char* label(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return "error";
    case LogLevel::Warning:
      return "warning";
    case LogLevel::Info:
      return "info";
    case LogLevel::Debug:
      return "debug";
  }
  return "";
}

}  // namespace

void set_log_level(LogLevel level) {
  current_level() = level;
}
LogLevel log_level() {
  return current_level();
}

void set_log_callback(LogCallback callback) {
  const std::lock_guard lock(sink().mutex);
  sink().callback = std::move(callback);
}

void log(LogLevel level, std::string_view message) {
  if (level > log_level()) return;
  const std::lock_guard lock(sink().mutex);
  if (sink().callback) {
    sink().callback(level, message);
  } else {
    std::fprintf(stderr, "tenon: %s: %.*s\n", label(level), static_cast<int>(message.size()),
                 message.data());
  }
}

}  // namespace tenon
