// Cells are missing, numbers or texts; columns follow from their cells.
#include "tools/recipes/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

namespace tenon::recipes {
namespace {

using Columns = std::vector<std::size_t>;

[[noreturn]] void fail(const std::string& text) {
  throw Error(ErrorKind::InvalidArgument, text);
}

/// Complains about one cell.
[[noreturn]] void fail_at(const io::CsvTable& table, std::size_t row, std::size_t column,
                          const std::string& text) {
  fail(fmt::format("{}:{}:{}: column \"{}\" {}", table.file, table.lines[row], column + 1,
                   table.names[column], text));
}

bool is_missing(const std::string& cell) {
  static constexpr std::array<std::string_view, 5> kWords{"", "NA", "NaN", "?", "null"};
  if (std::find(kWords.begin(), kWords.end(), cell) != kWords.end()) return true;
  const auto number = io::parse_number(cell);
  return number && std::isnan(*number);
}

/// The rows without a missing cell in the target's column and, unless their means are taken, the
/// others.
Columns complete_rows(const io::CsvTable& table, const Columns& features,
                      const std::optional<std::size_t>& target, Missing missing) {
  Columns columns, rows;
  if (missing != Missing::Mean) columns = features;
  if (target) columns.push_back(*target);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const auto& cells = table.rows[row];
    const auto hole =
        std::find_if(columns.begin(), columns.end(), [&](auto c) { return is_missing(cells[c]); });
    if (hole == columns.end()) {
      rows.push_back(row);
    } else if (missing == Missing::Error) {
      const auto what = cells[*hole].empty() ? "is empty" : fmt::format("is \"{}\"", cells[*hole]);
      const auto mean = *hole == target ? "" : ", --missing mean takes the column's mean";
      fail_at(table, row, *hole, what + " here; --missing drop leaves such rows out" + mean);
    }
  }
  if (rows.empty()) fail(fmt::format("{}: every row lacks a value in some column", table.file));
  return rows;
}

double number_at(const io::CsvTable& table, std::size_t row, std::size_t column,
                 const std::string& remedy) {
  const std::string& cell = table.rows[row][column];
  const auto number = io::parse_number(cell);
  if (!number)
    fail_at(table, row, column, fmt::format("needs numbers, but here is \"{}\"; {}", cell, remedy));
  if (!std::isfinite(*number))
    fail_at(table, row, column, fmt::format("has {} here, which is not finite; {}", cell, remedy));
  return *number;
}

/// Whether at least half of the cells that are not missing are numbers.
bool is_numeric(const io::CsvTable& table, const Columns& rows, std::size_t column) {
  std::int64_t numbers = 0, texts = 0;
  for (const auto row : rows) {
    const std::string& cell = table.rows[row][column];
    if (is_missing(cell)) continue;
    ++(io::parse_number(cell) ? numbers : texts);
  }
  return numbers >= texts;
}

std::vector<std::string> texts(const io::CsvTable& table, const Columns& rows, std::size_t column) {
  std::set<std::string> found;
  for (const auto row : rows) {
    const std::string& cell = table.rows[row][column];
    if (!is_missing(cell)) found.insert(cell);
  }
  return {found.begin(), found.end()};
}

/// The different targets in order: by value where all are numbers ("0" and "0.0" are one).
std::vector<std::string> classes(const io::CsvTable& table, const Columns& rows, std::size_t column) {
  std::map<double, std::string> numbers;
  for (const auto row : rows) {
    const std::string& cell = table.rows[row][column];
    const auto number = io::parse_number(cell);
    if (!number) return texts(table, rows, column);
    numbers.emplace(*number, cell);
  }
  std::vector<std::string> found;
  for (const auto& [value, cell] : numbers) found.push_back(cell);
  return found;
}

std::vector<std::string> two_classes(const io::CsvTable& table, const Columns& rows,
                                     std::size_t column) {
  std::vector<std::string> found = classes(table, rows, column);
  const std::string target = fmt::format("{}: the target \"{}\"", table.file, table.names[column]);
  if (found.size() == 1)
    fail(fmt::format("{} has one class only, \"{}\"; logistic needs two", target, found[0]));
  if (found.size() > 2)
    fail(fmt::format("{} has {} classes ({}, {}, {}{}); logistic needs two", target, found.size(),
                     found[0], found[1], found[2], found.size() > 3 ? ", .." : ""));
  return found;
}

Columns feature_columns(const io::CsvTable& table, std::size_t target,
                        const std::vector<std::string>& drop) {
  std::set<std::size_t> left_out{target};
  for (const std::string& name : drop) {
    const std::size_t column = table.column(name);
    if (column == target)
      fail(fmt::format("{}: column \"{}\" is both --target and --drop", table.file,
                       table.names[target]));
    left_out.insert(column);
  }
  Columns columns;
  for (std::size_t column = 0; column < table.names.size(); ++column)
    if (!left_out.contains(column)) columns.push_back(column);
  if (columns.empty())
    fail(fmt::format("{}: no column is left to learn \"{}\" from", table.file, table.names[target]));
  return columns;
}

std::size_t known_column(const io::CsvTable& table, const std::string& name) {
  const auto found = std::find(table.names.begin(), table.names.end(), name);
  if (found == table.names.end())
    fail(fmt::format("{}: no column \"{}\", which the model was trained on; there are {}", table.file,
                     name, fmt::join(table.names, ", ")));
  return static_cast<std::size_t>(found - table.names.begin());
}

[[noreturn]] void fail_unknown(const io::CsvTable& table, std::size_t row, std::size_t column,
                               const std::vector<std::string>& known) {
  fail_at(table, row, column,
          fmt::format("is \"{}\" here, which training has not seen; it knows {}",
                      table.rows[row][column], fmt::join(known, ", ")));
}

double class_at(const io::CsvTable& table, std::size_t row, std::size_t column,
                const std::vector<std::string>& known) {
  const std::string& cell = table.rows[row][column];
  const auto number = io::parse_number(cell);
  for (std::size_t i = 0; i < known.size(); ++i)
    if (cell == known[i] || (number && number == io::parse_number(known[i])))
      return static_cast<double>(i);
  fail_unknown(table, row, column, known);
}

/// Appends the features of one cell.
void append(const io::CsvTable& table, std::size_t row, std::size_t column, const Column& how,
            std::vector<double>& x) {
  if (is_missing(table.rows[row][column])) {
    x.insert(x.end(), std::max<std::size_t>(1, how.values.size()),
             std::numeric_limits<double>::quiet_NaN());
    return;
  }
  if (how.values.empty()) {
    x.push_back(
        number_at(table, row, column, "correct it, or leave the column out with --drop " + how.name));
    return;
  }
  const auto found = std::find(how.values.begin(), how.values.end(), table.rows[row][column]);
  if (found == how.values.end()) fail_unknown(table, row, column, how.values);
  for (auto value = how.values.begin(); value != how.values.end(); ++value)
    x.push_back(value == found ? 1 : 0);
}

}  // namespace

Encoding describe(const io::CsvTable& table, Recipe recipe, const std::string& target,
                  const std::vector<std::string>& drop, Missing missing) {
  const std::size_t y = table.column(target);
  const Columns columns = feature_columns(table, y, drop);
  const Columns rows = complete_rows(table, columns, y, missing);
  Encoding encoding{.columns = {}, .target = table.names[y]};
  if (recipe == Recipe::Logistic) encoding.classes = two_classes(table, rows, y);
  for (const std::size_t column : columns) {
    Column& added = encoding.columns.emplace_back(Column{table.names[column]});
    if (is_numeric(table, rows, column)) continue;
    added.values = texts(table, rows, column);
    if (added.values.size() > kMostTexts)
      fail(
          fmt::format("{}: column \"{}\" has {} different texts, more than {}; leave it out with "
                      "--drop {}",
                      table.file, added.name, added.values.size(), kMostTexts, added.name));
  }
  return encoding;
}

Samples encode(const io::CsvTable& table, const Encoding& encoding, Missing missing, Target target) {
  std::optional<std::size_t> y;
  if (target == Target::Read) y = known_column(table, encoding.target);
  Columns columns;
  for (const Column& column : encoding.columns) columns.push_back(known_column(table, column.name));
  const Columns rows = complete_rows(table, columns, y, missing);
  Samples samples{.count = static_cast<std::int64_t>(rows.size()),
                  .features = encoding.features(),
                  .rows = rows,
                  .dropped = static_cast<std::int64_t>(table.rows.size() - rows.size()),
                  .x = {},
                  .y = {}};
  for (const std::size_t row : rows) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      append(table, row, columns[i], encoding.columns[i], samples.x);
    if (!y) continue;
    samples.y.push_back(encoding.classes.empty()
                            ? number_at(table, row, *y, "correct it, or choose another --target")
                            : class_at(table, row, *y, encoding.classes));
  }
  return samples;
}

}  // namespace tenon::recipes
