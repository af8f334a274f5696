// Ranges of the options.
#include "tools/recipes/options.h"

#include <cmath>

namespace tenon::recipes {
namespace {

constexpr std::int64_t kMostHidden = 65536;

template <class T>
void require(bool ok, const char* option, const char* range, T found) {
  if (!ok)
    throw Error(ErrorKind::InvalidArgument, fmt::format("{} must be {}, not {}", option, range, found));
}

}  // namespace

double default_lr(Optimizer optimizer, std::int64_t hidden) {
  switch (optimizer) {
    case Optimizer::Sgd:
    case Optimizer::Adagrad:
      return 0.05;
    case Optimizer::RMSprop:
      return 0.01;
    case Optimizer::Adam:
    case Optimizer::AdamW:
      return hidden > 0 ? 0.01 : 0.03;
  }
  return 0;
}

void check(const TrainOptions& options) {
  const double lr = options.lr.value_or(1);
  require(options.batch_size >= 1, "--batch-size", "at least 1", options.batch_size);
  require(options.epochs >= 1, "--epochs", "at least 1", options.epochs);
  require(std::isfinite(lr) && lr > 0, "--lr", "a number above 0", lr);
  require(options.val_split >= 0 && options.val_split < 1, "--val-split", "at least 0 and below 1",
          options.val_split);
  require(options.hidden >= 0 && options.hidden <= kMostHidden, "--hidden", "from 0 to 65536",
          options.hidden);
  require(options.hidden == 0 || options.recipe == Recipe::Logistic, "--hidden",
          "0 for linear; logistic takes a hidden layer", options.hidden);
}

}  // namespace tenon::recipes
