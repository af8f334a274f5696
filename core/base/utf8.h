// UTF-8, character by character.
#pragma once

#include <cstddef>
#include <string_view>

namespace tenon {

/// Bytes of the UTF-8 character that `text` begins with, or 0 where it begins with none (the table of
/// well-formed sequences, Unicode 3.9).
std::size_t utf8_length(std::string_view text);

}  // namespace tenon
