// tenon devices: what there is to run on, and what did not load and why.
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <tenon/device.h>

#include "tools/tenon/command.h"
#include "tools/tenon/report.h"

namespace tenon::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tenon devices\n"
    "  tenon devices --json\n"
    "  for d in $(tenon devices --names); do tenon train .. --device $d; done\n"
    "\n"
    "Plugins are searched for in TENON_PLUGIN_PATH, then beside the library.";

std::vector<std::string> names(const std::vector<DType>& dtypes) {
  std::vector<std::string> names;
  for (const DType dtype : dtypes) names.emplace_back(name(dtype));
  return names;
}

const char* status(const PluginReport& plugin) {
  return plugin.loaded ? "loaded" : "refused";
}

/// "" where there is none, or TENON_DEVICE names one that is not there.
std::string default_name() {
  try {
    return default_device().name();
  } catch (const Error&) {
    return "";
  }
}

Json device_json(const Device& device, const std::string& default_name) {
  const DeviceInfo& info = device.info();
  return {{"name", device.name()},
          {"kind", info.kind},
          {"description", info.description},
          {"memory", info.memory},
          {"dtypes", names(info.storage_dtypes)},
          {"compute_dtypes", names(info.compute_dtypes)},
          {"driver", info.driver},
          {"plugin", info.plugin},
          {"uid", info.uid},
          {"synchronous", info.synchronous},
          {"unified_memory", info.unified_memory},
          {"software", info.software},
          {"default", device.name() == default_name}};
}

Json all_json(const std::vector<Device>& devices, const std::vector<PluginReport>& plugins) {
  Json json{{"plugins", Json::array()}, {"devices", Json::array()}};
  for (const PluginReport& plugin : plugins)
    json["plugins"].push_back({{"file", plugin.file},
                               {"name", plugin.name},
                               {"version", plugin.version},
                               {"status", status(plugin)},
                               {"reason", plugin.reason}});
  for (const Device& device : devices) json["devices"].push_back(device_json(device, default_name()));
  return json;
}

std::string devices_text(const std::vector<Device>& devices) {
  if (devices.empty()) return "No device was found.\n";
  Table table;
  table.add({"", "DEVICE", "KIND", "MEMORY", "DTYPES", "DRIVER", "DESCRIPTION"});
  const std::string chosen = default_name();
  for (const Device& device : devices) {
    const DeviceInfo& info = device.info();
    table.add({device.name() == chosen ? "*" : "", device.name(), info.kind, short_bytes(info.memory),
               fmt::format("{}", fmt::join(names(info.storage_dtypes), " ")), info.driver,
               info.description});
  }
  return table.text() + (chosen.empty() ? "" : "* the default device\n");
}

std::string plugins_text(const std::vector<PluginReport>& plugins) {
  if (plugins.empty()) return "No plugin was found; set TENON_PLUGIN_PATH to a folder that has some.\n";
  Table table;
  table.add({"", "PLUGIN", "VERSION", "STATUS", "FILE"});
  std::string reasons;
  for (const PluginReport& plugin : plugins) {
    const std::string file = std::filesystem::path(plugin.file).filename().string();
    table.add(
        {"", plugin.name.empty() ? "?" : plugin.name, plugin.version, status(plugin), plugin.file});
    if (!plugin.reason.empty()) reasons += fmt::format("{}: {}\n", file, plugin.reason);
  }
  return table.text() + (reasons.empty() ? "" : "\n" + reasons);
}

struct DevicesCommand {
  std::vector<std::string> plugins;
  bool json = false, names = false;

  int run() {
    load_plugins(plugins);
    const std::vector<Device> found = devices();
    if (names) {
      for (const Device& device : found) fmt::print("{}\n", device.name());
      return 0;
    }
    const std::string text = devices_text(found) + "\n" + plugins_text(tenon::plugins());
    print(text, json ? all_json(found, tenon::plugins()) : Json(), json ? "-" : "", json);
    return 0;
  }
};

}  // namespace

Command add_devices(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("devices", "List devices and the plugins they come from");
  const auto self = std::make_shared<DevicesCommand>();
  add_plugin_option(*command, self->plugins);
  CLI::Option* const json = command->add_flag("--json", self->json, "as JSON");
  command->add_flag("--names", self->names, "only the devices' names, one a line")->excludes(json);
  command->footer(kExamples);
  return {command, [self] { return self->run(); }};
}

}  // namespace tenon::cli
