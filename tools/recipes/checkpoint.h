// A trained model in one safetensors file: parameters under their state_dict names, all else as
// strings in the metadata.
#pragma once

#include <string>

#include "tools/recipes/encoding.h"
#include "tools/recipes/model.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

struct Checkpoint {
  Recipe recipe = Recipe::Linear;
  Encoding encoding;
  std::int64_t hidden = 0;
  /// What `split_rows` needs to find the rows held out, and the table that it was done on.
  std::uint64_t seed = 0;
  double val_split = 0;
  std::string table;  ///< fingerprint
  /// How it was trained, as JSON, for people to read.
  std::string training;
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
