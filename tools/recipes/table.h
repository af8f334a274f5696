// From a table of text to numbers: which column is a number and which is one of a few texts, what is
// missing, what the target is. Every complaint names the file, and a cell's by line and column.
#pragma once

#include <string>
#include <vector>

#include <tenon/io.h>

#include "tools/recipes/encoding.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

/// The most different texts that a column may have.
inline constexpr std::size_t kMostTexts = 64;

/// How this table's columns are to be read. A column is numeric where at least half of its cells are
/// numbers, else each of its texts becomes a feature, in sorted order. Scaling is left to `fit`.
Encoding describe(const io::CsvTable& table, Recipe recipe, const std::string& target,
                  const std::vector<std::string>& drop, Missing missing);

enum class Target { Read, Ignored };

/// The rows in these columns, found by name. A cell is missing if it is empty, NA, NaN, ? or null; with
/// Missing::Mean each of its features is NaN, and only rows without a target are left out.
Samples encode(const io::CsvTable& table, const Encoding& encoding, Missing missing,
               Target target = Target::Read);

}  // namespace tenon::recipes
