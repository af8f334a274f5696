// How the core throws.
#pragma once

#include <utility>

#include <fmt/format.h>

#include <tenon/error.h>

namespace tenon {

/// Throws tenon::Error with a formatted text.
template <class... A>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<A...> text, A&&... arguments) {
  throw Error(kind, fmt::format(text, std::forward<A>(arguments)...));
}

/// Throws InvalidArgument unless `ok`.
template <class... A>
void require(bool ok, fmt::format_string<A...> text, A&&... arguments) {
  if (!ok) fail(ErrorKind::InvalidArgument, text, std::forward<A>(arguments)...);
}

}  // namespace tenon
