// A plugin built against a header of the next major version.
#include <cstdint>

#include <tenon/plugin.h>

namespace {

constexpr std::uint32_t kNextMajor = (static_cast<std::uint32_t>(TENON_ABI_MAJOR) + 1) << 16;

const TenonPlugin& table() {
  static const TenonPlugin made = [] {
    TenonPlugin plugin{};
    plugin.struct_size = sizeof plugin;
    plugin.abi = kNextMajor;
    plugin.name = "wrong_major";
    plugin.version = "1.0";
    plugin.build = "test";
    return plugin;
  }();
  return made;
}

}  // namespace

extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost*, const char**) {
  return &table();
}
