// A model's loss and metrics on rows, the same in training and in `evaluate`, bit for bit.
#pragma once

#include <tenon/data.h>

#include "tools/recipes/encoding.h"
#include "tools/recipes/metrics.h"
#include "tools/recipes/model.h"

namespace tenon::recipes {

struct Score {
  double loss = 0;  ///< as the model was trained: of the standardised target
  Metrics metrics;  ///< in the target's own units
};

/// The model's outputs for features (rows, features), in the target's own units; a classification's are
/// logits.
std::vector<double> outputs_of(const Model& model, const Encoding& encoding, const Tensor& x);

/// Runs in batches of 1024 in the rows' order, whatever the batch size of training was.
Score score(const Model& model, const Encoding& encoding, const data::Example& rows);

}  // namespace tenon::recipes
