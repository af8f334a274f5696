/* Descriptions read, programs run for one element, and operands' ways through an iteration space. */
#ifndef WALK_H
#define WALK_H

#include "values.h"

enum { kMostOperands = TENON_MAX_OUTPUTS + TENON_MAX_INPUTS };

const void* behind(const void* head, size_t offset);
const TenonOperandDesc* descs_of(const TenonOp* op);
/* NULL where nothing is attached there. */
const TenonProgram* program_in(const TenonOp* op, uint16_t slot);
uint8_t dtype_of(const TenonProgram* program, uint16_t reference);
void run_program(const TenonProgram* program, const uint64_t* scalars, const Value* inputs,
                 Value* results);

typedef struct Walk {
  const TenonOp* op;
  const TenonPack* pack;
  int64_t extents[TENON_MAX_RANK], at[TENON_MAX_RANK];
  int64_t strides[kMostOperands][TENON_MAX_RANK];
} Walk;

int64_t product(const int64_t* extents, int begin, int end);
void row_major(const int64_t* extents, int rank, int64_t* strides);
/* Of any kind but MATMUL, from coordinate 0 on. */
Walk walk(const TenonOp* op, const TenonPack* pack);
/* On by one over the dimensions begin .. end - 1. */
void step(Walk* w, int begin, int end);
int64_t steps_from_0(const Walk* w, int operand);
char* address(const Walk* w, int operand, int64_t steps);
Value get(const Walk* w, int operand);
void put(const Walk* w, int operand, Value value);

#endif
