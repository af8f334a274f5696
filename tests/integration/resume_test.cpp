// Training that stops anywhere and goes on ends as if it had never stopped: the same file, byte for
// byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/io.h>

#include "tests/support/data.h"
#include "tests/support/devices.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"
#include "tools/recipes/train.h"

namespace tenon::test {
namespace {

using recipes::TrainOptions;
using recipes::TrainResult;
using Arguments = std::vector<std::string>;

/// Three epochs of ten batches.
TrainOptions on_mpg(const std::string& device, const std::string& save) {
  return {.recipe = recipes::Recipe::Linear,
          .data = example_data("mpg.csv"),
          .target = "mpg",
          .drop = {"name"},
          .missing = recipes::Missing::Mean,
          .epochs = 3,
          .device = device,
          .save = save};
}

TrainResult train_batches(const TrainOptions& options, int most) {
  int batches = 0;
  return recipes::train(options, {.should_stop = [&] { return ++batches == most; }});
}

void expect_same_epochs(const TrainResult& a, const TrainResult& b) {
  ASSERT_EQ(a.epochs.size(), b.epochs.size());
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    EXPECT_EQ(a.epochs[i].train_loss, b.epochs[i].train_loss);
    EXPECT_EQ(a.epochs[i].val_loss, b.epochs[i].val_loss);
    EXPECT_EQ(a.epochs[i].metrics, b.epochs[i].metrics);
  }
}

class Resume : public testing::TestWithParam<std::string> {
 protected:
  /// Stops after `first` batches, and goes on.
  void expect_bit_for_bit(TrainOptions options, int first) const {
    const TempDir folder;
    options.save = folder.file("whole.safetensors");
    const TrainResult whole = recipes::train(options);
    options.save = folder.file("half.safetensors");
    EXPECT_TRUE(train_batches(options, first).interrupted);
    options.resume = options.save;
    options.save = folder.file("resumed.safetensors");
    const TrainResult resumed = recipes::train(options);
    expect_same_epochs(resumed, whole);
    EXPECT_TRUE(folder.read("resumed.safetensors") == folder.read("whole.safetensors"));
  }
};

TEST_P(Resume, IsBitForBitForEveryOptimizerAndSchedule) {
  TrainOptions options = on_mpg(GetParam(), "");
  int first = 3;
  for (const auto optimizer :
       {recipes::Optimizer::Sgd, recipes::Optimizer::Adam, recipes::Optimizer::AdamW,
        recipes::Optimizer::RMSprop, recipes::Optimizer::Adagrad}) {
    options.optimizer = optimizer;
    options.schedule = static_cast<recipes::Schedule>(first % 4);
    SCOPED_TRACE(recipes::name(optimizer) + " " + recipes::name(options.schedule));
    expect_bit_for_bit(options, first);
    first += 5;  // 3, 8, 13, 18, 23 of 30
  }
}

TEST_P(Resume, FromBetweenTwoEpochsAndWithAHiddenLayer) {
  expect_bit_for_bit(on_mpg(GetParam(), ""), 10);
  TrainOptions options{.recipe = recipes::Recipe::Logistic,
                       .data = example_data("banknote_authentication.csv"),
                       .target = "-1",
                       .batch_size = 256,
                       .epochs = 2,
                       .hidden = 8,
                       .device = GetParam()};
  expect_bit_for_bit(options, 7);
}

TEST_P(Resume, OfAFinishedTrainingTakesMoreEpochs) {
  const TempDir folder;
  TrainOptions options = on_mpg(GetParam(), folder.file("whole.safetensors"));
  options.schedule = recipes::Schedule::Constant;
  const TrainResult whole = recipes::train(options);
  options.epochs = 1;
  options.save = folder.file("m.safetensors");
  recipes::train(options);
  options.epochs = 3;
  options.resume = options.save;
  expect_same_epochs(recipes::train(options), whole);
  EXPECT_TRUE(folder.read("m.safetensors") == folder.read("whole.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(Devices, Resume, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Resume);

class BadResume : public testing::Test {
 protected:
  void SetUp() override {
    recipes::train(options_);
    options_.resume = std::exchange(options_.save, "");
    options_.epochs = 5;
  }
  void expect_refused(const std::string& text, ErrorKind kind = ErrorKind::InvalidArgument) const {
    EXPECT_EQ(thrown([&] { recipes::train(options_); }), (Thrown{kind, options_.resume + ": " + text}));
  }
  const TempDir folder_;
  TrainOptions options_ = on_mpg("", folder_.file("m.safetensors"));
};

TEST_F(BadResume, WithOtherOptions) {
  options_.batch_size = 16;
  expect_refused("was trained with --batch-size 32, not 16; give the options of before");
  options_.batch_size = 32;
  options_.optimizer = recipes::Optimizer::Sgd;
  expect_refused("was trained with --optimizer adam, not sgd; give the options of before");
  options_.optimizer = recipes::Optimizer::Adam;
  options_.lr = 0.5;
  expect_refused("was trained with --lr 0.03, not 0.5; give the options of before");
  options_.lr = {};
  options_.recipe = recipes::Recipe::Logistic;
  options_.data = example_data("banknote_authentication.csv");
  options_.target = "-1";
  options_.drop = {};
  expect_refused("is a model of linear, not logistic");
}

TEST_F(BadResume, WithOtherRowsOrNothingToDo) {
  options_.epochs = 3;
  expect_refused("3 epochs are done; --epochs must be above that, not 3");
  options_.epochs = 5;
  const io::CsvTable cars = io::read_csv(options_.data);
  std::string text =
      "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,name\n";
  for (std::size_t row = 1; row < cars.rows.size(); ++row) {
    for (std::size_t c = 0; c < cars.names.size(); ++c) text += (c > 0 ? "," : "") + cars.rows[row][c];
    text += "\n";
  }
  options_.data = folder_.write("fewer.csv", text);
  expect_refused("was not trained on the rows of " + options_.data);
}

TEST_F(BadResume, FromAFileThatIsSpoilt) {
  const auto good = io::load(options_.resume);
  auto content = good;
  content.metadata["tenon.state"] = R"({"epoch": 0})";
  io::save(options_.resume, content.tensors, content.metadata);
  const Thrown unreadable = thrown([&] { recipes::train(options_); });
  EXPECT_EQ(unreadable.kind, ErrorKind::IoError);
  EXPECT_THAT(unreadable.text, testing::HasSubstr("the metadata can't be read: "));
  content = good;
  for (auto& [name, value] : content.tensors) {
    if (name == "optimizer.0.exp_avg") name = "optimizer.0.exp_avk";
  }
  io::save(options_.resume, content.tensors, content.metadata);
  expect_refused(
      "[Adam.load_state_dict] 0.exp_avg is missing; 0.exp_avk is unexpected, did you mean "
      "0.exp_avg?",
      ErrorKind::IoError);
}

TEST_F(BadResume, FromAFileThatIsNoModel) {
  options_.resume = folder_.write("x.safetensors", "nothing");
  expect_refused("7 bytes are too few for a safetensors file", ErrorKind::IoError);
}

TEST(ResumeCommand, GoesOnWhereItWasInterrupted) {
  const TempDir folder;
  const auto run = [&](const Arguments& more) {
    Arguments arguments{"train",     "linear", "--data",     example_data("mpg.csv"),
                        "--target",  "mpg",    "--drop",     "name",
                        "--missing", "mean",   "--schedule", "constant"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = run_tenon(arguments, {.folder = folder.path().string()});
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  };
  run({"--epochs", "4", "--save", "whole.safetensors", "--quiet"});
  run({"--epochs", "2", "--save", "half.safetensors", "--quiet"});
  const ProcessResult resumed = run({"--epochs", "4", "--resume", "half.safetensors", "--save",
                                     "resumed.safetensors", "--json", "r.json"});
  EXPECT_THAT(resumed.err, testing::HasSubstr("epoch 3/4"));
  EXPECT_THAT(resumed.err, testing::Not(testing::HasSubstr("epoch 2/4")));
  EXPECT_EQ(nlohmann::json::parse(folder.read("r.json")).at("epochs").size(), 4U);
  EXPECT_TRUE(folder.read("resumed.safetensors") == folder.read("whole.safetensors"));
}

}  // namespace
}  // namespace tenon::test
