// Programs by what they are for, so that no call builds one twice.
#pragma once

#include <map>
#include <mutex>
#include <shared_mutex>

#include <tenon/program.h>

namespace tenon::ops {

/// Programs built so far; from any threads. Made to be leaked: programs may run while the process ends.
template <class Key>
class ProgramTable {
 public:
  /// The program for `key`, which `build` makes at first.
  template <class Build>
  const program::Program& get(const Key& key, Build&& build) {
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = programs_.find(key); found != programs_.end()) return found->second;
    }
    const std::unique_lock lock(mutex_);
    return programs_.try_emplace(key, build()).first->second;
  }

 private:
  std::shared_mutex mutex_;
  std::map<Key, program::Program> programs_;
};

}  // namespace tenon::ops
