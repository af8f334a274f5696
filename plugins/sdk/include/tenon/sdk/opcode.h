// opcodes.def, asked by code.
#pragma once

#include <cstdint>

#include <tenon/plugin.h>
#include <tenon/sdk/dtype.h>

namespace tenon::sdk {

/// Which dtypes an opcode takes and gives; see opcodes.def.
enum class Group { ARITH, FLOAT, BITS, SHIFT, COMPARE, SELECT, CAST, BITCAST, PHILOX };

struct OpcodeInfo {
  int arity = 0;
  Group group = Group::ARITH;
};

/// Arity 0 where `code` is no opcode.
constexpr OpcodeInfo opcode_info(uint8_t code) {
  switch (code) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  case code:                                              \
    return {arity, Group::group};
#include <tenon/opcodes.def>
#undef TENON_OPCODE
    default:
      return {};
  }
}

/// Whether operands of dtypes a, b, c (the first `arity` count) may give a `result` of its dtype.
constexpr bool dtypes_fit(OpcodeInfo opcode, uint8_t a, uint8_t b, uint8_t c, uint8_t result) {
  const bool floating = a >= TENON_DTYPE_F16, is_bool = a == TENON_DTYPE_BOOL;
  const bool same = a == result && (opcode.arity < 2 || b == a) && (opcode.arity < 3 || c == a);
  switch (opcode.group) {
    case Group::ARITH:
      return same && !is_bool;
    case Group::FLOAT:
      return same && floating;
    case Group::BITS:
      return same && !floating;
    case Group::SHIFT:
      return same && !floating && !is_bool;
    case Group::COMPARE:
      return a == b && result == TENON_DTYPE_BOOL;
    case Group::SELECT:
      return is_bool && b == c && b == result;
    case Group::CAST:
      return true;
    case Group::BITCAST:
      return !is_bool && result != TENON_DTYPE_BOOL && size_of(a) == size_of(result);
    case Group::PHILOX:
      return a == TENON_DTYPE_U64 && b == a && c == a && result == TENON_DTYPE_U32;
  }
  return false;
}

/// A mask for TenonDeviceInfo.opcodes: every optional opcode of this header.
constexpr uint64_t optional_opcodes() {
  uint64_t mask = 0;
  for (uint8_t code = 32; code < 64; ++code) {
    if (opcode_info(code).arity != 0) mask |= uint64_t{1} << code;
  }
  return mask;
}

}  // namespace tenon::sdk
