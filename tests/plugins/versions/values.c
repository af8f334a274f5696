/* Opcodes, element by element, after plugin.h and opcodes.def. */
#include "values.h"

#include <math.h>
#include <string.h>

const uint32_t kDtypes = 1u << TENON_DTYPE_BOOL | 1u << TENON_DTYPE_U32 | 1u << TENON_DTYPE_I32 |
                         1u << TENON_DTYPE_U64 | 1u << TENON_DTYPE_I64 | 1u << TENON_DTYPE_F32 |
                         1u << TENON_DTYPE_F64;

#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  | (code >= 32 && code != TENON_OP_MULHI ? 1ull << code : 0)
const uint64_t kOpcodes = 0
#include <tenon/opcodes.def>
    ;
#undef TENON_OPCODE

int arity_of(uint8_t opcode) {
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  case code:                                              \
    return arity;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
    default:
      return 0;
  }
}

bool knows_opcode(uint8_t opcode) {
  return arity_of(opcode) != 0 && (opcode < 32 || (kOpcodes >> opcode & 1) != 0);
}

bool knows_dtype(uint8_t dtype) {
  return dtype < 32 && (kDtypes >> dtype & 1) != 0;
}

bool is_float(uint8_t dtype) {
  return dtype == TENON_DTYPE_F32 || dtype == TENON_DTYPE_F64;
}

bool is_signed(uint8_t dtype) {
  return dtype == TENON_DTYPE_I32 || dtype == TENON_DTYPE_I64;
}

int64_t size_of(uint8_t dtype) {
  switch (dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  case code:                                 \
    return bytes;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
    default:
      return 0;
  }
}

Value load(uint8_t dtype, const void* from) {
  Value v = {.u = 0};
  float f;
  int32_t i;
  if (dtype == TENON_DTYPE_BOOL) {
    v.u = *(const uint8_t*)from != 0;
  } else if (dtype == TENON_DTYPE_F32) {
    memcpy(&f, from, sizeof f);
    v.f = f;
  } else if (dtype == TENON_DTYPE_I32) {
    memcpy(&i, from, sizeof i);
    v.i = i;
  } else {
    memcpy(&v, from, (size_t)size_of(dtype));
  }
  return v;
}

void store(uint8_t dtype, void* to, Value value) {
  const float f = dtype == TENON_DTYPE_F32 ? (float)value.f : 0;
  const void* bytes = dtype == TENON_DTYPE_F32 ? (const void*)&f : (const void*)&value;
  memcpy(to, bytes, (size_t)size_of(dtype));
}

/* Rounded, or wrapped, to the dtype. */
static Value fit(uint8_t dtype, Value value) {
  uint64_t bits = 0;
  store(dtype, &bits, value);
  return load(dtype, &bits);
}

static Value saturate(uint8_t dtype, double x) {
  if (isnan(x)) return (Value){.u = 0};
  switch (dtype) {
    case TENON_DTYPE_I32:
      return (Value){.i = x <= INT32_MIN ? INT32_MIN : x >= INT32_MAX ? INT32_MAX : (int64_t)x};
    case TENON_DTYPE_I64:
      return (Value){.i = x <= -0x1p63 ? INT64_MIN : x >= 0x1p63 ? INT64_MAX : (int64_t)x};
    case TENON_DTYPE_U32:
      return (Value){.u = x <= 0 ? 0 : x >= UINT32_MAX ? UINT32_MAX : (uint64_t)x};
    case TENON_DTYPE_U64:
      return (Value){.u = x <= 0 ? 0 : x >= 0x1p64 ? UINT64_MAX : (uint64_t)x};
    default:
      return (Value){.f = x};
  }
}

Value lowest(uint8_t dtype) {
  return saturate(dtype, -INFINITY);
}

Value highest(uint8_t dtype) {
  return saturate(dtype, INFINITY);
}

Value cast(uint8_t from, uint8_t to, Value value) {
  if (to == TENON_DTYPE_BOOL) return (Value){.u = is_float(from) ? value.f != 0 : value.u != 0};
  if (is_float(from) && !is_float(to)) return saturate(to, value.f);
  if (is_float(from) == is_float(to)) return fit(to, value);
  if (to == TENON_DTYPE_F32) {
    const float f = is_signed(from) ? (float)value.i : (float)value.u;
    return (Value){.f = f};
  }
  return (Value){.f = is_signed(from) ? (double)value.i : (double)value.u};
}

static double of_floats(uint8_t opcode, bool single, double a, double b, double c) {
  switch (opcode) {
    case TENON_OP_ADD:
      return a + b;
    case TENON_OP_SUB:
      return a - b;
    case TENON_OP_MUL:
      return a * b;
    case TENON_OP_DIV:
      return a / b;
    case TENON_OP_NEG:
      return -a;
    case TENON_OP_ABS:
      return fabs(a);
    case TENON_OP_MIN:
      return isnan(a) || isnan(b) ? NAN : fmin(a, b);
    case TENON_OP_MAX:
      return isnan(a) || isnan(b) ? NAN : fmax(a, b);
    case TENON_OP_FLOOR:
      return floor(a);
    case TENON_OP_SQRT:
      return sqrt(a);
    case TENON_OP_EXP:
      return exp(a);
    case TENON_OP_LOG:
      return log(a);
    case TENON_OP_FMA:
      return single ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
    case TENON_OP_REM:
      return fmod(a, b);
    case TENON_OP_POW:
      return pow(a, b);
    case TENON_OP_ROUND:
      return nearbyint(a);
    case TENON_OP_TRUNC:
      return trunc(a);
    case TENON_OP_SIN:
      return sin(a);
    case TENON_OP_COS:
      return cos(a);
    case TENON_OP_TANH:
      return tanh(a);
    case TENON_OP_ERF:
      return erf(a);
    case TENON_OP_EXP2:
      return exp2(a);
    case TENON_OP_LOG2:
      return log2(a);
    case TENON_OP_RSQRT:
      return 1 / sqrt(a);
    case TENON_OP_LOG1P:
      return log1p(a);
    case TENON_OP_EXPM1:
      return expm1(a);
    case TENON_OP_SIGMOID:
      return 1 / (1 + exp(-a));
#if TENON_ABI_MINOR >= 3
    case TENON_OP_ATAN:
      return atan(a);
#endif
    default:
      return NAN;
  }
}

static uint64_t quotient(bool with_sign, Value a, Value b) {
  if (b.u == 0) return 0;
  if (!with_sign) return a.u / b.u;
  return b.i == -1 ? 0 - a.u : (uint64_t)(a.i / b.i);
}

static bool less(uint8_t dtype, Value a, Value b) {
  return is_float(dtype) ? a.f < b.f : is_signed(dtype) ? a.i < b.i : a.u < b.u;
}

static uint64_t of_integers(uint8_t opcode, uint8_t dtype, Value a, Value b) {
  const bool with_sign = is_signed(dtype);
  const uint64_t count = b.u & (uint64_t)(8 * size_of(dtype) - 1);
  switch (opcode) {
    case TENON_OP_ADD:
      return a.u + b.u;
    case TENON_OP_SUB:
      return a.u - b.u;
    case TENON_OP_MUL:
      return a.u * b.u;
    case TENON_OP_DIV:
      return quotient(with_sign, a, b);
    case TENON_OP_REM:
      return b.u == 0 ? 0 : a.u - quotient(with_sign, a, b) * b.u;
    case TENON_OP_NEG:
      return 0 - a.u;
    case TENON_OP_ABS:
      return with_sign && a.i < 0 ? 0 - a.u : a.u;
    case TENON_OP_MIN:
      return less(dtype, b, a) ? b.u : a.u;
    case TENON_OP_MAX:
      return less(dtype, a, b) ? b.u : a.u;
    case TENON_OP_AND:
      return a.u & b.u;
    case TENON_OP_OR:
      return a.u | b.u;
    case TENON_OP_XOR:
      return a.u ^ b.u;
    case TENON_OP_NOT:
      return dtype == TENON_DTYPE_BOOL ? !a.u : ~a.u;
    case TENON_OP_SHL:
      return a.u << count;
    case TENON_OP_SHR:
      return with_sign ? (uint64_t)(a.i >> count) : a.u >> count;
    default:
      return 0;
  }
}

static uint64_t philox(uint64_t index, uint64_t offset, uint64_t seed) {
  const uint64_t block = index >> 2;
  uint32_t x[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)offset,
                   (uint32_t)(offset >> 32)};
  uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = 0xD2511F53ull * x[0], q = 0xCD9E8D57ull * x[2];
    const uint32_t next[4] = {(uint32_t)(q >> 32) ^ x[1] ^ low, (uint32_t)q,
                              (uint32_t)(p >> 32) ^ x[3] ^ high, (uint32_t)p};
    memcpy(x, next, sizeof x);
    low += 0x9E3779B9u;
    high += 0xBB67AE85u;
  }
  return x[index & 3];
}

Value eval(uint8_t opcode, uint8_t from, uint8_t to, const Value* x) {
  const bool equal = is_float(from) ? x[0].f == x[1].f : x[0].u == x[1].u;
  uint64_t bits = 0;
  switch (opcode) {
    case TENON_OP_LT:
      return (Value){.u = less(from, x[0], x[1])};
    case TENON_OP_LE:
      return (Value){.u = equal || less(from, x[0], x[1])};
    case TENON_OP_EQ:
      return (Value){.u = equal};
    case TENON_OP_NE:
      return (Value){.u = !equal};
    case TENON_OP_SELECT:
      return x[0].u != 0 ? x[1] : x[2];
    case TENON_OP_CAST:
      return cast(from, to, x[0]);
    case TENON_OP_BITCAST:
      store(from, &bits, x[0]);
      return load(to, &bits);
    case TENON_OP_PHILOX:
      return (Value){.u = philox(x[0].u, x[1].u, x[2].u)};
    default:
      return is_float(to)
                 ? fit(to,
                       (Value){.f = of_floats(opcode, to == TENON_DTYPE_F32, x[0].f, x[1].f, x[2].f)})
                 : fit(to, (Value){.u = of_integers(opcode, to, x[0], x[1])});
  }
}
