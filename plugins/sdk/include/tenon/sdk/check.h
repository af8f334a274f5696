// Is a description one that the views may trust? A plugin calls `check` first in its prepare: in
// release builds it costs about as much as reading the block once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

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

inline bool is_core_kind(uint32_t kind) {
  return kind >= TENON_KIND_ELEMENTWISE && kind <= TENON_KIND_SCATTER;
}

/// The optional kinds, over rows; operands may be missing.
inline bool is_row_kind(uint32_t kind) {
  return kind >= TENON_KIND_SOFTMAX && kind <= TENON_KIND_CROSS_ENTROPY_BACKWARD;
}

inline void check_operand(const TenonOp& op, const TenonOperandDesc& desc) {
  understand(desc.layout <= TENON_LAYOUT_INDEX, "layout", desc.layout);
  understand((desc.flags & ~TENON_OPERAND_ALIGNED) == 0, "operand flag", desc.flags);
  if (desc.layout == TENON_LAYOUT_ABSENT) {
    return require(!is_core_kind(op.kind), "an operand is missing");  // none of theirs is optional
  }
  understand(is_dtype(desc.dtype), "dtype", desc.dtype);
  require(desc.rank <= TENON_MAX_RANK, "an operand's rank");
  if (op.kind == TENON_KIND_MATMUL) {
    require(desc.table_at != 0 || desc.rank == 0, "table_at");
  } else if (is_core_kind(op.kind) || is_row_kind(op.kind)) {
    require(desc.table_at == 0, "table_at");
    require(desc.rank == op.rank, "an operand's rank");
  }
  if (desc.table_at != 0) {
    require_array<int64_t>(desc.table_at, 2u * desc.rank, op.total_size, "table_at");
  }
}

inline void check_attachment(const OpView& op, const TenonAttachment& attachment) {
  const TenonOp& head = op.head();
  understand(attachment.slot <= TENON_SLOT_EPILOGUE, "attachment", attachment.slot);
  require(op.attachment(attachment.slot) == &attachment, "two attachments in one slot");
  require(attachment.operand <= head.operand_count, "an attachment's first operand");
  require_array<uint64_t>(attachment.program_at, sizeof(TenonProgram) / 8, head.total_size,
                          "program_at");
  check_program(array_at<TenonProgram>(head, attachment.program_at, 1)[0],
                head.total_size - attachment.program_at);
}

/// No attachment but in `slot`: another kind's may get a meaning in a later minor version.
inline void check_only_slot(const OpView& op, uint16_t slot) {
  for (const TenonAttachment& attachment : op.attachments()) {
    if (attachment.slot == slot) continue;
    throw Unsupported("an attachment in slot " + std::to_string(attachment.slot) + " of kind " +
                      std::to_string(op.kind()) + " is not known here");
  }
}

/// The kind's attributes, all of T.
template <class T>
T check_attrs(const OpView& op) {
  const auto attrs = op.attrs<T>();
  require(attrs.struct_size >= sizeof(T), "the kind's attributes");
  return attrs;
}

/// Outputs have elements of their own: they are not stretched.
inline void check_outputs(const OpView& op) {
  require(op.output_count() >= 1, "no output");
  for (const TenonOperandDesc& output : op.operands().first(op.output_count())) {
    require(output.layout == TENON_LAYOUT_CONTIGUOUS || output.layout == TENON_LAYOUT_STRIDED,
            "an output's layout");
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
  check_only_slot(op, TENON_SLOT_BODY);
  check_outputs(op);
  require(op.attachment(TENON_SLOT_BODY) != nullptr, "no BODY");
  check_slot(op, TENON_SLOT_BODY, op.output_count(), 0, op.output_count());
  const ProgramView body = op.program(*op.attachment(TENON_SLOT_BODY));
  for (size_t i = 0; i < op.output_count(); ++i) {
    require(body.output_dtype(i) == op.operands()[i].dtype, "a result's dtype");
  }
}

/// Result i of a REDUCE.
inline void check_reduction(const OpView& op, uint32_t code, size_t i) {
  const uint8_t result = op.operands()[i].dtype;
  understand(code >= TENON_REDUCE_SUM && code <= TENON_REDUCE_ALL, "reduction", code);
  if (code == TENON_REDUCE_SUM || code == TENON_REDUCE_PROD) {
    require(op.acc_dtype() > TENON_DTYPE_BOOL, "a sum without a number's acc_dtype");
  }
  if (code == TENON_REDUCE_ARGMAX || code == TENON_REDUCE_ARGMIN) {
    require(result == TENON_DTYPE_I32 || result == TENON_DTYPE_I64, "a position of another dtype");
  }
  if (code == TENON_REDUCE_ANY || code == TENON_REDUCE_ALL) {
    require(result == TENON_DTYPE_BOOL, "a truth value of another dtype");
  }
}

inline void check_reduce(const OpView& op) {
  const auto attrs = check_attrs<TenonReduceAttrs>(op);
  check_only_slot(op, TENON_SLOT_PROLOGUE);
  check_outputs(op);
  require(op.output_count() <= TENON_MAX_OUTPUTS, "the number of results");
  require(attrs.axes >> op.rank() == 0, "axes beyond the rank");
  understand(op.acc_dtype() == TENON_DTYPE_NONE || is_dtype(op.acc_dtype()), "acc_dtype",
             op.acc_dtype());
  check_slot(op, TENON_SLOT_PROLOGUE, op.output_count(), 0, op.output_count());
  if (op.attachment(TENON_SLOT_PROLOGUE) == nullptr) {
    require(op.output_count() == 1 && op.operands().size() == 2, "one result and one input");
  }
  for (size_t i = 0; i < op.output_count(); ++i) check_reduction(op, attrs.operators[i], i);
}

/// Dimension d of a MATMUL operand, counted from the last; one of lower rank is stretched.
inline int64_t extent_from_last(const OpView& op, size_t operand, size_t d) {
  const Dims extents = op.extents(operand);
  return d < extents.size() ? extents[extents.size() - 1 - d] : 1;
}

/// What is known of a MATMUL's extents agrees.
inline void check_extents(const OpView& op) {
  const auto extent = [&](size_t operand, size_t d) { return extent_from_last(op, operand, d); };
  const auto agree = [](int64_t x, int64_t y) {
    return x == y || x == TENON_DYNAMIC || y == TENON_DYNAMIC;
  };
  for (size_t i = 0; i < op.operands().size(); ++i) {
    for (const int64_t it : op.extents(i)) require(it >= 0 || it == TENON_DYNAMIC, "an extent");
  }
  require(agree(extent(0, 1), extent(1, 1)) && agree(extent(0, 0), extent(2, 0)) &&
              agree(extent(1, 0), extent(2, 1)),
          "extents of a product that do not fit");
  for (size_t i = 1; i < op.operands().size(); ++i) {
    for (size_t d = i < 3 ? 2 : 0; d < op.rank(); ++d) {
      require(agree(extent(i, d), extent(0, d)) || extent(i, d) == 1, "extents that do not fit dst's");
    }
  }
}

inline void check_epilogue(const OpView& op) {
  const TenonAttachment* attachment = op.attachment(TENON_SLOT_EPILOGUE);
  if (attachment == nullptr) return require(op.operands().size() == 3, "operands without an EPILOGUE");
  check_slot(op, TENON_SLOT_EPILOGUE, 3, 1, 1);
  const ProgramView program = op.program(*attachment);
  require(program.input_dtype(0) == op.acc_dtype(), "an EPILOGUE's input 0 is not in acc_dtype");
  require(program.output_dtype(0) == op.operands()[0].dtype, "a result's dtype");
}

inline void check_matmul(const OpView& op) {
  const auto attrs = check_attrs<TenonMatmulAttrs>(op);
  understand(attrs.accumulate <= 1, "accumulate", attrs.accumulate);
  check_only_slot(op, TENON_SLOT_EPILOGUE);
  require(op.output_count() == 1 && op.operands().size() >= 3, "dst, a and b");
  require(op.operands()[0].rank == op.rank(), "dst's rank");
  for (size_t i = 0; i < op.operands().size(); ++i) {
    const TenonOperandDesc& operand = op.operands()[i];
    require(operand.rank <= op.rank(), "an operand of higher rank than dst");
    if (i >= 3) continue;
    require(operand.rank >= 2, "a matrix of rank below 2");
    require(operand.layout == TENON_LAYOUT_STRIDED || operand.layout == TENON_LAYOUT_CONTIGUOUS,
            "a matrix's layout");
  }
  understand(is_dtype(op.acc_dtype()), "acc_dtype", op.acc_dtype());
  check_extents(op);
  check_epilogue(op);
}

inline void check_indexed(const OpView& op) {
  const auto attrs = check_attrs<TenonIndexAttrs>(op);
  const bool gather = op.kind() == TENON_KIND_GATHER;
  check_only_slot(op, UINT16_MAX);
  require(op.output_count() == 1 && attrs.index_count >= 1, "dst and an index");
  require(op.operands().size() == 2 + size_t{attrs.index_count}, "dst, src and the indices");
  require(op.operands()[0].dtype == op.operands()[1].dtype, "dst and src of one dtype");
  require(op.operands()[0].layout != TENON_LAYOUT_INDEX, "dst without memory");
  require(op.operands()[1].layout != TENON_LAYOUT_INDEX, "src without memory");
  for (const TenonOperandDesc& index : op.operands().subspan(2)) {
    require(index.dtype > TENON_DTYPE_BOOL && index.dtype < TENON_DTYPE_F16, "an index's dtype");
  }
  if (gather) check_outputs(op);
  understand(attrs.how <= (gather ? 0 : TENON_SCATTER_MIN), "how", attrs.how);
}

/// A kind's operands in order, outputs first: of the matrix's dtype (t), of acc_dtype (a), of either
/// (d), or a class (i); in capitals where they may be missing.
struct RowKind {
  size_t outputs;
  std::string_view operands;
  uint32_t last_how;
};

inline RowKind row_kind(const OpView& op) {
  switch (op.kind()) {
    case TENON_KIND_SOFTMAX:
      return {1, "tt", TENON_SOFTMAX_MASKED};
    case TENON_KIND_SOFTMAX_BACKWARD:
      return {1, "ttt", TENON_SOFTMAX_MASKED};
    case TENON_KIND_NORM:
      return {3, "tAAtTT", TENON_NORM_RMS};
    case TENON_KIND_NORM_BACKWARD:
      return {3, "TTTttAaT", TENON_NORM_RMS};
    case TENON_KIND_CROSS_ENTROPY:
      return {3, "aAAtiT", 1};
    default:
      return {1, "tdatiT", 1};
  }
}

inline void check_row_operand(const OpView& op, char what, const TenonOperandDesc& desc,
                              uint8_t dtype) {
  if (desc.layout == TENON_LAYOUT_ABSENT) return require(what < 'a', "an operand is missing");
  const bool stretched = what == 'd' && desc.layout == TENON_LAYOUT_SCALAR;
  require(desc.layout == TENON_LAYOUT_CONTIGUOUS || stretched, "the layout of an operand over rows");
  const bool is_class = desc.dtype == TENON_DTYPE_I32 || desc.dtype == TENON_DTYPE_I64;
  const bool own = desc.dtype == dtype, acc = desc.dtype == op.acc_dtype();
  const bool fits = what == 'i'                  ? is_class
                    : what == 'd'                ? own || acc
                    : what == 'a' || what == 'A' ? acc
                                                 : own;
  require(fits, "the dtype of an operand over rows");
}

inline void check_rows(const OpView& op) {
  const RowKind kind = row_kind(op);
  const auto operands = op.operands();
  understand(op.attachments().empty(), "attachment count", op.attachments().size());
  require(op.rank() == 2, "a rank other than rows and columns");
  require(op.output_count() == kind.outputs && operands.size() == kind.operands.size(),
          "the number of operands");
  // x, or y and dy of a backward: the matrices that are always there.
  const size_t matrix = kind.operands.rfind('t');
  const uint8_t dtype = operands[matrix].dtype;
  const bool wide = op.acc_dtype() == TENON_DTYPE_F32 || op.acc_dtype() == TENON_DTYPE_F64;
  require(dtype >= TENON_DTYPE_F16 && wide, "rows of no floats");
  for (size_t i = 0; i < operands.size(); ++i) {
    check_row_operand(op, kind.operands[i], operands[i], dtype);
  }
  const bool is_loss = op.kind() >= TENON_KIND_CROSS_ENTROPY;
  const uint32_t how = is_loss                        ? check_attrs<TenonCrossEntropyAttrs>(op).ignores
                       : op.kind() >= TENON_KIND_NORM ? check_attrs<TenonNormAttrs>(op).how
                                                      : check_attrs<TenonSoftmaxAttrs>(op).how;
  understand(how <= kind.last_how, "how", how);
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
      if (is_row_kind(op.kind())) check_rows(op);
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
  require(!is_core_kind(head.kind) || head.index_width == 32 || head.index_width == 64, "index_width");
  for (const TenonOperandDesc& desc : op.operands()) check_operand(head, desc);
  for (const TenonAttachment& attachment : op.attachments()) check_attachment(op, attachment);
  check_kind(op);
}

}  // namespace tenon::sdk
