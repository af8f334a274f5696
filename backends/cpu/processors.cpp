// Control groups of both versions: cpu.max of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of 1.
#include "processors.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace cpu {

namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// "max 100000" or "150000 100000": microseconds of processor time in each period.
int processors_of(const std::string& quota_and_period) {
  std::istringstream in(quota_and_period);
  std::int64_t quota = 0, period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<std::int64_t>((quota + period - 1) / period, 1 << 16));
}

int quota_of(const fs::path& group) {
  if (const std::string both = read_text(group / "cpu.max"); !both.empty()) return processors_of(both);
  return processors_of(read_text(group / "cpu.cfs_quota_us") + " " +
                       read_text(group / "cpu.cfs_period_us"));
}

/// The least quota from the group up to its hierarchy's root. What a container calls its path may be
/// the host's, of which the container sees the root only.
int least_quota(const fs::path& hierarchy, const fs::path& group) {
  int least = quota_of(hierarchy);
  fs::path at = hierarchy;
  for (const fs::path& part : group.relative_path()) {
    at /= part;
    const int found = quota_of(at);
    if (found > 0) least = least > 0 ? std::min(least, found) : found;
  }
  return least;
}

}  // namespace

int cgroup_quota(const fs::path& root, const std::string& membership) {
  int least = 0;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:path
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    for (const fs::path& hierarchy : {root, root / "unified", root / "cpu", root / "cpu,cpuacct"}) {
      if (controllers != ",," && controllers.find(",cpu,") == std::string::npos) continue;
      const int found = least_quota(hierarchy, group);
      if (found > 0) least = least > 0 ? std::min(least, found) : found;
    }
  }
  return least;
}

int usable_processors() {
  int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) count = std::max(1, CPU_COUNT(&allowed));
  const int quota = cgroup_quota("/sys/fs/cgroup", read_text("/proc/self/cgroup"));
  return quota > 0 ? std::min(count, quota) : count;
}

}  // namespace cpu
