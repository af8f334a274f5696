// Scores of predictions, computed on the host in double.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tenon::recipes {

/// Names and values in the order in which they are shown; NaN where one is not defined.
using Metrics = std::vector<std::pair<std::string, double>>;

/// rmse, mae, and r2 = 1 - sum (y - p)² / sum (y - mean y)².
Metrics regression_metrics(std::span<const double> predicted, std::span<const double> actual);

/// accuracy and f1 of "logit > 0" against targets 0 and 1; auc is the probability that a row of class
/// 1 has the greater logit, ties counting half (Mann-Whitney).
Metrics classification_metrics(std::span<const double> logits, std::span<const double> targets);

}  // namespace tenon::recipes
