// tenon predict, and missing values that means stand for.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/io.h>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tenon::test {
namespace {

using Arguments = std::vector<std::string>;

/// y = 2a + 3 for red, + 8 for blue; some cells lack.
class Predict : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write(
        "data.csv",
        "a,\"the, kind\",y\n1,red,5\n2,blue,12\n3,red,9\n4,blue,16\n5,red,13\n6,blue,20\n,red,9\n"
        "3,,11\n7,red,\n");
    train({"--val-split", "0", "--save", "m.safetensors"});
  }
  ProcessResult run(const Arguments& arguments) {
    return run_tenon(arguments, {.folder = folder_.path().string()});
  }
  void train(const Arguments& more) {
    Arguments arguments{"train", "linear", "--data", "data.csv",  "--target", "y",      "--epochs",
                        "300",   "--lr",   "0.05",   "--missing", "mean",     "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = run(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }
  /// The numbers in a column of a table.
  std::vector<double> numbers(const std::string& file, const std::string& column) {
    const io::CsvTable table = io::read_csv(folder_.file(file));
    std::vector<double> values;
    for (const auto& row : table.rows) values.push_back(*io::parse_number(row[table.column(column)]));
    return values;
  }
  TempDir folder_;
};

TEST_F(Predict, AddsPredictionsToATableWithoutTarget) {
  folder_.write("new.csv", "\"the, kind\",other,a\nblue,\"x \"\"y\"\"\",10\nred, , 0\n");
  const ProcessResult result = run({"predict", "m.safetensors", "--data", "new.csv", "-o", "out.csv"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, testing::MatchesRegex("m.safetensors \\(linear\\) on .*: 2 rows\n"));
  EXPECT_THAT(folder_.read("out.csv"),
              testing::StartsWith("\"the, kind\",other,a,predicted y\nblue,\"x \"\"y\"\"\",10,"));
  EXPECT_THAT(numbers("out.csv", "predicted y"),
              testing::Pointwise(testing::DoubleNear(0.3), {28.0, 3.0}));
}

TEST_F(Predict, WritesToStandardOutputAlone) {
  const ProcessResult result =
      run({"predict", "m.safetensors", "--data", "data.csv", "--missing", "drop"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.err, testing::HasSubstr(": 7 rows, 2 dropped for missing values\n"));
  EXPECT_THAT(result.out, testing::StartsWith("a,\"the, kind\",y,predicted y\n1,red,5,"));
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 8);
  const ProcessResult quiet = run({"predict", "m.safetensors", "--data", "data.csv", "--missing",
                                   "drop", "--quiet", "--json", "r.json"});
  EXPECT_EQ(quiet.err, "");
  EXPECT_EQ(quiet.out, result.out);
  const auto json = nlohmann::json::parse(folder_.read("r.json"));
  EXPECT_EQ(json.at("count"), 7);
  EXPECT_EQ(json.at("dropped"), 2);
}

// The mean of a is 24/7 over the rows with a target; of red and blue it is between the two.
TEST_F(Predict, AMissingValueIsTheMeanOfTraining) {
  folder_.write("holes.csv", "a,\"the, kind\"\n,red\nNA,blue\n4,\n");
  folder_.write("filled.csv", "a,\"the, kind\"\n3.4285714,red\n3.4285714,blue\n");
  const auto predictions = [&](const std::string& data) {
    const ProcessResult result =
        run({"predict", "m.safetensors", "--data", data, "--missing", "mean", "-o", "out.csv"});
    EXPECT_EQ(result.status, 0) << result.err;
    return numbers("out.csv", "predicted y");
  };
  const auto holes = predictions("holes.csv"), filled = predictions("filled.csv");
  ASSERT_EQ(holes.size(), 3U);
  EXPECT_NEAR(holes[0], filled[0], 1e-4);
  EXPECT_NEAR(holes[1], filled[1], 1e-4);
  EXPECT_GT(holes[2], filled[0]);
}

TEST_F(Predict, OfTwoClassesGivesTheProbability) {
  folder_.write("data.csv", "a,y\n1,no\n2,no\n3,no\n4,no\n5,yes\n6,yes\n7,yes\n8,yes\n");
  ASSERT_EQ(run({"train", "logistic", "--data", "data.csv", "--target", "y", "--epochs", "200",
                 "--val-split", "0", "--lr", "0.1", "--save", "c.safetensors", "--quiet"})
                .status,
            0);
  ASSERT_EQ(run({"predict", "c.safetensors", "--data", "data.csv", "-o", "out.csv"}).status, 0);
  const io::CsvTable table = io::read_csv(folder_.file("out.csv"));
  EXPECT_THAT(table.names, testing::ElementsAre("a", "y", "predicted y", "probability of yes"));
  const auto probability = numbers("out.csv", "probability of yes");
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    EXPECT_EQ(table.rows[i][2], table.rows[i][1]);
    EXPECT_EQ(probability[i] > 0.5, table.rows[i][1] == "yes");
    EXPECT_GT(probability[i], i > 0 ? probability[i - 1] : 0);
  }
}

TEST_F(Predict, SaysWhatDoesNotFit) {
  const auto refused = [&](const Arguments& more, int status) {
    Arguments arguments{"predict", "m.safetensors"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  folder_.write("other.csv", "a,b\n1,2\n");
  folder_.write("again.csv", "a,\"the, kind\",predicted y\n1,red,2\n");
  EXPECT_EQ(
      refused({"--data", "other.csv"}, 1),
      "tenon: error: other.csv: no column \"the, kind\", which the model was trained on; there are a, "
      "b\n");
  EXPECT_EQ(refused({"--data", "again.csv"}, 1),
            "tenon: error: again.csv: has a column \"predicted y\" already; leave it out\n");
  EXPECT_EQ(
      refused({"--data", "data.csv"}, 1),
      "tenon: error: data.csv:8:1: column \"a\" is empty here; --missing drop leaves such rows out, "
      "--missing mean takes the column's mean\n");
  EXPECT_EQ(refused({"--data", "data.csv", "-o", "none/out.csv"}, 1),
            "tenon: error: none/out.csv: there is no folder none; create it first\n");
  EXPECT_EQ(
      refused({"--data", "data.csv", "--json", "-"}, 2),
      "tenon: error: --output and --json can't both be standard output; see tenon predict --help\n");
  EXPECT_EQ(refused({"--data", "data.csv", "-o", "./data.csv"}, 2),
            "tenon: error: --output: ./data.csv is read, and would be lost; name another; see tenon "
            "predict --help\n");
  EXPECT_EQ(refused({}, 2), "tenon: error: --data is required; see tenon predict --help\n");
}

TEST_F(Predict, EvalTakesMeansToo) {
  const ProcessResult result =
      run({"eval", "m.safetensors", "--data", "data.csv", "--missing", "mean", "--rows", "all"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, testing::HasSubstr("1 dropped for missing values"));
}

}  // namespace
}  // namespace tenon::test
