// What Tenon throws.
#pragma once

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)
namespace tenon {

enum class ErrorKind {
  InvalidArgument,  ///< the caller's mistake: shapes, dtypes, values
  Unsupported,      ///< right, but not to be had on this device or in this version
  OutOfMemory,      ///< the device has no room; the process goes on
  DeviceError,      ///< a plugin or its device failed
  IoError,          ///< a file
};

/// Every error of Tenon; the text names the operation, the values and, where one helps, the remedy.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace tenon
#pragma GCC visibility pop
