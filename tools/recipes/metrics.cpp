// Sums over rows, and ranks for the auc.
#include "tools/recipes/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tenon::recipes {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double auc(std::span<const double> logits, std::span<const double> targets) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] < logits[b]; });
  double positives = 0, rank_sum = 0;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && logits[order[end]] == logits[order[begin]]) ++end;
    const double rank = (static_cast<double>(begin + end) + 1) / 2;  // the mean of equals, from 1
    for (std::size_t i = begin; i < end; ++i) {
      positives += targets[order[i]];
      rank_sum += targets[order[i]] * rank;
    }
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) return kNaN;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace

Metrics regression_metrics(std::span<const double> predicted, std::span<const double> actual) {
  const auto count = static_cast<double>(actual.size());
  const double mean = std::accumulate(actual.begin(), actual.end(), 0.0) / count;
  double squares = 0, absolute = 0, spread = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = actual[i] - predicted[i];
    squares += error * error;
    absolute += std::abs(error);
    spread += (actual[i] - mean) * (actual[i] - mean);
  }
  return {{"rmse", std::sqrt(squares / count)},
          {"mae", absolute / count},
          {"r2", spread > 0 ? 1 - squares / spread : kNaN}};
}

Metrics classification_metrics(std::span<const double> logits, std::span<const double> targets) {
  if (std::any_of(logits.begin(), logits.end(), [](double x) { return std::isnan(x); }))
    return {{"accuracy", kNaN}, {"f1", kNaN}, {"auc", kNaN}};
  double right = 0, both = 0, said = 0, are = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double guess = logits[i] > 0 ? 1 : 0;
    right += guess == targets[i] ? 1 : 0;
    both += guess * targets[i];
    said += guess;
    are += targets[i];
  }
  return {{"accuracy", right / static_cast<double>(targets.size())},
          {"f1", said + are > 0 ? 2 * both / (said + are) : 0},
          {"auc", auc(logits, targets)}};
}

}  // namespace tenon::recipes
