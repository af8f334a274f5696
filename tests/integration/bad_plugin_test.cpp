// Plugin files that must not be loaded: named by --plugin they end the run, in a folder they are only
// reported.
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

namespace fs = std::filesystem;

struct BadPlugin {
  const char* name;
  /// Puts the bad file there.
  void (*make)(const fs::path& file);
  /// What the error says after the file's name.
  const char* reason;
};

struct CaseName {
  std::string operator()(const testing::TestParamInfo<BadPlugin>& test) const {
    return test.param.name;
  }
};

void copy_refused(const char* name, const fs::path& file) {
  fs::copy_file(fs::path(TENON_TEST_REFUSED_DIR) / name, file);
}

const fs::path kReference = fs::path(TENON_TEST_PLUGIN_DIR) / "tenon_plugin_reference.so";

const std::vector<BadPlugin> kPlugins{
    {"Truncated",
     [](const fs::path& file) {
       fs::copy_file(kReference, file);
       fs::resize_file(file, 1000);
     },
     "can't be loaded: it is truncated"},
    {"HalfAHeader",
     [](const fs::path& file) {
       fs::copy_file(kReference, file);
       fs::resize_file(file, 40);
     },
     "can't be loaded: it is truncated"},
    {"HalfTheFile",
     [](const fs::path& file) {
       fs::copy_file(kReference, file);
       fs::resize_file(file, fs::file_size(file) / 2);
     },
     "can't be loaded: it is truncated"},
    {"Text",
     [](const fs::path& file) { std::ofstream(file) << "a letter to nobody, longer than a header\n"; },
     "can't be loaded: it is not a shared library"},
    {"NoSymbol", [](const fs::path& file) { copy_refused("tenon_plugin_no_symbol.so", file); },
     "not a Tenon plugin: it has no symbol tenon_plugin_main"},
    {"WrongMajor", [](const fs::path& file) { copy_refused("tenon_plugin_wrong_major.so", file); },
     "speaks plugin ABI [0-9]+.0, this Tenon speaks .*; build the plugin against this Tenon's header"},
    {"ReturnsNull", [](const fs::path& file) { copy_refused("tenon_plugin_returns_null.so", file); },
     "the plugin refuses: this machine has no abacus"},
    {"Throws", [](const fs::path& file) { copy_refused("tenon_plugin_throws.so", file); },
     "tenon_plugin_main threw: dropped the abacus"},
    {"WorldWritable",
     [](const fs::path& file) {
       fs::copy_file(kReference, file);
       fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
     },
     "the file can be written by anybody, so it is not loaded; run: chmod o-w .*"},
    {"InAWorldWritableFolder",
     [](const fs::path& file) {
       fs::copy_file(kReference, file);
       fs::permissions(file.parent_path(), fs::perms::others_write, fs::perm_options::add);
     },
     "its folder can be written by anybody, so it is not loaded; run: chmod o-w .*"},
};

class BadPlugins : public testing::TestWithParam<BadPlugin> {
 protected:
  void SetUp() override {
    fs::create_directory(file_.parent_path());
    GetParam().make(file_);
  }
  TempDir folder_;
  const fs::path file_ = folder_.path() / "plugins" / "tenon_plugin_bad.so";
};

TEST_P(BadPlugins, NamedOnTheCommandLineEndTheRun) {
  for (const std::string command : {"devices", "train"}) {
    std::vector<std::string> arguments{command, "--plugin", file_.string()};
    if (command == "train")
      arguments.insert(arguments.end(),
                       {"linear", "--data", example_data("mpg.csv"), "--target", "mpg"});
    const ProcessResult result = run_tenon(arguments, {.folder = folder_.path().string()});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, testing::MatchesRegex("tenon: error: .*tenon_plugin_bad.so: " +
                                                  std::string(GetParam().reason) + "\n"));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"plugins"});
}

TEST_P(BadPlugins, InAFolderAreOnlyReported) {
  const std::string path = file_.parent_path().string() + ":" TENON_TEST_PLUGIN_DIR;
  const ProcessResult result = run_tenon({"devices", "--json"}, {.env = {"TENON_PLUGIN_PATH=" + path}});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  const auto& plugins = json.at("plugins");
  const auto bad = std::find_if(plugins.begin(), plugins.end(), [&](const auto& plugin) {
    return plugin.at("file") == file_.string();
  });
  ASSERT_NE(bad, plugins.end()) << result.out;
  EXPECT_EQ(bad->at("status"), "refused");
  EXPECT_THAT(bad->at("reason").template get<std::string>(), testing::ContainsRegex(GetParam().reason));
  const auto& devices = json.at("devices");
  EXPECT_TRUE(std::any_of(devices.begin(), devices.end(),
                          [](const auto& device) { return device.at("name") == "reference"; }));
}

INSTANTIATE_TEST_SUITE_P(All, BadPlugins, testing::ValuesIn(kPlugins), CaseName());

TEST(MissingPlugin, IsNamed) {
  const ProcessResult result = run_tenon({"devices", "--plugin", "/nowhere/tenon_plugin_x.so"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "tenon: error: /nowhere/tenon_plugin_x.so: No such file or directory\n");
}

}  // namespace
}  // namespace tenon::test
