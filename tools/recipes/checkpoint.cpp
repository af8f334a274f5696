// Metadata keys begin with "tenon."; the format's number changes when an older reader would go wrong.
#include "tools/recipes/checkpoint.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <tenon/io.h>
#include <nlohmann/json.hpp>

namespace tenon::recipes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "1";

[[noreturn]] void fail(const std::string& file, const std::string& text) {
  throw Error(ErrorKind::IoError, file + ": " + text);
}

const std::string& entry(const io::Safetensors& content, const std::string& key) {
  const auto found = content.metadata.find(key);
  if (found == content.metadata.end()) throw Error(ErrorKind::InvalidArgument, key + " is missing");
  return found->second;
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
            .training = entry(content, "tenon.training")};
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
  io::save(file, model.module.state_dict(),
           {{"tenon.format", kFormat},
            {"tenon.recipe", name(checkpoint.recipe)},
            {"tenon.encoding", to_json(checkpoint.encoding)},
            {"tenon.model", description.dump()},
            {"tenon.training", checkpoint.training}});
}

LoadedModel load_checkpoint(const std::string& file, Device device) {
  const io::Safetensors content = io::load(file, device);
  const Checkpoint checkpoint = read_metadata(file, content);
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
