// What the random programs make of words that the test chooses, the rarest ones too, held against their
// formulas in long double and 128-bit integers; and what the programs are made of.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/ops/random_programs.h"
#include "core/ops/run.h"
#include "core/program/draft.h"
#include "tests/support/devices.h"
#include "tests/support/program_oracle.h"

namespace tenon::test {
namespace {

using program::Program;

class RandomWords : public testing::TestWithParam<std::string> {
 protected:
  bool stores(DType dtype) const {
    const auto& all = device_.info().storage_dtypes;
    return std::find(all.begin(), all.end(), dtype) != all.end();
  }

  const Device device_ = device(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Devices, RandomWords, testing::ValuesIn(test_devices()), device_test_name);

/// The counter whose Philox4x32-10 block is `words`: each round's products undone by the factors'
/// inverses.
std::array<std::uint32_t, 4> counter_of(std::array<std::uint32_t, 4> words, std::uint64_t seed) {
  const auto inverse = [](std::uint32_t x) {
    std::uint32_t y = x;
    for (int i = 0; i < 5; ++i) y *= 2 - x * y;
    return y;
  };
  constexpr std::uint32_t kFirst = 0xD2511F53, kSecond = 0xCD9E8D57;
  for (std::uint32_t round = 10; round-- > 0;) {
    const std::uint32_t key0 = static_cast<std::uint32_t>(seed) + round * 0x9E3779B9,
                        key1 = static_cast<std::uint32_t>(seed >> 32) + round * 0xBB67AE85;
    const std::uint32_t c0 = words[3] * inverse(kFirst), c2 = words[1] * inverse(kSecond);
    const auto upper = [](std::uint32_t a, std::uint32_t b) {
      return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
    };
    words = {c0, words[0] ^ upper(kSecond, c2) ^ key0, c2, words[2] ^ upper(kFirst, c0) ^ key1};
  }
  return words;
}

/// A block of a stream, both found by what is in it.
struct Place {
  std::uint64_t first_word, offset, seed;
};

/// Where the first `count` of four words are these, and the others whatever they must be.
Place place_of(std::array<std::uint32_t, 4> words, int count) {
  for (std::uint64_t seed = 0;; ++seed) {
    if (count < 4) words[3] = static_cast<std::uint32_t>(seed * 0x9E3779B9);
    const auto counter = counter_of(words, seed);
    if (counter[1] >> 29 != 0) continue;  // a block's number is below 2^61: words are counted in i64
    return {(std::uint64_t{counter[1]} << 32 | counter[0]) * 4,
            std::uint64_t{counter[3]} << 32 | counter[2], seed};
  }
}

/// What a program makes of words that the test chose, as the element that starts the block.
Tensor of_words(const Program& program, DType dtype, Device where, const Place& place, int first,
                std::vector<std::uint64_t> scalars, const Tensor& log = {}) {
  Tensor y = empty({1}, {.dtype = dtype, .device = where});
  ops::Operands operands{{y}, {}, {place.offset, place.seed}};
  if (log.defined()) operands.inputs.push_back({log});
  while (static_cast<int>(operands.inputs.size()) < program.input_count())
    operands.inputs.push_back({Tensor(), static_cast<std::int64_t>(place.first_word) + first++, {1}});
  operands.scalars.insert(operands.scalars.end(), scalars.begin(), scalars.end());
  ops::run("test", program, {&operands, 1});
  return y;
}

TEST(ChosenWords, AreWherePhiloxPutsThem) {
  const std::array<std::uint32_t, 4> words = {1, 0xffffffff, 0x80000000, 7};
  const Place place = place_of(words, 4);
  for (std::uint64_t i = 0; i < 4; ++i)
    EXPECT_EQ(philox_word(place.first_word + i, place.offset, place.seed), words[i]);
}

constexpr std::uint32_t kWords[] = {0,          1,          2,          7,          1000,
                                    1u << 20,   0x00ffffff, 0x01000001, 0x12345678, 0x7fffffff,
                                    0x80000000, 0x80000001, 0xb504f333, 0xb504f400, 0xdeadbeef,
                                    0xffffff00, 0xffffff80, 0xffffffff};

long double sine_of(long double turns) {
  return std::sin(std::numbers::pi_v<long double> * turns);
}

TEST_P(RandomWords, NormalIsBoxMullersOfEveryKindOfWord) {
  const Program program = random::normal_program(f32);
  const std::vector<std::uint64_t> standard = {Scalar(0).bits(f32), Scalar(1).bits(f32)};
  for (const std::uint32_t u : kWords) {
    for (const std::uint32_t a : kWords) {
      const Place place = place_of({u, a, 0, 0}, 2);
      const float z = of_words(program, f32, device_, place, 0, standard).item<float>();
      // A word near 2^32 is rounded to 24 bits.
      const long double unit = (static_cast<float>(u) + 0.5f) * 0x1p-32f;
      const long double exact = std::sqrt(-2 * std::log(unit)) *
                                sine_of(static_cast<float>(static_cast<std::int32_t>(a)) * 0x1p-32f);
      ASSERT_LE(std::fabs(z - exact), 1.1e-6L * std::fabs(exact)) << u << ' ' << a << ' ' << z;
    }
  }
  const auto farthest =
      of_words(program, f32, device_, place_of({0, 0x7fffffff, 0, 0}, 2), 0, standard);
  EXPECT_NEAR(farthest.item<float>(), std::sqrt(2 * 33 * std::numbers::ln2), 1e-5);
}

TEST_P(RandomWords, WideNormalIsBoxMullersOfEveryKindOfWord) {
  if (!stores(f64)) GTEST_SKIP() << "no f64";
  const Program first = random::exponential_program(f64), second = random::normal_of_log_program();
  const std::vector<std::uint64_t> one = {Scalar(1).bits(f64)};
  const std::vector<std::uint64_t> standard = {Scalar(0).bits(f64), Scalar(1).bits(f64)};
  for (const std::uint32_t u : kWords) {
    for (const std::uint32_t a : kWords) {
      const std::array<std::uint32_t, 4> words = {u, a ^ 0x5555, a, u ^ 0x3333};
      const Place place = place_of(words, 4);
      const Tensor log = of_words(first, f64, device_, place, 0, one);
      const double z = of_words(second, f64, device_, place, 2, standard, log).item<double>();
      const double unit = (words[0] + words[1] * 0x1p-32 + 0x1p-33) * 0x1p-32;
      const long double turns = static_cast<std::int32_t>(words[2]) * 0x1p-32L +
                                static_cast<long double>(words[3]) * 0x1p-64L;
      const long double exact =
          std::sqrt(-2 * std::log(static_cast<long double>(unit))) * sine_of(turns);
      ASSERT_LE(std::fabs(z - exact), 2e-15L * std::fabs(exact)) << u << ' ' << a << ' ' << z;
    }
  }
  const Place rarest = place_of({0, 0, 0x7fffffff, 0xffffffff}, 4);
  const Tensor log = of_words(first, f64, device_, rarest, 0, one);
  EXPECT_NEAR(of_words(second, f64, device_, rarest, 2, standard, log).item<double>(),
              std::sqrt(2 * 65 * std::numbers::ln2), 1e-14);
}

TEST_P(RandomWords, UniformNeverReachesItsEnd) {
  struct Case {
    DType dtype;
    double below, limit;  // of 1024; what rounds to it starts at the limit
  };
  const Place last = place_of({0xffffffff, 0xffffffff, 0, 0}, 2), none = place_of({0, 0, 0, 0}, 2);
  for (const auto& [dtype, below, limit] :
       {Case{f16, 1023.5, 1023.75}, Case{bf16, 1020, 1022}, Case{f32, 0x1.fffffep9, 1024},
        Case{f64, 0x1.fffffffffffffp9, 1024}}) {
    if (!stores(dtype)) continue;
    const Program program = random::uniform_program(dtype);
    for (const double low : {0.0, 1.0, 1000.0}) {
      std::vector<std::uint64_t> scalars;
      for (const double scalar : {low, 1024 - low, limit, below})
        scalars.push_back(Scalar(scalar).bits(random::drawn_in(dtype)));
      const auto value = [&](const Place& place) {
        return of_words(program, dtype, device_, place, 0, scalars).item<double>();
      };
      EXPECT_EQ(value(last), below) << name(dtype) << ' ' << low;
      EXPECT_EQ(value(none), low) << name(dtype);
    }
  }
}

TEST_P(RandomWords, BernoulliIsBelowItsThreshold) {
  const Program program = random::bernoulli_program(i32);
  constexpr std::uint32_t kThreshold = 0x80000001;
  for (const std::uint32_t word : {0u, kThreshold - 1, kThreshold, kThreshold + 1, ~0u}) {
    const auto value = [&](std::uint64_t threshold, bool always) {
      return of_words(program, i32, device_, place_of({word, 0, 0, 0}, 1), 0, {threshold, always})
          .item<int>();
    };
    EXPECT_EQ(value(kThreshold, false), word < kThreshold ? 1 : 0) << word;
    EXPECT_EQ(value(0, false), 0);
    EXPECT_EQ(value(0, true), 1);
  }
}

__extension__ using UInt128 = unsigned __int128;

TEST_P(RandomWords, IntegersAreTheUpperPartOfAProduct) {
  const Program program = random::integers_program(i64, false);
  for (const std::uint64_t count :
       {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{10}, std::uint64_t{65535},
        std::uint64_t{65536}, std::uint64_t{65537}, std::uint64_t{3} << 30, std::uint64_t{0xffffffff},
        std::uint64_t{1} << 32}) {
    for (const std::uint32_t high : kWords) {
      for (const std::uint32_t low : {0u, 0x00010000u, 0xdeadbeefu, 0xffffffffu}) {
        const Place place = place_of({high, low, 0, 0}, 2);
        const Tensor y = of_words(program, i64, device_, place, 0,
                                  {0, count & 0xffffffff, count & 0xffff, count >> 16});
        const auto w = std::uint64_t{high} << 32 | low;
        const auto expected = static_cast<std::uint32_t>(static_cast<UInt128>(w) * count >> 64);
        ASSERT_EQ(y.item<std::int64_t>(), static_cast<std::int32_t>(expected)) << count << ' ' << w;
      }
    }
  }
}

TEST_P(RandomWords, WideIntegersAreTheUpperPartOfAProduct) {
  const Program program = random::integers_program(u64, true);
  for (const std::uint64_t count : {std::uint64_t{3}, std::uint64_t{3} << 62, ~std::uint64_t{0},
                                    std::uint64_t{0x123456789abcdef1}, (std::uint64_t{1} << 32) + 1}) {
    for (const std::uint32_t high : kWords) {
      for (const std::uint32_t low : {0u, 1u, 0x80000000u, 0xffffffffu}) {
        const std::array<std::uint32_t, 4> words = {high, low, ~low, high ^ low};
        const Tensor y = of_words(program, u64, device_, place_of(words, 4), 0,
                                  {5, count, count & 0xffffffff, count >> 32});
        const auto pair = [&](std::size_t i) { return std::uint64_t{words[i]} << 32 | words[i + 1]; };
        // Bits 128 and on of count · (pair(0) · 2^64 + pair(2)).
        const UInt128 product =
            static_cast<UInt128>(pair(0)) * count + (static_cast<UInt128>(pair(2)) * count >> 64);
        ASSERT_EQ(y.item<std::uint64_t>(), static_cast<std::uint64_t>(product >> 64) + 5) << count;
      }
    }
  }
}

struct Named {
  std::string name;
  Program program;
  std::uint32_t dtypes;  // that are computed with: bits 1 << code
};

constexpr std::uint32_t bit(DType dtype) {
  return 1u << static_cast<int>(dtype);
}

TEST(RandomPrograms, AreExactAndTakeLittle) {
  const std::uint32_t everywhere = bit(f32) | bit(i32) | bit(u32) | bit(bool_);
  const std::uint32_t wide = everywhere | bit(f64) | bit(i64) | bit(u64);
  const Named programs[] = {
      {"uniform f16", random::uniform_program(f16), everywhere},
      {"uniform bf16", random::uniform_program(bf16), everywhere},
      {"uniform f32", random::uniform_program(f32), everywhere},
      {"uniform f64", random::uniform_program(f64), everywhere | bit(f64)},
      {"normal f16", random::normal_program(f16), everywhere},
      {"normal f32", random::normal_program(f32), everywhere},
      {"exponential f32", random::exponential_program(f32), everywhere},
      {"exponential f64", random::exponential_program(f64), wide},
      {"normal of log", random::normal_of_log_program(), wide},
      {"bernoulli", random::bernoulli_program(u8), everywhere},
      {"integers i8", random::integers_program(i8, false), everywhere},
      {"integers i64", random::integers_program(i64, false), everywhere},
      {"wide integers", random::integers_program(i64, true), wide},
  };
  constexpr std::uint32_t kInexact =
      1u << TENON_OP_DIV | 1u << TENON_OP_SQRT | 1u << TENON_OP_EXP | 1u << TENON_OP_LOG;
  for (const Named& each : programs) {
    SCOPED_TRACE(each.name);
    const program::Draft draft = program::decode(each.program);
    EXPECT_LE(draft.instructions.size(), 64u);
    EXPECT_LE(draft.constants.size(), 32u);
    for (const TenonInstruction& it : draft.instructions) {
      ASSERT_LT(it.opcode, 32) << "an optional opcode";
      EXPECT_EQ(kInexact >> it.opcode & 1, 0u) << "an inexact opcode";
      const bool computes = it.opcode != TENON_OP_CAST;  // a cast at the end only stores
      EXPECT_TRUE(!computes || (each.dtypes >> it.dtype & 1) != 0)
          << name(static_cast<DType>(it.dtype));
      if (each.dtypes == everywhere && it.opcode != TENON_OP_PHILOX) {
        EXPECT_NE(TENON_REF_CLASS(it.a), static_cast<std::uint32_t>(TENON_REF_INPUT)) << "a u64";
      }
    }
  }
}

}  // namespace
}  // namespace tenon::test
