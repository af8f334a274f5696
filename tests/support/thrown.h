// What a call throws, to be compared: `EXPECT_EQ(thrown([&] { .. }), io_error("x.csv: ..."))`.
#pragma once

#include <ostream>
#include <string>

#include <tenon/error.h>

namespace tenon::test {

struct Thrown {
  ErrorKind kind;
  std::string text;

  bool operator==(const Thrown&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Thrown& thrown) {
    return out << "kind " << static_cast<int>(thrown.kind) << " \"" << thrown.text << '"';
  }
};

inline Thrown io_error(std::string text) {
  return {ErrorKind::IoError, std::move(text)};
}
inline Thrown invalid_argument(std::string text) {
  return {ErrorKind::InvalidArgument, std::move(text)};
}

/// The tenon::Error of `call`; a text of its own where there is none.
template <class F>
Thrown thrown(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {static_cast<ErrorKind>(-1), "nothing was thrown"};
}

}  // namespace tenon::test
