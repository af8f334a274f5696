// Dtypes that are stored but not computed: every value of 16-bit ones, every pair of 8-bit ones.
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/legalise_support.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using program::Draft;
using program::Opcode;

std::string dtype_name(const testing::TestParamInfo<DType>& row) {
  return std::string(name(row.param));
}

bool same(DType dtype, std::uint64_t x, std::uint64_t y) {
  if (x == y || !is_floating(dtype)) return x == y;
  return std::isnan(number_of(dtype, x)) && std::isnan(number_of(dtype, y));
}

/// Two operands: every value with some partner, every pair of 8-bit values, or fewer for a quick run.
std::vector<Raw> pairs(DType dtype, std::uint64_t step = 1) {
  std::mt19937_64 random(1);
  std::vector<Raw> result(2);
  for (std::uint64_t i = 0; i < 0x10000; i += step) {
    const bool is_short = size_of(dtype) == 1;
    result[0].push_back(is_short ? i & 0xff : i);
    result[1].push_back(is_short ? i >> 8 : i % 16 == 0 ? i : random() & 0xffff);
  }
  return result;
}

/// `expected` of the operands' numbers, for each opcode of the row.
template <class Number, class F>
void check(Opcode opcode, DType result, DType dtype, F expected) {
  const Draft draft = bare(instruction(
      opcode, result, std::vector<DType>(static_cast<std::size_t>(program::arity(opcode)), dtype)));
  std::vector<Raw> inputs = pairs(dtype, draft.inputs.size() == 1 || rounds(1) > 1 ? 1 : 3);
  inputs.resize(draft.inputs.size());
  const Raw found = run_in_batches(draft, inputs);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto x = static_cast<Number>(number_of(dtype, inputs[0][i]));
    const auto y = static_cast<Number>(number_of(dtype, inputs.back()[i]));
    const std::uint64_t wanted = expected(x, y);
    ASSERT_TRUE(same(result, found[i], wanted)) << name(opcode) << " of " << +x << ", " << +y
                                                << std::hex << ": " << found[i] << ", not " << wanted;
  }
}

class StoredFloats : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(DTypes, StoredFloats, testing::Values(f16, bf16), dtype_name);

TEST_P(StoredFloats, AreComputedInF32AndRoundedOnce) {
  const DType dtype = GetParam();
  const auto number = [&](Opcode opcode, auto f) {
    check<float>(opcode, dtype, dtype, [&](float x, float y) {
      return bits_of_number(dtype, static_cast<long double>(f(x, y)));
    });
  };
  number(Opcode::add, [](float x, float y) { return x + y; });
  number(Opcode::sub, [](float x, float y) { return x - y; });
  number(Opcode::mul, [](float x, float y) { return x * y; });
  number(Opcode::div, [](float x, float y) { return x / y; });
  number(Opcode::rem, [](float x, float y) { return std::fmod(x, y); });
  number(Opcode::min, [](float x, float y) { return std::isnan(x) || x < y ? x : y; });
  number(Opcode::max, [](float x, float y) { return std::isnan(x) || x > y ? x : y; });
  number(Opcode::neg, [](float x, float) { return -x; });
  number(Opcode::abs, [](float x, float) { return std::fabs(x); });
  number(Opcode::floor, [](float x, float) { return std::floor(x); });
  number(Opcode::round, [](float x, float) { return std::nearbyint(x); });
  number(Opcode::trunc, [](float x, float) { return std::trunc(x); });
  number(Opcode::sqrt, [](float x, float) { return std::sqrt(x); });
  number(Opcode::exp,
         [](float x, float) { return static_cast<float>(std::exp(static_cast<double>(x))); });
  number(Opcode::log,
         [](float x, float) { return static_cast<float>(std::log(static_cast<double>(x))); });

  const auto compare = [&](Opcode opcode, auto f) {
    check<float>(opcode, bool_, dtype, [&](float x, float y) { return std::uint64_t{f(x, y)}; });
  };
  compare(Opcode::lt, [](float x, float y) { return x < y; });
  compare(Opcode::le, [](float x, float y) { return x <= y; });
  compare(Opcode::eq, [](float x, float y) { return x == y; });
  compare(Opcode::ne, [](float x, float y) { return x != y; });
}

TEST_P(StoredFloats, FmaIsF32sRoundedOnce) {
  const DType dtype = GetParam();
  std::vector<Raw> inputs = pairs(dtype, rounds(1) > 1 ? 1 : 7);
  inputs.push_back(inputs[1]);
  std::shuffle(inputs[2].begin(), inputs[2].end(), std::mt19937_64(2));
  const Raw found = run_in_batches(bare(uniform(Opcode::fma, dtype)), inputs);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto at = [&](std::size_t k) { return static_cast<float>(number_of(dtype, inputs[k][i])); };
    const float wanted = std::fma(at(0), at(1), at(2));
    ASSERT_TRUE(same(dtype, found[i], bits_of_number(dtype, static_cast<long double>(wanted))));
  }
}

class StoredIntegers : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(DTypes, StoredIntegers, testing::Values(i8, u8, i16, u16), dtype_name);

TEST_P(StoredIntegers, WrapAtTheirWidth) {
  const DType dtype = GetParam();
  const int width = static_cast<int>(8 * size_of(dtype));
  const std::int64_t least = is_signed_integer(dtype) ? -(std::int64_t{1} << (width - 1)) : 0;
  using Int = std::int64_t;
  const auto number = [&](Opcode opcode, auto f) {
    check<Int>(opcode, dtype, dtype, [&](Int x, Int y) {
      return static_cast<std::uint64_t>(f(x, y)) & ((std::uint64_t{1} << width) - 1);
    });
  };
  const auto count = [&](Int y) { return ((y % width) + width) % width; };
  number(Opcode::add, [](Int x, Int y) { return x + y; });
  number(Opcode::sub, [](Int x, Int y) { return x - y; });
  number(Opcode::mul, [](Int x, Int y) { return x * y; });
  number(Opcode::div, [](Int x, Int y) { return y == 0 ? 0 : x / y; });
  number(Opcode::rem, [](Int x, Int y) { return y == 0 ? 0 : x % y; });
  number(Opcode::mulhi, [&](Int x, Int y) { return (x * y) >> width; });
  number(Opcode::neg, [](Int x, Int) { return -x; });
  number(Opcode::abs, [](Int x, Int) { return std::abs(x); });
  number(Opcode::min, [](Int x, Int y) { return std::min(x, y); });
  number(Opcode::max, [](Int x, Int y) { return std::max(x, y); });
  number(Opcode::and_, [](Int x, Int y) { return x & y; });
  number(Opcode::or_, [](Int x, Int y) { return x | y; });
  number(Opcode::xor_, [](Int x, Int y) { return x ^ y; });
  number(Opcode::not_, [](Int x, Int) { return ~x; });
  number(Opcode::shl, [&](Int x, Int y) { return x * (Int{1} << count(y)); });
  number(Opcode::shr, [&](Int x, Int y) { return x >> count(y); });
  check<Int>(Opcode::lt, bool_, dtype, [](Int x, Int y) { return std::uint64_t{x < y}; });
  check<Int>(Opcode::eq, bool_, dtype, [](Int x, Int y) { return std::uint64_t{x == y}; });
  EXPECT_EQ(number_of(dtype, std::uint64_t{1} << (width - 1)) < 0, least < 0);
}

TEST(StoredDTypes, AreSelected) {
  for (const DType dtype : {i8, u8, i16, u16, f16, bf16}) {
    std::vector<Raw> inputs = pairs(dtype);
    inputs.insert(inputs.begin(), inputs[1]);
    for (std::uint64_t& bits : inputs[0]) bits &= 1;
    const Raw found =
        run_in_batches(bare(instruction(Opcode::select, dtype, {bool_, dtype, dtype})), inputs);
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_TRUE(same(dtype, found[i], inputs[inputs[0][i] != 0 ? 1 : 2][i])) << name(dtype);
  }
}

TEST(StoredDTypes, ShareBits) {
  const std::vector<DType> groups[] = {{i8, u8}, {i16, u16, f16, bf16}};
  for (const std::vector<DType>& group : groups) {
    for (const DType from : group) {
      for (const DType to : group) {
        if (from == to) continue;
        const Raw x = pairs(from)[0];
        const Raw found = run_in_batches(bare(instruction(Opcode::bitcast, to, {from})), {x});
        for (std::size_t i = 0; i < x.size(); ++i) {
          // What is a NaN on either side stays one there; its other bits are not specified.
          ASSERT_TRUE(same(from, found[i], x[i]) || same(to, found[i], x[i]))
              << name(from) << " to " << name(to) << std::hex << ": " << x[i] << " gives " << found[i];
        }
      }
    }
  }
}

}  // namespace
}  // namespace tenon::test
