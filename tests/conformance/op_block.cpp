#include "tests/conformance/op_block.h"

namespace tenon::conformance {
namespace {

// Appends sections to a block and says where each begins.
class Writer {
 public:
  explicit Writer(std::size_t header) { reserve(header); }

  std::uint32_t put(const void* bytes, std::size_t size, std::size_t alignment) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    const std::size_t at = used_;
    reserve(used_ + size);
    if (size > 0) std::memcpy(data() + at, bytes, size);
    return static_cast<std::uint32_t>(at);
  }
  template <class T>
  std::uint32_t put(const std::vector<T>& values, std::size_t alignment = alignof(T)) {
    return put(values.data(), values.size() * sizeof(T), alignment);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(8 * words_.size()); }
  Block finish(const void* header, std::size_t bytes) {
    std::memcpy(data(), header, bytes);
    return words_;
  }

 private:
  char* data() { return reinterpret_cast<char*>(words_.data()); }
  void reserve(std::size_t bytes) {
    used_ = bytes;
    words_.resize((bytes + 7) / 8);
  }
  Block words_;
  std::size_t used_ = 0;
};

std::uint8_t count8(std::size_t n) {
  return static_cast<std::uint8_t>(n);
}

}  // namespace

std::uint16_t Program::input(std::uint8_t dtype) {
  inputs.push_back(dtype);
  return TENON_REF(TENON_REF_INPUT, inputs.size() - 1);
}

std::uint16_t Program::scalar(std::uint8_t dtype) {
  scalars.push_back(dtype);
  return TENON_REF(TENON_REF_SCALAR, scalars.size() - 1);
}

std::uint16_t Program::constant(std::uint8_t dtype, Bits bits) {
  constant_dtypes.push_back(dtype);
  constants.push_back(bits);
  return TENON_REF(TENON_REF_CONSTANT, constants.size() - 1);
}

std::uint16_t Program::emit(std::uint8_t opcode, std::uint8_t dtype, std::uint16_t a, std::uint16_t b,
                            std::uint16_t c) {
  code.push_back({opcode, dtype, a, b, c});
  return TENON_REF(TENON_REF_INSTRUCTION, code.size() - 1);
}

Block Program::block(std::uint32_t grown) const {
  TenonProgram head{};
  Writer writer(sizeof head + grown);
  std::vector<std::uint8_t> dtypes = inputs;
  dtypes.insert(dtypes.end(), scalars.begin(), scalars.end());
  dtypes.insert(dtypes.end(), constant_dtypes.begin(), constant_dtypes.end());
  head.struct_size = static_cast<std::uint32_t>(sizeof head) + grown;
  head.instruction_count = static_cast<std::uint16_t>(code.size());
  head.input_count = count8(inputs.size());
  head.output_count = count8(outputs.size());
  head.scalar_count = count8(scalars.size());
  head.constant_count = count8(constants.size());
  head.instructions_at = static_cast<std::uint16_t>(writer.put(code));
  head.constants_at = static_cast<std::uint16_t>(writer.put(constants));
  head.outputs_at = static_cast<std::uint16_t>(writer.put(outputs));
  head.dtypes_at = static_cast<std::uint16_t>(writer.put(dtypes));
  head.total_size = writer.size();
  return writer.finish(&head, sizeof head);
}

Block OpSpec::block(std::uint32_t grown) const {
  TenonOp head{};
  Writer writer(sizeof head + grown);
  head.struct_size = static_cast<std::uint32_t>(sizeof head) + grown;
  head.kind = kind;
  head.flags = flags;
  head.acc_dtype = acc_dtype;
  head.index_width = index_width;
  head.rank = rank;
  head.output_count = output_count;
  head.operand_count = count8(operands.size());
  head.attachment_count = count8(attachments.size());

  // Descriptions point at tables and programs that follow them: sections first as zeros, then filled.
  std::vector<TenonOperandDesc> descs;
  for (const OperandSpec& o : operands) {
    const bool tabled = kind == TENON_KIND_MATMUL;
    descs.push_back({o.dtype, o.layout, tabled ? count8(o.extents.size()) : rank, o.flags, 0});
  }
  std::vector<TenonAttachment> entries;
  for (const Attachment& a : attachments) entries.push_back({a.slot, a.operand, 0});
  head.operands_at = static_cast<std::uint16_t>(writer.put(descs));
  head.attachments_at = static_cast<std::uint16_t>(writer.put(entries));
  if (!attrs.empty()) head.attrs_at = static_cast<std::uint16_t>(writer.put(attrs));
  for (std::size_t i = 0; i < descs.size(); ++i) {
    if (operands[i].extents.empty()) continue;
    descs[i].table_at = writer.put(operands[i].extents);
    writer.put(operands[i].strides);
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].program_at = writer.put(attachments[i].program);
  }
  head.total_size = writer.size();
  Block block = writer.finish(&head, sizeof head);
  char* bytes = reinterpret_cast<char*>(block.data());
  std::memcpy(bytes + head.operands_at, descs.data(), descs.size() * sizeof descs[0]);
  if (!entries.empty()) {
    std::memcpy(bytes + head.attachments_at, entries.data(), entries.size() * sizeof entries[0]);
  }
  return block;
}

}  // namespace tenon::conformance
