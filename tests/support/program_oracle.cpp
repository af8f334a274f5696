// See program_oracle.h. f32 transcendentals are computed in double and f64's in long double, then
// rounded once; the 16-bit floats are computed in f32, then rounded once more; everything else is
// computed in the dtype itself.
#include "tests/support/program_oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::test {
namespace {

using Bits = std::uint64_t;
__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

template <class T>
T load(Bits bits) {
  if constexpr (std::is_same_v<T, bool>) return (bits & 0xff) != 0;
  if constexpr (std::is_same_v<T, float>) return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  if constexpr (std::is_same_v<T, double>) return std::bit_cast<double>(bits);
  if constexpr (std::is_integral_v<T>) return static_cast<T>(bits);
}

template <class T>
Bits store(T value) {
  if constexpr (std::is_same_v<T, bool>) return value ? 1 : 0;
  if constexpr (std::is_same_v<T, float>) return std::bit_cast<std::uint32_t>(value);
  if constexpr (std::is_same_v<T, double>) return std::bit_cast<Bits>(value);
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<Bits>(static_cast<std::make_unsigned_t<T>>(value));
  }
}

/// A 16-bit float: all values from 0 up, by their bits.
class HalfFormat {
 public:
  HalfFormat(int exponent_bits, int fraction_bits) {
    const int least_exponent = 2 - (1 << (exponent_bits - 1));
    const unsigned units = 1u << fraction_bits, infinity = ((1u << exponent_bits) - 1) << fraction_bits;
    for (unsigned bits = 0; bits <= infinity; ++bits) {
      const unsigned exponent = std::max(bits / units, 1u), leading = bits < units ? 0 : units;
      values_.push_back(std::ldexp(static_cast<float>(bits % units + leading),
                                   static_cast<int>(exponent) - 1 + least_exponent - fraction_bits));
    }
    beyond_ = 2 * std::ldexp(1.0L, std::ilogb(values_[infinity - 1]));
  }

  bool is_nan(Bits bits) const { return (bits & 0x7fff) >= values_.size(); }
  float value(Bits bits) const {
    const std::size_t magnitude = bits & 0x7fff;
    if (is_nan(bits)) return std::numeric_limits<float>::quiet_NaN();
    const float x =
        magnitude + 1 == values_.size() ? std::numeric_limits<float>::infinity() : values_[magnitude];
    return (bits & 0x8000) != 0 ? -x : x;
  }

  /// The bits of the closest value, the even ones of two.
  Bits nearest(long double x) const {
    const Bits sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return sign | 0x7fff;
    Bits low = 0, high = values_.size() - 1;
    while (high - low > 1) {
      const Bits middle = (low + high) / 2;
      (at(middle) <= std::fabs(x) ? low : high) = middle;
    }
    const long double half = (at(low) + at(high)) / 2;
    const bool up = std::fabs(x) > half || (std::fabs(x) == half && low % 2 == 1);
    return sign | (up ? high : low);
  }

 private:
  /// Infinity counts as the value that would come next.
  long double at(Bits bits) const { return bits + 1 == values_.size() ? beyond_ : values_[bits]; }

  std::vector<float> values_;
  long double beyond_;
};

bool is_half(int dtype) {
  return dtype == TENON_DTYPE_F16 || dtype == TENON_DTYPE_BF16;
}
const HalfFormat& half_format(int dtype) {
  static const HalfFormat f16_format(5, 10), bf16_format(8, 7);
  return dtype == TENON_DTYPE_F16 ? f16_format : bf16_format;
}

/// Calls f with a value of the dtype's C++ type.
template <class F>
auto with_type(int dtype, F f) {
  switch (dtype) {
    case TENON_DTYPE_BOOL:
      return f(bool{});
    case TENON_DTYPE_U8:
      return f(std::uint8_t{});
    case TENON_DTYPE_I8:
      return f(std::int8_t{});
    case TENON_DTYPE_U16:
      return f(std::uint16_t{});
    case TENON_DTYPE_I16:
      return f(std::int16_t{});
    case TENON_DTYPE_I32:
      return f(std::int32_t{});
    case TENON_DTYPE_U32:
      return f(std::uint32_t{});
    case TENON_DTYPE_I64:
      return f(std::int64_t{});
    case TENON_DTYPE_U64:
      return f(std::uint64_t{});
    case TENON_DTYPE_F32:
      return f(float{});
    case TENON_DTYPE_F64:
      return f(double{});
    default:
      throw std::logic_error("the oracle does not know dtype " + std::to_string(dtype));
  }
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) return x != From{0};
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> && !std::is_same_v<To, bool>) {
    // 2^digits is exact in every floating type, max() is not.
    const From above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    const From below = std::is_signed_v<To> ? -above : From{0};
    if (std::isnan(x)) return 0;
    if (x >= above) return std::numeric_limits<To>::max();
    if (x <= below) return std::numeric_limits<To>::min();
  }
  return static_cast<To>(x);
}

template <class T>
T floating(int opcode, T a, T b, T c) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  const Wide x = a, y = b;
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
      return std::fabs(a);
    case TENON_OP_MIN:
      return std::isnan(a) || a < b ? a : b;
    case TENON_OP_MAX:
      return std::isnan(a) || a > b ? a : b;
    case TENON_OP_FLOOR:
      return std::floor(a);
    case TENON_OP_SQRT:
      return std::sqrt(a);
    case TENON_OP_EXP:
      return static_cast<T>(std::exp(x));
    case TENON_OP_LOG:
      return static_cast<T>(std::log(x));
    case TENON_OP_FMA:
      return std::fma(a, b, c);
    case TENON_OP_REM:
      return std::fmod(a, b);
    case TENON_OP_POW:
      return static_cast<T>(std::pow(x, y));
    case TENON_OP_ROUND:
      return std::nearbyint(a);
    case TENON_OP_TRUNC:
      return std::trunc(a);
    case TENON_OP_SIN:
      return static_cast<T>(std::sin(x));
    case TENON_OP_COS:
      return static_cast<T>(std::cos(x));
    case TENON_OP_TANH:
      return static_cast<T>(std::tanh(x));
    case TENON_OP_ERF:
      return static_cast<T>(std::erf(x));
    case TENON_OP_EXP2:
      return static_cast<T>(std::exp2(x));
    case TENON_OP_LOG2:
      return static_cast<T>(std::log2(x));
    case TENON_OP_RSQRT:
      return static_cast<T>(1 / std::sqrt(x));
    case TENON_OP_LOG1P:
      return static_cast<T>(std::log1p(x));
    case TENON_OP_EXPM1:
      return static_cast<T>(std::expm1(x));
    case TENON_OP_SIGMOID:
      return static_cast<T>(1 / (1 + std::exp(-x)));
    default:
      throw std::logic_error("no floating opcode: " + std::to_string(opcode));
  }
}

template <class T>
T shift(int opcode, T a, T b) {
  const auto count = static_cast<unsigned>(b) % std::numeric_limits<std::make_unsigned_t<T>>::digits;
  if (opcode == TENON_OP_SHR) return static_cast<T>(a >> count);
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) << count);
}

template <class T>
T divide(int opcode, T a, T b) {
  const bool overflows = std::is_signed_v<T> && a == std::numeric_limits<T>::min() && b == T(-1);
  if (b == 0) return 0;
  if (opcode == TENON_OP_DIV) return overflows ? a : static_cast<T>(a / b);
  return overflows ? 0 : static_cast<T>(a % b);
}

template <class T>
T integer(int opcode, T a, T b) {
  using U = std::make_unsigned_t<T>;
  using Wide = std::conditional_t<std::is_signed_v<T>, Int128, UInt128>;
  const U x = static_cast<U>(a), y = static_cast<U>(b);
  switch (opcode) {
    case TENON_OP_ADD:
      return static_cast<T>(x + y);
    case TENON_OP_SUB:
      return static_cast<T>(x - y);
    case TENON_OP_MUL:
      return static_cast<T>(std::uint64_t{x} * y);
    case TENON_OP_DIV:
    case TENON_OP_REM:
      return divide(opcode, a, b);
    case TENON_OP_NEG:
      return static_cast<T>(U{0} - x);
    case TENON_OP_ABS:
      return a < T{0} ? static_cast<T>(U{0} - x) : a;
    case TENON_OP_MIN:
      return a < b ? a : b;
    case TENON_OP_MAX:
      return a < b ? b : a;
    case TENON_OP_AND:
      return static_cast<T>(x & y);
    case TENON_OP_OR:
      return static_cast<T>(x | y);
    case TENON_OP_XOR:
      return static_cast<T>(x ^ y);
    case TENON_OP_NOT:
      return static_cast<T>(~x);
    case TENON_OP_SHL:
    case TENON_OP_SHR:
      return shift(opcode, a, b);
    case TENON_OP_MULHI:
      return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> (8 * sizeof(T)));
    default:
      throw std::logic_error("no integer opcode: " + std::to_string(opcode));
  }
}

bool boolean(int opcode, bool a, bool b) {
  if (opcode == TENON_OP_AND) return a && b;
  if (opcode == TENON_OP_OR) return a || b;
  if (opcode == TENON_OP_XOR) return a != b;
  if (opcode == TENON_OP_NOT) return !a;
  throw std::logic_error("no opcode of bools: " + std::to_string(opcode));
}

template <class T>
bool compared(int opcode, T a, T b) {
  if (opcode == TENON_OP_LT) return a < b;
  if (opcode == TENON_OP_LE) return a <= b;
  return (opcode == TENON_OP_EQ) == (a == b);
}

/// An operand's bits and dtype.
struct Operand {
  Bits bits;
  int dtype;
};

Bits arithmetic(int opcode, int dtype, Bits a, Bits b, Bits c) {
  return with_type(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, bool>)
      return store(boolean(opcode, load<T>(a), load<T>(b)));
    else if constexpr (std::is_integral_v<T>)
      return store(integer(opcode, load<T>(a), load<T>(b)));
    else
      return store(floating(opcode, load<T>(a), load<T>(b), load<T>(c)));
  });
}

/// The same value as an f32, for a 16-bit float.
Operand widened(Operand x) {
  if (!is_half(x.dtype)) return x;
  return {store(half_format(x.dtype).value(x.bits)), TENON_DTYPE_F32};
}

Bits cast(Operand from, int to) {
  return with_type(widened(from).dtype, [&]<class From>(From) {
    const From x = load<From>(widened(from).bits);
    if (is_half(to)) return half_format(to).nearest(static_cast<long double>(x));
    return with_type(to, [&]<class To>(To) { return store(convert<To>(x)); });
  });
}

Bits execute(const TenonInstruction& i, Operand a, Operand b, Operand c) {
  switch (i.opcode) {
    case TENON_OP_LT:
    case TENON_OP_LE:
    case TENON_OP_EQ:
    case TENON_OP_NE:
      return with_type(widened(a).dtype, [&]<class T>(T) {
        return store(compared(i.opcode, load<T>(widened(a).bits), load<T>(widened(b).bits)));
      });
    case TENON_OP_SELECT:
      return load<bool>(a.bits) ? b.bits : c.bits;
    case TENON_OP_CAST:
      return cast(a, i.dtype);
    case TENON_OP_BITCAST:
      return a.bits;
    case TENON_OP_PHILOX:
      return philox_word(a.bits, b.bits, c.bits);
    default:
      if (!is_half(i.dtype)) return arithmetic(i.opcode, i.dtype, a.bits, b.bits, c.bits);
      return cast(
          {arithmetic(i.opcode, TENON_DTYPE_F32, widened(a).bits, widened(b).bits, widened(c).bits),
           TENON_DTYPE_F32},
          i.dtype);
  }
}

int operand_count(int opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  if (opcode == code) return arity;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  throw std::logic_error("no opcode: " + std::to_string(opcode));
}

bool is_float(int dtype) {
  return dtype == TENON_DTYPE_F32 || dtype == TENON_DTYPE_F64 || is_half(dtype);
}

/// A few ULP of f32 are at most one of a 16-bit float.
double opcode_ulp(const TenonInstruction& i) {
  if (!is_float(i.dtype)) return 0;
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  if (i.opcode == code) return is_half(i.dtype) ? std::min<double>(ulp, 1) : ulp;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  return 0;
}

/// A block's parts.
struct Block {
  const std::byte* bytes;
  const TenonProgram& head;
  explicit Block(std::span<const std::byte> block)
      : bytes(block.data()), head(*reinterpret_cast<const TenonProgram*>(block.data())) {}
  template <class T>
  const T* at(std::uint16_t offset) const {
    return reinterpret_cast<const T*>(bytes + offset);
  }
  const TenonInstruction& instruction(std::size_t i) const {
    return at<TenonInstruction>(head.instructions_at)[i];
  }
  std::uint16_t output(std::size_t i) const { return at<std::uint16_t>(head.outputs_at)[i]; }
};

/// What there is on the way to an instruction's result.
struct Path {
  bool inexact = false;
  bool min_max = false;
  bool feeds_on_inexact = false;  // before the instruction itself
};

/// The path to each instruction.
std::vector<Path> paths(const Block& block) {
  std::vector<Path> result;
  for (std::size_t n = 0; n < block.head.instruction_count; ++n) {
    const TenonInstruction& i = block.instruction(n);
    Path path{opcode_ulp(i) > 0,
              is_float(i.dtype) && (i.opcode == TENON_OP_MIN || i.opcode == TENON_OP_MAX)};
    const std::uint16_t operands[] = {i.a, i.b, i.c};
    for (int o = 0; o < operand_count(i.opcode); ++o) {
      if (TENON_REF_CLASS(operands[o]) != TENON_REF_INSTRUCTION) continue;
      const Path before = result[TENON_REF_INDEX(operands[o])];
      path.feeds_on_inexact |= before.inexact;
      path.min_max |= before.min_max;
    }
    path.inexact |= path.feeds_on_inexact;
    result.push_back(path);
  }
  return result;
}

/// How many values of the dtype lie between two of them, one included; both zeros are one value.
Bits distance(DType dtype, Bits x, Bits y) {
  const Bits sign = Bits{1} << (8 * size_of(dtype) - 1);
  const Bits from = x & (sign - 1), to = y & (sign - 1);
  if ((x & sign) != (y & sign)) return from + to;
  return from > to ? from - to : to - from;
}

bool is_nan(DType dtype, Bits bits) {
  if (is_half(static_cast<int>(dtype))) return half_format(static_cast<int>(dtype)).is_nan(bits);
  return dtype == f32 ? std::isnan(load<float>(bits)) : std::isnan(load<double>(bits));
}

}  // namespace

std::array<std::uint32_t, 4> philox_block(std::array<std::uint32_t, 4> x,
                                          std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * x[0], q = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(q >> 32) ^ x[1] ^ key[0], static_cast<std::uint32_t>(q),
         static_cast<std::uint32_t>(p >> 32) ^ x[3] ^ key[1], static_cast<std::uint32_t>(p)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return x;
}

std::uint32_t philox_word(std::uint64_t index, std::uint64_t offset, std::uint64_t seed) {
  const auto lo = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto hi = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  return philox_block({lo(index >> 2), hi(index >> 2), lo(offset), hi(offset)},
                      {lo(seed), hi(seed)})[index & 3];
}

std::vector<Bits> evaluate(std::span<const std::byte> bytes, std::span<const Bits> inputs,
                           std::span<const Bits> scalars) {
  const Block block(bytes);
  const auto* dtypes = block.at<std::uint8_t>(block.head.dtypes_at);
  if (inputs.size() != block.head.input_count || scalars.size() != block.head.scalar_count) {
    throw std::logic_error("the oracle was given another number of inputs or scalars");
  }
  std::vector<Bits> results;
  const auto value = [&](std::uint16_t ref) -> Operand {
    const std::size_t index = TENON_REF_INDEX(ref);
    const std::size_t scalars_at = inputs.size(), constants_at = scalars_at + scalars.size();
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INSTRUCTION:
        return {results.at(index), block.instruction(index).dtype};
      case TENON_REF_INPUT:
        return {inputs[index], dtypes[index]};
      case TENON_REF_SCALAR:
        return {scalars[index], dtypes[scalars_at + index]};
      default:
        return {block.at<Bits>(block.head.constants_at)[index], dtypes[constants_at + index]};
    }
  };
  for (std::size_t i = 0; i < block.head.instruction_count; ++i) {
    const TenonInstruction& instruction = block.instruction(i);
    const int count = operand_count(instruction.opcode);
    results.push_back(execute(instruction, value(instruction.a),
                              count > 1 ? value(instruction.b) : Operand{},
                              count > 2 ? value(instruction.c) : Operand{}));
  }
  std::vector<Bits> outputs;
  for (std::size_t i = 0; i < block.head.output_count; ++i) {
    outputs.push_back(value(block.output(i)).bits);
  }
  return outputs;
}

double tolerance(const program::Program& program, int output) {
  const Block block(program.bytes());
  const std::uint16_t ref = block.output(static_cast<std::size_t>(output));
  if (TENON_REF_CLASS(ref) != TENON_REF_INSTRUCTION) return 0;
  const TenonInstruction& last = block.instruction(TENON_REF_INDEX(ref));
  const Path path = paths(block)[TENON_REF_INDEX(ref)];
  if (path.feeds_on_inexact) return std::numeric_limits<double>::infinity();
  if (path.inexact) return opcode_ulp(last);
  return path.min_max ? kEitherZero : 0;
}

bool close(DType dtype, Bits got, Bits expected, double ulp) {
  if (got == expected) return true;
  if (!is_floating(dtype)) return false;
  if (is_nan(dtype, got) || is_nan(dtype, expected))
    return is_nan(dtype, got) && is_nan(dtype, expected);
  if (ulp == 0) return false;
  return static_cast<double>(distance(dtype, got, expected)) <= ulp;
}

}  // namespace tenon::test
