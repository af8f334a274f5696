// Search, names, the default device.
#include "core/runtime/registry.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include <fmt/ranges.h>

#include "core/base/fail.h"
#include "core/runtime/check_info.h"
#include "core/runtime/host.h"
#include "core/runtime/table.h"

namespace tenon::runtime {
namespace {

std::atomic<bool> forked{false};

std::string device_name(const TenonPlugin& table, const TenonDeviceInfo& info, std::uint32_t index,
                        std::uint32_t count) {
  const bool alone = count == 1 && !has_streams(table);
  return alone ? std::string(info.kind) : fmt::format("{}:{}", info.kind, index);
}

TenonDeviceInfo ask_info(const LoadedPlugin& plugin, std::uint32_t index) {
  TenonDeviceInfo info{};
  info.struct_size = sizeof info;
  const std::int32_t code = plugin.table.device_info(index, &info);
  if (code != TENON_OK) {
    const std::string why = code > 0 ? take_note() : take_error();
    fail(ErrorKind::DeviceError, "{}: device_info({}) failed: {}", plugin.file, index,
         why.empty() ? "it gives no reason" : why);
  }
  check_info(plugin.file, index, info);
  return info;
}

/// The number of a plugin's devices; far more than any machine has is no number of devices.
std::uint32_t ask_count(const LoadedPlugin& plugin) {
  constexpr std::uint32_t kMost = 1024;
  const std::uint32_t count = plugin.table.device_count();
  if (count > kMost) {
    fail(ErrorKind::DeviceError, "{}: device_count is {}, must be at most {}", plugin.file, count,
         kMost);
  }
  return count;
}

}  // namespace

void check_not_forked() {
  if (forked.load(std::memory_order_relaxed)) {
    fail(
        ErrorKind::DeviceError,
        "[tenon] this process was forked from one that used Tenon; start it with spawn (exec) instead");
  }
}

Registry& Registry::get() {
  static Registry& leaked = *new Registry;
  return leaked;
}

Registry::Registry() {
  pthread_atfork(nullptr, nullptr, [] { forked = true; });
}

bool Registry::is_loaded(const std::string& file) const {
  return std::any_of(plugins_.begin(), plugins_.end(), [&](const auto& p) { return p->file == file; });
}

void Registry::search() {
  if (std::exchange(searched_, true)) return;
  for (const auto& file : find_plugin_files()) {
    std::error_code error;
    if (is_loaded(std::filesystem::canonical(file, error).string())) continue;
    try {
      reports_.push_back(add(load_file(file)));
    } catch (const Error& refusal) {
      reports_.push_back({.file = file.string(), .reason = refusal.what()});
    }
  }
}

PluginReport Registry::add(std::unique_ptr<LoadedPlugin> plugin) {
  const TenonPlugin& table = plugin->table;
  for (const auto& other : plugins_) {
    if (std::string_view(other->table.name) == table.name) {
      fail(ErrorKind::DeviceError, "{}: a plugin called {} is loaded already, from {}", plugin->file,
           table.name, other->file);
    }
  }
  take_note();
  auto found = ask_devices(*plugin);
  PluginReport report{plugin->file, table.name, table.version, true, found.empty() ? take_note() : ""};
  std::move(found.begin(), found.end(), std::back_inserter(devices_));
  plugins_.push_back(std::move(plugin));
  return report;
}

std::vector<std::unique_ptr<DeviceState>> Registry::ask_devices(const LoadedPlugin& plugin) {
  const std::uint32_t count = ask_count(plugin);
  std::vector<std::unique_ptr<DeviceState>> found;
  for (std::uint32_t index = 0; index < count; ++index) {
    const TenonDeviceInfo info = ask_info(plugin, index);
    const std::string name = device_name(plugin.table, info, index, count);
    if (lookup(name) != nullptr) {
      fail(ErrorKind::DeviceError, "{}: its device {} has the name of one that is there already",
           plugin.file, name);
    }
    for (const auto& other : found) {
      if (other->info().uid == info.uid) {
        fail(ErrorKind::DeviceError, "{}: devices {} and {} have one uid, \"{}\"", plugin.file,
             other->name(), name, info.uid);
      }
    }
    found.push_back(std::make_unique<DeviceState>(plugin.table, index, name, info));
  }
  return found;
}

DeviceState* Registry::lookup(std::string_view name) {
  for (const auto& device : devices_) {
    const std::string& own = device->name();
    if (own == name) return device.get();
    if (own == device->info().kind && own + ":0" == name) return device.get();
    if (device->info().kind == name) return device.get();
  }
  return nullptr;
}

DeviceState& Registry::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  search();
  if (DeviceState* device = lookup(name)) return *device;
  std::vector<std::string> names;
  for (const auto& device : devices_) names.push_back(device->name());
  fail(ErrorKind::InvalidArgument, "[device] there is no device {}; there are: {}", name,
       names.empty() ? "none (no plugin was found; see `tenon devices`)"
                     : fmt::format("{}", fmt::join(names, ", ")));
}

std::vector<DeviceState*> Registry::devices() {
  const std::lock_guard lock(mutex_);
  search();
  std::vector<DeviceState*> list;
  for (const auto& device : devices_) list.push_back(device.get());
  return list;
}

std::vector<PluginReport> Registry::reports() {
  const std::lock_guard lock(mutex_);
  search();
  return reports_;
}

DeviceState& Registry::choose_default() {
  if (const char* name = std::getenv("TENON_DEVICE"); name != nullptr && *name != '\0')
    return find(name);
  DeviceState* best = nullptr;
  for (const auto& device : devices_) {
    const std::int32_t score = device->api().score();
    if (score < 0) continue;
    const bool better = best == nullptr || score > best->api().score() ||
                        (score == best->api().score() && device->name() < best->name());
    if (better) best = device.get();
  }
  if (best == nullptr) {
    fail(ErrorKind::Unsupported,
         "[device] no plugin offers a default device; `tenon devices` says why, "
         "TENON_PLUGIN_PATH names folders to search");
  }
  return *best;
}

DeviceState& Registry::default_device() {
  const std::lock_guard lock(mutex_);
  search();
  if (default_ == nullptr) default_ = &choose_default();
  return *default_;
}

void Registry::set_default_device(DeviceState& device) {
  const std::lock_guard lock(mutex_);
  default_ = &device;
}

void Registry::load(const std::string& file) {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  if (is_loaded(std::filesystem::canonical(file, error).string())) return;
  reports_.push_back(add(load_file(file)));
}

void Registry::shutdown() {
  check_not_forked();
  const std::lock_guard lock(mutex_);
  if (std::exchange(over_, true)) return;
  for (const auto& device : devices_) device->close();
  for (const auto& plugin : plugins_) plugin->table.shutdown();
}

}  // namespace tenon::runtime
