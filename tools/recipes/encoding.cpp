// Scaling by the training rows, and the text form of an encoding.
#include "tools/recipes/encoding.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tenon::recipes {
namespace {

struct Moments {
  double mean = 0, scale = 1;
  bool constant = false;
};

Moments moments(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double first = values.front();
  if (std::all_of(values.begin(), values.end(), [&](double value) { return value == first; }))
    return {.mean = first, .constant = true};
  return {.mean = mean, .scale = std::sqrt(squares / count)};
}

/// value(row) of the rows where it is a number.
template <class Value>
std::vector<double> present(const Indices& rows, Value value) {
  std::vector<double> values;
  for (const auto row : rows) {
    if (!std::isnan(value(row))) values.push_back(value(row));
  }
  return values;
}

void check_scale(double scale, const std::string& file, const std::string& column) {
  if (!std::isfinite(scale) || scale == 0)
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("{}: column \"{}\" spans too many orders of magnitude to be standardised",
                            file, column));
}

/// The name of the column that each feature comes from.
std::vector<std::string> feature_columns(const Encoding& encoding) {
  std::vector<std::string> names;
  for (const Column& column : encoding.columns)
    names.insert(names.end(), std::max<std::size_t>(1, column.values.size()), column.name);
  return names;
}

}  // namespace

std::int64_t Encoding::features() const {
  std::size_t count = 0;
  for (const Column& column : columns) count += std::max<std::size_t>(1, column.values.size());
  return static_cast<std::int64_t>(count);
}

void fit(Encoding& encoding, const Samples& samples, const Indices& rows, const std::string& file) {
  const std::vector<std::string> names = feature_columns(encoding);
  encoding.mean.clear();
  encoding.scale.clear();
  for (std::int64_t feature = 0; feature < samples.features; ++feature) {
    const std::string& column = names[static_cast<std::size_t>(feature)];
    const std::vector<double> values = present(rows, [&](std::int64_t row) {
      return samples.x[static_cast<std::size_t>(row * samples.features + feature)];
    });
    if (values.empty())
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("{}: column \"{}\" has no value in any training row, so it has no mean; "
                              "leave it out with --drop {}",
                              file, column, column));
    const Moments found = moments(values);
    check_scale(found.scale, file, column);
    encoding.mean.push_back(found.mean);
    encoding.scale.push_back(found.scale);
  }
  if (!encoding.classes.empty()) return;
  const Moments found = moments(
      present(rows, [&](std::int64_t row) { return samples.y[static_cast<std::size_t>(row)]; }));
  if (found.constant)
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("{}: the target \"{}\" is {} in every training row, so there is nothing to "
                            "learn; choose another --target",
                            file, encoding.target, found.mean));
  check_scale(found.scale, file, encoding.target);
  encoding.target_mean = found.mean;
  encoding.target_scale = found.scale;
}

Tensor to_features(const Encoding& encoding, const Samples& samples, const Indices& rows,
                   Device device) {
  std::vector<float> x;
  const auto features = static_cast<std::size_t>(samples.features);
  x.reserve(rows.size() * features);
  for (const auto row : rows) {
    for (std::size_t f = 0; f < features; ++f) {
      const double value = samples.x[static_cast<std::size_t>(row) * features + f];
      const double standardised = (value - encoding.mean[f]) / encoding.scale[f];
      x.push_back(static_cast<float>(std::isnan(value) ? 0 : standardised));
    }
  }
  return from_values<float>(x, {static_cast<std::int64_t>(rows.size()), samples.features},
                            {.device = device});
}

data::Example to_tensors(const Encoding& encoding, const Samples& samples, const Indices& rows,
                         Device device) {
  std::vector<float> y;
  y.reserve(rows.size());
  for (const auto row : rows) {
    const double value = samples.y[static_cast<std::size_t>(row)];
    y.push_back(static_cast<float>((value - encoding.target_mean) / encoding.target_scale));
  }
  return {to_features(encoding, samples, rows, device),
          from_values<float>(y, {static_cast<std::int64_t>(rows.size()), 1}, {.device = device})};
}

std::string fingerprint(const Samples& samples) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](std::uint64_t word) {
    for (int byte = 0; byte < 8; ++byte) hash = (hash ^ (word >> (8 * byte) & 0xff)) * 0x100000001b3;
  };
  mix(static_cast<std::uint64_t>(samples.count));
  mix(static_cast<std::uint64_t>(samples.features));
  for (const double value : samples.x) mix(std::bit_cast<std::uint64_t>(value));
  for (const double value : samples.y) mix(std::bit_cast<std::uint64_t>(value));
  return fmt::format("{:016x}", hash);
}

std::string to_json(const Encoding& encoding) {
  nlohmann::json columns = nlohmann::json::array();
  for (const Column& column : encoding.columns)
    columns.push_back({{"name", column.name}, {"values", column.values}});
  return nlohmann::json{{"columns", columns},
                        {"mean", encoding.mean},
                        {"scale", encoding.scale},
                        {"target",
                         {{"name", encoding.target},
                          {"classes", encoding.classes},
                          {"mean", encoding.target_mean},
                          {"scale", encoding.target_scale}}}}
      .dump();
}

Encoding encoding_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  const auto& target = json.at("target");
  Encoding encoding{.columns = {},
                    .target = target.at("name"),
                    .classes = target.at("classes"),
                    .mean = json.at("mean"),
                    .scale = json.at("scale"),
                    .target_mean = target.at("mean"),
                    .target_scale = target.at("scale")};
  for (const auto& column : json.at("columns"))
    encoding.columns.push_back({.name = column.at("name"), .values = column.at("values")});
  const auto features = static_cast<std::size_t>(encoding.features());
  if (encoding.mean.size() != features || encoding.scale.size() != features ||
      (!encoding.classes.empty() && encoding.classes.size() != 2))
    throw Error(ErrorKind::InvalidArgument, "counts of features, scales or classes don't agree");
  return encoding;
}

}  // namespace tenon::recipes
