// Which plugin files are taken, in which order; in processes that have not asked for a device yet.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/tensor.h>

#include "tests/support/new_process.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kReference = TENON_TEST_PLUGIN_DIR "/tenon_plugin_reference.so";
const fs::path kFaulty = TENON_TEST_FAULTY_DIR "/tenon_plugin_faulty.so";

/// A folder with copies of plugins under these names.
class Folder {
 public:
  std::string add(const fs::path& plugin, const std::string& name) const {
    fs::copy_file(plugin, dir_.path() / name);
    return dir_.file(name);
  }
  std::string path() const { return dir_.path().string(); }

 private:
  TempDir dir_;
};

/// The only folders that plugins are looked for in, but for an installed Tenon's.
void search_only(const std::string& folders) {
  setenv("TENON_PLUGIN_PATH", folders.c_str(), 1);
}

/// The reports on files of these folders' names only.
std::vector<PluginReport> reports_of(std::initializer_list<const Folder*> folders) {
  std::vector<PluginReport> found;
  for (const PluginReport& report : plugins()) {
    for (const Folder* folder : folders) {
      if (report.file.starts_with(folder->path())) found.push_back(report);
    }
  }
  return found;
}

std::string loaded_already(const std::string& file, const std::string& from) {
  return file + ": a plugin called reference is loaded already, from " + from;
}

TEST(Loading, TheFirstFolderOfThePathWins) {
  in_new_process({}, [] {
    const Folder first, second;
    const std::string wins = first.add(kReference, "tenon_plugin_reference.so");
    const std::string loses = second.add(kReference, "tenon_plugin_reference.so");
    search_only("::/nowhere/at/all:" + first.path() + ":" + second.path() + ":" + first.path());
    const auto reports = reports_of({&first, &second});
    ASSERT_EQ(reports.size(), 2U) << "a folder named twice is searched once";
    EXPECT_EQ(reports[0].file, wins);
    EXPECT_TRUE(reports[0].loaded);
    EXPECT_EQ(reports[0].name, "reference");
    EXPECT_EQ(reports[0].version, "0.1.0");
    EXPECT_EQ(reports[0].reason, "");
    EXPECT_EQ(reports[1].file, loses);
    EXPECT_FALSE(reports[1].loaded);
    EXPECT_EQ(reports[1].reason, loaded_already(loses, wins));
    EXPECT_EQ(ones({2}, {.device = device("reference")}).numel(), 2);
  });
}

TEST(Loading, FilesOfAFolderComeByName) {
  in_new_process({}, [] {
    const Folder folder;
    const std::string b = folder.add(kReference, "tenon_plugin_b.so");
    const std::string a = folder.add(kReference, "tenon_plugin_a.so");
    const std::string c = folder.add(kFaulty, "tenon_plugin_c.so");
    folder.add(kReference, "libreference.so");
    folder.add(kReference, "tenon_plugin_reference.txt");
    search_only(folder.path());
    const auto reports = reports_of({&folder});
    ASSERT_EQ(reports.size(), 3U);
    EXPECT_EQ(reports[0].file, a);
    EXPECT_TRUE(reports[0].loaded);
    EXPECT_EQ(reports[1].reason, loaded_already(b, a));
    EXPECT_EQ(reports[2].file, c);
    EXPECT_TRUE(reports[2].loaded);
  });
}

TEST(Loading, AnExplicitFileComesBeforeASearch) {
  in_new_process({}, [] {
    const Folder searched, named;
    const std::string loses = searched.add(kReference, "tenon_plugin_reference.so");
    const std::string wins = named.add(kReference, "anything.so");
    search_only(searched.path());
    load_plugin(wins);
    const auto reports = reports_of({&searched, &named});
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports[0].file, wins);
    EXPECT_TRUE(reports[0].loaded);
    EXPECT_EQ(reports[1].reason, loaded_already(loses, wins));
  });
}

TEST(Loading, ASecondPluginOfANameIsRefused) {
  in_new_process({}, [] {
    const Folder searched, named;
    const std::string first = searched.add(kReference, "tenon_plugin_reference.so");
    const std::string second = named.add(kReference, "tenon_plugin_reference.so");
    search_only(searched.path());
    const std::size_t before = devices().size();
    EXPECT_EQ(thrown([&] { load_plugin(second); }),
              (Thrown{ErrorKind::DeviceError, loaded_already(second, first)}));
    EXPECT_EQ(devices().size(), before);
  });
}

TEST(Loading, TheSameFileAgainIsNoError) {
  in_new_process({}, [] {
    const Folder folder;
    const std::string file = folder.add(kReference, "tenon_plugin_reference.so");
    const std::string link = folder.path() + "/link.so";
    fs::create_symlink(file, link);
    search_only(folder.path());
    load_plugin(file);
    load_plugin(link);
    load_plugin(folder.path() + "/./tenon_plugin_reference.so");
    EXPECT_EQ(reports_of({&folder}).size(), 1U);
  });
}

TEST(Loading, OptionsGoByTheFilesName) {
  in_new_process({"TENON_HOSTILE_MEMORY_BYTES=4321000"}, [] {
    const Folder folder;
    folder.add(kFaulty, "tenon_plugin_hostile.so");
    search_only(folder.path());
    EXPECT_EQ(device("faulty").info().memory, 4321000U);
  });
}

TEST(Loading, WithoutPluginsThereIsNoDevice) {
  in_new_process({"TENON_DEVICE="}, [] {
    const Folder empty_one;
    search_only(empty_one.path());
    if (!devices().empty()) GTEST_SKIP() << "an installed Tenon has plugins";
    EXPECT_EQ(thrown([] { device("cpu"); }),
              invalid_argument("[device] there is no device cpu; there are: none (no plugin was found; "
                               "see `tenon devices`)"));
    EXPECT_EQ(thrown([] { zeros({1}); }).kind, ErrorKind::Unsupported);
  });
}

TEST(Loading, DevicesOfNegativeScoreAreNoDefault) {
  in_new_process({"TENON_DEVICE="}, [] {
    const Folder folder;
    folder.add(kFaulty, "tenon_plugin_faulty.so");
    search_only(folder.path());
    if (devices().size() > 2) GTEST_SKIP() << "an installed Tenon has plugins";
    EXPECT_EQ(thrown([] { zeros({1}); }),
              (Thrown{ErrorKind::Unsupported,
                      "[device] no plugin offers a default device; `tenon devices` says why, "
                      "TENON_PLUGIN_PATH names folders to search"}));
    EXPECT_EQ(zeros({1}, {.device = device("faulty")}).device().name(), "faulty:0");
  });
}

}  // namespace
}  // namespace tenon::test
