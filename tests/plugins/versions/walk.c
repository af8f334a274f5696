#include "walk.h"

#include <string.h>

const void* behind(const void* head, size_t offset) {
  return (const char*)head + offset;
}

const TenonOperandDesc* descs_of(const TenonOp* op) {
  return behind(op, op->operands_at);
}

const TenonProgram* program_in(const TenonOp* op, uint16_t slot) {
  const TenonAttachment* attachments = behind(op, op->attachments_at);
  for (int i = 0; i < op->attachment_count; ++i) {
    if (attachments[i].slot == slot) return behind(op, attachments[i].program_at);
  }
  return NULL;
}

uint8_t dtype_of(const TenonProgram* program, uint16_t reference) {
  const TenonInstruction* code = behind(program, program->instructions_at);
  const uint8_t* dtypes = behind(program, program->dtypes_at);
  const int starts[] = {0, 0, program->input_count, program->input_count + program->scalar_count};
  const uint32_t class_ = TENON_REF_CLASS(reference), index = TENON_REF_INDEX(reference);
  return class_ == TENON_REF_INSTRUCTION ? code[index].dtype : dtypes[(uint32_t)starts[class_] + index];
}

static Value value_of(const TenonProgram* program, uint16_t reference, const Value* made,
                      const Value* inputs, const uint64_t* scalars) {
  const uint64_t* constants = behind(program, program->constants_at);
  const uint32_t index = TENON_REF_INDEX(reference);
  switch (TENON_REF_CLASS(reference)) {
    case TENON_REF_INSTRUCTION:
      return made[index];
    case TENON_REF_INPUT:
      return inputs[index];
    case TENON_REF_SCALAR:
      return load(dtype_of(program, reference), &scalars[index]);
    default:
      return load(dtype_of(program, reference), &constants[index]);
  }
}

void run_program(const TenonProgram* program, const uint64_t* scalars, const Value* inputs,
                 Value* results) {
  const TenonInstruction* code = behind(program, program->instructions_at);
  const uint16_t* outputs = behind(program, program->outputs_at);
  Value made[TENON_MAX_INSTRUCTIONS];
  for (int i = 0; i < program->instruction_count; ++i) {
    const uint16_t references[] = {code[i].a, code[i].b, code[i].c};
    const int arity = arity_of(code[i].opcode);
    Value x[3] = {{.u = 0}, {.u = 0}, {.u = 0}};
    for (int k = 0; k < arity; ++k) {
      x[k] = value_of(program, references[k], made, inputs, scalars);
    }
    made[i] = eval(code[i].opcode, dtype_of(program, references[arity - 1]), code[i].dtype, x);
  }
  for (int i = 0; i < program->output_count; ++i) {
    results[i] = value_of(program, outputs[i], made, inputs, scalars);
  }
}

int64_t product(const int64_t* extents, int begin, int end) {
  int64_t count = 1;
  for (int d = begin; d < end; ++d) count *= extents[d];
  return count;
}

void row_major(const int64_t* extents, int rank, int64_t* strides) {
  int64_t stride = 1;
  for (int d = rank; d-- > 0; stride *= extents[d]) strides[d] = stride;
}

Walk walk(const TenonOp* op, const TenonPack* pack) {
  Walk w = {.op = op, .pack = pack};
  memcpy(w.extents, pack->dims, op->rank * sizeof(int64_t));
  for (int i = 0; i < op->operand_count; ++i) {
    const uint8_t layout = descs_of(op)[i].layout;
    if (layout == TENON_LAYOUT_CONTIGUOUS) row_major(w.extents, op->rank, w.strides[i]);
    if (layout == TENON_LAYOUT_STRIDED || layout == TENON_LAYOUT_INDEX) {
      memcpy(w.strides[i], pack->operands[i].strides, op->rank * sizeof(int64_t));
    }
  }
  return w;
}

void step(Walk* w, int begin, int end) {
  for (int d = end; d-- > begin;) {
    if (++w->at[d] < w->extents[d]) return;
    w->at[d] = 0;
  }
}

int64_t steps_from_0(const Walk* w, int operand) {
  int64_t offset = 0;
  for (int d = 0; d < w->op->rank; ++d) offset += w->at[d] * w->strides[operand][d];
  return offset;
}

char* address(const Walk* w, int operand, int64_t steps) {
  const TenonOperand* it = &w->pack->operands[operand];
  return (char*)(uintptr_t)it->handle + it->offset + steps * size_of(descs_of(w->op)[operand].dtype);
}

Value get(const Walk* w, int operand) {
  const TenonOperandDesc* desc = &descs_of(w->op)[operand];
  const int64_t steps = steps_from_0(w, operand);
  if (desc->layout != TENON_LAYOUT_INDEX) return load(desc->dtype, address(w, operand, steps));
  return cast(TENON_DTYPE_I64, desc->dtype, (Value){.i = w->pack->operands[operand].offset + steps});
}

void put(const Walk* w, int operand, Value value) {
  store(descs_of(w->op)[operand].dtype, address(w, operand, steps_from_0(w, operand)), value);
}
