// Dtypes as C++ types: `dispatch` turns the dtype of a description into a template argument.
//
//   dispatch(Numbers{}, dtype, [&]<class T>() { add(static_cast<T*>(dst), ...); });
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include <tenon/plugin.h>
#include <tenon/sdk/half.h>
#include <tenon/sdk/status.h>

namespace tenon::sdk {

static_assert(sizeof(bool) == 1);

/// True for the codes of dtypes.def.
constexpr bool is_dtype(uint32_t dtype) {
  return dtype >= TENON_DTYPE_BOOL && dtype <= TENON_DTYPE_F64;
}

/// Bytes of an element; 0 for no dtype.
constexpr size_t size_of(uint32_t dtype) {
  switch (dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  case code:                                 \
    return bytes;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
    default:
      return 0;
  }
}

/// "f32"; "dtype 77" for no dtype.
inline std::string name_of(uint32_t dtype) {
  switch (dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  case code:                                 \
    return code == TENON_DTYPE_BOOL ? "bool" : #name;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
    default:
      return "dtype " + std::to_string(dtype);
  }
}

/// The code of a C++ type; 0 where it is no dtype.
template <class T>
constexpr uint8_t dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return TENON_DTYPE_BOOL;
  if constexpr (std::is_same_v<T, uint8_t>) return TENON_DTYPE_U8;
  if constexpr (std::is_same_v<T, int8_t>) return TENON_DTYPE_I8;
  if constexpr (std::is_same_v<T, uint16_t>) return TENON_DTYPE_U16;
  if constexpr (std::is_same_v<T, int16_t>) return TENON_DTYPE_I16;
  if constexpr (std::is_same_v<T, uint32_t>) return TENON_DTYPE_U32;
  if constexpr (std::is_same_v<T, int32_t>) return TENON_DTYPE_I32;
  if constexpr (std::is_same_v<T, uint64_t>) return TENON_DTYPE_U64;
  if constexpr (std::is_same_v<T, int64_t>) return TENON_DTYPE_I64;
  if constexpr (std::is_same_v<T, half>) return TENON_DTYPE_F16;
  if constexpr (std::is_same_v<T, bfloat16>) return TENON_DTYPE_BF16;
  if constexpr (std::is_same_v<T, float>) return TENON_DTYPE_F32;
  if constexpr (std::is_same_v<T, double>) return TENON_DTYPE_F64;
  return TENON_DTYPE_NONE;
}

template <class... T>
struct Types {
  static constexpr uint32_t mask = (0u | ... | (1u << dtype_of<T>()));
};

template <class... A, class... B>
Types<A..., B...> joined(Types<A...>, Types<B...>);

using Floats = Types<float, double, half, bfloat16>;
using Integers = Types<int32_t, int64_t, uint32_t, uint64_t, int8_t, int16_t, uint8_t, uint16_t>;
using Numbers = decltype(joined(Floats{}, Integers{}));
using Everything = decltype(joined(Numbers{}, Types<bool>{}));

/// Calls body.operator()<T>() with the T of `dtype`; throws Unsupported where the list lacks it.
template <class First, class... Rest, class Body>
auto dispatch(Types<First, Rest...>, uint32_t dtype, Body&& body) {
  if (dtype == dtype_of<First>()) return body.template operator()<First>();
  if constexpr (sizeof...(Rest) > 0) {
    return dispatch(Types<Rest...>{}, dtype, std::forward<Body>(body));
  } else {
    throw Unsupported("does not take " + name_of(dtype));
  }
}

/// Element `index` after `from`, at any alignment. A bool is any byte that is not 0.
template <class T>
T load(const std::byte* from, int64_t index = 0) {
  if constexpr (std::is_same_v<T, bool>) {
    return from[index] != std::byte{0};
  } else {
    T value;
    std::memcpy(&value, from + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
}

template <class T>
void store(std::byte* to, T value, int64_t index = 0) {
  std::memcpy(to + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

/// n copies of a value that is given by its raw bits.
inline void spread(std::byte* out, uint8_t dtype, uint64_t bits, int n) {
  dispatch(Everything{}, dtype, [&]<class T>() {
    std::fill_n(reinterpret_cast<T*>(out), n, load<T>(reinterpret_cast<const std::byte*>(&bits)));
  });
}

}  // namespace tenon::sdk
