// Model files that don't fit: their format, their shapes, or the table they are to score.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/io.h>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tenon::test {
namespace {

class BadModel : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("data.csv", "a,kind,y\n1,red,2\n2,blue,3\n3,red,5\n4,blue,8\n5,red,9\n6,blue,13\n");
    const auto result = run({"train", "linear", "--data", "data.csv", "--target", "y", "--save",
                             "m.safetensors", "--epochs", "1"});
    ASSERT_EQ(result.status, 0) << result.err;
  }
  ProcessResult run(const std::vector<std::string>& arguments) {
    return run_tenon(arguments, {.folder = folder_.path().string()});
  }
  void expect_error(const std::string& model, const std::string& data, const std::string& text,
                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"eval", model, "--data", data};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "tenon: error: " + text + "\n");
  }
  TempDir folder_;
};

TEST_F(BadModel, Missing) {
  expect_error("none.safetensors", "data.csv",
               "none.safetensors: cannot be read: No such file or directory");
}

TEST_F(BadModel, Cut) {
  folder_.write("cut.safetensors", folder_.read("m.safetensors").substr(0, 6));
  expect_error("cut.safetensors", "data.csv",
               "cut.safetensors: 6 bytes are too few for a safetensors file");
}

TEST_F(BadModel, NotOfTenonTrain) {
  io::save(folder_.file("other.safetensors"), {{"weight", ones({1, 3})}});
  expect_error("other.safetensors", "data.csv",
               "other.safetensors: not a model of tenon train (no tenon.format in its metadata); save "
               "one with --save");
}

TEST_F(BadModel, OfAnotherFormat) {
  auto content = io::load(folder_.file("m.safetensors"));
  content.metadata["tenon.format"] = "99";
  io::save(folder_.file("new.safetensors"), content.tensors, content.metadata);
  expect_error("new.safetensors", "data.csv",
               "new.safetensors: format 99 is not known, only 2; train it again with this version");
}

TEST_F(BadModel, WithoutItsEncoding) {
  auto content = io::load(folder_.file("m.safetensors"));
  content.metadata.erase("tenon.encoding");
  io::save(folder_.file("half.safetensors"), content.tensors, content.metadata);
  expect_error(
      "half.safetensors", "data.csv",
      "half.safetensors: the metadata can't be read: tenon.encoding is missing; train it again");
}

TEST_F(BadModel, OfAnotherShape) {
  auto content = io::load(folder_.file("m.safetensors"));
  for (auto& [name, value] : content.tensors)
    if (name == "weight") value = ones({1, 5});
  io::save(folder_.file("wide.safetensors"), content.tensors, content.metadata);
  const auto result = run({"eval", "wide.safetensors", "--data", "data.csv"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err.find("tenon: error: wide.safetensors: "), 0u) << result.err;
  EXPECT_NE(result.err.find("weight"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("(1, 5)"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("(1, 3)"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
}

TEST_F(BadModel, ForATableWithoutItsColumn) {
  folder_.write("other.csv", "a,color,y\n1,red,2\n");
  expect_error("m.safetensors", "other.csv",
               "other.csv: no column \"kind\", which the model was trained on; there are a, color, y");
}

TEST_F(BadModel, ForATextThatTrainingHasNotSeen) {
  folder_.write("other.csv", "a,kind,y\n1,red,2\n2,green,3\n");
  expect_error(
      "m.safetensors", "other.csv",
      "other.csv:3:2: column \"kind\" is \"green\" here, which training has not seen; it knows "
      "blue, red");
}

TEST_F(BadModel, ForRowsOfAnotherTable) {
  folder_.write("other.csv", "a,kind,y\n1,red,2\n");
  expect_error("m.safetensors", "other.csv",
               "other.csv: not the rows that m.safetensors was trained on, so it has no val rows; use "
               "--rows all",
               {"--rows", "val"});
}

TEST_F(BadModel, WithoutHeldOutRows) {
  const auto result = run({"train", "linear", "--data", "data.csv", "--target", "y", "--save",
                           "all.safetensors", "--epochs", "1", "--val-split", "0", "--json", "-"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(nlohmann::json::parse(result.out).at("epochs").at(0).at("val_loss").is_null());
  expect_error("all.safetensors", "data.csv",
               "all.safetensors: trained with --val-split 0, so no rows were held out; use --rows all",
               {"--rows", "val"});
}

}  // namespace
}  // namespace tenon::test
