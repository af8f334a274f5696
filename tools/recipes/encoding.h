// What a model knows of its data: columns, classes and scaling. It is saved with the model, so that
// other tables are read the same way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenon/data.h>

#include "tools/recipes/split.h"

namespace tenon::recipes {

struct Column {
  std::string name;
  std::vector<std::string> values = {};  ///< of a text column, a feature each; numbers have none
};

struct Encoding {
  std::vector<Column> columns;
  std::string target;
  std::vector<std::string> classes = {};  ///< of targets 0 and 1; a regression has none
  std::vector<double> mean = {}, scale = {};
  double target_mean = 0, target_scale = 1;

  std::int64_t features() const;
};

/// A table's rows as numbers, before scaling.
struct Samples {
  std::int64_t count = 0, features = 0;
  std::vector<std::size_t> rows;  ///< of the table; the others lack a value
  std::int64_t dropped = 0;       ///< how many those are
  std::vector<double> x;          ///< (count, features), row-major; NaN where the mean is to be taken
  std::vector<double> y;          ///< none where the target was not read
};

/// Sets mean and population standard deviation of each feature, and of a regression's target, over
/// those of these rows that have a value; a constant feature gets the scale 1. `file` names the table
/// in errors.
void fit(Encoding& encoding, const Samples& samples, const Indices& rows, const std::string& file);

/// These rows standardised, f32: (rows, features), where the mean is 0.
Tensor to_features(const Encoding& encoding, const Samples& samples, const Indices& rows,
                   Device device);
/// The same and the targets (rows, 1).
data::Example to_tensors(const Encoding& encoding, const Samples& samples, const Indices& rows,
                         Device device);

/// 16 hexadecimal digits that differ, all but surely, for other numbers (FNV-1a).
std::string fingerprint(const Samples& samples);

std::string to_json(const Encoding& encoding);
/// Throws what nlohmann throws for other text; InvalidArgument where counts don't agree.
Encoding encoding_from_json(const std::string& text);

}  // namespace tenon::recipes
