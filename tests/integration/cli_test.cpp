// The command as a shell sees it: streams, statuses, JSON, help, signals.
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using Arguments = std::vector<std::string>;

Arguments train(const Arguments& more) {
  Arguments arguments{"train",     "linear", "--data", example_data("mpg.csv"),
                      "--target",  "mpg",    "--drop", "name",
                      "--missing", "drop"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> keys(const nlohmann::ordered_json& json) {
  std::vector<std::string> names;
  for (const auto& item : json.items()) names.push_back(item.key());
  return names;
}

TEST(Help, HasExamplesForEachCommand) {
  for (const Arguments& command : {Arguments{}, {"train"}, {"eval"}, {"predict"}, {"devices"}}) {
    Arguments arguments = command;
    arguments.push_back("--help");
    const ProcessResult result = run_tenon(arguments);
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("Examples:\n  tenon "));
  }
}

TEST(Help, ListsEveryOptionOfTrain) {
  const std::string help = run_tenon({"train", "--help"}).out;
  for (const char* option :
       {"--data", "--target", "--drop", "--missing", "--header", "--val-split", "--batch-size", "--lr",
        "--optimizer", "--schedule", "--resume", "--epochs", "--seed", "--hidden", "--device",
        "--plugin", "--save", "--json", "--quiet"})
    EXPECT_THAT(help, HasSubstr(option));
}

TEST(Version, IsOneLine) {
  const ProcessResult result = run_tenon({"--version"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, MatchesRegex("tenon [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Train, PutsProgressOnStderrAndTheTableOnStdout) {
  const ProcessResult result = run_tenon(train({"--epochs", "100"}));
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("314 training rows, 78 held out, 6 dropped for missing values; "
                                    "9 features, 10 parameters\n"));
  EXPECT_THAT(result.out, HasSubstr("r2"));
  EXPECT_THAT(result.err, HasSubstr("epoch 1/100  train_loss "));
  EXPECT_THAT(result.err, HasSubstr("epoch 100/100  train_loss "));
  EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 21);
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(result.err.find('\r'), std::string::npos);
}

TEST(Train, QuietSaysNothing) {
  const ProcessResult result = run_tenon(train({"--epochs", "2", "--quiet"}));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "");
}

TEST(Train, JsonAloneIsOnStdoutAndTheTableOnStderr) {
  const ProcessResult result = run_tenon(train({"--epochs", "2", "--seed", "5", "--json", "-"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("314 training rows"));
  const auto json = nlohmann::ordered_json::parse(result.out);
  EXPECT_THAT(keys(json), testing::ElementsAre("recipe", "device", "seed", "parameters", "epochs",
                                               "metrics", "seconds", "samples_per_second", "fallbacks",
                                               "model", "interrupted"));
  EXPECT_EQ(json.at("recipe"), "linear");
  EXPECT_EQ(json.at("seed"), 5);
  EXPECT_EQ(json.at("parameters"), 10);
  EXPECT_EQ(json.at("fallbacks"), 0);
  EXPECT_TRUE(json.at("model").is_null());
  ASSERT_EQ(json.at("epochs").size(), 2u);
  const auto& last = json.at("epochs").at(1);
  EXPECT_THAT(keys(last), testing::ElementsAre("epoch", "train_loss", "val_loss", "metrics"));
  EXPECT_EQ(last.at("epoch"), 2);
  EXPECT_EQ(last.at("metrics"), json.at("metrics"));
  EXPECT_THAT(keys(json.at("metrics")), testing::ElementsAre("rmse", "mae", "r2"));
}

TEST(Train, StatsSayWhatTheDeviceDid) {
  const ProcessResult result =
      run_tenon(train({"--epochs", "1", "--stats", "--json", "-", "--device", "faulty:0"}),
                {.env = {"TENON_FAULTY_MINIMAL=1", "TENON_PLUGIN_PATH=" TENON_TEST_FAULTY_DIR}});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto stats = nlohmann::json::parse(result.out).at("stats").at("faulty:0");
  EXPECT_GT(stats.at("launches"), 10);
  EXPECT_GT(stats.at("memory_peak"), 0);
  EXPECT_EQ(stats.at("host_bytes"), 0);
  const nlohmann::json epilogues{{"op", "linear"}, {"how", "epilogue apart"}, {"count", 11}};
  EXPECT_THAT(stats.at("fallbacks"), testing::Contains(epilogues));
  EXPECT_THAT(result.err, HasSubstr("faulty:0  linear   epilogue apart"));
}

TEST(Train, WritesJsonToAFileAndKeepsTheTable) {
  const TempDir folder;
  const ProcessResult result = run_tenon(train({"--epochs", "1", "--json", folder.file("r.json")}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("314 training rows"));
  EXPECT_EQ(nlohmann::json::parse(folder.read("r.json")).at("recipe"), "linear");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"r.json"});
}

TEST(Train, ReadsACsvAsPeopleHaveIt) {
  const TempDir folder;
  folder.write("people.csv",
               "\xEF\xBB\xBF\"size, cm\" , color ,label\r\n"
               "1, \"deep \"\"red\"\"\" ,yes\r\n2,blue,no\r\n3,blue,no\r\n"
               "4,\"deep \"\"red\"\"\",yes\r\n5,blue,no\r\n6,blue,yes\r\n");
  const ProcessResult result =
      run_tenon({"train", "logistic", "--data", folder.file("people.csv"), "--target", "label",
                 "--epochs", "2", "--json", "-", "--quiet"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::ordered_json::parse(result.out);
  EXPECT_EQ(json.at("parameters"), 4);
  EXPECT_THAT(keys(json.at("metrics")), testing::ElementsAre("accuracy", "f1", "auc"));
}

TEST(Eval, SaysWhichRowsItScores) {
  const TempDir folder;
  const std::string model = folder.file("m.safetensors");
  ASSERT_EQ(run_tenon(train({"--epochs", "1", "--save", model})).status, 0);
  const ProcessResult result =
      run_tenon({"eval", model, "--data", example_data("mpg.csv"), "--missing", "drop"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("78 rows that its training held out"));
  EXPECT_THAT(result.out, HasSubstr("val_loss"));
  EXPECT_EQ(result.err, "");
}

TEST(Devices, AsTextNamesAndJson) {
  const ProcessResult text = run_tenon({"devices"});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, HasSubstr("reference"));
  EXPECT_THAT(text.out, HasSubstr("tenon_plugin_reference.so"));

  const auto json = nlohmann::ordered_json::parse(run_tenon({"devices", "--json"}).out);
  EXPECT_THAT(keys(json), testing::ElementsAre("plugins", "devices"));
  std::string names;
  for (const auto& device : json.at("devices")) {
    names += device.at("name").get<std::string>() + "\n";
    EXPECT_GT(device.at("memory").get<std::uint64_t>(), 0u);
    EXPECT_THAT(device.at("dtypes").get<std::vector<std::string>>(),
                testing::IsSupersetOf({"f32", "i32", "bool"}));
  }
  for (const auto& plugin : json.at("plugins"))
    EXPECT_THAT(keys(plugin), testing::ElementsAre("file", "name", "version", "status", "reason"));
  EXPECT_EQ(run_tenon({"devices", "--names"}).out, names);
}

TEST(Devices, OfAPluginNamedOnTheCommandLine) {
  const ProcessResult result =
      run_tenon({"devices", "--names", "--plugin", TENON_TEST_FAULTY_DIR "/tenon_plugin_faulty.so"},
                {.env = {"TENON_PLUGIN_PATH="}});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("faulty:0\n"));
}

TEST(Save, ThatFailsAfterTrainingIsSaid) {
  const TempDir folder;
  std::filesystem::create_directory(folder.path() / "gone");
  const auto remove = [&](pid_t child, const ProcessResult& so_far) {
    if (so_far.err.find("epoch 1/") == std::string::npos) return;
    if (std::filesystem::remove(folder.path() / "gone")) ::kill(child, SIGINT);
  };
  const ProcessResult result =
      run_tenon(train({"--epochs", "100000000", "--save", folder.file("gone/m.safetensors")}),
                {.on_output = remove});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, testing::EndsWith("tenon: error: " + folder.file("gone/m.safetensors") +
                                            ": cannot be written: No such file or directory\n"));
}

/// Sends `signal` once the first epoch is done.
ProcessResult interrupted(const Arguments& arguments, int signal, const TempDir& folder) {
  bool sent = false;
  return run_tenon(arguments, {.folder = folder.path().string(),
                               .on_output = [&](pid_t child, const ProcessResult& so_far) {
                                 if (sent || so_far.err.find("epoch 1/") == std::string::npos) return;
                                 sent = true;
                                 ::kill(child, signal);
                               }});
}

TEST(CtrlC, SavesWhereToldAndSaysWhere) {
  const TempDir folder;
  const ProcessResult result = interrupted(
      train({"--epochs", "100000000", "--save", "m.safetensors", "--json", "r.json"}), SIGINT, folder);
  EXPECT_EQ(result.status, 130);
  EXPECT_THAT(result.err, testing::EndsWith("tenon: interrupted; the model is in m.safetensors\n"));
  const auto json = nlohmann::json::parse(folder.read("r.json"));
  EXPECT_EQ(json.at("interrupted"), true);
  EXPECT_EQ(json.at("model"), "m.safetensors");
  EXPECT_GE(json.at("epochs").size(), 1u);
  const ProcessResult scored = run_tenon(
      {"eval", folder.file("m.safetensors"), "--data", example_data("mpg.csv"), "--missing", "drop"});
  EXPECT_EQ(scored.status, 0) << scored.err;
}

TEST(CtrlC, SavesInTheCurrentFolderWhereNothingWasTold) {
  const TempDir folder;
  const ProcessResult result = interrupted(train({"--epochs", "100000000"}), SIGTERM, folder);
  EXPECT_EQ(result.status, 143);
  EXPECT_THAT(result.err, testing::EndsWith(
                              "tenon: interrupted; the model is in linear.interrupted.safetensors\n"));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"linear.interrupted.safetensors"});
}

TEST(Output, ThatCannotBeWrittenFails) {
  const ProcessResult result = run_process({"/bin/sh", "-c", TENON_TEST_BIN " devices > /dev/full"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "tenon: error: standard output can't be written\n");
}

}  // namespace
}  // namespace tenon::test
