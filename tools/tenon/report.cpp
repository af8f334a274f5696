// Numbers in tables have six digits; in JSON as many as read back the same.
#include "tools/tenon/report.h"

#include <array>

#include <fmt/format.h>

#include "tools/tenon/text_file.h"

namespace tenon::cli {
namespace {

/// Columns that UTF-8 text takes on a terminal, if no character is wide.
std::size_t width(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  return count;
}

Json metrics_json(const recipes::Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

void add_metrics(Table& table, const recipes::Metrics& metrics) {
  for (const auto& [name, value] : metrics) table.add({"", name, fmt::format("{:.6g}", value)});
}

const char* describe(recipes::Rows rows) {
  switch (rows) {
    case recipes::Rows::Val:
      return "rows that its training held out";
    case recipes::Rows::Train:
      return "rows that it was trained on";
    case recipes::Rows::Auto:
    case recipes::Rows::All:
      return "rows: all of the table";
  }
  return "";
}

std::string dropped_text(std::int64_t rows) {
  return rows > 0 ? fmt::format(", {} dropped for missing values", rows) : "";
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += row[c] + std::string(widths[c] - width(row[c]) + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

Json to_json(const recipes::TrainResult& result) {
  Json epochs = Json::array();
  for (const auto& epoch : result.epochs)
    epochs.push_back({{"epoch", epoch.epoch},
                      {"train_loss", epoch.train_loss},
                      {"val_loss", epoch.val_loss ? Json(*epoch.val_loss) : Json()},
                      {"metrics", metrics_json(epoch.metrics)}});
  const bool none = result.epochs.empty();
  return {{"recipe", recipes::name(result.recipe)},
          {"device", result.device},
          {"seed", result.seed},
          {"parameters", result.parameters},
          {"epochs", epochs},
          {"metrics", none ? Json::object() : metrics_json(result.epochs.back().metrics)},
          {"seconds", result.seconds},
          {"samples_per_second", result.samples_per_second},
          {"fallbacks", result.fallbacks},
          {"model", result.model ? Json(*result.model) : Json()},
          {"interrupted", result.interrupted}};
}

Json to_json(const recipes::EvalResult& result) {
  return {{"recipe", recipes::name(result.recipe)},
          {"device", result.device},
          {"rows", recipes::name(result.rows)},
          {"count", result.count},
          {"val_loss", result.val_loss},
          {"metrics", metrics_json(result.metrics)},
          {"model", result.model},
          {"fallbacks", result.fallbacks},
          {"seconds", result.seconds}};
}

Json to_json(const recipes::PredictResult& result) {
  return {{"recipe", recipes::name(result.recipe)},
          {"device", result.device},
          {"count", result.count},
          {"dropped", result.dropped_rows},
          {"model", result.model},
          {"fallbacks", result.fallbacks},
          {"seconds", result.seconds}};
}

std::string summary(const recipes::TrainResult& result) {
  std::string text =
      fmt::format("{} on {}: {} training rows, {} held out{}; {} features, {} parameters\n",
                  recipes::name(result.recipe), result.device, result.train_rows, result.val_rows,
                  dropped_text(result.dropped_rows), result.features, result.parameters);
  Table table;
  if (!result.epochs.empty()) {
    const recipes::Epoch& last = result.epochs.back();
    table.add({"", "epochs", std::to_string(last.epoch)});
    table.add({"", "train_loss", fmt::format("{:.6g}", last.train_loss)});
    if (last.val_loss) table.add({"", "val_loss", fmt::format("{:.6g}", *last.val_loss)});
    add_metrics(table, last.metrics);
  }
  table.add({"", "seconds", fmt::format("{:.2f}", result.seconds)});
  table.add({"", "samples/s", short_number(result.samples_per_second)});
  if (result.fallbacks > 0) table.add({"", "fallbacks", std::to_string(result.fallbacks)});
  if (result.model) table.add({"", "saved", *result.model});
  return text + table.text();
}

std::string summary(const recipes::EvalResult& result) {
  std::string text =
      fmt::format("{} ({}) on {}: {} {}{}\n", result.model, recipes::name(result.recipe), result.device,
                  result.count, describe(result.rows), dropped_text(result.dropped_rows));
  Table table;
  table.add({"", "val_loss", fmt::format("{:.6g}", result.val_loss)});
  add_metrics(table, result.metrics);
  if (result.fallbacks > 0) table.add({"", "fallbacks", std::to_string(result.fallbacks)});
  return text + table.text();
}

std::string summary(const recipes::PredictResult& result) {
  return fmt::format("{} ({}) on {}: {} rows{}\n", result.model, recipes::name(result.recipe),
                     result.device, result.count, dropped_text(result.dropped_rows));
}

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.3g}", value);
}

std::string short_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

void print(const std::string& text, const Json& json, const std::string& target, bool quiet,
           bool output_is_taken) {
  if (!target.empty()) write_json(json, target);
  if (!quiet) fmt::print(target == "-" || output_is_taken ? stderr : stdout, "{}", text);
}

}  // namespace tenon::cli
