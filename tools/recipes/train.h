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

/// The learning rate of an epoch, from 1, by the schedule that was chosen.
double learning_rate(const TrainOptions& options, std::int64_t epoch);

/// The device called `name`, or the default one for "".
Device find_device(const std::string& name);

/// What the core had to run otherwise than asked, on all devices, since the process began.
std::int64_t count_fallbacks();

/// With options.resume it goes on, where that model's training stood, with the same table and options
/// but for the paths, the device and more epochs: bit for bit as if it had never stopped, on the same
/// device and where the schedule doesn't look at the number of epochs or that is the same.
TrainResult train(const TrainOptions& options, const TrainHooks& hooks = {});

}  // namespace tenon::recipes
