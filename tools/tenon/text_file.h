// Text to a file that appears whole or not at all.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tenon::cli {

/// Throws IoError unless a file can be written there; "" (none) and "-" always can.
void check_target(const std::string& target);

/// Writes to standard output for "-", else to a file; one that is there and not a regular one, such as
/// a pipe, is written in place.
void write_text(const std::string& text, const std::string& target);
void write_json(const nlohmann::ordered_json& json, const std::string& target);

}  // namespace tenon::cli
