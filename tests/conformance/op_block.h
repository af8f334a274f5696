// The bytes that a plugin is asked with: programs and ops, laid out by hand after tenon/plugin.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include <tenon/plugin.h>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {

using Dims = std::vector<std::int64_t>;
/// Aligned to 8 bytes.
using Block = std::vector<std::uint64_t>;

struct Program {
  std::vector<TenonInstruction> code;
  std::vector<std::uint8_t> inputs, scalars;  ///< dtypes
  std::vector<std::uint8_t> constant_dtypes;
  std::vector<Bits> constants;
  std::vector<std::uint16_t> outputs;  ///< references

  std::uint16_t input(std::uint8_t dtype);
  std::uint16_t scalar(std::uint8_t dtype);
  std::uint16_t constant(std::uint8_t dtype, Bits bits);
  std::uint16_t emit(std::uint8_t opcode, std::uint8_t dtype, std::uint16_t a, std::uint16_t b = 0,
                     std::uint16_t c = 0);
  void output(std::uint16_t ref) { outputs.push_back(ref); }

  /// `grown` bytes of zero follow the header, as from a host of a newer minor version.
  Block block(std::uint32_t grown = 0) const;
};

struct OperandSpec {
  std::uint8_t dtype = 0, layout = TENON_LAYOUT_CONTIGUOUS;
  std::uint8_t flags = 0;
  Dims extents = {}, strides = {};  ///< MATMUL
};

struct Attachment {
  std::uint16_t slot = TENON_SLOT_BODY, operand = 0;
  Block program;
};

struct OpSpec {
  std::uint32_t kind = TENON_KIND_ELEMENTWISE, flags = 0;
  std::uint8_t acc_dtype = 0, index_width = 64, rank = 1, output_count = 1;
  std::vector<OperandSpec> operands;
  std::vector<Attachment> attachments;
  Block attrs;

  /// `grown` bytes of zero follow the header.
  Block block(std::uint32_t grown = 0) const;
};

template <class T>
Block as_block(const T& value) {
  Block block((sizeof value + 7) / 8);
  std::memcpy(block.data(), &value, sizeof value);
  return block;
}

}  // namespace tenon::conformance
