// Files: CSV tables and safetensors. Every mistake of a file is tenon::Error of kind IoError whose
// text begins with the file's name, for CSV with line and column; no file is ever left half written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/nn.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::io {

struct CsvOptions {
  /// Unset: it is found. The first row is a header if no cell of it is a number, and a later row has a
  /// number under one of its texts; or, in a table without such numbers, if its cells are all filled
  /// and different, and none stands again in its own column.
  std::optional<bool> header = {};
  char separator = ',';
};

/// One cell's place in the file, for messages; both count from 1.
struct CsvPlace {
  std::int64_t line = 0, column = 0;
};

/// A table of text: RFC 4180, with CRLF or LF, a byte-order mark, spaces around cells, quotes; blank
/// lines are skipped.
struct CsvTable {
  std::string file;
  std::vector<std::string> names;  ///< the header's; "0", "1", .. without one and where it is empty
  bool has_header = false;
  std::vector<std::vector<std::string>> rows;  ///< each as long as names
  std::vector<std::int64_t> lines;             ///< of each row

  /// The column of this name or index ("-1" is the last); InvalidArgument lists those there are.
  std::size_t column(std::string_view name) const;
};

/// Reads a table; IoError for a file that is missing, empty, a directory, binary, without data rows,
/// ragged (with line and both counts), with a quote left open or a name twice in the header.
CsvTable read_csv(const std::string& file, CsvOptions options = {});

/// The number a cell holds, or nothing: "1.5", "+2", "-3e-4", "inf", "nan"; no other text, and no
/// number beyond f64's range.
std::optional<double> parse_number(std::string_view cell);

/// A safetensors file: tensors by name in the header's order, and the metadata's strings.
struct Safetensors {
  nn::StateDict tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file to `device`; IoError for one that is cut, lies about its offsets, overlaps,
/// leaves gaps, has a header over 100 MB or of other than JSON, a name twice, or a bool other than 0/1.
Safetensors load(const std::string& file, std::optional<Device> device = {});

/// Writes to a temporary name beside `file`, syncs and renames; the same tensors give the same bytes.
/// IoError leaves what was there as it was. InvalidArgument for a name twice or an undefined tensor.
void save(const std::string& file, const nn::StateDict& tensors,
          const std::map<std::string, std::string>& metadata = {});

}  // namespace tenon::io
#pragma GCC visibility pop
