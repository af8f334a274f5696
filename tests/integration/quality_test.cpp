// What the command reaches on real data, and that a saved model gives it again.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/integration/plain_trainer.h"
#include "tests/support/data.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tools/recipes/split.h"

namespace tenon::test {
namespace {

using Arguments = std::vector<std::string>;

/// The JSON of a run that must succeed; null where it fails.
nlohmann::json run_json(Arguments arguments) {
  arguments.insert(arguments.end(), {"--json", "-", "--quiet"});
  const ProcessResult result = run_tenon(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  return nlohmann::json::parse(result.out, nullptr, false);
}

Arguments train_mpg(int seed, const std::string& epochs = "60") {
  return {"train",     "linear",
          "--data",    example_data("mpg.csv"),
          "--target",  "mpg",
          "--drop",    "name",
          "--missing", "drop",
          "--epochs",  epochs,
          "--seed",    std::to_string(seed)};
}

Arguments train_banknote(int seed, const std::string& epochs = "10") {
  return {"train",    "logistic", "--data",   example_data("banknote_authentication.csv"),
          "--target", "-1",       "--hidden", "32",
          "--epochs", epochs,     "--seed",   std::to_string(seed)};
}

TEST(Quality, LinearOnMpgIsAsGoodAsLeastSquares) {
  const PlainTable table = read_mpg(example_data("mpg.csv"));
  ASSERT_EQ(table.y.size(), 392u);
  for (int seed = 0; seed < 5; ++seed) {
    const auto split =
        recipes::split_rows(392, 0.2, static_cast<std::uint64_t>(seed), default_device());
    const double best = least_squares_r2(table, split.train, split.val);
    EXPECT_GT(best, 0.7);
    const auto json = run_json(train_mpg(seed));
    EXPECT_NEAR(json.at("metrics").at("r2").get<double>(), best, 0.01) << "seed " << seed;
  }
}

TEST(Quality, BanknoteIsAllButSolved) {
  const auto json =
      run_json({"train", "logistic", "--data", example_data("banknote_authentication.csv"), "--target",
                "-1", "--hidden", "32", "--device", "reference"});
  EXPECT_GE(json.at("metrics").at("accuracy").get<double>(), 0.98);
  EXPECT_GE(json.at("metrics").at("f1").get<double>(), 0.98);
  EXPECT_GE(json.at("metrics").at("auc").get<double>(), 0.98);
}

TEST(Quality, PimaIsAsGoodAsLogisticRegressionIs) {
  const std::string file = shared_data("pima-indians-diabetes.csv");
  TENON_NEEDS_FILE(file);
  double sum = 0;
  for (int seed = 0; seed < 5; ++seed) {
    const auto json = run_json(
        {"train", "logistic", "--data", file, "--target", "-1", "--seed", std::to_string(seed)});
    sum += json.at("metrics").at("accuracy").get<double>();
  }
  EXPECT_GE(sum / 5, 0.74);
}

/// Trains with --save, and checks what another process says of the model.
void expect_same_score(Arguments train, const std::string& data, const Arguments& more) {
  const TempDir folder;
  train.insert(train.end(), {"--save", folder.file("model.safetensors")});
  const auto trained = run_json(train);
  EXPECT_EQ(trained.at("model"), folder.file("model.safetensors"));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"model.safetensors"});
  Arguments eval{"eval", folder.file("model.safetensors"), "--data", data};
  eval.insert(eval.end(), more.begin(), more.end());
  const auto scored = run_json(eval);
  EXPECT_EQ(scored.at("rows"), "val");
  EXPECT_EQ(scored.at("val_loss").get<double>(),
            trained.at("epochs").back().at("val_loss").get<double>());
  EXPECT_EQ(scored.at("metrics"), trained.at("metrics"));
}

TEST(Eval, OfLinearGivesTheLastValidationLossBitForBit) {
  expect_same_score(train_mpg(3), example_data("mpg.csv"), {"--missing", "drop"});
}

TEST(Eval, OfLogisticGivesTheLastValidationLossBitForBit) {
  expect_same_score(train_banknote(3), example_data("banknote_authentication.csv"), {});
}

TEST(Eval, ChoosesRowsByTheTableThatTheModelWasTrainedOn) {
  const TempDir folder;
  const std::string model = folder.file("m.safetensors"), data = example_data("mpg.csv");
  auto train = train_mpg(0);
  train.insert(train.end(), {"--save", model});
  run_json(train);
  const auto count = [&](const std::string& file, const std::string& rows) {
    return run_json({"eval", model, "--data", file, "--missing", "drop", "--rows", rows}).at("count");
  };
  EXPECT_EQ(count(data, "auto"), 78);
  EXPECT_EQ(count(data, "val"), 78);
  EXPECT_EQ(count(data, "train"), 314);
  EXPECT_EQ(count(data, "all"), 392);
}

/// mpg.csv with its columns in reverse order.
std::string reversed_mpg() {
  std::ifstream in(example_data("mpg.csv"));
  std::string text;
  for (std::string line; std::getline(in, line);) {
    std::stringstream cut(line);
    std::string reversed, cell;
    while (std::getline(cut, cell, ',')) reversed.insert(0, cell + (reversed.empty() ? "" : ","));
    text += reversed + "\n";
  }
  return text;
}

TEST(Eval, FindsColumnsByNameInAnyOrder) {
  const TempDir folder;
  const std::string model = folder.file("m.safetensors");
  auto train = train_mpg(0);
  train.insert(train.end(), {"--save", model});
  const auto trained = run_json(train);
  const std::string data = folder.write("reversed.csv", reversed_mpg());
  const auto scored = run_json({"eval", model, "--data", data, "--missing", "drop"});
  EXPECT_EQ(scored.at("rows"), "val");
  EXPECT_EQ(scored.at("val_loss"), trained.at("epochs").back().at("val_loss"));
}

TEST(Devices, ReferenceAndFaultyGiveTheSameRunBitForBit) {
  for (auto train : {train_mpg(2, "4"), train_banknote(2, "4")}) {
    train.insert(train.end(), {"--device", "reference"});
    const auto reference = run_json(train);
    train.back() = "faulty:0";
    const auto faulty = run_json(train);
    EXPECT_EQ(faulty.at("device"), "faulty:0");
    EXPECT_EQ(faulty.at("epochs"), reference.at("epochs"));
  }
}

}  // namespace
}  // namespace tenon::test
