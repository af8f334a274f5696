// Numbers of bytes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenon {

/// "512 bytes", "64 MiB", "1.9 GiB".
std::string bytes_text(std::uint64_t bytes);

/// Of "2GiB", "512M", "1024": units of 1024, K to T, with or without iB; nothing for other texts.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace tenon
