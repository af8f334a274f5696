// The public face of devices and plugins.
#include <tenon/device.h>

#include <ostream>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/registry.h"
#include "core/runtime/stream.h"

namespace tenon {

using runtime::Registry;

const std::string& Device::name() const {
  return state_->name();
}
std::ostream& operator<<(std::ostream& out, Device device) {
  return out << device.name();
}
const DeviceInfo& Device::info() const {
  return state_->info();
}

DeviceStats Device::stats() const {
  const runtime::Counters& counters = state_->counters();
  return {.launches = state_->streams().launches(),
          .kernels = counters.kernels,
          .fallbacks = state_->fallbacks().total(),
          .host_bytes = counters.host_bytes};
}

void Device::synchronize() const {
  runtime::check_not_forked();
  state_->streams().finish_all();
}
void Device::synchronize(std::chrono::nanoseconds timeout) const {
  require(timeout.count() >= 0, "[synchronize] a time-out of {} ns", timeout.count());
  runtime::check_not_forked();
  state_->streams().finish_all(runtime::Deadline(timeout));
}

Device device(std::string_view name) {
  return Device(&Registry::get().find(name));
}

std::vector<Device> devices() {
  std::vector<Device> list;
  for (runtime::DeviceState* state : Registry::get().devices()) list.emplace_back(state);
  return list;
}

Device default_device() {
  return Device(&Registry::get().default_device());
}
void set_default_device(Device device) {
  Registry::get().set_default_device(device.state());
}
std::vector<PluginReport> plugins() {
  return Registry::get().reports();
}
void load_plugin(const std::string& file) {
  Registry::get().load(file);
}
void set_option(const std::string& key, const std::string& value) {
  runtime::store_option(key, value);
}
void shutdown() {
  Registry::get().shutdown();
}

}  // namespace tenon
