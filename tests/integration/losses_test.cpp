// The first batch losses of training against the plain f64 trainer, on every device; and the same bits
// on two devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/data.h>

#include "tests/integration/plain_trainer.h"
#include "tests/support/data.h"
#include "tests/support/devices.h"
#include "tools/recipes/model.h"
#include "tools/recipes/train.h"

namespace tenon::test {
namespace {

using recipes::TrainOptions;

TrainOptions linear_on_mpg() {
  return {.recipe = recipes::Recipe::Linear,
          .data = example_data("mpg.csv"),
          .target = "mpg",
          .drop = {"name"},
          .missing = recipes::Missing::Drop,
          .epochs = 3};
}

TrainOptions logistic_on_banknote(std::int64_t hidden) {
  return {.recipe = recipes::Recipe::Logistic,
          .data = example_data("banknote_authentication.csv"),
          .target = "-1",
          .epochs = 1,
          .hidden = hidden};
}

std::vector<double> product_losses(const TrainOptions& options, std::size_t count) {
  std::vector<double> losses;
  recipes::train(options, {.on_batch = [&](auto, auto, double loss) { losses.push_back(loss); }});
  losses.resize(std::min(losses.size(), count));
  return losses;
}

/// The table's rows in each of the first batches.
std::vector<std::vector<std::int64_t>> first_batches(const TrainOptions& options,
                                                     const std::vector<std::int64_t>& rows,
                                                     std::size_t count) {
  const Tensor indices = tensor(rows);
  data::DataLoader loader({indices, indices}, recipes::loader_options(options));
  std::vector<std::vector<std::int64_t>> batches;
  while (batches.size() < count) {
    for (const auto& [x, y] : loader) batches.push_back(x.to_vector<std::int64_t>());
  }
  batches.resize(count);
  return batches;
}

std::vector<Row> initial_values(const TrainOptions& options, std::size_t features) {
  const auto model =
      recipes::make_model(options.recipe, static_cast<std::int64_t>(features), options.hidden,
                          options.seed, recipes::find_device(options.device));
  std::vector<Row> values;
  for (const auto& [name, value] : model.module.state_dict()) {
    const auto floats = value.to_vector<float>();
    values.emplace_back(floats.begin(), floats.end());
  }
  return values;
}

std::vector<double> plain_losses(const TrainOptions& options, PlainTable table, std::size_t count) {
  const bool logistic = options.recipe == recipes::Recipe::Logistic;
  const auto split = recipes::split_rows(static_cast<std::int64_t>(table.y.size()), options.val_split,
                                         options.seed, recipes::find_device(options.device));
  standardise(table, split.train, !logistic);
  PlainTrainer trainer(initial_values(options, table.x.front().size()),
                       {.hidden = static_cast<std::size_t>(options.hidden),
                        .logistic = logistic,
                        .adam = options.optimizer == recipes::Optimizer::Adam,
                        .lr = *options.lr});
  std::vector<double> losses;
  for (const auto& batch : first_batches(options, split.train, count))
    losses.push_back(trainer.step(table, batch));
  return losses;
}

void expect_plain_losses(TrainOptions options, const PlainTable& table) {
  constexpr std::size_t kBatches = 20;
  for (const auto optimizer : {recipes::Optimizer::Sgd, recipes::Optimizer::Adam}) {
    SCOPED_TRACE(recipes::name(optimizer));
    options.optimizer = optimizer;
    options.lr = 0.02;
    options.seed = 7;
    const auto found = product_losses(options, kBatches);
    const auto expected = plain_losses(options, table, kBatches);
    ASSERT_EQ(found.size(), kBatches);
    for (std::size_t i = 0; i < kBatches; ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-5 * expected[i]) << "batch " << i;
    EXPECT_LT(expected.back(), expected.front());
  }
}

class Losses : public testing::TestWithParam<std::string> {};

TEST_P(Losses, OfLinearAreThoseOfPlainLoops) {
  TrainOptions options = linear_on_mpg();
  options.device = GetParam();
  expect_plain_losses(options, read_mpg(options.data));
}

TEST_P(Losses, OfLogisticAreThoseOfPlainLoops) {
  TrainOptions options = logistic_on_banknote(0);
  options.device = GetParam();
  expect_plain_losses(options, read_classes(options.data));
}

TEST_P(Losses, OfLogisticWithAHiddenLayerAreThoseOfPlainLoops) {
  TrainOptions options = logistic_on_banknote(32);
  options.device = GetParam();
  expect_plain_losses(options, read_classes(options.data));
}

INSTANTIATE_TEST_SUITE_P(Devices, Losses, testing::ValuesIn(test_devices()), device_test_name);

TEST(SameSeed, GivesTheSameLossesOnReferenceAndFaultyBitForBit) {
  for (TrainOptions options : {linear_on_mpg(), logistic_on_banknote(32)}) {
    options.seed = 3;
    options.device = "reference";
    const auto reference = product_losses(options, 1000);
    options.device = "faulty:0";
    EXPECT_THAT(product_losses(options, 1000), testing::ElementsAreArray(reference));
  }
}

TEST(AnotherSeed, GivesOtherLosses) {
  TrainOptions options = linear_on_mpg();
  const auto first = product_losses(options, 20);
  options.seed = 1;
  EXPECT_NE(product_losses(options, 20), first);
}

}  // namespace
}  // namespace tenon::test
