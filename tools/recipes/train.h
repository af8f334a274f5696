// Training: a table, a recipe and a seed give a model; everything else follows.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tenon/data.h>

#include "tools/recipes/checkpoint.h"
#include "tools/recipes/metrics.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

struct Epoch {
  std::int64_t epoch = 0;          ///< from 1
  double train_loss = 0;           ///< mean over the rows, each as its batch met it
  std::optional<double> val_loss;  ///< none where no rows are held out
  Metrics metrics;                 ///< of the held-out rows
  double samples_per_second = 0;   ///< in this epoch's training
};

struct TrainResult {
  Recipe recipe = Recipe::Linear;
  std::string device;
  std::uint64_t seed = 0;
  std::int64_t train_rows = 0, val_rows = 0, dropped_rows = 0;
  std::int64_t features = 0, parameters = 0;
  std::vector<Epoch> epochs;  ///< those that were completed
  double seconds = 0;
  double samples_per_second = 0;  ///< training alone, without validation
  std::int64_t fallbacks = 0;
  std::optional<std::string> model;  ///< the file saved
  bool interrupted = false;
};

/// What the caller sees of a run; each may be empty.
struct TrainHooks {
  /// The data are read and the model is made.
  std::function<void(const TrainResult& so_far)> on_start = {};
  /// `epoch` from 1, `batch` from 0, the batch's loss.
  std::function<void(std::int64_t epoch, std::int64_t batch, double loss)> on_batch = {};
  std::function<void(const Epoch&)> on_epoch = {};
  /// Asked after each batch; true ends training there and saves, without --save as
  /// RECIPE.interrupted.safetensors in the current folder.
  std::function<bool()> should_stop = {};
};

/// How `train` deals the rows of its training split, which stay in the split's order, into batches.
data::DataLoaderOptions loader_options(const TrainOptions& options);

/// The learning rate of an epoch, from 1: a tenth for the last third of the epochs.
double learning_rate(const TrainOptions& options, std::int64_t epoch);

/// The device called `name`, or the default one for "".
Device find_device(const std::string& name);

/// What the core had to run otherwise than asked, on all devices, since the process began.
std::int64_t count_fallbacks();

TrainResult train(const TrainOptions& options, const TrainHooks& hooks = {});

}  // namespace tenon::recipes
