// How results are shown: tables for people, JSON for programs.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/recipes/eval.h"
#include "tools/recipes/predict.h"
#include "tools/recipes/train.h"
#include "tools/tenon/command.h"

namespace tenon::cli {

using Json = nlohmann::ordered_json;

/// Rows of text in aligned columns.
class Table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

Json to_json(const recipes::TrainResult& result);
Json to_json(const recipes::EvalResult& result);
Json to_json(const recipes::PredictResult& result);
std::string summary(const recipes::TrainResult& result);
std::string summary(const recipes::EvalResult& result);
std::string summary(const recipes::PredictResult& result);

/// What each device that did anything did since the process began: launches, kernels, memory, and every
/// op that it refused, with what was done instead.
std::string stats_text();
Json stats_json();

/// "1.23k", "4.56M".
std::string short_number(double value);
/// "7.8 GiB".
std::string short_bytes(std::uint64_t bytes);

/// JSON to the target: "" for none, "-" for standard output, else a file, whole or not at all. And
/// text to standard output, or to stderr where that is taken.
void print(const std::string& text, const Json& json, const std::string& target, bool quiet,
           bool output_is_taken = false);

/// A command's result: its table or JSON, with the statistics where `options` ask for them.
template <class Result>
void show(const Result& result, const CommonOptions& options, bool output_is_taken = false) {
  Json json = to_json(result);
  if (options.stats) json["stats"] = stats_json();
  print(summary(result) + (options.stats ? "\n" + stats_text() : ""), json, options.json, options.quiet,
        output_is_taken);
}

}  // namespace tenon::cli
