// How the core throws.
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <tenon/error.h>
#include <tenon/shape.h>

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

/// A shape among a text's arguments: written out only where the text is.
template <>
struct fmt::formatter<tenon::Dims> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const tenon::Dims& dims, Context& context) const {
    return fmt::formatter<std::string_view>::format(tenon::to_string(dims), context);
  }
};
