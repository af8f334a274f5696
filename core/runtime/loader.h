// From a plugin file to a table that can be called.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::runtime {

/// A plugin in this process; never unloaded.
struct LoadedPlugin {
  std::string file;
  /// The host's own copy: zero where the plugin's header is older, absent slots patched, so that no
  /// caller tests for NULL.
  TenonPlugin table;
};

/// Loads one file: refuses (with an Error whose text says why) what is not a plugin, can be written
/// by anybody or belongs to neither the user nor root, speaks another major version, or lacks a
/// mandatory entry.
std::unique_ptr<LoadedPlugin> load_file(const std::filesystem::path& file);

/// Every tenon_plugin_*.so, by name within each folder, in the order of searching:
/// TENON_PLUGIN_PATH, tenon/plugins beside this library, the installed folder.
std::vector<std::filesystem::path> find_plugin_files();

}  // namespace tenon::runtime
