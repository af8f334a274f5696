// See draft_machine.h.
#include "tests/support/draft_machine.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <type_traits>

#include <tenon/plugin.h>

#include "tests/support/program_oracle.h"

namespace tenon::test {
namespace {

/// Binary digits and the exponent of the least normal number.
struct Encoding {
  int digits, least, greatest;
};

Encoding encoding(DType dtype) {
  if (dtype == f16) return {11, -14, 15};
  if (dtype == bf16) return {8, -126, 127};
  return dtype == f32 ? Encoding{24, -126, 127} : Encoding{53, -1022, 1023};
}

/// The distance between the numbers of a dtype around x.
long double unit(DType dtype, long double x) {
  const Encoding e = encoding(dtype);
  const int exponent = x == 0 ? e.least : std::max(std::ilogb(x), e.least);
  return std::ldexp(1.0L, std::min(exponent, e.greatest) - e.digits + 1);
}

template <class T>
T load(std::uint64_t bits) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<double>(bits);
  else
    return static_cast<T>(bits);
}

template <class T>
std::uint64_t store(T x) {
  if constexpr (std::is_same_v<T, bool>)
    return x ? 1 : 0;
  else if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<std::uint32_t>(x);
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<std::uint64_t>(x);
  else
    return static_cast<std::make_unsigned_t<T>>(x);
}

template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case bool_:
      return f(bool{});
    case i32:
      return f(std::int32_t{});
    case u32:
      return f(std::uint32_t{});
    case i64:
      return f(std::int64_t{});
    case u64:
      return f(std::uint64_t{});
    case f32:
      return f(float{});
    case f64:
      return f(double{});
    case u8:
    case i8:
    case u16:
    case i16:
    case f16:
    case bf16:
      break;
  }
  throw std::logic_error("the machine does not compute " + std::string(name(dtype)));
}

/// An inexact result: `exact` and up to `bound` units more or less.
class Inexact {
 public:
  explicit Inexact(Slack slack) : slack_(slack) {}

  template <class T>
  T operator()(long double exact, double bound) {
    const T nearest = static_cast<T>(exact);
    if (slack_ == Slack::None || !std::isfinite(nearest) || exact == 0) return nearest;
    const long double step = unit(dtype_of<T>, exact), most = bound * step;
    const T moved = static_cast<T>(exact + share() * most);
    if (!std::isfinite(moved) || std::signbit(moved) != std::signbit(nearest)) return nearest;
    const bool too_far = std::fabs(moved - exact) > most;
    return too_far ? std::nextafter(moved, nearest) : moved;
  }

 private:
  long double share() {
    if (slack_ != Slack::Random) return slack_ == Slack::Above ? 1 : -1;
    return std::uniform_real_distribution<double>(-1, 1)(random_);
  }
  Slack slack_;
  std::mt19937_64 random_{1};
};

class Machine {
 public:
  Machine(const program::Draft& draft, const std::vector<Raw>& inputs, const Raw& scalars,
          Quirks quirks)
      : draft_(draft),
        inputs_(inputs),
        scalars_(scalars),
        flushes_(quirks.flushes_denormals),
        inexact_(quirks.slack),
        count_(inputs.at(0).size()) {}

  std::vector<Raw> run() {
    for (const TenonInstruction& instruction : draft_.instructions)
      values_.push_back(step(instruction));
    std::vector<Raw> outputs;
    for (const std::uint16_t ref : draft_.outputs) outputs.push_back(operand(ref));
    return outputs;
  }

 private:
  DType dtype(std::uint16_t ref) const {
    const std::size_t index = TENON_REF_INDEX(ref);
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INSTRUCTION:
        return static_cast<DType>(draft_.instructions.at(index).dtype);
      case TENON_REF_INPUT:
        return draft_.inputs.at(index);
      case TENON_REF_SCALAR:
        return draft_.scalars.at(index);
      default:
        return draft_.constants.at(index).dtype;
    }
  }

  Raw operand(std::uint16_t ref) const {
    const std::size_t index = TENON_REF_INDEX(ref);
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INSTRUCTION:
        return values_.at(index);
      case TENON_REF_INPUT:
        return inputs_.at(index);
      case TENON_REF_SCALAR:
        return Raw(count_, scalars_.at(index));
      default:
        return Raw(count_, draft_.constants.at(index).bits);
    }
  }

  template <class T, class R, class F>
  Raw map(const Raw& a, const Raw& b, F f) {
    Raw result(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      result[i] = store<R>(flushed<R>(f(flushed<T>(load<T>(a[i])), flushed<T>(load<T>(b[i])))));
    }
    return result;
  }

  template <class T>
  T flushed(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (flushes_ && std::fabs(x) < std::numeric_limits<T>::min()) return std::copysign(T{0}, x);
    }
    return x;
  }

  Raw step(const TenonInstruction& i) {
    const Raw a = operand(i.a),
              b = program::arity(static_cast<program::Opcode>(i.opcode)) > 1 ? operand(i.b) : a;
    const auto result = static_cast<DType>(i.dtype);
    switch (i.opcode) {
      case TENON_OP_CAST:
        return cast(a, dtype(i.a), result);
      case TENON_OP_BITCAST:
        return with_type(result, [&](auto) { return with_type(dtype(i.a), [&](auto) { return a; }); });
      case TENON_OP_SELECT:
        return with_type(result, [&](auto) { return select(a, b, operand(i.c)); });
      case TENON_OP_PHILOX:
        return philox(a, b, operand(i.c));
      case TENON_OP_LT:
      case TENON_OP_LE:
      case TENON_OP_EQ:
      case TENON_OP_NE:
        return with_type(dtype(i.a), [&]<class T>(T) { return compare<T>(i.opcode, a, b); });
      default:
        return with_type(result, [&]<class T>(T) { return compute<T>(i.opcode, a, b); });
    }
  }

  Raw cast(const Raw& a, DType from, DType to) const {
    Raw result(count_);
    const bool wraps = !is_floating(from) && !is_floating(to) && to != bool_;
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * size_of(to));
    for (std::size_t i = 0; i < count_; ++i) {
      const long double x = number_of(from, a[i]);
      if (!wraps)
        result[i] = bits_of_number(to, x);
      else
        result[i] = mask & (x < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(x))
                                  : static_cast<std::uint64_t>(x));
    }
    return result;
  }

  Raw select(const Raw& a, const Raw& b, const Raw& c) const {
    Raw result(count_);
    for (std::size_t i = 0; i < count_; ++i) result[i] = a[i] != 0 ? b[i] : c[i];
    return result;
  }

  Raw philox(const Raw& a, const Raw& b, const Raw& c) const {
    Raw result(count_);
    for (std::size_t i = 0; i < count_; ++i) result[i] = philox_word(a[i], b[i], c[i]);
    return result;
  }

  template <class T>
  Raw compare(int opcode, const Raw& a, const Raw& b) {
    if (opcode == TENON_OP_LT) return map<T, bool>(a, b, [](T x, T y) { return x < y; });
    if (opcode == TENON_OP_LE) return map<T, bool>(a, b, [](T x, T y) { return x <= y; });
    if (opcode == TENON_OP_EQ) return map<T, bool>(a, b, [](T x, T y) { return x == y; });
    return map<T, bool>(a, b, [](T x, T y) { return x != y; });
  }

  template <class T>
  Raw compute(int opcode, const Raw& a, const Raw& b) {
    if constexpr (std::is_floating_point_v<T>)
      return floating<T>(opcode, a, b);
    else if constexpr (std::is_same_v<T, bool>)
      return boolean(opcode, a, b);
    else
      return integer<T>(opcode, a, b);
  }

  template <class T>
  Raw floating(int opcode, const Raw& a, const Raw& b) {
    using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
    const auto wide = [](T x) { return static_cast<Wide>(x); };
    switch (opcode) {
      case TENON_OP_ADD:
        return map<T, T>(a, b, [](T x, T y) { return x + y; });
      case TENON_OP_SUB:
        return map<T, T>(a, b, [](T x, T y) { return x - y; });
      case TENON_OP_MUL:
        return map<T, T>(a, b, [](T x, T y) { return x * y; });
      case TENON_OP_NEG:
        return map<T, T>(a, b, [](T x, T) { return -x; });
      case TENON_OP_ABS:
        return map<T, T>(a, b, [](T x, T) { return std::fabs(x); });
      case TENON_OP_MIN:
        return map<T, T>(a, b, [](T x, T y) { return std::isnan(x) || x < y ? x : y; });
      case TENON_OP_MAX:
        return map<T, T>(a, b, [](T x, T y) { return std::isnan(x) || x > y ? x : y; });
      case TENON_OP_FLOOR:
        return map<T, T>(a, b, [](T x, T) { return std::floor(x); });
      case TENON_OP_DIV:
        return map<T, T>(a, b,
                         [&](T x, T y) { return inexact_.operator()<T>(wide(x) / wide(y), 2.5); });
      case TENON_OP_SQRT:
        return map<T, T>(a, b, [&](T x, T) { return inexact_.operator()<T>(std::sqrt(wide(x)), 2.5); });
      case TENON_OP_EXP:
        return map<T, T>(a, b, [&](T x, T) { return inexact_.operator()<T>(std::exp(wide(x)), 4); });
      case TENON_OP_LOG:
        return map<T, T>(a, b, [&](T x, T) { return inexact_.operator()<T>(std::log(wide(x)), 4); });
      default:
        throw std::logic_error("the machine has no floating opcode " + std::to_string(opcode));
    }
  }

  Raw boolean(int opcode, const Raw& a, const Raw& b) {
    using B = bool;
    if (opcode == TENON_OP_AND) return map<B, B>(a, b, [](bool x, bool y) { return x && y; });
    if (opcode == TENON_OP_OR) return map<B, B>(a, b, [](bool x, bool y) { return x || y; });
    if (opcode == TENON_OP_XOR) return map<B, B>(a, b, [](bool x, bool y) { return x != y; });
    if (opcode == TENON_OP_NOT) return map<B, B>(a, b, [](bool x, bool) { return !x; });
    throw std::logic_error("the machine has no opcode of bools " + std::to_string(opcode));
  }

  template <class T>
  Raw integer(int opcode, const Raw& a, const Raw& b) {
    using U = std::make_unsigned_t<T>;
    constexpr int kWidth = 8 * sizeof(T);
    const auto wrapped = [&](auto f) { return map<U, U>(a, b, f); };
    switch (opcode) {
      case TENON_OP_ADD:
        return wrapped([](U x, U y) { return x + y; });
      case TENON_OP_SUB:
        return wrapped([](U x, U y) { return x - y; });
      case TENON_OP_MUL:
        return wrapped([](U x, U y) { return x * y; });
      case TENON_OP_NEG:
        return wrapped([](U x, U) { return U{0} - x; });
      case TENON_OP_AND:
        return wrapped([](U x, U y) { return x & y; });
      case TENON_OP_OR:
        return wrapped([](U x, U y) { return x | y; });
      case TENON_OP_XOR:
        return wrapped([](U x, U y) { return x ^ y; });
      case TENON_OP_NOT:
        return wrapped([](U x, U) { return ~x; });
      case TENON_OP_SHL:
        return wrapped([](U x, U y) { return x << (y % kWidth); });
      case TENON_OP_SHR:
        return map<T, T>(a, b, [](T x, T y) { return x >> (static_cast<U>(y) % kWidth); });
      case TENON_OP_ABS:
        return map<T, T>(a, b, [](T x, T) {
          return static_cast<T>(x < 0 ? U{0} - static_cast<U>(x) : static_cast<U>(x));
        });
      case TENON_OP_MIN:
        return map<T, T>(a, b, [](T x, T y) { return x < y ? x : y; });
      case TENON_OP_MAX:
        return map<T, T>(a, b, [](T x, T y) { return x < y ? y : x; });
      case TENON_OP_DIV:
        return map<T, T>(a, b, [](T x, T y) {
          if (y == 0) return T{0};
          return std::is_signed_v<T> && y == static_cast<T>(-1)
                     ? static_cast<T>(U{0} - static_cast<U>(x))
                     : static_cast<T>(x / y);
        });
      default:
        throw std::logic_error("the machine has no opcode of integers " + std::to_string(opcode));
    }
  }

  const program::Draft& draft_;
  const std::vector<Raw>& inputs_;
  const Raw& scalars_;
  bool flushes_;
  Inexact inexact_;
  std::size_t count_;
  std::vector<Raw> values_;
};

/// A short float: sign, `exponent_bits`, the rest.
long double decoded(std::uint64_t bits, int exponent_bits, const Encoding& e) {
  const int fraction_bits = e.digits - 1;
  const auto fraction = static_cast<long double>(bits & ((1u << fraction_bits) - 1));
  const int exponent = static_cast<int>(bits >> fraction_bits & ((1u << exponent_bits) - 1));
  const long double sign = (bits >> 15 & 1) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<long double>::quiet_NaN()
                         : sign * std::numeric_limits<long double>::infinity();
  }
  const long double whole = exponent == 0 ? fraction : fraction + std::ldexp(1.0L, fraction_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - 1 + e.least - fraction_bits);
}

std::uint64_t encoded(DType dtype, long double x) {
  const Encoding e = encoding(dtype);
  const int fraction_bits = e.digits - 1;
  const std::uint64_t sign = std::signbit(x) ? 0x8000 : 0;
  const std::uint64_t infinity = static_cast<std::uint64_t>(e.greatest - e.least + 2) << fraction_bits;
  if (std::isnan(x)) return infinity | std::uint64_t{1} << (fraction_bits - 1);
  const long double step = unit(dtype, x);
  if (std::isinf(x) || std::fabs(x) >= std::ldexp(2.0L, e.greatest) - step / 2) return sign | infinity;
  // The digits with their carry: one more exponent is 2^fraction_bits more of them.
  const auto digits = static_cast<std::uint64_t>(std::nearbyint(std::fabs(x) / step));
  const int exponent = std::ilogb(step) + fraction_bits - e.least;
  return sign | (digits + (static_cast<std::uint64_t>(exponent) << fraction_bits));
}

template <class T>
std::uint64_t saturated(long double x) {
  if (std::isnan(x)) return 0;
  const long double least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  if (x >= most) return store<T>(std::numeric_limits<T>::max());
  return x <= least ? store<T>(std::numeric_limits<T>::min()) : store<T>(static_cast<T>(x));
}

}  // namespace

std::vector<Raw> run_draft(const program::Draft& draft, const std::vector<Raw>& inputs,
                           const Raw& scalars, Quirks quirks) {
  return Machine(draft, inputs, scalars, quirks).run();
}

long double number_of(DType dtype, std::uint64_t bits) {
  switch (dtype) {
    case bool_:
      return bits != 0;
    case u8:
    case u16:
    case u32:
    case u64:
      return static_cast<long double>(bits);
    case i8:
      return static_cast<std::int8_t>(bits);
    case i16:
      return static_cast<std::int16_t>(bits);
    case i32:
      return static_cast<std::int32_t>(bits);
    case i64:
      return static_cast<std::int64_t>(bits);
    case f16:
      return decoded(bits, 5, encoding(f16));
    case bf16:
      return decoded(bits, 8, encoding(bf16));
    case f32:
      return load<float>(bits);
    case f64:
      return load<double>(bits);
  }
  return 0;
}

std::uint64_t bits_of_number(DType dtype, long double x) {
  switch (dtype) {
    case bool_:
      return x != 0;
    case u8:
      return saturated<std::uint8_t>(x);
    case u16:
      return saturated<std::uint16_t>(x);
    case u32:
      return saturated<std::uint32_t>(x);
    case u64:
      return saturated<std::uint64_t>(x);
    case i8:
      return saturated<std::int8_t>(x);
    case i16:
      return saturated<std::int16_t>(x);
    case i32:
      return saturated<std::int32_t>(x);
    case i64:
      return saturated<std::int64_t>(x);
    case f16:
    case bf16:
      return encoded(dtype, x);
    case f32:
      return store(static_cast<float>(x));
    case f64:
      return store(static_cast<double>(x));
  }
  return 0;
}

double ulp_error(DType dtype, std::uint64_t bits, long double x) {
  const long double got = number_of(dtype, bits);
  const double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(got) || std::isnan(x)) return std::isnan(got) && std::isnan(x) ? 0 : wrong;
  if (x == 0 && got == 0) return std::signbit(x) == std::signbit(got) ? 0 : wrong;
  const long double end = std::ldexp(2.0L, encoding(dtype).greatest);
  const auto within = [&](long double value) { return std::clamp(value, -end, end); };
  return static_cast<double>(std::fabs(within(got) - within(x)) / unit(dtype, within(x)));
}

}  // namespace tenon::test
