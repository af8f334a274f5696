// A saved model on a table.
#pragma once

#include <optional>
#include <string>

#include "tools/recipes/metrics.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

struct EvalOptions {
  std::string model = {}, data = {};
  Missing missing = Missing::Error;
  std::optional<bool> header = {};
  Rows rows = Rows::Auto;
  std::string device = {};  ///< "": the default device
};

struct EvalResult {
  Recipe recipe = Recipe::Linear;
  std::string device;
  Rows rows = Rows::All;  ///< which were scored; never Auto
  std::int64_t count = 0;
  std::int64_t dropped_rows = 0;
  double val_loss = 0;
  Metrics metrics;
  std::string model;
  std::int64_t fallbacks = 0;
  double seconds = 0;
};

/// Finds columns by their names, in any order. Val and Train need the table the model was trained on.
EvalResult evaluate(const EvalOptions& options);

}  // namespace tenon::recipes
