// Is a description one that the views may trust? A plugin calls `check` first in its prepare: in
// release builds it costs about as much as reading the block once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tenon/plugin.h>
#include <tenon/sdk/dtype.h>
#include <tenon/sdk/opcode.h>
#include <tenon/sdk/status.h>
#include <tenon/sdk/view.h>

namespace tenon::sdk {

namespace detail {

inline void require(bool holds, const char* rule) {
  if (!holds) throw Failure(TENON_INVALID, std::string("malformed description: ") + rule);
}

inline void understand(bool known, const char* what, uint64_t value) {
  if (!known) throw Unsupported(std::string(what) + ' ' + std::to_string(value) + " is not known here");
}

/// `count` T at `at` lie in a block of `size` bytes, aligned.
template <class T>
void require_array(size_t at, size_t count, size_t size, const char* rule) {
  require(at % alignof(T) == 0 && at <= size && count * sizeof(T) <= size - at, rule);
}

/// `reference` names something that exists before instruction `at`.
inline void check_reference(const ProgramView& program, uint16_t reference, size_t at) {
  const size_t counts[] = {at, program.input_count(), program.scalar_count(), program.constant_count()};
  require(TENON_REF_INDEX(reference) < counts[TENON_REF_CLASS(reference)], "a reference to nothing");
}

inline void check_instruction(const ProgramView& program, size_t at) {
  const TenonInstruction& it = program.instructions()[at];
  const OpcodeInfo opcode = opcode_info(it.opcode);
  understand(opcode.arity != 0, "opcode", it.opcode);
  understand(is_dtype(it.dtype), "dtype", it.dtype);
  const uint16_t references[] = {it.a, it.b, it.c};
  uint8_t dtypes[3] = {};
  for (int i = 0; i < opcode.arity; ++i) {
    check_reference(program, references[i], at);
    dtypes[i] = program.dtype_of(references[i]);
  }
  require(dtypes_fit(opcode, dtypes[0], dtypes[1], dtypes[2], it.dtype),
          "dtypes that do not fit the opcode");
}

/// A program in the `room` bytes from its head on.
inline void check_program(const TenonProgram& head, size_t room) {
  require(head.struct_size >= sizeof(TenonProgram) && head.struct_size <= head.total_size &&
              head.total_size <= room,
          "a program's size");
  require(head.instruction_count <= TENON_MAX_INSTRUCTIONS && head.input_count <= TENON_MAX_INPUTS &&
              head.output_count <= TENON_MAX_OUTPUTS && head.scalar_count <= TENON_MAX_SCALARS &&
              head.constant_count <= TENON_MAX_CONSTANTS,
          "a program beyond the limits");
  const size_t size = head.total_size;
  const size_t values = size_t{head.input_count} + head.scalar_count + head.constant_count;
  require_array<TenonInstruction>(head.instructions_at, head.instruction_count, size,
                                  "instructions_at");
  require_array<uint64_t>(head.constants_at, head.constant_count, size, "constants_at");
  require_array<uint16_t>(head.outputs_at, head.output_count, size, "outputs_at");
  require_array<uint8_t>(head.dtypes_at, values, size, "dtypes_at");
  for (const uint8_t dtype : array_at<uint8_t>(head, head.dtypes_at, values)) {
    understand(is_dtype(dtype), "dtype", dtype);
  }
  const ProgramView program(head);
  for (size_t i = 0; i < head.instruction_count; ++i) check_instruction(program, i);
  for (const uint16_t output : program.outputs()) {
    check_reference(program, output, head.instruction_count);
  }
}

inline void check_operand(const TenonOp& op, const TenonOperandDesc& desc) {
  understand(desc.layout <= TENON_LAYOUT_INDEX, "layout", desc.layout);
  if (desc.layout == TENON_LAYOUT_ABSENT) {
    return require(op.kind > TENON_KIND_SCATTER,
                   "an operand is missing");  // no core kind has optional ones
  }
  understand(is_dtype(desc.dtype), "dtype", desc.dtype);
  require(desc.rank <= TENON_MAX_RANK, "an operand's rank");
  require((op.kind == TENON_KIND_MATMUL) == (desc.table_at != 0), "table_at");
  if (desc.table_at != 0) {
    require_array<int64_t>(desc.table_at, 2u * desc.rank, op.total_size, "table_at");
  }
}

/// The program in `slot` takes the operands from `first` on as its inputs from `from` on, and has
/// `results` results.
inline void check_slot(const OpView& op, uint16_t slot, size_t first, size_t from, size_t results) {
  const TenonAttachment* attachment = op.attachment(slot);
  if (attachment == nullptr) return;
  const ProgramView program = op.program(*attachment);
  require(attachment->operand == first, "an attachment's first operand");
  require(program.outputs().size() == results, "the results of a program");
  require(op.operands().size() + from == first + program.input_count(), "the inputs of a program");
  for (size_t i = from; i < program.input_count(); ++i) {
    require(program.input_dtype(i) == op.operands()[first + i - from].dtype, "an input's dtype");
  }
}

inline void check_elementwise(const OpView& op) {
  require(op.attachment(TENON_SLOT_BODY) != nullptr, "no BODY");
  check_slot(op, TENON_SLOT_BODY, op.output_count(), 0, op.output_count());
  const ProgramView body = op.program(*op.attachment(TENON_SLOT_BODY));
  for (size_t i = 0; i < op.output_count(); ++i) {
    require(body.output_dtype(i) == op.operands()[i].dtype, "a result's dtype");
  }
}

inline void check_reduce(const OpView& op) {
  const auto attrs = op.attrs<TenonReduceAttrs>();
  require(op.output_count() >= 1 && op.output_count() <= TENON_MAX_OUTPUTS, "the number of results");
  require(attrs.axes >> op.rank() == 0, "axes beyond the rank");
  check_slot(op, TENON_SLOT_PROLOGUE, op.output_count(), 0, op.output_count());
  if (op.attachment(TENON_SLOT_PROLOGUE) == nullptr) {
    require(op.output_count() == 1 && op.operands().size() == 2, "one result and one input");
  }
  for (size_t i = 0; i < op.output_count(); ++i) {
    const uint32_t code = attrs.operators[i];
    understand(code >= TENON_REDUCE_SUM && code <= TENON_REDUCE_ALL, "reduction", code);
  }
}

inline void check_matmul(const OpView& op) {
  require(op.output_count() == 1 && op.operands().size() >= 3, "dst, a and b");
  for (size_t i = 0; i < 3; ++i) {
    require(op.operands()[i].layout == TENON_LAYOUT_STRIDED ||
                op.operands()[i].layout == TENON_LAYOUT_CONTIGUOUS,
            "a matrix without memory");
    require(op.operands()[i].rank >= 2, "a matrix of rank below 2");
    require(op.operands()[i].rank <= op.operands()[0].rank, "a matrix of higher rank than dst");
  }
  understand(is_dtype(op.acc_dtype()), "acc_dtype", op.acc_dtype());
  if (op.attachment(TENON_SLOT_EPILOGUE) == nullptr) {
    require(op.operands().size() == 3, "operands without an EPILOGUE");
  } else {
    check_slot(op, TENON_SLOT_EPILOGUE, 3, 1, 1);
  }
}

inline void check_indexed(const OpView& op) {
  const auto attrs = op.attrs<TenonIndexAttrs>();
  require(op.output_count() == 1 && attrs.index_count >= 1, "dst and an index");
  require(op.operands().size() == 2 + size_t{attrs.index_count}, "dst, src and the indices");
  require(op.operands()[0].dtype == op.operands()[1].dtype, "dst and src of one dtype");
  require(op.operands()[1].layout != TENON_LAYOUT_INDEX, "src without memory");
  understand(attrs.how <= TENON_SCATTER_MIN, "scatter", attrs.how);
}

/// Calls the kind's own check.
inline void check_kind(const OpView& op) {
  switch (op.kind()) {
    case TENON_KIND_ELEMENTWISE:
      return check_elementwise(op);
    case TENON_KIND_REDUCE:
      return check_reduce(op);
    case TENON_KIND_MATMUL:
      return check_matmul(op);
    case TENON_KIND_GATHER:
    case TENON_KIND_SCATTER:
      return check_indexed(op);
    default:
      return;
  }
}

}  // namespace detail

/// Throws Failure(TENON_INVALID) where a description contradicts itself, and Unsupported where it
/// uses what this header does not know. A kind that this header does not know passes: it is the
/// plugin that refuses it, or does it.
inline void check(const TenonOp& head) {
  using namespace detail;
  require(head.struct_size >= sizeof(TenonOp) && head.struct_size <= head.total_size &&
              head.total_size % 8 == 0,
          "its size");
  understand((head.flags & 0xffffu) == 0, "flag", head.flags & 0xffffu);
  require(head.rank <= TENON_MAX_RANK && head.operand_count <= kMaxOperands &&
              head.output_count <= head.operand_count,
          "counts beyond the limits");
  const size_t size = head.total_size;
  require_array<TenonOperandDesc>(head.operands_at, head.operand_count, size, "operands_at");
  require_array<TenonAttachment>(head.attachments_at, head.attachment_count, size, "attachments_at");
  const OpView op(head);
  if (head.attrs_at != 0) {
    require_array<uint32_t>(head.attrs_at, 1, size, "attrs_at");
    require(array_at<uint32_t>(head, head.attrs_at, 1)[0] <= size - head.attrs_at, "attrs_at");
  }
  for (const TenonOperandDesc& desc : op.operands()) check_operand(head, desc);
  for (const TenonOperandDesc& output : op.operands().first(op.output_count())) {
    require(output.layout != TENON_LAYOUT_INDEX, "an output without memory");
  }
  for (const TenonAttachment& attachment : op.attachments()) {
    understand(attachment.slot <= TENON_SLOT_EPILOGUE, "attachment", attachment.slot);
    require(attachment.operand <= head.operand_count, "an attachment's first operand");
    require_array<uint64_t>(attachment.program_at, sizeof(TenonProgram) / 8, size, "program_at");
    check_program(array_at<TenonProgram>(head, attachment.program_at, 1)[0],
                  size - attachment.program_at);
  }
  check_kind(op);
}

}  // namespace tenon::sdk
