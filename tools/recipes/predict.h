// A saved model's answers for a table, which needs no target.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/recipes/options.h"

namespace tenon::recipes {

struct PredictOptions {
  std::string model = {}, data = {};
  Missing missing = Missing::Error;
  std::optional<bool> header = {};
  std::string device = {};  ///< "": the default device
};

struct PredictResult {
  Recipe recipe = Recipe::Linear;
  std::string device;
  std::string model;
  std::int64_t count = 0;
  std::int64_t dropped_rows = 0;
  std::string csv;  ///< the table's columns, and behind them the predictions
  std::int64_t fallbacks = 0;
  double seconds = 0;
};

/// Adds "predicted TARGET" to the rows of a table, and for logistic the "probability of CLASS" of its
/// second class. Finds columns by their names, in any order; rows that are left out are not in the
/// result.
PredictResult predict(const PredictOptions& options);

}  // namespace tenon::recipes
