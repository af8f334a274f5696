// Structs that start with struct_size come from a host of any minor version: shorter than ours, or
// longer. They are read and written through these two.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tenon/plugin.h>

namespace tenon::sdk {

/// `given` as far as its writer knew it; fields that it did not know are zero.
template <class T>
T read(const T& given) {
  static_assert(std::is_trivially_copyable_v<T>);
  T known{};
  if (given.struct_size >= sizeof(T)) {
    std::memcpy(&known, &given, sizeof(T));  // of a size that the compiler knows: a few moves
  } else {
    std::memcpy(&known, &given, given.struct_size);
  }
  known.struct_size = sizeof(T);
  return known;
}

/// Fills `asked` as far as its owner knows the struct; its struct_size stays.
template <class T>
void answer(T& asked, T given) {
  static_assert(std::is_trivially_copyable_v<T>);
  given.struct_size = asked.struct_size;
  std::memcpy(&asked, &given, std::min<size_t>(asked.struct_size, sizeof(T)));
}

}  // namespace tenon::sdk
