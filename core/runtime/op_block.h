// Writes op descriptions: the one contiguous block that `prepare` takes and that names a kernel.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/dtype.h>
#include <tenon/plugin.h>
#include <tenon/program.h>
#include <tenon/shape.h>

namespace tenon::runtime {

/// An operand of a description; extents and strides only where the kind describes them (MATMUL).
struct OperandDesc {
  DType dtype = f32;
  std::uint8_t layout = TENON_LAYOUT_CONTIGUOUS;
  std::uint8_t flags = 0;
  bool described = false;
  Shape shape = {};
  Strides strides = {};
};

struct AttachmentDesc {
  std::uint16_t slot;
  std::uint16_t operand;
  const program::Program* program;
};

struct OpDesc {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint8_t acc_dtype = TENON_DTYPE_NONE;
  std::uint8_t index_width = 32;
  int rank = 1;
  int output_count = 1;
  std::span<const OperandDesc> operands = {};  // outputs first
  std::span<const AttachmentDesc> attachments = {};
  std::span<const std::byte> attrs = {};
};

/// The block's bytes; 8-aligned, padding zero, so equal descriptions have equal bytes.
std::string op_block(const OpDesc& op);

/// "reduce(f32 contiguous -> f32 contiguous)": for messages.
std::string describe(const OpDesc& op);

}  // namespace tenon::runtime
