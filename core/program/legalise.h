// Programs for devices that lack optional opcodes, or store dtypes that they do not compute.
//
// Every value keeps its dtype and its one rounding. A missing opcode becomes mandatory ones of the
// value's own dtype: exact where opcodes.def says 0, else within its bound even where the device's own
// div, sqrt, exp and log are as far off as they may be. A dtype that is stored but not computed becomes
// its wide one (f16 and bf16 f32, i8 and i16 i32, u8 and u16 u32) between two casts, one instruction at
// a time.
//
// There is no way round a missing 64-bit dtype, and f64's opcodes but rsqrt are made of u64 arithmetic.
// philox takes u64 scalars and index inputs wherever it runs, and other u64 values only from devices
// that compute u64.
#pragma once

#include <cstdint>

#include "core/program/draft.h"

namespace tenon::program {

/// What a device does natively in programs, as its TenonDeviceInfo says.
struct Target {
  std::uint64_t opcodes;
  std::uint32_t storage_dtypes, compute_dtypes;
};

/// Whether every instruction is native on `target`.
bool is_legal(const Draft& draft, const Target& target);

/// The same inputs, scalars and outputs from native instructions only, in canonical form: equal bits
/// where opcodes.def says 0 (but for those of a NaN), within its bounds elsewhere. May exceed the ABI's
/// limits. Throws Unsupported where the device lacks a dtype that this takes.
Draft legalise(const Draft& draft, const Target& target);

}  // namespace tenon::program
