// A trained model in one safetensors file: parameters under their state_dict names, the optimiser's
// tensors behind "optimizer.", all else as strings in the metadata.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tenon/random.h>

#include "tools/recipes/encoding.h"
#include "tools/recipes/metrics.h"
#include "tools/recipes/model.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

struct Epoch {
  std::int64_t epoch = 0;          ///< from 1
  double train_loss = 0;           ///< mean over the rows, each as its batch met it
  std::optional<double> val_loss;  ///< none where no rows are held out
  Metrics metrics;                 ///< of the held-out rows
  double samples_per_second = 0;   ///< in this epoch's training; not saved
};

/// Where training stands between two batches: with it, it goes on bit for bit.
struct TrainingState {
  std::int64_t epoch = 1, batch = 0;  ///< of the next batch: from 1, from 0
  double loss_sum = 0;                ///< of the epoch's rows so far
  std::int64_t rows = 0;
  random::GeneratorState order;      ///< that the epoch's order of rows is drawn from
  random::GeneratorState generator;  ///< the default one's
  std::vector<Epoch> epochs;         ///< those that were completed
  nn::StateDict optimizer;
};

struct Checkpoint {
  Recipe recipe = Recipe::Linear;
  Encoding encoding;
  std::int64_t hidden = 0;
  /// What `split_rows` needs to find the rows held out, and the table that it was done on.
  std::uint64_t seed = 0;
  double val_split = 0;
  std::string table;  ///< fingerprint
  /// How it was trained, as JSON.
  std::string training;
  TrainingState state;
};

void save_checkpoint(const std::string& file, const Checkpoint& checkpoint, const Model& model);

struct LoadedModel {
  Checkpoint checkpoint;
  Model model;
};

/// The model of this file, on `device`; the errors of io::load, and IoError where the file is no model
/// of `tenon train`, or its parameters have other shapes than its description says.
LoadedModel load_checkpoint(const std::string& file, Device device);

/// Throws IoError unless a file of this name can be written: before training, not after it.
void check_writable(const std::string& file);

}  // namespace tenon::recipes
