// See program_generator.h.
#include "tests/support/program_generator.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include <tenon/plugin.h>

namespace tenon::test {
namespace {

using program::Builder;
using program::Opcode;
using program::Value;

enum class Group { ARITH, FLOAT, BITS, SHIFT, COMPARE, SELECT, CAST, BITCAST, PHILOX };

struct OpcodeRow {
  Opcode opcode;
  int code, arity;
  Group group;
  double ulp;
};
constexpr OpcodeRow kOpcodes[] = {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  {Opcode::name, code, arity, Group::group, ulp},
#include <tenon/opcodes.def>
#undef TENON_OPCODE
};

constexpr DType kDTypes[] = {
#define TENON_DTYPE(name, NAME, code, bytes) DType::name,
#include <tenon/dtypes.def>
#undef TENON_DTYPE
};
constexpr std::uint32_t mask_of(DType dtype) {
  return 1u << static_cast<unsigned>(dtype);
}

/// A value and what an output that depends on it must not depend on.
struct Item {
  Value value;
  bool leaf = false;
  bool inexact = false;      // may feed nothing
  bool either_zero = false;  // a zero's sign is not determined
};

class Generator {
 public:
  Generator(std::uint64_t seed, const GeneratorOptions& options) : random_(seed), options_(options) {}

  RandomProgram run() {
    for (std::size_t i = 0, n = 1 + below(4); i < n; ++i) add_leaf(builder_.input(any_stored_dtype()));
    std::vector<DType> scalars;
    for (std::size_t i = 0, n = below(4); i < n; ++i) {
      scalars.push_back(below(4) == 0 ? u64 : any_dtype());
      add_leaf(builder_.scalar(scalars.back()));
    }
    leaves_ = items_.size();
    for (std::size_t made = 0, n = 1 + below(12); made < n;) made += try_instruction() ? 1 : 0;
    choose_outputs();
    RandomProgram result{builder_.build(), {}};
    for (const DType dtype : scalars) result.scalars.push_back(random_bits(random_, dtype));
    return result;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool computes(DType dtype) const { return (options_.dtypes & mask_of(dtype)) != 0; }

  DType any_dtype() {
    for (;;) {
      const DType dtype = kDTypes[below(std::size(kDTypes))];
      if (computes(dtype)) return dtype;
    }
  }

  bool is_stored(DType dtype) const { return (options_.stored & mask_of(dtype)) != 0; }
  DType any_stored_dtype() {
    for (;;) {
      const DType dtype = any_dtype();
      if (is_stored(dtype)) return dtype;
    }
  }

  void add_leaf(Value value) { items_.push_back({value, true}); }

  bool fits(Group group, DType dtype) const {
    switch (group) {
      case Group::ARITH:
        return dtype != bool_;
      case Group::FLOAT:
        return is_floating(dtype);
      case Group::BITS:
        return !is_floating(dtype);
      case Group::SHIFT:
        return is_integer(dtype);
      case Group::BITCAST:
        return dtype != bool_;
      case Group::PHILOX:
        return dtype == u64 && computes(u32);
      case Group::COMPARE:
      case Group::SELECT:
      case Group::CAST:
        return true;
    }
    return false;
  }

  /// A value of the dtype that may be fed on; where there is none, or now and then, a constant.
  Item operand(DType dtype) {
    std::vector<Item> found;
    for (const Item& item : items_) {
      if (item.value.dtype() == dtype && !item.inexact) found.push_back(item);
    }
    if (!found.empty() && below(6) != 0) return found[below(found.size())];
    return {builder_.constant_bits(dtype, random_bits(random_, dtype)), true};
  }

  /// Whether the operands' undetermined bits stay out of sight.
  static bool determined(const OpcodeRow& row, const std::vector<Item>& operands) {
    if (row.opcode == Opcode::div) return !operands[1].either_zero;
    if (row.opcode == Opcode::pow || row.opcode == Opcode::rsqrt) {
      return std::ranges::none_of(operands, &Item::either_zero);
    }
    if (row.group == Group::BITCAST && is_floating(operands[0].value.dtype())) return operands[0].leaf;
    return true;
  }

  std::optional<DType> result_dtype(Group group, DType operand) {
    if (group == Group::COMPARE) return bool_;
    if (group == Group::PHILOX) return u32;
    if (group != Group::CAST && group != Group::BITCAST) return operand;
    const DType dtype = any_dtype();
    const bool same_size = size_of(dtype) == size_of(operand) && dtype != bool_;
    if (dtype == operand || (group == Group::BITCAST && !same_size)) return {};
    return dtype;
  }

  bool allowed(const OpcodeRow& row) const {
    return row.code < 32 || (options_.optional_opcodes >> row.code & 1) != 0;
  }

  /// Without u64 arithmetic philox still takes u64 scalars.
  bool philox_from_scalars() const { return !computes(u64); }

  std::vector<Item> operands_of(const OpcodeRow& row, DType dtype) {
    std::vector<Item> result;
    if (row.group == Group::PHILOX && philox_from_scalars()) {
      std::vector<Item> words;
      for (const Item& item : items_) {
        if (item.value.dtype() == u64) words.push_back(item);
      }
      for (int i = 0; i < 3 && !words.empty(); ++i) result.push_back(words[below(words.size())]);
      return result;
    }
    if (row.group == Group::SELECT) result.push_back(operand(bool_));
    while (static_cast<int>(result.size()) < row.arity) result.push_back(operand(dtype));
    return result;
  }

  bool try_instruction() {
    const OpcodeRow& row = kOpcodes[below(std::size(kOpcodes))];
    const DType dtype = row.group == Group::PHILOX ? u64 : any_dtype();
    if (!allowed(row) || !fits(row.group, dtype)) return false;
    const std::optional<DType> result = result_dtype(row.group, dtype);
    if (!result) return false;
    std::vector<Item> operands = operands_of(row, dtype);
    if (operands.empty() || !determined(row, operands)) return false;
    Item item;
    item.inexact = row.ulp > 0 && is_floating(*result);
    item.either_zero = std::ranges::any_of(operands, &Item::either_zero) || row.opcode == Opcode::min ||
                       row.opcode == Opcode::max;
    item.either_zero &= is_floating(*result);
    operands.resize(3);
    item.value =
        builder_.apply(row.opcode, *result, operands[0].value, operands[1].value, operands[2].value);
    items_.push_back(item);
    return true;
  }

  /// The last value and up to two others; a u32 that is not stored as an i32.
  void choose_outputs() {
    const std::size_t made = items_.size() - leaves_;
    std::size_t chosen = items_.size() - 1;
    for (std::size_t n = 1 + below(3); n-- > 0; chosen = leaves_ + below(made)) {
      const Value value = items_[chosen].value;
      builder_.output(is_stored(value.dtype()) ? value : bitcast(value, i32));
    }
  }

  std::mt19937_64 random_;
  GeneratorOptions options_;
  Builder builder_;
  std::vector<Item> items_;
  std::size_t leaves_ = 0;
};

template <class T>
std::uint64_t special_integer(std::mt19937_64& random) {
  using Limits = std::numeric_limits<T>;
  const T values[] = {0,
                      1,
                      2,
                      static_cast<T>(-1),
                      Limits::min(),
                      Limits::max(),
                      static_cast<T>(Limits::max() - 1),
                      static_cast<T>(Limits::max() / 2 + 1)};
  return static_cast<std::make_unsigned_t<T>>(values[random() % std::size(values)]);
}

template <class T, class Bits>
std::uint64_t special_float(std::mt19937_64& random) {
  using Limits = std::numeric_limits<T>;
  const T values[] = {0,
                      1,
                      T(0.5),
                      T(2.5),
                      T(16777217),
                      T(2147483648.0),
                      Limits::min(),
                      Limits::max(),
                      Limits::denorm_min(),
                      Limits::min() / 3,
                      Limits::infinity(),
                      Limits::epsilon()};
  const std::size_t choice = random() % (std::size(values) + 1);
  if (choice == std::size(values)) return std::bit_cast<Bits>(Limits::quiet_NaN());
  return std::bit_cast<Bits>(random() % 2 == 0 ? values[choice] : -values[choice]);
}

/// A 16-bit float by its format: `one` is the bits of 1.
std::uint64_t half_bits(std::mt19937_64& random, std::uint64_t one, std::uint64_t infinity,
                        bool special) {
  const std::uint64_t unit = infinity & ~(infinity << 1), sign = random() % 2 << 15;
  const std::uint64_t values[] = {0, 1, unit - 1, unit, one, one + 1, one - 1, infinity, infinity - 1};
  if (!special) return sign | (one - 4 * unit + random() % (8 * unit));
  const std::size_t choice = random() % (std::size(values) + 1);
  return choice == std::size(values) ? infinity | unit >> 1 : sign | values[choice];
}

/// Uniform in [-10, 10), a multiple of 2^-20.
double plain_number(std::mt19937_64& random) {
  return static_cast<double>(random() % (20u << 20)) / (1 << 20) - 10;
}

}  // namespace

std::uint64_t random_bits(std::mt19937_64& random, DType dtype) {
  const bool special = random() % 2 == 0;
  switch (dtype) {
    case bool_:
      return random() % 2;
    case f32:
      if (special) return special_float<float, std::uint32_t>(random);
      return std::bit_cast<std::uint32_t>(static_cast<float>(plain_number(random)));
    case f64:
      if (special) return special_float<double, std::uint64_t>(random);
      return std::bit_cast<std::uint64_t>(plain_number(random));
    case i32:
      return special ? special_integer<std::int32_t>(random) : random() >> 32;
    case u32:
      return special ? special_integer<std::uint32_t>(random) : random() >> 32;
    case i64:
      return special ? special_integer<std::int64_t>(random) : random();
    case u64:
      return special ? special_integer<std::uint64_t>(random) : random();
    case u8:
      return special ? special_integer<std::uint8_t>(random) : random() & 0xff;
    case i8:
      return special ? special_integer<std::int8_t>(random) : random() & 0xff;
    case u16:
      return special ? special_integer<std::uint16_t>(random) : random() & 0xffff;
    case i16:
      return special ? special_integer<std::int16_t>(random) : random() & 0xffff;
    case f16:
      return half_bits(random, 0x3c00, 0x7c00, special);
    case bf16:
      return half_bits(random, 0x3f80, 0x7f80, special);
  }
  return 0;
}

std::vector<std::uint64_t> random_values(std::uint64_t seed, DType dtype, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> values(count);
  std::ranges::generate(values, [&] { return random_bits(random, dtype); });
  return values;
}

RandomProgram random_program(std::uint64_t seed, const GeneratorOptions& options) {
  return Generator(seed, options).run();
}

namespace {

/// The values of a random smooth program or the quotients of its rems, last first.
program::Program smooth_program(std::uint64_t seed, bool wants_teeth) {
  constexpr Opcode kUnary[] = {
      Opcode::neg,   Opcode::abs,   Opcode::floor, Opcode::sqrt,  Opcode::exp,   Opcode::log,
      Opcode::round, Opcode::trunc, Opcode::sin,   Opcode::cos,   Opcode::tanh,  Opcode::erf,
      Opcode::exp2,  Opcode::log2,  Opcode::rsqrt, Opcode::log1p, Opcode::expm1, Opcode::sigmoid};
  constexpr Opcode kBinary[] = {Opcode::add, Opcode::sub, Opcode::mul, Opcode::div,
                                Opcode::min, Opcode::max, Opcode::pow, Opcode::rem};
  std::mt19937_64 random(seed);
  Builder b;
  std::vector<Value> values, teeth;
  for (std::uint64_t i = 0, n = 1 + random() % 3; i < n; ++i) values.push_back(b.input(f64));
  values.push_back(b.scalar(f64));
  const std::size_t leaves = values.size();
  const auto any = [&] {
    if (random() % 8 == 0) return b.constant(f64, plain_number(random));
    return values[random() % values.size()];
  };
  for (std::uint64_t i = 0, n = 1 + random() % 6; i < n; ++i) {
    const std::uint64_t kind = random() % 8;
    const Value x = any(), y = any(), z = any();
    if (kind < 4) {
      const Opcode opcode = kBinary[random() % std::size(kBinary)];
      values.push_back(b.apply(opcode, f64, opcode == Opcode::pow ? abs(x) : x, y));
      if (opcode == Opcode::rem) teeth.push_back(trunc(x / y));
    } else if (kind < 6) {
      values.push_back(b.apply(kUnary[random() % std::size(kUnary)], f64, x));
    } else if (kind == 6) {
      values.push_back(select(x < y, z, any()));
    } else {
      values.push_back(b.apply(Opcode::fma, f64, x, y, z));
    }
  }
  if (wants_teeth) {
    b.output(b.constant(f64, 0));  // a program has an output
    for (const Value tooth : teeth) b.output(tooth);
  } else {
    for (std::size_t i = values.size(); i-- > leaves;) b.output(values[i]);
  }
  return b.build();
}

}  // namespace

program::Program random_smooth_program(std::uint64_t seed) {
  return smooth_program(seed, false);
}

program::Program teeth_of_smooth_program(std::uint64_t seed) {
  return smooth_program(seed, true);
}

}  // namespace tenon::test
