// The table as it was read, with columns behind it.
#include "tools/recipes/predict.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "tools/recipes/checkpoint.h"
#include "tools/recipes/score.h"
#include "tools/recipes/table.h"
#include "tools/recipes/train.h"

namespace tenon::recipes {
namespace {

/// A cell as RFC 4180 writes it.
std::string quoted(const std::string& cell) {
  const bool plain = cell.find_first_of(",\"\r\n") == std::string::npos &&
                     (cell.empty() || (cell.front() != ' ' && cell.back() != ' '));
  if (plain) return cell;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

void add_line(std::string& csv, const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) csv += (i > 0 ? "," : "") + quoted(cells[i]);
  csv += '\n';
}

std::vector<std::string> new_names(const Encoding& encoding) {
  if (encoding.classes.empty()) return {"predicted " + encoding.target};
  return {"predicted " + encoding.target, "probability of " + encoding.classes[1]};
}

/// Nine digits: as many as an f32 has.
std::vector<std::string> new_cells(const Encoding& encoding, double output) {
  if (encoding.classes.empty()) return {fmt::format("{:.9g}", output)};
  return {encoding.classes[output > 0 ? 1 : 0], fmt::format("{:.9g}", 1 / (1 + std::exp(-output)))};
}

std::string to_csv(const io::CsvTable& table, const Encoding& encoding, const Samples& samples,
                   const std::vector<double>& outputs) {
  std::vector<std::string> names = table.names;
  for (const std::string& name : new_names(encoding)) {
    if (std::find(names.begin(), names.end(), name) != names.end())
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("{}: has a column \"{}\" already; leave it out", table.file, name));
    names.push_back(name);
  }
  std::string csv;
  add_line(csv, names);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<std::string> cells = table.rows[samples.rows[i]];
    for (std::string& cell : new_cells(encoding, outputs[i])) cells.push_back(std::move(cell));
    add_line(csv, cells);
  }
  return csv;
}

}  // namespace

PredictResult predict(const PredictOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t fallbacks = count_fallbacks();
  const Device device = find_device(options.device);
  const auto [checkpoint, model] = load_checkpoint(options.model, device);
  const io::CsvTable table = io::read_csv(options.data, {.header = options.header});
  const Encoding& encoding = checkpoint.encoding;
  const Samples samples = encode(table, encoding, options.missing, Target::Ignored);
  Indices all(static_cast<std::size_t>(samples.count));
  std::iota(all.begin(), all.end(), 0);
  const auto outputs = outputs_of(model, encoding, to_features(encoding, samples, all, device));
  std::string csv = to_csv(table, encoding, samples, outputs);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {.recipe = checkpoint.recipe,
          .device = device.name(),
          .model = options.model,
          .count = samples.count,
          .dropped_rows = samples.dropped,
          .csv = std::move(csv),
          .fallbacks = count_fallbacks() - fallbacks,
          .seconds = seconds.count()};
}

}  // namespace tenon::recipes
