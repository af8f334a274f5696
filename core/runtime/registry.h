// Which plugins and devices this process has.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/device.h>

#include "core/runtime/device_state.h"
#include "core/runtime/loader.h"

namespace tenon::runtime {

/// The process's list; leaked on purpose, so that tensors in static variables outlive main.
class Registry {
 public:
  static Registry& get();

  DeviceState& find(std::string_view name);
  std::vector<DeviceState*> devices();
  std::vector<PluginReport> reports();
  DeviceState& default_device();
  void set_default_device(DeviceState& device);
  /// An explicit file: throws where a search would only report, and comes before what a later search
  /// finds.
  void load(const std::string& file);
  void shutdown();

 private:
  Registry();
  /// Once, before the first question about devices.
  void search();
  /// The report of a plugin that was taken in; its devices are listed.
  PluginReport add(std::unique_ptr<LoadedPlugin> plugin);
  /// What the plugin says of its devices, checked.
  std::vector<std::unique_ptr<DeviceState>> ask_devices(const LoadedPlugin& plugin);
  bool is_loaded(const std::string& file) const;
  DeviceState* lookup(std::string_view name);
  DeviceState& choose_default();

  std::recursive_mutex mutex_;
  std::vector<std::unique_ptr<LoadedPlugin>> plugins_;
  std::vector<std::unique_ptr<DeviceState>> devices_;
  std::vector<PluginReport> reports_;
  DeviceState* default_ = nullptr;
  bool searched_ = false, over_ = false;
};

/// Throws where this process is a fork of one that used Tenon: threads and drivers did not come along.
void check_not_forked();

}  // namespace tenon::runtime
