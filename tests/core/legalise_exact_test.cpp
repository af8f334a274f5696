// Legalised opcodes that are exact to the bit: fma, rem, round, trunc and mulhi.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/legalise_support.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using program::Opcode;

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
std::uint64_t raw(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::bit_cast<BitsOf<T>>(x);
  else
    return static_cast<std::make_unsigned_t<T>>(x);
}

template <class T>
T typed(std::uint64_t bits) {
  if constexpr (std::is_floating_point_v<T>)
    return std::bit_cast<T>(static_cast<BitsOf<T>>(bits));
  else
    return static_cast<T>(bits);
}

/// Numbers of every exponent, with long and short fractions; specials among them.
template <class T>
T any_number(std::mt19937_64& random) {
  constexpr int kFraction = std::numeric_limits<T>::digits - 1;
  constexpr std::uint64_t kLast = (std::uint64_t{1} << kFraction) - 1;
  constexpr std::uint64_t kSpecial = std::uint64_t{2} * std::numeric_limits<T>::max_exponent - 1;
  std::uint64_t fraction = random() & kLast, top = random() & (2 * kSpecial + 1);
  switch (random() % 12) {
    case 0:
      fraction = 0;
      break;
    case 1:
      fraction = kLast;
      break;
    case 2:
      fraction &= ~(kLast >> (random() % kFraction));
      break;
    case 3:
      top &= ~kSpecial;  // a denormal
      break;
    case 4:
      top &= ~kSpecial;
      fraction = random() % 4;
      break;
    case 5:
      top |= kSpecial;
      fraction = random() % 4 == 0 ? kLast / 2 + 1 : 0;
      break;
  }
  return typed<T>(top << kFraction | fraction);
}

/// A neighbour of x, a few numbers away.
template <class T>
T about(T x, std::mt19937_64& random) {
  return typed<T>(raw(x) + random() % 7 - 3);
}

template <class T>
void expect_bits(const program::Draft& draft, const std::vector<Raw>& inputs,
                 const std::vector<T>& wanted, Quirks quirks = {}) {
  const Raw found = run_in_batches(draft, inputs, quirks);
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const T got = typed<T>(found[i]);
    if (wanted[i] != wanted[i] && got != got) continue;
    std::string at;
    for (const Raw& input : inputs) at += " " + std::to_string(input[i]);
    ASSERT_EQ(found[i], raw(wanted[i])) << +got << ", not " << +wanted[i] << " for the bits" << at;
  }
}

template <class T>
class LegalisedFloats : public testing::Test {};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(LegalisedFloats, Floats);

template <class T>
class LegalisedIntegers : public testing::Test {};
using Integers = testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                                std::uint32_t, std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(LegalisedIntegers, Integers);

TYPED_TEST(LegalisedFloats, RoundAndTruncKeepTheSign) {
  using T = TypeParam;
  std::mt19937_64 random(1);
  Raw x;
  std::vector<T> rounded, truncated;
  const auto add = [&](T value) {
    x.push_back(raw(value));
    rounded.push_back(std::nearbyint(value));
    truncated.push_back(std::trunc(value));
  };
  for (std::uint64_t i = 0; i < rounds(3000); ++i) {
    add(any_number<T>(random));
    add(about(static_cast<T>(static_cast<int>(random() % 41) - 20) / 2, random));
    add(about(std::ldexp(T{1}, static_cast<int>(random() % 60)), random));
  }
  for (const T value : {T{0.5}, T{-0.5}, T{1.5}, T{2.5}, T{-2.5}, T{0}, T{-0.0}}) add(value);
  expect_bits(bare(uniform(Opcode::round, dtype_of<T>)), {x}, rounded);
  expect_bits(bare(uniform(Opcode::trunc, dtype_of<T>)), {x}, truncated);
}

/// Any numbers; sums that cancel; sums of very different sizes; denormal products and sums.
TYPED_TEST(LegalisedFloats, FmaRoundsOnce) {
  using T = TypeParam;
  std::mt19937_64 random(2);
  std::vector<Raw> inputs(3);
  std::vector<T> wanted;
  const auto add = [&](T a, T b, T c) {
    inputs[0].push_back(raw(a));
    inputs[1].push_back(raw(b));
    inputs[2].push_back(raw(c));
    wanted.push_back(std::fma(a, b, c));
  };
  const auto sign = [&] { return random() % 2 == 0 ? T{1} : T{-1}; };
  const auto fraction = [&] { return 1 + static_cast<T>(random() % 100000) / 100000; };
  constexpr int kDigits = std::numeric_limits<T>::digits;
  constexpr int kLeast = std::numeric_limits<T>::min_exponent - kDigits;
  for (std::uint64_t i = 0; i < rounds(2000); ++i) {
    const T a = any_number<T>(random), b = any_number<T>(random);
    add(a, b, any_number<T>(random));
    add(a, b, about(-(a * b), random));
    const T other = std::ldexp(a * b, static_cast<int>(random() % (6 * kDigits)) - 3 * kDigits);
    add(a, b, sign() * other);
    add(a, b, sign() * std::ldexp(T{1}, std::ilogb(other)));

    const int scale = static_cast<int>(random() % 60) - 30;
    const T x = std::ldexp(fraction(), scale);
    const T y = std::ldexp(fraction(), kLeast - scale + static_cast<int>(random() % (2 * kDigits)) - 2);
    add(x, y, sign() * std::ldexp(static_cast<T>(random() % (1 << 22)), kLeast));
    add(x, y, about(-(x * y), random));
    add(sign() * x, y, T{0} * sign());
  }
  expect_bits(bare(uniform(Opcode::fma, dtype_of<T>)), inputs, wanted);
}

TYPED_TEST(LegalisedFloats, RemIsExactWhateverTheQuotient) {
  using T = TypeParam;
  std::mt19937_64 random(3);
  std::vector<Raw> inputs(2);
  std::vector<T> wanted;
  const auto add = [&](T a, T b) {
    inputs[0].push_back(raw(a));
    inputs[1].push_back(raw(b));
    wanted.push_back(std::fmod(a, b));
  };
  for (std::uint64_t i = 0; i < rounds(2000); ++i) {
    const T a = any_number<T>(random);
    add(a, any_number<T>(random));
    add(a, about(a, random));
    add(a, about(a / static_cast<T>(1 + random() % 10), random));
    add(static_cast<T>(random() % 1000), static_cast<T>(random() % 20) - 10);
  }
  for (const Slack slack : {Slack::Above, Slack::Below, Slack::Random})
    expect_bits(bare(uniform(Opcode::rem, dtype_of<T>)), inputs, wanted, {slack});
}

TYPED_TEST(LegalisedIntegers, RemAndMulhiAreExact) {
  using T = TypeParam;
  using Wide = std::conditional_t<std::is_signed_v<T>, Int128, UInt128>;
  std::mt19937_64 random(4);
  const auto any = [&] {
    constexpr T kEdges[] = {
        0, 1, 2, static_cast<T>(-1), std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    if (random() % 4 == 0) return kEdges[random() % std::size(kEdges)];
    const T value = static_cast<T>(random() >> (random() % 64));
    return random() % 2 == 0 ? value : static_cast<T>(~value);
  };
  std::vector<Raw> inputs(2);
  std::vector<T> remainders, upper;
  for (std::uint64_t i = 0; i < rounds(3000); ++i) {
    const T a = any(), b = any();
    inputs[0].push_back(raw(a));
    inputs[1].push_back(raw(b));
    upper.push_back(static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> (8 * sizeof(T))));
    const bool whole = b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1));
    remainders.push_back(whole ? T{0} : static_cast<T>(a % b));
  }
  expect_bits(bare(uniform(Opcode::rem, dtype_of<T>)), inputs, remainders);
  expect_bits(bare(uniform(Opcode::mulhi, dtype_of<T>)), inputs, upper);
}

}  // namespace
}  // namespace tenon::test
