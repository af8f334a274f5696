// The quotas of control groups, from files as the kernel shows them.
#include <fstream>

#include <gtest/gtest.h>

#include "backends/cpu/processors.h"
#include "tests/support/temp_dir.h"

namespace tenon::test {
namespace {

class Quota : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = dir_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  int quota(const std::string& membership) const { return cpu::cgroup_quota(dir_.path(), membership); }

 private:
  TempDir dir_;
};

TEST_F(Quota, NoFilesAreNoQuota) {
  EXPECT_EQ(quota("0::/a/b\n"), 0);
  EXPECT_EQ(quota(""), 0);
  EXPECT_EQ(quota("no such line"), 0);
}

TEST_F(Quota, OfVersion2IsRoundedUp) {
  write("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota("0::/a\n"), 2);
  write("a/cpu.max", "5000 100000\n");
  EXPECT_EQ(quota("0::/a\n"), 1);
  write("a/cpu.max", "max 100000\n");
  EXPECT_EQ(quota("0::/a\n"), 0);
  write("a/cpu.max", "what\n");
  EXPECT_EQ(quota("0::/a\n"), 0);
}

TEST_F(Quota, TheLeastOfAllGroupsAboveCounts) {
  write("a/cpu.max", "300000 100000\n");
  write("a/b/cpu.max", "800000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 3);
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 2);
}

TEST_F(Quota, OfVersion1IsInTheHierarchyOfCpu) {
  const std::string membership = "5:memory:/m\n4:cpu,cpuacct:/job\n0::/other\n";
  write("cpu,cpuacct/job/cpu.cfs_quota_us", "400000\n");
  write("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(membership), 4);
  write("cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(quota(membership), 0);
  write("memory/m/cpu.max", "100000 100000\n");
  EXPECT_EQ(quota(membership), 0) << "that is another controller's";
}

// In a container the path is the host's, and the files of its own group are at the root.
TEST_F(Quota, APathThatIsNotThereEndsAtTheRoot) {
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(quota("0::/docker/0123456789\n"), 2);
}

TEST(Processors, AreAtLeastOne) {
  EXPECT_GE(cpu::usable_processors(), 1);
}

}  // namespace
}  // namespace tenon::test
