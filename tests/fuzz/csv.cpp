// read_csv of any text. What it makes of a table that is written out again, every cell in quotes, is
// the same table; numbers and columns are found or refused.
#include <tenon/error.h>
#include <tenon/io.h>

#include "tests/fuzz/support/bytes.h"
#include "tests/fuzz/support/check.h"
#include "tests/fuzz/support/memory_file.h"

namespace {

using namespace tenon;
using fuzz::check;

void write_row(std::string& text, const std::vector<std::string>& cells, char separator) {
  for (const std::string& cell : cells) {
    if (&cell != &cells.front()) text += separator;
    text += '"';
    for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
    text += '"';
  }
  text += '\n';
}

void check_round_trip(const io::CsvTable& table, char separator) {
  std::string text;
  if (table.has_header) write_row(text, table.names, separator);
  for (const auto& row : table.rows) write_row(text, row, separator);
  const fuzz::MemoryFile file(text);
  const io::CsvTable again =
      io::read_csv(file.name(), {.header = table.has_header, .separator = separator});
  check(again.names == table.names, "the names are the same when written and read again");
  check(again.rows == table.rows, "the rows are the same when written and read again");
}

void check_table(const io::CsvTable& table) {
  check(!table.rows.empty() && table.lines.size() == table.rows.size(), "every row has a line");
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    check(table.rows[r].size() == table.names.size(), "rows are as long as names");
    check(table.lines[r] > (r == 0 ? 0 : table.lines[r - 1]), "lines go up");
    for (const std::string& cell : table.rows[r]) io::parse_number(cell);
  }
  for (std::size_t c = 0; c < table.names.size(); ++c) {
    check(table.column(table.names[c]) == c, "a column is found by its name");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Bytes in(bytes, size);
  // Readable in a corpus: "a," is a table with commas whose header is looked for.
  const std::uint8_t header = in.byte();
  io::CsvOptions options{.separator = static_cast<char>(in.byte())};
  if (header % 3 != 1) options.header = header % 3 == 2;
  const std::string_view text = in.rest();
  try {
    const fuzz::MemoryFile file(text);
    const io::CsvTable table = io::read_csv(file.name(), options);
    check_table(table);
    // A separator within a character, or a control character, is not text that could be written.
    if (options.separator > 0) check_round_trip(table, options.separator);
    table.column(text.substr(0, 8));
  } catch (const Error&) {
  }
  return 0;
}
