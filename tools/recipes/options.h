// What a user can choose, and its words: each enum's names stand in one table, in order.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tenon/error.h>

namespace tenon::recipes {

enum class Recipe { Linear, Logistic };
enum class Missing { Error, Drop, Mean };
enum class Optimizer { Sgd, Adam, AdamW, RMSprop, Adagrad };
/// The learning rate over the epochs. Step: a tenth in the last third; Cosine: down along a cosine;
/// Warmup: up along a line in the first tenth, then the same.
enum class Schedule { Step, Constant, Cosine, Warmup };
/// Which rows `evaluate` scores. Auto: the held-out rows of the model's own table, else all.
enum class Rows { Auto, All, Val, Train };

template <class E>
inline constexpr std::array<std::string_view, 0> kNames{};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Recipe>{"linear", "logistic"};
template <>
inline constexpr std::array<std::string_view, 3> kNames<Missing>{"error", "drop", "mean"};
template <>
inline constexpr std::array<std::string_view, 5> kNames<Optimizer>{"sgd", "adam", "adamw", "rmsprop",
                                                                   "adagrad"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<Schedule>{"step", "constant", "cosine",
                                                                  "warmup"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<Rows>{"auto", "all", "val", "train"};

template <class E>
std::string name(E value) {
  return std::string(kNames<E>[static_cast<std::size_t>(value)]);
}

/// The value of this name; InvalidArgument lists the names there are.
template <class E>
E parse(std::string_view what, std::string_view text) {
  const auto found = std::find(kNames<E>.begin(), kNames<E>.end(), text);
  if (found == kNames<E>.end())
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("{}: no \"{}\"; there are {}", what, text, fmt::join(kNames<E>, ", ")));
  return static_cast<E>(found - kNames<E>.begin());
}

struct TrainOptions {
  Recipe recipe = Recipe::Linear;
  std::string data = {};    ///< a CSV file
  std::string target = {};  ///< a column's name or index, -1 the last
  std::vector<std::string> drop = {};
  Missing missing = Missing::Error;
  std::optional<bool> header = {};  ///< unset: found
  double val_split = 0.2;
  std::int64_t batch_size = 32;
  Optimizer optimizer = Optimizer::Adam;
  Schedule schedule = Schedule::Step;
  std::optional<double> lr = {};  ///< unset: default_lr
  std::int64_t epochs = 60;
  std::uint64_t seed = 0;
  std::int64_t hidden = 0;  ///< units of a hidden layer, 0 for none; logistic only
  std::string device = {};  ///< "": the default device
  std::string save = {};    ///< "": not saved
  std::string resume = {};  ///< a saved model to go on from; "": begins anew
};

/// Right for standardised features: 0.05 for SGD and Adagrad, 0.01 for RMSprop; for Adam and AdamW
/// 0.03, and 0.01 where there is a hidden layer.
double default_lr(Optimizer optimizer, std::int64_t hidden);

/// Throws InvalidArgument in the words of the command line where a value is out of its range.
void check(const TrainOptions& options);

}  // namespace tenon::recipes
