// Where Tenon's messages go.
#pragma once

#include <functional>
#include <string_view>

#pragma GCC visibility push(default)
namespace tenon {

enum class LogLevel { Error, Warning, Info, Debug };

/// Messages above `level` are dropped. At start: TENON_LOG (error, warning, info, debug), else warning.
void set_log_level(LogLevel level);
LogLevel log_level();

/// Called with each message, from any thread, one at a time; an empty function restores stderr.
using LogCallback = std::function<void(LogLevel, std::string_view)>;
void set_log_callback(LogCallback callback);

/// Hands a message on if `level` is not above the level set.
void log(LogLevel level, std::string_view message);

}  // namespace tenon
#pragma GCC visibility pop
