// A plugin that lets an exception cross the border.
#include <stdexcept>

#include <tenon/plugin.h>

extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost*, const char**) {
  throw std::runtime_error("dropped the abacus");
}
