// How many processors this process may use.
#pragma once

#include <filesystem>
#include <string>

namespace cpu {

/// At least 1: those that the scheduler may put it on, or as many as the quota of its control group
/// pays for, rounded up, where that is less.
int usable_processors();

/// The quota of a control group and of those above it, in processors rounded up; 0 where there is none.
/// `root` holds the hierarchies (/sys/fs/cgroup), `membership` is the text of /proc/self/cgroup.
int cgroup_quota(const std::filesystem::path& root, const std::string& membership);

}  // namespace cpu
