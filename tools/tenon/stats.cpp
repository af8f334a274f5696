// What the devices did.
#include <tenon/device.h>
#include <tenon/fallback.h>
#include <tenon/memory.h>

#include "tools/tenon/report.h"

namespace tenon::cli {
namespace {

std::vector<Device> busy_devices() {
  std::vector<Device> list = devices();
  std::erase_if(list, [](const Device& device) { return device.stats().launches == 0; });
  return list;
}

}  // namespace

std::string stats_text() {
  Table table, fallbacks;
  table.add({"DEVICE", "LAUNCHES", "KERNELS", "MEMORY PEAK", "FALLBACKS", "COPIED TO HOST"});
  for (const Device& device : busy_devices()) {
    const DeviceStats stats = device.stats();
    table.add({device.name(), std::to_string(stats.launches), std::to_string(stats.kernels),
               short_bytes(static_cast<std::uint64_t>(memory_stats(device).peak)),
               std::to_string(stats.fallbacks),
               short_bytes(static_cast<std::uint64_t>(stats.host_bytes))});
    for (const FallbackCount& one : fallback_counts(device)) {
      fallbacks.add({device.name(), one.op, one.how, std::to_string(one.count)});
    }
  }
  const std::string list = fallbacks.text();
  return table.text() + (list.empty() ? "" : "\nOps that ran another way:\n" + list);
}

Json stats_json() {
  Json json = Json::object();
  for (const Device& device : busy_devices()) {
    const DeviceStats stats = device.stats();
    Json fallbacks = Json::array();
    for (const FallbackCount& one : fallback_counts(device))
      fallbacks.push_back({{"op", one.op}, {"how", one.how}, {"count", one.count}});
    json[device.name()] = {{"launches", stats.launches},
                           {"kernels", stats.kernels},
                           {"memory_peak", memory_stats(device).peak},
                           {"host_bytes", stats.host_bytes},
                           {"fallbacks", fallbacks}};
  }
  return json;
}

}  // namespace tenon::cli
