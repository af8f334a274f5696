// Philox known answers; uniform against the test's own Philox bit for bit; permutations.
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/program_oracle.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using random::Generator;
using random::permutation;
using random::uniform;

class Random : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Random, testing::ValuesIn(test_devices()), device_test_name);

TEST(Philox, HasTheKnownAnswersOfRandom123) {
  using Words = std::array<std::uint32_t, 4>;  // kat_vectors, philox 4x32 10
  constexpr std::uint32_t kOnes = ~0u;
  EXPECT_EQ(random::philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(random::philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      random::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

/// low + (high - low) · unit, each number and step rounded to T; volatile keeps fma out.
template <class T>
T scaled(T unit, double low, double high) {
  const double first = static_cast<T>(low), last = static_cast<T>(high);
  volatile T product = static_cast<T>(last - first) * unit;
  const T value = static_cast<T>(first) + product;
  return value < static_cast<T>(high) ? value
                                      : std::nextafter(static_cast<T>(high), static_cast<T>(low));
}

float unit_f32(std::uint64_t i, std::uint64_t offset, std::uint64_t seed) {
  return static_cast<float>(philox_word(i, offset, seed) >> 8) * 0x1p-24f;
}
double unit_f64(std::uint64_t i, std::uint64_t offset, std::uint64_t seed) {
  const std::uint64_t high = philox_word(2 * i, offset, seed);
  return static_cast<double>((high << 32 | philox_word(2 * i + 1, offset, seed)) >> 11) * 0x1p-53;
}

template <class T>
Array<T> expected_uniform(const Shape& shape, std::uint64_t offset, std::uint64_t seed, double low,
                          double high) {
  Array<T> x{shape, {}};
  for (std::uint64_t i = 0; i < element_count(shape); ++i) {
    if constexpr (std::is_same_v<T, float>)
      x.values.push_back(scaled(unit_f32(i, offset, seed), low, high));
    else
      x.values.push_back(scaled(unit_f64(i, offset, seed), low, high));
  }
  return x;
}

TEST_P(Random, UniformIsPhiloxBitForBit) {
  const std::vector<std::pair<double, double>> ranges = {{0, 1}, {-1, 1}, {0.1, 0.7}, {-1e6, 3e7}};
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{42}, 0xfedcba9876543210}) {
    Generator generator(seed);
    std::uint64_t offset = 0;
    for (const auto& [low, high] : ranges) {
      for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{0, 2}, Shape{1001}}) {
        expect_equals(uniform(shape, {low, high}, here_, generator),
                      expected_uniform<float>(shape, offset++, seed, low, high));
        expect_equals(uniform(shape, {low, high}, {.dtype = f64, .device = device_}, generator),
                      expected_uniform<double>(shape, offset++, seed, low, high));
      }
    }
  }
}

TEST_P(Random, ShapesDoNotChangeTheBits) {
  Generator a(5), b(5);
  const Tensor flat = uniform({24}, {}, here_, a), cube = uniform({2, 3, 4}, {}, here_, b);
  EXPECT_EQ(flat.to_vector<float>(), cube.to_vector<float>());
}

TEST_P(Random, EachDrawHasItsOwnStream) {
  Generator generator(5);
  const Tensor first = uniform({64}, {}, here_, generator),
               second = uniform({64}, {}, here_, generator);
  EXPECT_NE(first.to_vector<float>(), second.to_vector<float>());
  Generator again(5);
  Generator copy = again;
  EXPECT_EQ(uniform({64}, {}, here_, again).to_vector<float>(), first.to_vector<float>());
  EXPECT_EQ(uniform({64}, {}, here_, copy).to_vector<float>(), first.to_vector<float>());
  Generator other(6);
  EXPECT_NE(uniform({64}, {}, here_, other).to_vector<float>(), first.to_vector<float>());
}

TEST_P(Random, ManualSeedStartsTheThreadsGeneratorAnew) {
  random::manual_seed(9);
  const auto first = uniform({8}, {}, here_).to_vector<float>();
  const auto second = uniform({8}, {}, here_).to_vector<float>();
  random::manual_seed(9);
  EXPECT_EQ(uniform({8}, {}, here_).to_vector<float>(), first);
  EXPECT_EQ(uniform({8}, {}, here_).to_vector<float>(), second);
  EXPECT_EQ(random::default_generator().seed(), 9u);
}

TEST_P(Random, UniformStaysInItsRangeAndFillsItEvenly) {
  Generator generator(1);
  constexpr int kBins = 20, kCount = 40'000;
  const auto values = uniform({kCount}, {2, 4}, here_, generator).to_vector<float>();
  std::array<int, kBins> bins{};
  for (const float value : values) {
    ASSERT_TRUE(value >= 2 && value < 4) << value;
    ++bins[static_cast<std::size_t>((value - 2) * (kBins / 2))];
  }
  double chi_square = 0;
  for (const int count : bins) chi_square += std::pow(count - kCount / kBins, 2) / (kCount / kBins);
  EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom, p = 0.001
  // Rounding reaches the upper end in this range, which only a last step down keeps out.
  for (const float value : uniform({4096}, {1e8, 1e8 + 16}, here_, generator).to_vector<float>())
    ASSERT_LT(value, 100'000'016.0f);
}

TEST_P(Random, UniformTakesOptions) {
  Generator generator(1);
  EXPECT_TRUE(uniform({2}, {}, {.device = device_, .requires_grad = true}, generator).requires_grad());
  EXPECT_EQ(thrown([&] { uniform({2}, {}, {.dtype = i32, .device = device_}, generator); }),
            invalid_argument("[uniform] i32 is not floating; convert what is drawn"));
  EXPECT_EQ(thrown([&] { uniform({2}, {1, 1}, here_, generator); }),
            invalid_argument("[uniform] the range 1 .. 1 is empty or not finite in f32"));
  EXPECT_EQ(thrown([&] { uniform({2}, {0, HUGE_VAL}, here_, generator); }),
            invalid_argument("[uniform] the range 0 .. inf is empty or not finite in f32"));
}

TEST_P(Random, PermutationIsOne) {
  Generator generator(3);
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    const Tensor x = permutation(count, here_, generator);
    EXPECT_EQ(x.dtype(), i64);
    EXPECT_EQ(x.device(), device_);
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_THAT(x.to_vector<std::int64_t>(), testing::UnorderedElementsAreArray(all));
  }
  EXPECT_EQ(thrown([&] { permutation(-1, here_, generator); }),
            invalid_argument("[permutation] the count is -1"));
}

TEST_P(Random, PermutationFollowsTheSeedOnEveryDevice) {
  Generator a(3), b(3), c(4);
  const auto order = permutation(100, here_, a).to_vector<std::int64_t>();
  EXPECT_EQ(permutation(100, {.device = device("reference")}, b).to_vector<std::int64_t>(), order);
  EXPECT_NE(permutation(100, here_, a).to_vector<std::int64_t>(), order);
  EXPECT_NE(permutation(100, here_, c).to_vector<std::int64_t>(), order);
}

TEST(Permutation, PutsEveryElementEverywhereEquallyOften) {
  Generator generator(11);
  constexpr int kCount = 5, kDraws = 6000;
  std::array<std::array<int, kCount>, kCount> seen{};
  std::set<std::vector<std::int64_t>> orders;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto order =
        permutation(kCount, {.device = device("reference")}, generator).to_vector<std::int64_t>();
    orders.insert(order);
    for (std::size_t i = 0; i < kCount; ++i) ++seen[i][static_cast<std::size_t>(order[i])];
  }
  EXPECT_EQ(orders.size(), 120u);
  for (const auto& row : seen) {
    double chi_square = 0;
    for (const int count : row) chi_square += std::pow(count - kDraws / kCount, 2) / (kDraws / kCount);
    EXPECT_LT(chi_square, 23.5);  // 4 degrees of freedom, p = 0.0001
  }
}

}  // namespace
}  // namespace tenon::test
