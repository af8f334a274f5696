// Operators and functions on values: each applies one opcode.
#include <tenon/program.h>

namespace tenon::program {
namespace {

Value unary(Opcode opcode, Value a) {
  return a.builder().apply(opcode, a.dtype(), a);
}
Value binary(Opcode opcode, Value a, Value b) {
  return a.builder().apply(opcode, a.dtype(), a, b);
}
Value compare(Opcode opcode, Value a, Value b) {
  return a.builder().apply(opcode, bool_, a, b);
}
Value like(Value partner, double value) {
  return partner.builder().constant(partner.dtype(), value);
}

}  // namespace

#define TENON_VALUE_BINARY(name, form, opcode, first, second) \
  Value name(Value a, Value b) {                              \
    return form(Opcode::opcode, first, second);               \
  }                                                           \
  Value name(Value a, double b) {                             \
    return name(a, like(a, b));                               \
  }                                                           \
  Value name(double a, Value b) {                             \
    return name(like(b, a), b);                               \
  }
TENON_VALUE_BINARY(operator+, binary, add, a, b)
TENON_VALUE_BINARY(operator-, binary, sub, a, b)
TENON_VALUE_BINARY(operator*, binary, mul, a, b)
TENON_VALUE_BINARY(operator/, binary, div, a, b)
TENON_VALUE_BINARY(operator<, compare, lt, a, b)
TENON_VALUE_BINARY(operator<=, compare, le, a, b)
TENON_VALUE_BINARY(operator>, compare, lt, b, a)
TENON_VALUE_BINARY(operator>=, compare, le, b, a)
TENON_VALUE_BINARY(operator==, compare, eq, a, b)
TENON_VALUE_BINARY(operator!=, compare, ne, a, b)
TENON_VALUE_BINARY(min, binary, min, a, b)
TENON_VALUE_BINARY(max, binary, max, a, b)
TENON_VALUE_BINARY(pow, binary, pow, a, b)
TENON_VALUE_BINARY(rem, binary, rem, a, b)
#undef TENON_VALUE_BINARY

Value operator&(Value a, Value b) {
  return binary(Opcode::and_, a, b);
}
Value operator|(Value a, Value b) {
  return binary(Opcode::or_, a, b);
}
Value operator^(Value a, Value b) {
  return binary(Opcode::xor_, a, b);
}
Value operator~(Value a) {
  return unary(Opcode::not_, a);
}
Value operator<<(Value a, int bits) {
  return binary(Opcode::shl, a, like(a, bits));
}
Value operator>>(Value a, int bits) {
  return binary(Opcode::shr, a, like(a, bits));
}
Value operator-(Value a) {
  return unary(Opcode::neg, a);
}
#define TENON_VALUE_UNARY(name)    \
  Value name(Value a) {            \
    return unary(Opcode::name, a); \
  }
TENON_VALUE_UNARY(abs)
TENON_VALUE_UNARY(floor)
TENON_VALUE_UNARY(trunc)
TENON_VALUE_UNARY(round)
TENON_VALUE_UNARY(sqrt)
TENON_VALUE_UNARY(rsqrt)
TENON_VALUE_UNARY(exp)
TENON_VALUE_UNARY(exp2)
TENON_VALUE_UNARY(expm1)
TENON_VALUE_UNARY(log)
TENON_VALUE_UNARY(log2)
TENON_VALUE_UNARY(log1p)
TENON_VALUE_UNARY(sin)
TENON_VALUE_UNARY(cos)
TENON_VALUE_UNARY(tanh)
TENON_VALUE_UNARY(erf)
TENON_VALUE_UNARY(sigmoid)
#undef TENON_VALUE_UNARY
Value ceil(Value a) {
  return -floor(-a);
}
Value fma(Value a, Value b, Value c) {
  return a.builder().apply(Opcode::fma, a.dtype(), a, b, c);
}

Value select(Value condition, Value a, Value b) {
  return condition.builder().apply(Opcode::select, a.dtype(), condition, a, b);
}
Value cast(Value a, DType dtype) {
  return a.builder().apply(Opcode::cast, dtype, a);
}
Value bitcast(Value a, DType dtype) {
  return a.builder().apply(Opcode::bitcast, dtype, a);
}
Value philox(Value index, Value offset, Value seed) {
  return index.builder().apply(Opcode::philox, u32, index, offset, seed);
}

}  // namespace tenon::program
