// A plugin that refuses to work on this machine.
#include <tenon/plugin.h>

extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost*, const char** why) {
  *why = "this machine has no abacus";
  return nullptr;
}
