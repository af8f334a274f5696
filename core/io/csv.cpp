// CSV: the bytes are checked to be text, then cut into rows, then the first row is told from a header.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <unordered_map>

#include <fmt/ranges.h>

#include <tenon/io.h>

#include "core/base/fail.h"
#include "core/base/utf8.h"
#include "core/io/input_file.h"

namespace tenon::io {
namespace {

using Cells = std::vector<std::string>;

void check_is_text(const std::string& file, std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail(ErrorKind::IoError, "{}: UTF-16 text; save it as UTF-8", file);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      fail(
          ErrorKind::IoError,
          "{}:{}: not UTF-8 text (byte {:#04x} at offset {}): a binary file, or CSV that must be saved "
          "as UTF-8",
          file, 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), '\n'),
          static_cast<unsigned char>(text[i]), i);
    }
    i += length;
  }
}

/// Cuts text into rows of cells.
class Parser {
 public:
  Parser(const std::string& file, std::string_view text, char separator)
      : file_(file), text_(text), separator_(separator) {}

  /// The next row that is not blank and the line where it begins; false at the end.
  bool next(Cells& cells, std::int64_t& line) {
    for (; at_ < text_.size(); end_line()) {
      skip_spaces();
      if (at_line_end()) continue;
      line = line_;
      read_row(cells);
      end_line();
      return true;
    }
    return false;
  }

 private:
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool at_line_end() const { return at_ == text_.size() || at('\n') || at('\r'); }
  bool is_space(char c) const { return c != separator_ && (c == ' ' || c == '\t'); }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  void end_line() {
    if (at('\r')) ++at_;
    if (at('\n')) ++at_;
    ++line_;
  }

  void read_row(Cells& cells) {
    for (std::size_t column = 1;; ++column) {
      skip_spaces();
      cells.push_back(at('"') ? read_quoted(column) : read_plain());
      if (!at(separator_)) return;
      ++at_;
    }
  }

  std::string read_plain() {
    const std::size_t begin = at_;
    while (!at_line_end() && !at(separator_)) ++at_;
    std::size_t end = at_;
    while (end > begin && is_space(text_[end - 1])) --end;
    return std::string(text_.substr(begin, end - begin));
  }

  std::string read_quoted(std::size_t column) {
    const std::int64_t first_line = line_;
    std::string cell;
    do {
      const std::size_t begin = ++at_;
      at_ = text_.find('"', begin);
      if (at_ == std::string_view::npos)
        fail(ErrorKind::IoError, "{}:{}:{}: the quote that opens this cell is never closed", file_,
             first_line, column);
      const std::string_view part = text_.substr(begin, at_ - begin);
      line_ += std::count(part.begin(), part.end(), '\n');
      cell += part;
      if (text_.substr(++at_).starts_with('"')) cell += '"';
    } while (at('"'));
    skip_spaces();
    if (!at_line_end() && !at(separator_))
      fail(ErrorKind::IoError,
           "{}:{}:{}: text after the closing quote; a quote in a quoted cell is written twice", file_,
           line_, column);
    return cell;
  }

  const std::string& file_;
  const std::string_view text_;
  const char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

bool all_named_and_unique(const Cells& row) {
  Cells sorted = row;
  std::sort(sorted.begin(), sorted.end());
  return !sorted.front().empty() && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

/// Whether a row below satisfies `holds(cell of the first row, cell under it)` in some column.
template <class Predicate>
bool any_below(const std::vector<Cells>& rows, Predicate holds) {
  const Cells& first = rows.front();
  return std::any_of(rows.begin() + 1, rows.end(), [&](const Cells& row) {
    for (std::size_t c = 0; c < std::min(row.size(), first.size()); ++c) {
      if (holds(first[c], row[c])) return true;
    }
    return false;
  });
}

bool looks_like_header(const std::vector<Cells>& rows) {
  const auto is_number = [](const std::string& cell) { return parse_number(cell).has_value(); };
  if (std::any_of(rows.front().begin(), rows.front().end(), is_number)) return false;
  const bool number_below_text = any_below(
      rows, [&](const auto& top, const auto& cell) { return !top.empty() && is_number(cell); });
  if (number_below_text) return true;
  return all_named_and_unique(rows.front()) &&
         !any_below(rows, [](const auto& top, const auto& cell) { return top == cell; });
}

void check_unique(const CsvTable& table, std::int64_t line) {
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t c = 0; c < table.names.size(); ++c) {
    const auto [first, is_new] = seen.emplace(table.names[c], c);
    if (!is_new)
      fail(ErrorKind::IoError, "{}:{}:{}: column {} is named \"{}\" too", table.file, line, c + 1,
           first->second + 1, table.names[c]);
  }
}

void check_widths(const CsvTable& table) {
  const std::size_t width = table.names.size();
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::size_t found = table.rows[r].size();
    if (found != width)
      fail(ErrorKind::IoError, "{}:{}: {} cell{}, but the {} has {}", table.file, table.lines[r], found,
           found == 1 ? "" : "s", table.has_header ? "header" : "first row", width);
  }
}

/// Takes the first row out as names where it is a header; else, and for names that are empty, the
/// columns are named by their index.
void name_columns(CsvTable& table, std::optional<bool> header) {
  table.has_header = header.has_value() ? *header : looks_like_header(table.rows);
  const std::int64_t line = table.lines.front();
  table.names.resize(table.rows.front().size());
  if (table.has_header) {
    table.names = std::move(table.rows.front());
    table.rows.erase(table.rows.begin());
    table.lines.erase(table.lines.begin());
  }
  for (std::size_t c = 0; c < table.names.size(); ++c) {
    if (table.names[c].empty()) table.names[c] = std::to_string(c);
  }
  check_unique(table, line);
  if (table.rows.empty())
    fail(ErrorKind::IoError, "{}: no data rows after the header in line {}", table.file, line);
}

}  // namespace

CsvTable read_csv(const std::string& file, CsvOptions options) {
  require(std::string_view("\"\r\n").find(options.separator) == std::string_view::npos,
          "[read_csv] a quote or a line's end is no separator");
  const std::string bytes = InputFile(file).read_all();
  check_is_text(file, bytes);
  std::string_view text = bytes;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  CsvTable table;
  table.file = file;
  Parser parser(file, text, options.separator);
  Cells cells;
  std::int64_t line = 0;
  while (parser.next(cells, line)) {
    const std::size_t width = cells.size();
    table.rows.push_back(std::exchange(cells, {}));
    table.lines.push_back(line);
    cells.reserve(width);
  }
  if (table.rows.empty()) fail(ErrorKind::IoError, "{}: the file is empty", file);
  name_columns(table, options.header);
  check_widths(table);
  return table;
}

std::size_t CsvTable::column(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto count = static_cast<std::int64_t>(names.size());
  std::int64_t index = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, index);
  if (error == std::errc() && stop == end && index >= -count && index < count)
    return static_cast<std::size_t>(index < 0 ? index + count : index);
  constexpr std::size_t kMost = 20;
  const std::size_t listed = std::min(names.size(), kMost);
  fail(ErrorKind::InvalidArgument, "{}: no column \"{}\"; there are {}{}", file, name,
       fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
       listed < names.size() ? fmt::format(", and {} more", names.size() - listed) : "");
}

}  // namespace tenon::io
