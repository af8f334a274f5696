// Metadata keys begin with "tenon."; the format's number changes when an older reader would go wrong.
#include "tools/recipes/checkpoint.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include <tenon/io.h>
#include <nlohmann/json.hpp>

namespace tenon::recipes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "2";
constexpr std::string_view kOptimizer = "optimizer.";

[[noreturn]] void fail(const std::string& file, const std::string& text) {
  throw Error(ErrorKind::IoError, file + ": " + text);
}

const std::string& entry(const io::Safetensors& content, const std::string& key) {
  const auto found = content.metadata.find(key);
  if (found == content.metadata.end()) throw Error(ErrorKind::InvalidArgument, key + " is missing");
  return found->second;
}

// JSON has no NaN: it is written as null.
double number_or_nan(const nlohmann::json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

nlohmann::json to_json(const random::GeneratorState& state) {
  return {{"seed", state.seed}, {"offset", state.offset}};
}
random::GeneratorState generator_from(const nlohmann::json& json) {
  return {.seed = json.at("seed"), .offset = json.at("offset")};
}

nlohmann::json to_json(const Epoch& epoch) {
  nlohmann::json metrics = nlohmann::json::array();
  for (const auto& [name, value] : epoch.metrics) metrics.push_back({name, value});
  return {{"epoch", epoch.epoch},
          {"train_loss", epoch.train_loss},
          {"val_loss", epoch.val_loss ? nlohmann::json(*epoch.val_loss) : nlohmann::json(false)},
          {"metrics", metrics}};
}
Epoch epoch_from(const nlohmann::json& json) {
  Epoch epoch{.epoch = json.at("epoch"),
              .train_loss = number_or_nan(json.at("train_loss")),
              .val_loss = {},
              .metrics = {}};
  const auto& val_loss = json.at("val_loss");
  if (!val_loss.is_boolean()) epoch.val_loss = number_or_nan(val_loss);
  for (const auto& metric : json.at("metrics"))
    epoch.metrics.emplace_back(metric.at(0), number_or_nan(metric.at(1)));
  return epoch;
}

std::string to_text(const TrainingState& state) {
  nlohmann::json epochs = nlohmann::json::array();
  for (const Epoch& epoch : state.epochs) epochs.push_back(to_json(epoch));
  return nlohmann::json{
      {"epoch", state.epoch}, {"batch", state.batch},          {"loss_sum", state.loss_sum},
      {"rows", state.rows},   {"order", to_json(state.order)}, {"generator", to_json(state.generator)},
      {"epochs", epochs}}
      .dump();
}
TrainingState state_from(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  TrainingState state{.epoch = json.at("epoch"),
                      .batch = json.at("batch"),
                      .loss_sum = json.at("loss_sum"),
                      .rows = json.at("rows"),
                      .order = generator_from(json.at("order")),
                      .generator = generator_from(json.at("generator")),
                      .epochs = {},
                      .optimizer = {}};
  for (const auto& epoch : json.at("epochs")) state.epochs.push_back(epoch_from(epoch));
  if (state.epoch < 1 || state.batch < 0 || state.rows < 0)
    throw Error(ErrorKind::InvalidArgument, "tenon.state counts below nothing");
  return state;
}

/// Takes the optimiser's tensors out of a file's.
nn::StateDict take_optimizer(nn::StateDict& tensors) {
  nn::StateDict optimizer, rest;
  for (auto& [name, value] : tensors) {
    if (name.starts_with(kOptimizer)) {
      optimizer.emplace_back(name.substr(kOptimizer.size()), value);
    } else {
      rest.emplace_back(name, value);
    }
  }
  tensors = rest;
  return optimizer;
}

Checkpoint read_metadata(const std::string& file, const io::Safetensors& content) {
  if (!content.metadata.contains("tenon.format"))
    fail(file, "not a model of tenon train (no tenon.format in its metadata); save one with --save");
  const std::string& format = entry(content, "tenon.format");
  if (format != kFormat)
    fail(file, fmt::format("format {} is not known, only {}; train it again with this version", format,
                           kFormat));
  try {
    const auto model = nlohmann::json::parse(entry(content, "tenon.model"));
    return {.recipe = parse<Recipe>("recipe", entry(content, "tenon.recipe")),
            .encoding = encoding_from_json(entry(content, "tenon.encoding")),
            .hidden = model.at("hidden"),
            .seed = model.at("seed"),
            .val_split = model.at("val_split"),
            .table = model.at("table"),
            .training = entry(content, "tenon.training"),
            .state = state_from(entry(content, "tenon.state"))};
  } catch (const std::exception& error) {
    fail(file, fmt::format("the metadata can't be read: {}; train it again", error.what()));
  }
}

}  // namespace

void save_checkpoint(const std::string& file, const Checkpoint& checkpoint, const Model& model) {
  const nlohmann::json description{{"hidden", checkpoint.hidden},
                                   {"seed", checkpoint.seed},
                                   {"val_split", checkpoint.val_split},
                                   {"table", checkpoint.table}};
  nn::StateDict tensors = model.module.state_dict();
  for (const auto& [name, value] : checkpoint.state.optimizer)
    tensors.emplace_back(std::string(kOptimizer) + name, value);
  io::save(file, tensors,
           {{"tenon.format", kFormat},
            {"tenon.recipe", name(checkpoint.recipe)},
            {"tenon.encoding", to_json(checkpoint.encoding)},
            {"tenon.model", description.dump()},
            {"tenon.training", checkpoint.training},
            {"tenon.state", to_text(checkpoint.state)}});
}

LoadedModel load_checkpoint(const std::string& file, Device device) {
  io::Safetensors content = io::load(file, device);
  Checkpoint checkpoint = read_metadata(file, content);
  checkpoint.state.optimizer = take_optimizer(content.tensors);
  try {
    check(
        {.recipe = checkpoint.recipe, .val_split = checkpoint.val_split, .hidden = checkpoint.hidden});
    Model model = make_model(checkpoint.recipe, checkpoint.encoding.features(), checkpoint.hidden,
                             checkpoint.seed, device);
    model.module.load_state_dict(content.tensors);
    return {checkpoint, model};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::InvalidArgument) throw;
    fail(file, error.what());
  }
}

void check_writable(const std::string& file) {
  const fs::path path(file);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (fs::is_directory(path)) fail(file, "is a folder; name a file in it");
  if (!fs::is_directory(folder))
    fail(file, fmt::format("there is no folder {}; create it first", folder.string()));
  if (fs::exists(path) && !fs::is_regular_file(path)) fail(file, "is not a file; choose another name");
  std::string probe = (folder / ".tenon-XXXXXX").string();
  const int descriptor = ::mkstemp(probe.data());
  if (descriptor < 0)
    fail(file, fmt::format("can't be written: {}; choose another folder", std::strerror(errno)));
  ::close(descriptor);
  ::unlink(probe.c_str());
}

}  // namespace tenon::recipes
