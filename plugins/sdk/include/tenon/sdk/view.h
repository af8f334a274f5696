// Views: a description, its programs and a pack, read without pointer arithmetic. They trust what
// `check` (check.h) has accepted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/sdk/walk.h>

namespace tenon::sdk {

/// The array of `count` T that starts `at` bytes after `head`.
template <class T, class Head>
std::span<const T> array_at(const Head& head, size_t at, size_t count) {
  return {reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(&head) + at), count};
}

class ProgramView {
 public:
  explicit ProgramView(const TenonProgram& program) : program_(&program) {}

  size_t input_count() const { return program_->input_count; }
  size_t scalar_count() const { return program_->scalar_count; }
  size_t constant_count() const { return program_->constant_count; }

  std::span<const TenonInstruction> instructions() const {
    return array_at<TenonInstruction>(*program_, program_->instructions_at,
                                      program_->instruction_count);
  }
  /// References to the results.
  std::span<const uint16_t> outputs() const {
    return array_at<uint16_t>(*program_, program_->outputs_at, program_->output_count);
  }
  /// Raw bits, in the low bytes.
  std::span<const uint64_t> constants() const {
    return array_at<uint64_t>(*program_, program_->constants_at, constant_count());
  }

  uint8_t input_dtype(size_t i) const { return dtypes()[i]; }
  uint8_t scalar_dtype(size_t i) const { return dtypes()[input_count() + i]; }
  uint8_t constant_dtype(size_t i) const { return dtypes()[input_count() + scalar_count() + i]; }
  uint8_t output_dtype(size_t i) const { return dtype_of(outputs()[i]); }

  uint8_t dtype_of(uint16_t reference) const {
    const size_t i = TENON_REF_INDEX(reference);
    switch (TENON_REF_CLASS(reference)) {
      case TENON_REF_INSTRUCTION:
        return instructions()[i].dtype;
      case TENON_REF_INPUT:
        return input_dtype(i);
      case TENON_REF_SCALAR:
        return scalar_dtype(i);
      default:
        return constant_dtype(i);
    }
  }

 private:
  std::span<const uint8_t> dtypes() const {
    return array_at<uint8_t>(*program_, program_->dtypes_at,
                             input_count() + scalar_count() + constant_count());
  }
  const TenonProgram* program_;
};

class OpView {
 public:
  explicit OpView(const TenonOp& op) : op_(&op) {}

  uint32_t kind() const { return op_->kind; }
  size_t rank() const { return op_->rank; }
  uint8_t acc_dtype() const { return op_->acc_dtype; }
  const TenonOp& head() const { return *op_; }

  /// Outputs first.
  std::span<const TenonOperandDesc> operands() const {
    return array_at<TenonOperandDesc>(*op_, op_->operands_at, op_->operand_count);
  }
  size_t output_count() const { return op_->output_count; }

  std::span<const TenonAttachment> attachments() const {
    return array_at<TenonAttachment>(*op_, op_->attachments_at, op_->attachment_count);
  }
  /// The attachment in `slot`, or NULL.
  const TenonAttachment* attachment(uint16_t slot) const {
    for (const TenonAttachment& a : attachments()) {
      if (a.slot == slot) return &a;
    }
    return nullptr;
  }
  ProgramView program(const TenonAttachment& attachment) const {
    return ProgramView(array_at<TenonProgram>(*op_, attachment.program_at, 1)[0]);
  }

  /// The kind's attributes as T; fields that the writer did not know are zero.
  template <class T>
  T attrs() const {
    T attrs{};
    const std::byte* from = array_at<std::byte>(*op_, op_->attrs_at, 0).data();
    uint32_t size = 0;
    if (op_->attrs_at != 0) std::memcpy(&size, from, sizeof size);
    std::memcpy(&attrs, from, std::min<size_t>(size, sizeof(T)));
    return attrs;
  }

  /// MATMUL's table of an operand: `rank` extents or strides, some perhaps TENON_DYNAMIC.
  Dims extents(size_t operand) const { return table(operand).first(operands()[operand].rank); }
  Dims strides(size_t operand) const { return table(operand).last(operands()[operand].rank); }

 private:
  Dims table(size_t operand) const {
    const TenonOperandDesc& desc = operands()[operand];
    return array_at<int64_t>(*op_, desc.table_at, desc.table_at == 0 ? 0 : 2u * desc.rank);
  }
  const TenonOp* op_;
};

/// A description of one's own: what `prepare` keeps.
class OpCopy {
 public:
  explicit OpCopy(const TenonOp& op) : words_(op.total_size / 8) {
    std::memcpy(words_.data(), &op, op.total_size);
  }
  OpView view() const { return OpView(*reinterpret_cast<const TenonOp*>(words_.data())); }

 private:
  std::vector<uint64_t> words_;
};

/// A pack of a kind that iterates over a shape of the pack's: all but MATMUL.
class PackView {
 public:
  PackView(OpView op, const TenonPack& pack) : op_(op), pack_(&pack) {}

  /// The extents of the iteration space.
  Dims dims() const { return {pack_->dims, op_.rank()}; }
  int64_t element_count() const { return sdk::element_count(dims()); }
  const TenonOperand& operand(size_t i) const { return pack_->operands[i]; }

  /// How operand i moves through the iteration space, whatever its layout class.
  Strides strides(size_t i) const {
    switch (op_.operands()[i].layout) {
      case TENON_LAYOUT_CONTIGUOUS:
        return row_major(dims());
      case TENON_LAYOUT_STRIDED:
      case TENON_LAYOUT_INDEX: {
        Strides strides{};
        std::copy_n(operand(i).strides, op_.rank(), strides.begin());
        return strides;
      }
      default:
        return {};
    }
  }

 private:
  OpView op_;
  const TenonPack* pack_;
};

/// Where an operand starts, on a device whose handles are host addresses.
inline std::byte* host_address(const TenonOperand& operand) {
  return reinterpret_cast<std::byte*>(operand.handle + static_cast<uint64_t>(operand.offset));
}

}  // namespace tenon::sdk
