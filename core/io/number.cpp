// The numbers of a table's cells: std::from_chars, which no locale changes.
#include <charconv>

#include <tenon/io.h>

namespace tenon::io {

std::optional<double> parse_number(std::string_view cell) {
  if (cell.starts_with('+') && !cell.starts_with("+-")) cell.remove_prefix(1);
  const char* const end = cell.data() + cell.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  if (error != std::errc() || stop != end || cell.ends_with(')')) return std::nullopt;
  return value;
}

}  // namespace tenon::io
