// The text of a message from its parts.
#pragma once

#include <sstream>
#include <string>
#include <utility>

namespace faulty {

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

}  // namespace faulty
