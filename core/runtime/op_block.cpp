// One pass: the head, then each table where the head says it is.
#include "core/runtime/op_block.h"

#include <cstring>

#include <fmt/format.h>

namespace tenon::runtime {
namespace {

template <class T>
std::size_t append(std::string& block, const T* values, std::size_t count) {
  block.resize((block.size() + 7) / 8 * 8);
  const std::size_t at = block.size();
  block.append(reinterpret_cast<const char*>(values), count * sizeof(T));
  return at;
}

template <class T>
void write(std::string& block, std::size_t at, const T& value) {
  std::memcpy(block.data() + at, &value, sizeof value);
}

void append_tables(std::string& block, const OpDesc& op, std::size_t operands_at) {
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    const OperandDesc& from = op.operands[i];
    if (!from.described) continue;
    const auto rank = static_cast<std::size_t>(from.shape.size());
    const std::size_t at = append(block, from.shape.data(), rank);
    append(block, from.strides.data(), rank);
    const std::size_t field =
        operands_at + i * sizeof(TenonOperandDesc) + offsetof(TenonOperandDesc, table_at);
    write(block, field, static_cast<std::uint32_t>(at));
  }
}

void append_programs(std::string& block, const OpDesc& op, std::size_t attachments_at) {
  for (std::size_t i = 0; i < op.attachments.size(); ++i) {
    const auto bytes = op.attachments[i].program->bytes();
    const std::size_t at = append(block, bytes.data(), bytes.size());
    const std::size_t field =
        attachments_at + i * sizeof(TenonAttachment) + offsetof(TenonAttachment, program_at);
    write(block, field, static_cast<std::uint32_t>(at));
  }
}

const char* kind_name(std::uint32_t kind) {
  switch (kind) {
    case TENON_KIND_ELEMENTWISE:
      return "elementwise";
    case TENON_KIND_REDUCE:
      return "reduce";
    case TENON_KIND_MATMUL:
      return "matmul";
    case TENON_KIND_GATHER:
      return "gather";
    case TENON_KIND_SCATTER:
      return "scatter";
    case TENON_KIND_SOFTMAX:
      return "softmax";
    case TENON_KIND_SOFTMAX_BACKWARD:
      return "softmax_backward";
    case TENON_KIND_NORM:
      return "norm";
    case TENON_KIND_NORM_BACKWARD:
      return "norm_backward";
    case TENON_KIND_CROSS_ENTROPY:
      return "cross_entropy";
    case TENON_KIND_CROSS_ENTROPY_BACKWARD:
      return "cross_entropy_backward";
  }
  return "unknown";
}

const char* layout_name(std::uint8_t layout) {
  switch (layout) {
    case TENON_LAYOUT_ABSENT:
      return "absent";
    case TENON_LAYOUT_CONTIGUOUS:
      return "contiguous";
    case TENON_LAYOUT_SCALAR:
      return "scalar";
    case TENON_LAYOUT_STRIDED:
      return "strided";
    case TENON_LAYOUT_INDEX:
      return "index";
  }
  return "unknown";
}

}  // namespace

std::string op_block(const OpDesc& op) {
  std::string block(sizeof(TenonOp), '\0');
  std::vector<TenonOperandDesc> operands;
  for (const OperandDesc& from : op.operands) {
    const auto rank = static_cast<std::uint8_t>(from.described ? from.shape.size() : op.rank);
    operands.push_back({static_cast<std::uint8_t>(from.dtype), from.layout, rank, from.flags, 0});
  }
  std::vector<TenonAttachment> attachments;
  for (const AttachmentDesc& from : op.attachments) attachments.push_back({from.slot, from.operand, 0});

  const std::size_t operands_at = append(block, operands.data(), operands.size());
  const std::size_t attachments_at = append(block, attachments.data(), attachments.size());
  const std::size_t attrs_at = op.attrs.empty() ? 0 : append(block, op.attrs.data(), op.attrs.size());
  append_tables(block, op, operands_at);
  append_programs(block, op, attachments_at);
  block.resize((block.size() + 7) / 8 * 8);

  const TenonOp head{.struct_size = sizeof(TenonOp),
                     .total_size = static_cast<std::uint32_t>(block.size()),
                     .kind = op.kind,
                     .flags = op.flags,
                     .acc_dtype = op.acc_dtype,
                     .index_width = op.index_width,
                     .rank = static_cast<std::uint8_t>(op.rank),
                     .output_count = static_cast<std::uint8_t>(op.output_count),
                     .operand_count = static_cast<std::uint8_t>(operands.size()),
                     .attachment_count = static_cast<std::uint8_t>(attachments.size()),
                     .operands_at = static_cast<std::uint16_t>(operands_at),
                     .attachments_at = static_cast<std::uint16_t>(attachments_at),
                     .attrs_at = static_cast<std::uint16_t>(attrs_at),
                     .pad = 0};
  write(block, 0, head);
  return block;
}

std::string describe(const OpDesc& op) {
  std::string inputs, outputs;
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    std::string& list = i < static_cast<std::size_t>(op.output_count) ? outputs : inputs;
    if (!list.empty()) list += ", ";
    list += fmt::format("{} {}", name(op.operands[i].dtype), layout_name(op.operands[i].layout));
  }
  return fmt::format("{}({} -> {})", kind_name(op.kind), inputs, outputs);
}

}  // namespace tenon::runtime
