// Opcodes: what an instruction gives, exactly for those that are exactly rounded, as a real number
// for the others.
#include "tests/conformance/oracle.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace tenon::conformance {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

Wide to_wide(std::uint8_t dtype, Bits bits) {
  const auto whole = static_cast<Wide>(bits);
  const auto width = static_cast<int>(8 * size_of(dtype));
  if (is_signed(dtype) && (bits >> (width - 1) & 1) != 0)
    return whole - (static_cast<Wide>(1) << width);
  return whole;
}

Bits wrap(std::uint8_t dtype, Wide value) {
  return static_cast<Bits>(value) & (~Bits{0} >> (64 - 8 * size_of(dtype)));
}

// Integers and bool, ARITH, BITS and SHIFT.
Bits integer_result(const Application& what) {
  const std::uint8_t t = what.from;
  const Wide a = to_wide(t, what.a), b = to_wide(t, what.b);
  const auto product = static_cast<UnsignedWide>(a) * static_cast<UnsignedWide>(b);
  const int width = static_cast<int>(8 * size_of(t));
  const int shift = static_cast<int>(what.b & static_cast<Bits>(width - 1));
  switch (what.op->code) {
    case TENON_OP_ADD:
      return wrap(t, a + b);
    case TENON_OP_SUB:
      return wrap(t, a - b);
    case TENON_OP_MUL:
      return wrap(t, static_cast<Wide>(product));
    case TENON_OP_DIV:
      return b == 0 ? 0 : wrap(t, a / b);
    case TENON_OP_REM:
      return b == 0 ? 0 : wrap(t, a % b);
    case TENON_OP_NEG:
      return wrap(t, -a);
    case TENON_OP_ABS:
      return wrap(t, a < 0 ? -a : a);
    case TENON_OP_MIN:
      return wrap(t, a < b ? a : b);
    case TENON_OP_MAX:
      return wrap(t, a > b ? a : b);
    case TENON_OP_AND:
      return what.a & what.b;
    case TENON_OP_OR:
      return what.a | what.b;
    case TENON_OP_XOR:
      return what.a ^ what.b;
    case TENON_OP_NOT:
      return t == TENON_DTYPE_BOOL ? 1 - what.a : wrap(t, ~a);
    case TENON_OP_SHL:
      return wrap(t, static_cast<Wide>(what.a << shift));
    case TENON_OP_SHR:
      return wrap(t, a >> shift);
    case TENON_OP_MULHI:
      return is_signed(t) ? wrap(t, static_cast<Wide>(product) >> width)
                          : wrap(t, static_cast<Wide>(product >> width));
    default:
      throw std::logic_error(std::string("no integer oracle for ") + what.op->name);
  }
}

// The floating opcodes of 0 ULP, in the arithmetic that the dtype is defined by.
template <class T>
T exact_result(std::uint8_t code, T a, T b, T c) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  switch (code) {
    case TENON_OP_ADD:
      return a + b;
    case TENON_OP_SUB:
      return a - b;
    case TENON_OP_MUL:
      return a * b;
    case TENON_OP_NEG:
      return -a;
    case TENON_OP_ABS:
      return std::fabs(a);
    case TENON_OP_MIN:
      return std::isnan(a) || std::isnan(b) ? nan : (a < b ? a : b);
    case TENON_OP_MAX:
      return std::isnan(a) || std::isnan(b) ? nan : (a > b ? a : b);
    case TENON_OP_FLOOR:
      return std::floor(a);
    case TENON_OP_FMA:
      return std::fma(a, b, c);
    case TENON_OP_REM:
      return std::fmod(a, b);
    case TENON_OP_ROUND:
      return std::nearbyint(a);
    case TENON_OP_TRUNC:
      return std::trunc(a);
    default:
      throw std::logic_error(std::string("no exact oracle for ") + opcode(code).name);
  }
}

long double real_result(std::uint8_t code, long double a, long double b) {
  switch (code) {
    case TENON_OP_DIV:
      return a / b;
    case TENON_OP_SQRT:
      return std::sqrt(a);
    case TENON_OP_EXP:
      return std::exp(a);
    case TENON_OP_LOG:
      return std::log(a);
    case TENON_OP_POW:
      return std::pow(a, b);
    case TENON_OP_SIN:
      return std::sin(a);
    case TENON_OP_COS:
      return std::cos(a);
    case TENON_OP_TANH:
      return std::tanh(a);
    case TENON_OP_ERF:
      return std::erf(a);
    case TENON_OP_EXP2:
      return std::exp2(a);
    case TENON_OP_LOG2:
      return std::log2(a);
    case TENON_OP_RSQRT:
      return 1 / std::sqrt(a);
    case TENON_OP_LOG1P:
      return std::log1p(a);
    case TENON_OP_EXPM1:
      return std::expm1(a);
    case TENON_OP_SIGMOID:
      return 1 / (1 + std::exp(-a));
    default:
      throw std::logic_error(std::string("no real oracle for ") + opcode(code).name);
  }
}

Bits exact_float(const Application& what) {
  const long double a = to_real(what.from, what.a), b = to_real(what.from, what.b),
                    c = to_real(what.from, what.c);
  if (what.dtype == TENON_DTYPE_F64) {
    return from_real(what.dtype, exact_result(what.op->code, static_cast<double>(a),
                                              static_cast<double>(b), static_cast<double>(c)));
  }
  return from_real(what.dtype, exact_result(what.op->code, static_cast<float>(a), static_cast<float>(b),
                                            static_cast<float>(c)));
}

bool compare(const Application& what) {
  const long double a = to_real(what.from, what.a), b = to_real(what.from, what.b);
  if (what.op->code == TENON_OP_LT) return a < b;
  if (what.op->code == TENON_OP_LE) return a <= b;
  if (what.op->code == TENON_OP_EQ) return a == b;
  return a != b;
}

bool is_zero(std::uint8_t dtype, Bits bits) {
  return to_real(dtype, bits) == 0;
}

bool is_denormal(std::uint8_t dtype, Bits bits) {
  if (!is_float(dtype) || is_nan(dtype, bits)) return false;
  const long double value = std::fabs(to_real(dtype, bits));
  const int least = dtype == TENON_DTYPE_F64 ? -1022 : dtype == TENON_DTYPE_F16 ? -14 : -126;
  return value != 0 && value < std::ldexp(1.0L, least);
}

Bits flushed(std::uint8_t dtype, Bits bits) {
  return is_denormal(dtype, bits) ? 0 : bits;
}

// Where the contract leaves the result open.
bool unspecified(const Application& what) {
  if (!is_float(what.from)) return false;
  const bool zeros = is_zero(what.from, what.a) || is_zero(what.from, what.b);
  switch (what.op->code) {
    case TENON_OP_REM:
      return is_zero(what.from, what.b);
    case TENON_OP_RSQRT:
      return is_zero(what.from, what.a) && std::signbit(to_real(what.from, what.a));
    case TENON_OP_POW:
      return zeros || is_nan(what.from, what.a) || is_nan(what.from, what.b) ||
             to_real(what.from, what.a) < 0 || std::isinf(to_real(what.from, what.b));
    default:
      return false;
  }
}

bool bounded(const Application& what) {
  return what.op->ulp > 0 && is_float(what.dtype);
}

bool accepts_exactly(const Application& what, Bits got) {
  if (bounded(what)) {
    const long double a = to_real(what.from, what.a), b = to_real(what.from, what.b);
    return within(what.dtype, got, real_result(what.op->code, a, b), what.op->ulp);
  }
  const Bits want = expected(what);
  const bool either_zero = (what.op->code == TENON_OP_MIN || what.op->code == TENON_OP_MAX) &&
                           is_float(what.dtype) && is_zero(what.dtype, want);
  if (either_zero) return is_zero(what.dtype, got);
  return same(what.dtype, got, want);
}

}  // namespace

const std::vector<Opcode>& all_opcodes() {
  static const std::vector<Opcode> all = {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) {#NAME, code, arity, Opcode::group, ulp},
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  };
  return all;
}

const Opcode& opcode(std::uint8_t code) {
  for (const Opcode& op : all_opcodes()) {
    if (op.code == code) return op;
  }
  throw std::logic_error("no such opcode");
}

bool applies(const Opcode& op, std::uint8_t dtype) {
  switch (op.group) {
    case Opcode::ARITH:
      return dtype != TENON_DTYPE_BOOL;
    case Opcode::FLOAT:
      return is_float(dtype);
    case Opcode::BITS:
      return !is_float(dtype);
    case Opcode::SHIFT:
      return is_integer(dtype);
    case Opcode::COMPARE:
    case Opcode::SELECT:
    case Opcode::CAST:
      return true;
    case Opcode::BITCAST:
      return dtype != TENON_DTYPE_BOOL;
    case Opcode::PHILOX:
      return dtype == TENON_DTYPE_U64;
  }
  return false;
}

Bits expected(const Application& what) {
  switch (what.op->group) {
    case Opcode::COMPARE:
      return compare(what) ? 1 : 0;
    case Opcode::SELECT:
      return what.a != 0 ? what.b : what.c;
    case Opcode::CAST:
      return cast(what.dtype, what.from, what.a);
    case Opcode::BITCAST:
      return what.a;
    case Opcode::PHILOX:
      return philox(what.a, what.b, what.c);
    case Opcode::BITS:
    case Opcode::SHIFT:
      return integer_result(what);
    case Opcode::ARITH:
    case Opcode::FLOAT:
      break;
  }
  if (!is_float(what.dtype)) return integer_result(what);
  if (!bounded(what)) return exact_float(what);
  const long double a = to_real(what.from, what.a), b = to_real(what.from, what.b);
  return from_real(what.dtype, real_result(what.op->code, a, b));
}

bool accepts(const Application& what, Bits got, bool flushes) {
  if (unspecified(what) || accepts_exactly(what, got)) return true;
  if (!flushes) return false;
  Application flat = what;
  const bool select = what.op->group == Opcode::SELECT;
  flat.a = select ? what.a : flushed(what.from, what.a);
  flat.b = flushed(what.from, what.b);
  flat.c = flushed(what.from, what.c);
  if (accepts_exactly(flat, got)) return true;
  return is_float(what.dtype) && is_zero(what.dtype, got) &&
         (is_denormal(what.dtype, expected(what)) || is_denormal(what.dtype, expected(flat)));
}

void philox4x32(std::uint32_t (&c)[4], const std::uint32_t (&key)[2]) {
  std::uint32_t k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0], p1 = std::uint64_t{0xCD9E8D57} * c[2];
    const std::uint32_t next[4] = {
        static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    std::memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
}

std::uint32_t philox(std::uint64_t index, std::uint64_t offset, std::uint64_t seed) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  std::uint32_t counter[4] = {low(index >> 2), high(index >> 2), low(offset), high(offset)};
  philox4x32(counter, {low(seed), high(seed)});
  return counter[index & 3];
}

}  // namespace tenon::conformance
