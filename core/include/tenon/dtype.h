// The types of a tensor's elements.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#pragma GCC visibility push(default)
namespace tenon {

/// The codes are the plugin ABI's.
enum class DType : std::uint8_t {
#define TENON_DTYPE(name, NAME, code, bytes) name = code,
#include <tenon/dtypes.def>
#undef TENON_DTYPE
};
using enum DType;

/// "f32", "bool" and so on.
std::string_view name(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

/// Bytes of one element.
constexpr std::int64_t size_of(DType dtype) {
  switch (dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  case DType::name:                          \
    return bytes;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  }
  return 0;
}

constexpr bool is_floating(DType d) {
  return d == f16 || d == bf16 || d == f32 || d == f64;
}
constexpr bool is_signed_integer(DType d) {
  return d == i8 || d == i16 || d == i32 || d == i64;
}
constexpr bool is_unsigned_integer(DType d) {
  return d == u8 || d == u16 || d == u32 || d == u64;
}
constexpr bool is_integer(DType d) {
  return is_signed_integer(d) || is_unsigned_integer(d);
}

/// The dtype that both promote to: the Python array API standard's table; integer with floating
/// gives the floating dtype, bool with anything the other, f16 with bf16 f32, u64 with a signed
/// integer the default dtype.
DType promote(DType a, DType b);

/// What is made where nothing says which floating dtype: of floating literals, quotients and means of
/// integers, an integer tensor with a floating number. f32 at first.
DType default_dtype();
/// For all threads; a floating dtype.
void set_default_dtype(DType dtype);

/// The dtype of a C++ element type: dtype_of<float> is f32.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "no dtype has this C++ type");
  return f32;
}();
template <>
inline constexpr DType dtype_of<bool> = bool_;
template <>
inline constexpr DType dtype_of<std::uint8_t> = u8;
template <>
inline constexpr DType dtype_of<std::int8_t> = i8;
template <>
inline constexpr DType dtype_of<std::uint16_t> = u16;
template <>
inline constexpr DType dtype_of<std::int16_t> = i16;
template <>
inline constexpr DType dtype_of<std::uint32_t> = u32;
template <>
inline constexpr DType dtype_of<std::int32_t> = i32;
template <>
inline constexpr DType dtype_of<std::uint64_t> = u64;
template <>
inline constexpr DType dtype_of<std::int64_t> = i64;
template <>
inline constexpr DType dtype_of<float> = f32;
template <>
inline constexpr DType dtype_of<double> = f64;

}  // namespace tenon
#pragma GCC visibility pop
