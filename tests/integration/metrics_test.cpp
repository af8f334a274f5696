// Metrics against values worked out by hand, and the auc against the count of all pairs.
#include "tools/recipes/metrics.h"

#include <cmath>

#include <gtest/gtest.h>

namespace tenon::test {
namespace {

using recipes::Metrics;

TEST(RegressionMetrics, ByHand) {
  const std::vector<double> predicted{1, 2, 4}, actual{1, 4, 1};
  const Metrics found = recipes::regression_metrics(predicted, actual);
  EXPECT_DOUBLE_EQ(found.at(0).second, std::sqrt(13.0 / 3));
  EXPECT_DOUBLE_EQ(found.at(1).second, 5.0 / 3);
  EXPECT_DOUBLE_EQ(found.at(2).second, 1 - 13.0 / 6);
}

TEST(RegressionMetrics, R2OfAConstantIsNotDefined) {
  const std::vector<double> predicted{1, 2}, actual{3, 3};
  EXPECT_TRUE(std::isnan(recipes::regression_metrics(predicted, actual).at(2).second));
}

TEST(ClassificationMetrics, ByHand) {
  const std::vector<double> logits{2, -1, 0.5, -3, 1}, targets{1, 1, 0, 0, 1};
  const Metrics found = recipes::classification_metrics(logits, targets);
  EXPECT_DOUBLE_EQ(found.at(0).second, 3.0 / 5);
  EXPECT_DOUBLE_EQ(found.at(1).second, 2.0 / 3);
  EXPECT_DOUBLE_EQ(found.at(2).second, 5.0 / 6);
}

TEST(ClassificationMetrics, WithoutAClass) {
  const std::vector<double> logits{-1, -2}, targets{0, 0};
  const Metrics found = recipes::classification_metrics(logits, targets);
  EXPECT_DOUBLE_EQ(found.at(0).second, 1);
  EXPECT_DOUBLE_EQ(found.at(1).second, 0);
  EXPECT_TRUE(std::isnan(found.at(2).second));
}

TEST(ClassificationMetrics, AucIsTheShareOfPairsInOrder) {
  std::vector<double> logits, targets;
  for (int i = 0; i < 60; ++i) {
    logits.push_back((i * 37 % 11) - 5);  // many ties
    targets.push_back(i * 7 % 5 < 2 ? 1 : 0);
  }
  double pairs = 0, in_order = 0;
  for (std::size_t p = 0; p < logits.size(); ++p) {
    for (std::size_t n = 0; n < logits.size(); ++n) {
      if (targets[p] != 1 || targets[n] != 0) continue;
      pairs += 1;
      in_order += logits[p] > logits[n] ? 1 : logits[p] == logits[n] ? 0.5 : 0;
    }
  }
  EXPECT_NEAR(recipes::classification_metrics(logits, targets).at(2).second, in_order / pairs, 1e-12);
}

}  // namespace
}  // namespace tenon::test
