/* One element of any dtype, and what opcodes do with it. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include <tenon/plugin.h>

/* Floats are kept as double, signed integers in i, the others (a bool is 0 or 1) in u. */
typedef union Value {
  double f;
  int64_t i;
  uint64_t u;
} Value;

/* What this plugin stores and computes. */
extern const uint32_t kDtypes;
/* The optional opcodes that it knows. */
extern const uint64_t kOpcodes;

bool knows_opcode(uint8_t opcode);
int arity_of(uint8_t opcode);
bool knows_dtype(uint8_t dtype);
bool is_float(uint8_t dtype);
bool is_signed(uint8_t dtype);
int64_t size_of(uint8_t dtype);

Value load(uint8_t dtype, const void* from);
void store(uint8_t dtype, void* to, Value value);
Value cast(uint8_t from, uint8_t to, Value value);
/* -infinity (or the least integer) and +infinity (or the greatest). */
Value lowest(uint8_t dtype);
Value highest(uint8_t dtype);

/* The result, of dtype `to`, of an opcode on operands whose last has dtype `from`. */
Value eval(uint8_t opcode, uint8_t from, uint8_t to, const Value* x);

#endif
