// Each mistake in the data or on the command line: one line that names the thing and the remedy, the
// right exit status, and nothing left behind.
#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/data.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tenon::test {
namespace {

struct CaseName {
  template <class Case>
  std::string operator()(const testing::TestParamInfo<Case>& test) const {
    return test.param.name;
  }
};

using Arguments = std::vector<std::string>;

/// A run in `folder` that fails: with this one line on stderr, nothing on stdout, and no new file.
void expect_error(const TempDir& folder, const Arguments& arguments, int status,
                  const std::string& text) {
  auto before = folder.names();
  const ProcessResult result = run_tenon(arguments, {.folder = folder.path().string()});
  auto after = folder.names();
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  EXPECT_EQ(result.status, status);
  EXPECT_EQ(result.err, "tenon: error: " + text + "\n");
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(before, after);
}

struct BadTable {
  const char* name;
  std::string content;
  Arguments options;  ///< after: train RECIPE --data data.csv
  std::string text;
};

/// Ten rows of a, b, class; one of them is replaced.
std::string table(const std::string& line_5 = "4,5,0") {
  return "a,b,class\n0,1,0\n1,3,1\n3,2,1\n" + line_5 + "\n5,4,0\n6,6,1\n7,7,1\n9,8,0\n8,9,1\n2,0,0\n";
}

std::string many_texts() {
  std::string text = "word,y\n";
  for (int i = 0; i < 65; ++i) text += fmt::format("w{},{}\n", i, i);
  return text;
}

const std::vector<BadTable> kTables{
    {"Empty", "", {"linear", "--target", "a"}, "data.csv: the file is empty"},
    {"HeaderOnly",
     "a,b\n",
     {"linear", "--target", "a", "--header", "yes"},
     "data.csv: no data rows after the header in line 1"},
    {"Binary",
     std::string("\x89PNG\r\n\x1a\n\0\0\0", 11),
     {"linear", "--target", "a"},
     "data.csv:1: not UTF-8 text (byte 0x89 at offset 0): a binary file, or CSV that must be saved as "
     "UTF-8"},
    {"RaggedRow",
     table("4,5"),
     {"linear", "--target", "a"},
     "data.csv:5: 2 cells, but the header has 3"},
    {"TextInANumericColumn",
     table("4,five,0"),
     {"linear", "--target", "a"},
     "data.csv:5:2: column \"b\" needs numbers, but here is \"five\"; correct it, or leave the column "
     "out with --drop b"},
    {"TextInATarget",
     table("four,5,0"),
     {"linear", "--target", "a"},
     "data.csv:5:1: column \"a\" needs numbers, but here is \"four\"; correct it, or choose another "
     "--target"},
    {"EmptyCell",
     table("4,,0"),
     {"linear", "--target", "a"},
     "data.csv:5:2: column \"b\" is empty here; --missing drop leaves such rows out, --missing mean "
     "takes the column's mean"},
    {"NaNCell",
     table("4,NaN,0"),
     {"linear", "--target", "a"},
     "data.csv:5:2: column \"b\" is \"NaN\" here; --missing drop leaves such rows out, --missing mean "
     "takes "
     "the column's mean"},
    {"InfiniteCell",
     table("4,inf,0"),
     {"linear", "--target", "a"},
     "data.csv:5:2: column \"b\" has inf here, which is not finite; correct it, or leave the column "
     "out "
     "with --drop b"},
    {"UnknownTarget",
     table(),
     {"linear", "--target", "weight"},
     "data.csv: no column \"weight\"; there are a, b, class"},
    {"UnknownColumnToDrop",
     table(),
     {"linear", "--target", "a", "--drop", "weight"},
     "data.csv: no column \"weight\"; there are a, b, class"},
    {"TargetDropped",
     table(),
     {"linear", "--target", "a", "--drop", "a"},
     "data.csv: column \"a\" is both --target and --drop"},
    {"NoFeature",
     table(),
     {"linear", "--target", "a", "--drop", "b,class"},
     "data.csv: no column is left to learn \"a\" from"},
    {"OneClass",
     "a,class\n1,0\n2,0\n3,0\n",
     {"logistic", "--target", "class"},
     "data.csv: the target \"class\" has one class only, \"0\"; logistic needs two"},
    {"ManyClasses",
     table(),
     {"logistic", "--target", "a"},
     "data.csv: the target \"a\" has 10 classes (0, 1, 2, ..); logistic needs two"},
    {"ConstantTarget",
     "a,b\n1,7\n2,7\n3,7\n",
     {"linear", "--target", "b"},
     "data.csv: the target \"b\" is 7 in every training row, so there is nothing to learn; choose "
     "another --target"},
    {"ManyTexts",
     many_texts(),
     {"linear", "--target", "y"},
     "data.csv: column \"word\" has 65 different texts, more than 64; leave it out with --drop word"},
    {"NoMean",
     "a,b,c\n1,,3\n2,,5\n,NA,6\n",
     {"linear", "--target", "c", "--missing", "mean", "--val-split", "0", "--header", "yes"},
     "data.csv: column \"b\" has no value in any training row, so it has no mean; leave it out with "
     "--drop b"},
    {"NoTargetAtAll",
     "a,b\n1,\n2,NA\n",
     {"linear", "--target", "b", "--missing", "mean", "--header", "yes"},
     "data.csv: every row lacks a value in some column"},
    {"EmptyTarget",
     table("4,5,"),
     {"logistic", "--target", "class"},
     "data.csv:5:3: column \"class\" is empty here; --missing drop leaves such rows out"},
    {"NothingLeft",
     "a,b\n1,\n,2\n",
     {"linear", "--target", "b", "--missing", "drop", "--header", "yes"},
     "data.csv: every row lacks a value in some column"},
    {"OneRow",
     "a,b\n1,2\n",
     {"linear", "--target", "b"},
     "1 row can't be split into training and validation; use --val-split 0"},
};

class BadTables : public testing::TestWithParam<BadTable> {};

TEST_P(BadTables, AreNamedWithTheRemedy) {
  const TempDir folder;
  folder.write("data.csv", GetParam().content);
  Arguments arguments{"train", GetParam().options[0], "--data", "data.csv", "--save", "m.safetensors"};
  arguments.insert(arguments.end(), GetParam().options.begin() + 1, GetParam().options.end());
  expect_error(folder, arguments, 1, GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(All, BadTables, testing::ValuesIn(kTables), CaseName());

struct WrongUsage {
  const char* name;
  Arguments options;  ///< after: train linear --data data.csv --target a
  std::string text;
};

const std::vector<WrongUsage> kUsages{
    {"BatchSize0", {"--batch-size", "0"}, "--batch-size must be at least 1, not 0"},
    {"NegativeRate", {"--lr", "-0.1"}, "--lr must be a number above 0, not -0.1"},
    {"RateOfNaN", {"--lr", "nan"}, "--lr must be a number above 0, not nan"},
    {"NegativeEpochs", {"--epochs", "-1"}, "--epochs must be at least 1, not -1"},
    {"ValSplitOf1", {"--val-split", "1"}, "--val-split must be at least 0 and below 1, not 1"},
    {"HiddenOfLinear",
     {"--hidden", "8"},
     "--hidden must be 0 for linear; logistic takes a hidden layer, not 8"},
    {"UnknownOptimizer",
     {"--optimizer", "lion"},
     "--optimizer: no \"lion\"; there are sgd, adam, adamw, rmsprop, adagrad"},
    {"UnknownSchedule",
     {"--schedule", "random"},
     "--schedule: no \"random\"; there are step, constant, cosine, warmup"},
    {"UnknownMissing", {"--missing", "guess"}, "--missing: no \"guess\"; there are error, drop, mean"},
    {"UnknownHeader", {"--header", "maybe"}, "--header: no \"maybe\"; there are yes, no"},
    {"UnknownOption", {"--bogus"}, "The following argument was not expected: --bogus"},
    {"NoNumber", {"--epochs", "many"}, "Could not convert: --epochs = many"},
};

class WrongUsages : public testing::TestWithParam<WrongUsage> {};

TEST_P(WrongUsages, HaveExitStatus2) {
  const TempDir folder;
  folder.write("data.csv", table());
  Arguments arguments{"train", "linear", "--data", "data.csv", "--target", "a"};
  arguments.insert(arguments.end(), GetParam().options.begin(), GetParam().options.end());
  expect_error(folder, arguments, 2, GetParam().text + "; see tenon train --help");
}

INSTANTIATE_TEST_SUITE_P(All, WrongUsages, testing::ValuesIn(kUsages), CaseName());

TEST(WrongUsage, WithoutCommandRecipeOrTarget) {
  const TempDir folder;
  expect_error(folder, {}, 2, "A subcommand is required; see tenon --help");
  expect_error(folder, {"trian"}, 2,
               "no command \"trian\"; there are train, eval, predict, devices; see tenon --help");
  expect_error(folder, {"train", "cubic", "--data", "x", "--target", "y"}, 2,
               "recipe: no \"cubic\"; there are linear, logistic; see tenon train --help");
  expect_error(folder, {"train", "linear", "--data", "x"}, 2,
               "--target is required; see tenon train --help");
}

TEST(BadFile, MissingOrAFolder) {
  const TempDir folder;
  expect_error(folder, {"train", "linear", "--data", "none.csv", "--target", "a"}, 1,
               "none.csv: cannot be read: No such file or directory");
  expect_error(folder, {"train", "linear", "--data", ".", "--target", "a"}, 1,
               ".: cannot be read: Is a directory");
}

TEST(BadDevice, IsAnsweredWithThoseThereAre) {
  const TempDir folder;
  folder.write("data.csv", table());
  const auto names = run_tenon({"devices", "--names"}).out;
  std::string listed;
  for (const char c : names.substr(0, names.size() - 1))
    listed += c == '\n' ? std::string(", ") : std::string(1, c);
  expect_error(folder, {"train", "linear", "--data", "data.csv", "--target", "a", "--device", "tpu:9"},
               1, "[device] there is no device tpu:9; there are: " + listed);
}

class BadSave : public testing::Test {
 protected:
  void expect(const std::string& save, const std::string& text) {
    expect_error(folder_, {"train", "linear", "--data", "data.csv", "--target", "a", "--save", save}, 1,
                 text);
  }
  void SetUp() override { folder_.write("data.csv", table()); }
  TempDir folder_;
};

TEST_F(BadSave, IsFoundBeforeTraining) {
  expect("nowhere/m.safetensors", "nowhere/m.safetensors: there is no folder nowhere; create it first");
  expect(".", ".: is a folder; name a file in it");
  expect("/dev/null", "/dev/null: is not a file; choose another name");
  expect("/proc/m.safetensors",
         "/proc/m.safetensors: can't be written: No such file or directory; choose another folder");
}

TEST_F(BadSave, OfJsonToo) {
  expect_error(folder_,
               {"train", "linear", "--data", "data.csv", "--target", "a", "--json", "nowhere/r.json"},
               1, "nowhere/r.json: there is no folder nowhere; create it first");
}

TEST(Diverged, IsSaidAndNothingIsSaved) {
  const TempDir folder;
  folder.write("data.csv", table());
  const auto result = run_tenon({"train", "linear", "--data", "data.csv", "--target", "a", "--lr",
                                 "1e30", "--optimizer", "sgd", "--save", "m.safetensors"},
                                {.folder = folder.path().string()});
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("training diverged; try an --lr below 1e+30\n"), std::string::npos)
      << result.err;
  EXPECT_EQ(folder.names(), std::vector<std::string>{"data.csv"});
}

}  // namespace
}  // namespace tenon::test
