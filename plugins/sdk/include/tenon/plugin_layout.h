/*
 * The ABI's memory layout and codes, as the compiler holds plugin.h to them: the offset of each field
 * and the value of each constant. Sizes are pinned in plugin.h. For 64-bit targets; C11 and C++20.
 */
#ifndef TENON_PLUGIN_LAYOUT_H
#define TENON_PLUGIN_LAYOUT_H

#include <stddef.h>

#include <tenon/plugin.h>

#define TENON_AT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), #type "." #field " has moved");
#define TENON_VALUE(name, value) static_assert((name) == (value), #name " has another value");
#include <tenon/plugin_layout.def>
#undef TENON_AT
#undef TENON_VALUE

#endif
