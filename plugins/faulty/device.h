// A faulty device: its settings, its allocations, and the news that the core broke a rule so badly
// that the device plays dead.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <tenon/plugin.h>

#include "plugins/faulty/memory.h"
#include "plugins/faulty/options.h"

namespace faulty {

inline constexpr std::uint32_t kDeviceCount = 2;

/// The blocks of all devices. Never destroyed: workers may outlive static objects.
Heap& heap();

}  // namespace faulty

struct TenonDevice {
 public:
  TenonDevice(const TenonHost& host, std::uint32_t index);
  /// Finishes all streams, then looks at the guards of what was never freed.
  ~TenonDevice();
  TenonDevice(const TenonDevice&) = delete;
  TenonDevice& operator=(const TenonDevice&) = delete;

  const TenonHost& host() const { return host_; }
  const std::string& name() const { return name_; }
  const faulty::Behaviour& behaviour() const { return behaviour_; }

  TenonMem allocate(std::uint32_t space, std::uint64_t bytes);
  void free(std::uint64_t handle);
  TenonMemInfo memory_info() const;

  TenonStream* create_stream();
  void destroy_stream(TenonStream* stream);

  /// Counts a launch, which is where an option loses the device; the reason for which it has to fail
  /// late, or "".
  std::string count_launch();

  /// Plays dead from now on, and says why in the log.
  void lose(const std::string& why);
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  /// Throws TENON_DEVICE_LOST, with the reason, if the device plays dead.
  void check_alive() const;
  /// Runs `write` unless the device plays dead, and keeps it from doing so meanwhile: once it is lost,
  /// nothing that was queued touches the host's memory.
  template <class Write>
  void write_to_host(const Write& write) {
    const std::lock_guard lock(mutex_);
    if (!lost()) write();
  }

 private:
  void check_guards(const faulty::Block& block);
  void reserve(std::uint64_t bytes);

  const TenonHost& host_;
  const std::string name_;
  const faulty::Behaviour behaviour_;
  std::atomic<std::uint64_t> used_{0}, launches_{0};
  std::atomic<bool> lost_{false};
  mutable std::mutex mutex_;
  std::string why_lost_;
  std::uint64_t streams_created_ = 0;
  std::vector<std::unique_ptr<TenonStream>> streams_;
};
