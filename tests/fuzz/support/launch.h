// A pack for a prepared op: extents and strides that the description leaves open, and memory of exactly
// the bytes that a launch may touch, so that a sanitizer sees any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/sdk/view.h>

#include "tests/fuzz/support/bytes.h"

namespace tenon::fuzz {

struct Memory {
  std::vector<std::byte> bytes;
  std::vector<std::byte> before;  ///< what the kernel met
};

struct Launchable {
  std::vector<TenonOperand> operands;
  std::vector<std::vector<std::int64_t>> strides;
  std::vector<std::uint64_t> scalars;
  std::vector<std::int64_t> dims;
  std::vector<Memory> memory;  ///< of each operand; empty where it has none

  TenonPack pack() const { return {operands.data(), scalars.data(), dims.data()}; }
};

/// Nothing where the description leaves no pack that a host may send: extents that contradict each
/// other, or more memory than a fuzzer has.
std::optional<Launchable> make_pack(sdk::OpView op, Bytes& in);

}  // namespace tenon::fuzz
