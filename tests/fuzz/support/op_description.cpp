#include "tests/fuzz/support/op_description.h"

#include <span>

namespace tenon::fuzz {
namespace {

using conformance::all_dtypes;
using conformance::all_opcodes;
using conformance::Attachment;
using conformance::Bits;
using conformance::Dims;
using conformance::Opcode;
using conformance::OperandSpec;
using conformance::OpSpec;
using conformance::Program;

using DtypeList = std::vector<std::uint8_t>;

std::uint8_t any_dtype(Bytes& in) {
  return all_dtypes()[in.below(all_dtypes().size())];
}

/// The first one from a random place on that `fits`.
template <class Fits>
std::uint8_t any_dtype(Bytes& in, Fits&& fits) {
  const std::size_t begin = in.below(all_dtypes().size());
  for (std::size_t i = 0;; ++i) {
    const std::uint8_t dtype = all_dtypes()[(begin + i) % all_dtypes().size()];
    if (fits(dtype)) return dtype;
  }
}

std::uint8_t any_number(Bytes& in) {
  return any_dtype(in, [](std::uint8_t dtype) { return dtype != TENON_DTYPE_BOOL; });
}

DtypeList any_dtypes(Bytes& in, std::size_t most) {
  DtypeList dtypes(in.below(most + 1));
  for (std::uint8_t& dtype : dtypes) dtype = any_dtype(in);
  return dtypes;
}

/// A well-typed program: operands that are missing become constants.
class ProgramMaker {
 public:
  ProgramMaker(Bytes& in, const DtypeList& inputs) : in_(in) {
    for (const std::uint8_t dtype : inputs) add(program_.input(dtype), dtype);
    for (const std::uint8_t dtype : any_dtypes(in, 3)) add(program_.scalar(dtype), dtype);
    for (std::size_t left = in.below(10); left > 0; --left) instruct();
  }

  /// A result, of any dtype.
  std::uint8_t output() {
    const Value value = values_.empty() ? constant(any_dtype(in_)) : values_[in_.below(values_.size())];
    program_.output(value.ref);
    return value.dtype;
  }
  void output(std::uint8_t dtype) { program_.output(value(dtype).ref); }

  conformance::Block block() const { return program_.block(); }

 private:
  struct Value {
    std::uint16_t ref;
    std::uint8_t dtype;
  };

  void add(std::uint16_t ref, std::uint8_t dtype) { values_.push_back({ref, dtype}); }

  Value constant(std::uint8_t dtype) {
    const std::size_t size = conformance::size_of(dtype);
    Bits bits = in_.take<Bits>() & (~Bits{0} >> (64 - 8 * size));
    if (dtype == TENON_DTYPE_BOOL) bits &= 1;
    if (program_.constants.size() == TENON_MAX_CONSTANTS) {
      program_.constants.pop_back(), program_.constant_dtypes.pop_back();
    }
    add(program_.constant(dtype, bits), dtype);
    return values_.back();
  }

  Value value(std::uint8_t dtype) {
    const std::size_t begin = in_.below(values_.size() + 1);
    for (std::size_t i = begin; i < values_.size(); ++i) {
      if (values_[i].dtype == dtype) return values_[i];
    }
    return constant(dtype);
  }

  void instruct() {
    const Opcode& op = all_opcodes()[in_.below(all_opcodes().size())];
    const std::uint8_t from =
        any_dtype(in_, [&](std::uint8_t dtype) { return conformance::applies(op, dtype); });
    std::uint16_t operands[3] = {};
    for (int i = 0; i < op.arity; ++i) {
      const bool condition = op.group == Opcode::SELECT && i == 0;
      operands[i] = value(condition ? std::uint8_t{TENON_DTYPE_BOOL} : from).ref;
    }
    const std::uint8_t dtype = result(op, from);
    add(program_.emit(op.code, dtype, operands[0], operands[1], operands[2]), dtype);
  }

  std::uint8_t result(const Opcode& op, std::uint8_t from) {
    switch (op.group) {
      case Opcode::COMPARE:
        return TENON_DTYPE_BOOL;
      case Opcode::PHILOX:
        return TENON_DTYPE_U32;
      case Opcode::CAST:
        return any_dtype(in_);
      case Opcode::BITCAST:
        return any_dtype(in_, [&](std::uint8_t to) {
          return to != TENON_DTYPE_BOOL && conformance::size_of(to) == conformance::size_of(from);
        });
      case Opcode::ARITH:
      case Opcode::FLOAT:
      case Opcode::BITS:
      case Opcode::SHIFT:
      case Opcode::SELECT:
        return from;
    }
    return from;
  }

  Bytes& in_;
  Program program_;
  std::vector<Value> values_;
};

std::uint8_t result_layout(Bytes& in) {
  return in.flag() ? TENON_LAYOUT_STRIDED : TENON_LAYOUT_CONTIGUOUS;
}
std::uint8_t source_layout(Bytes& in) {
  return in.one_of<std::uint8_t>({TENON_LAYOUT_CONTIGUOUS, TENON_LAYOUT_STRIDED, TENON_LAYOUT_SCALAR,
                                  TENON_LAYOUT_STRIDED, TENON_LAYOUT_INDEX});
}

void add_results(Bytes& in, OpSpec& op, const DtypeList& dtypes) {
  op.output_count = static_cast<std::uint8_t>(dtypes.size());
  for (const std::uint8_t dtype : dtypes) op.operands.push_back({dtype, result_layout(in), 0, {}, {}});
}
void add_sources(Bytes& in, OpSpec& op, const DtypeList& dtypes) {
  for (const std::uint8_t dtype : dtypes) op.operands.push_back({dtype, source_layout(in), 0, {}, {}});
}

void describe_elementwise(Bytes& in, OpSpec& op) {
  const DtypeList inputs = any_dtypes(in, 4);
  ProgramMaker body(in, inputs);
  DtypeList results(1 + in.below(3));
  for (std::uint8_t& dtype : results) dtype = body.output();
  add_results(in, op, results);
  add_sources(in, op, inputs);
  op.attachments = {{TENON_SLOT_BODY, op.output_count, body.block()}};
}

std::uint8_t reduction_result(Bytes& in, std::uint32_t reduction) {
  if (reduction == TENON_REDUCE_ANY || reduction == TENON_REDUCE_ALL) return TENON_DTYPE_BOOL;
  if (reduction == TENON_REDUCE_ARGMAX || reduction == TENON_REDUCE_ARGMIN)
    return in.flag() ? TENON_DTYPE_I64 : TENON_DTYPE_I32;
  return any_dtype(in);
}

void describe_reduce(Bytes& in, OpSpec& op) {
  const bool has_prologue = in.flag();
  TenonReduceAttrs attrs{sizeof attrs, in.byte() & ((1u << op.rank) - 1), {}};
  DtypeList results(has_prologue ? 1 + in.below(3) : 1);
  for (std::size_t i = 0; i < results.size(); ++i) {
    attrs.operators[i] = in.between<std::uint8_t>(TENON_REDUCE_SUM, TENON_REDUCE_ALL);
    results[i] = reduction_result(in, attrs.operators[i]);
  }
  op.attrs = conformance::as_block(attrs);
  op.acc_dtype = any_number(in);
  add_results(in, op, results);
  DtypeList inputs = has_prologue ? any_dtypes(in, 4) : DtypeList{any_dtype(in)};
  add_sources(in, op, inputs);
  if (!has_prologue) return;
  ProgramMaker prologue(in, inputs);
  for (std::size_t i = 0; i < results.size(); ++i) prologue.output();
  op.attachments = {{TENON_SLOT_PROLOGUE, op.output_count, prologue.block()}};
}

/// Strides of a table; its extents, some of them TENON_DYNAMIC.
OperandSpec table(Bytes& in, std::uint8_t dtype, Dims extents) {
  OperandSpec operand{dtype, TENON_LAYOUT_STRIDED, 0, std::move(extents), {}};
  const bool dynamic = in.rarely(4);
  for (std::size_t d = 0; d < operand.extents.size(); ++d) {
    operand.strides.push_back(dynamic && in.flag() ? TENON_DYNAMIC : in.between<std::int64_t>(-3, 8));
  }
  for (std::int64_t& extent : operand.extents) {
    if (dynamic && in.flag()) extent = TENON_DYNAMIC;
  }
  return operand;
}

/// What stretches to `extents`: some are 1, leading ones are gone.
Dims stretched(Bytes& in, std::span<const std::int64_t> extents) {
  Dims result(extents.begin() + static_cast<std::ptrdiff_t>(in.below(extents.size() + 1)),
              extents.end());
  for (std::int64_t& extent : result) {
    if (in.rarely(4)) extent = 1;
  }
  return result;
}

void add_epilogue(Bytes& in, OpSpec& op) {
  const DtypeList inputs = any_dtypes(in, 3);
  DtypeList all{op.acc_dtype};
  all.insert(all.end(), inputs.begin(), inputs.end());
  ProgramMaker epilogue(in, all);
  epilogue.output(op.operands[0].dtype);
  const Dims extents = op.operands[0].extents;
  for (const std::uint8_t dtype : inputs) {
    op.operands.push_back(table(in, dtype, stretched(in, extents)));
    op.operands.back().layout = source_layout(in);
  }
  op.attachments = {{TENON_SLOT_EPILOGUE, 3, epilogue.block()}};
}

void describe_matmul(Bytes& in, OpSpec& op) {
  Dims batch(in.rarely(4) ? in.below(TENON_MAX_RANK - 1) : in.below(3));
  for (std::int64_t& extent : batch) extent = in.between<std::int64_t>(0, 3);
  const auto m = in.between<std::int64_t>(0, 5), n = in.between<std::int64_t>(0, 5),
             k = in.between<std::int64_t>(0, 5);
  const auto matrix = [&](Dims extents, std::int64_t rows, std::int64_t columns) {
    extents.insert(extents.end(), {rows, columns});
    return table(in, any_dtype(in), std::move(extents));
  };
  op.rank = static_cast<std::uint8_t>(batch.size() + 2);
  op.acc_dtype = any_number(in);
  op.attrs = conformance::as_block(TenonMatmulAttrs{sizeof(TenonMatmulAttrs), in.flag()});
  op.operands = {matrix(batch, m, n), matrix(stretched(in, batch), m, k),
                 matrix(stretched(in, batch), k, n)};
  if (in.flag()) add_epilogue(in, op);
}

void describe_indexed(Bytes& in, OpSpec& op) {
  const TenonIndexAttrs attrs{
      .struct_size = sizeof attrs,
      .index_count = in.between<std::uint32_t>(1, 3),
      .how = op.kind == TENON_KIND_SCATTER ? in.between<std::uint32_t>(0, 3) : 0,
      .pad = 0};
  op.attrs = conformance::as_block(attrs);
  const std::uint8_t dtype = any_dtype(in);
  add_results(in, op, {dtype});
  op.operands.push_back({dtype, in.flag() ? result_layout(in) : std::uint8_t{TENON_LAYOUT_SCALAR}});
  for (std::uint32_t i = 0; i < attrs.index_count; ++i) {
    op.operands.push_back({any_dtype(in, conformance::is_integer), source_layout(in), 0, {}, {}});
  }
}

}  // namespace

OpSpec describe_op(Bytes& in) {
  OpSpec op;
  op.kind = in.between<std::uint32_t>(TENON_KIND_ELEMENTWISE, TENON_KIND_SCATTER);
  op.rank = in.rarely() ? in.between<std::uint8_t>(0, TENON_MAX_RANK) : in.between<std::uint8_t>(0, 4);
  op.index_width = in.flag() ? 32 : 64;
  op.flags = static_cast<std::uint32_t>(in.byte()) << 16;
  switch (op.kind) {
    case TENON_KIND_ELEMENTWISE:
      describe_elementwise(in, op);
      break;
    case TENON_KIND_REDUCE:
      describe_reduce(in, op);
      break;
    case TENON_KIND_MATMUL:
      describe_matmul(in, op);
      break;
    default:
      describe_indexed(in, op);
  }
  return op;
}

conformance::Block damaged(conformance::Block block, Bytes& in) {
  auto* const bytes = reinterpret_cast<std::uint8_t*>(block.data());
  for (int left = in.one_of({0, 0, 0, 1, 1, 2, 4}); left > 0; --left) {
    const std::size_t at = in.take<std::uint16_t>() % (8 * block.size());
    bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ in.byte());
  }
  return block;
}

}  // namespace tenon::fuzz
