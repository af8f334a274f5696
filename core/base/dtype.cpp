// Names of dtypes and their promotion.
#include <tenon/dtype.h>
#include <tenon/plugin.h>

#include <atomic>
#include <ostream>

#include "core/base/fail.h"

namespace tenon {

#define TENON_DTYPE(name, NAME, code, bytes) \
  static_assert(static_cast<int>(DType::name) == TENON_DTYPE_##NAME);
#include <tenon/dtypes.def>
#undef TENON_DTYPE

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << name(dtype);
}

std::string_view name(DType dtype) {
  switch (dtype) {
    case bool_:
      return "bool";
    case u8:
      return "u8";
    case i8:
      return "i8";
    case u16:
      return "u16";
    case i16:
      return "i16";
    case u32:
      return "u32";
    case i32:
      return "i32";
    case u64:
      return "u64";
    case i64:
      return "i64";
    case f16:
      return "f16";
    case bf16:
      return "bf16";
    case f32:
      return "f32";
    case f64:
      return "f64";
  }
  return "unknown";
}

namespace {

std::atomic<DType> floating_by_default{f32};

DType promote_floating(DType a, DType b) {
  if (size_of(a) == size_of(b)) return a == b ? a : f32;  // f16 with bf16
  return size_of(a) > size_of(b) ? a : b;
}

DType signed_of_size(std::int64_t bytes) {
  return bytes == 1 ? i8 : bytes == 2 ? i16 : bytes == 4 ? i32 : i64;
}

DType promote_integers(DType a, DType b) {
  if (is_signed_integer(a) == is_signed_integer(b)) return size_of(a) >= size_of(b) ? a : b;
  const DType signed_one = is_signed_integer(a) ? a : b;
  const DType unsigned_one = is_signed_integer(a) ? b : a;
  if (size_of(signed_one) > size_of(unsigned_one)) return signed_one;
  return unsigned_one == u64 ? default_dtype() : signed_of_size(2 * size_of(unsigned_one));
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b || b == bool_) return a;
  if (a == bool_) return b;
  if (is_floating(a) && is_floating(b)) return promote_floating(a, b);
  if (is_floating(a)) return a;
  if (is_floating(b)) return b;
  return promote_integers(a, b);
}

DType default_dtype() {
  return floating_by_default.load(std::memory_order_relaxed);
}

void set_default_dtype(DType dtype) {
  require(is_floating(dtype), "[set_default_dtype] {} is not floating", name(dtype));
  floating_by_default.store(dtype, std::memory_order_relaxed);
}

}  // namespace tenon
