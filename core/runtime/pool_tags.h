// The names that live bytes are counted under, as small numbers.
#pragma once

#include <cstdint>
#include <string>

namespace tenon::runtime {

inline constexpr std::size_t kMaxTags = 32;
inline constexpr std::uint8_t kNoTag = 255;

/// Of the innermost MemoryTag on this thread.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint8_t current_tag;
/// Of a number that current_tag has been.
const std::string& tag_name(std::uint8_t tag);

}  // namespace tenon::runtime
