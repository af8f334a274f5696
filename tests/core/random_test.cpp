// Philox known answers; uniform against the test's own Philox bit for bit; permutations.
#include <algorithm>
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

TEST_P(Random, SixteenBitUniformStaysInItsRange) {
  Generator generator(1);
  const auto check = [&]<class H>(H) {
    const auto& stored = device_.info().storage_dtypes;
    if (std::find(stored.begin(), stored.end(), dtype_of<H>) == stored.end()) return;
    for (const auto& [low, high] : std::vector<std::pair<double, double>>{
             {-2, -1}, {-1, 0}, {0, 1}, {0.1, 0.3}, {1, 1 + 0x1p-6}, {0, 0x1p-14}, {-6e4, 6e4}}) {
      const TensorOptions options{.dtype = dtype_of<H>, .device = device_};
      const auto values = uniform({4096}, {low, high}, options, generator).template to_vector<H>();
      const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
      EXPECT_GE(static_cast<float>(*least), static_cast<float>(H(low))) << low << ' ' << high;
      EXPECT_LT(static_cast<float>(*greatest), static_cast<float>(H(high))) << low << ' ' << high;
      EXPECT_LT(*least, *greatest);
    }
  };
  check(float16{}), check(bfloat16{});
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

TEST_P(Random, NormalIsScaled) {
  Generator a(1), b(1), c(1);
  const auto z = random::normal({500}, {}, here_, a).to_vector<float>();
  const auto scaled_z = random::normal({500}, {3, 0.5}, here_, b).to_vector<float>();
  for (std::size_t i = 0; i < z.size(); ++i) ASSERT_EQ(scaled_z[i], 3 + 0.5f * z[i]);
  for (const float value : random::normal({50}, {7, 0}, here_, c).to_vector<float>())
    ASSERT_EQ(value, 7);
}

TEST_P(Random, NormalChecksItsParameters) {
  Generator g;
  EXPECT_EQ(thrown([&] { random::normal({2}, {0, -1}, here_, g); }),
            invalid_argument("[normal] mean 0 and std -1 are not finite in f32, or std is negative"));
  EXPECT_EQ(thrown([&] { random::normal({2}, {1e300, 1}, here_, g); }).text,
            "[normal] mean 1e+300 and std 1 are not finite in f32, or std is negative");
  EXPECT_EQ(thrown([&] { random::normal({2}, {0, std::nan("")}, here_, g); }).kind,
            ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { random::normal({2}, {}, {.dtype = i32, .device = device_}, g); }),
            invalid_argument("[normal] i32 is not floating; convert what is drawn"));
  EXPECT_EQ(g.offset(), 0u) << "a refused draw takes no stream";
}

TEST_P(Random, ExponentialIsMinusTheLogarithmOfItsWords) {
  Generator g(5);
  const auto x = random::exponential({40}, 4, here_, g).to_vector<float>();
  for (std::uint64_t i = 0; i < x.size(); ++i) {
    const double u = (philox_word(i, 0, 5) + 0.5) * 0x1p-32;
    ASSERT_NEAR(x[i], -std::log(u) / 4, 1e-6 * (1 - std::log(u)));
  }
  for (const double rate : {0.0, -1.0, 1e-300, HUGE_VAL}) {
    EXPECT_EQ(thrown([&] { random::exponential({2}, rate, here_, g); }).kind,
              ErrorKind::InvalidArgument);
  }
  EXPECT_EQ(thrown([&] { random::exponential({2}, -1, here_, g); }),
            invalid_argument("[exponential] the rate is -1: it must be above 0, and its inverse finite "
                             "in f32"));
  EXPECT_EQ(g.offset(), 1u);
}

TEST_P(Random, MultinomialWithoutReplacementIsAnOrderOfAll) {
  Generator g(3);
  const Tensor weights = uniform({40}, {0.1, 1}, here_, g);
  std::vector<std::int64_t> all = random::multinomial(weights, 40, false, g).to_vector<std::int64_t>();
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(random::multinomial(weights, 0, false, g).shape(), (Shape{0}));
  const Tensor one = tensor({0.0, 0.0, 5.0, 0.0}, here_);
  for (const std::int64_t i : random::multinomial(one, 30, true, g).to_vector<std::int64_t>())
    ASSERT_EQ(i, 2);
}

TEST_P(Random, MultinomialChecksItsWeights) {
  Generator g;
  const auto weights = [&](std::vector<double> values) {
    return tensor(values, {.dtype = f32, .device = device_});
  };
  const auto error = [&](const Tensor& w, std::int64_t count, bool replacement) {
    return thrown([&] { random::multinomial(w, count, replacement, g); });
  };
  EXPECT_EQ(error(weights({1, -1}), 1, true),
            invalid_argument("[multinomial] a weight is negative, infinite or NaN"));
  EXPECT_EQ(error(weights({1, std::nan("")}), 1, true),
            invalid_argument("[multinomial] a weight is negative, infinite or NaN"));
  EXPECT_EQ(error(weights({0, 0}), 1, true),
            invalid_argument("[multinomial] a row has 0 weights above 0, and 1 are to be drawn"));
  EXPECT_EQ(error(weights({1, 0, 2}), 3, false),
            invalid_argument("[multinomial] a row has 2 weights above 0, and 3 are to be drawn"));
  EXPECT_EQ(error(weights({1, 2}), 3, false),
            invalid_argument("[multinomial] 3 of 2 categories can't be drawn without replacement"));
  EXPECT_EQ(error(weights({1, 2}), -1, true), invalid_argument("[multinomial] the count is -1"));
  EXPECT_EQ(error(weights({}), 1, true), invalid_argument("[multinomial] there are no categories"));
  EXPECT_EQ(error(weights({1, 2}).to(i32), 1, true),
            invalid_argument("[multinomial] weights are floating, not i32"));
  EXPECT_EQ(g.offset(), 0u) << "a refused draw takes no stream";
}

TEST_P(Random, BernoulliOfCertainties) {
  Generator g;
  const auto count = [&](double p) {
    return random::bernoulli({1000}, p, here_, g).to(f32).sum().item<int>();
  };
  EXPECT_EQ(count(0), 0);
  EXPECT_EQ(count(1), 1000);
  EXPECT_EQ(count(0x1p-34), 0) << "rounded to 0";
  EXPECT_EQ(count(1 - 0x1p-34), 1000) << "rounded to 1";
  EXPECT_EQ(random::bernoulli({3}, 1, {.dtype = f32, .device = device_}, g).to_vector<float>(),
            (std::vector<float>{1, 1, 1}));
  for (const double p : {-0.1, 1.1, std::nan("")})
    EXPECT_EQ(thrown([&] { random::bernoulli({3}, p, here_, g); }).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { random::bernoulli({3}, 1.5, here_, g); }).text,
            "[bernoulli] the probability 1.5 is not in [0, 1]");
}

TEST_P(Random, IntegersReachBothEndsAndNoFurther) {
  Generator g(2);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return random::integers({4000}, {low, high}, here_, g).to_vector<std::int64_t>();
  };
  for (const std::int64_t low : {std::int64_t{-3}, std::int64_t{0}, std::int64_t{1} << 40}) {
    const auto values = draw(low, low + 7);
    EXPECT_EQ(std::set(values.begin(), values.end()).size(), 7u);
    EXPECT_EQ(*std::min_element(values.begin(), values.end()), low);
    EXPECT_EQ(*std::max_element(values.begin(), values.end()), low + 6);
  }
  EXPECT_THAT(draw(-9, -8), testing::Each(-9));
}

TEST_P(Random, IntegersCheckTheirRange) {
  Generator g;
  const auto error = [&](random::IntegersOptions range, DType dtype) {
    return thrown([&] { random::integers({2}, range, {.dtype = dtype, .device = device_}, g); });
  };
  EXPECT_EQ(error({3, 3}, i64), invalid_argument("[integers] the range 3 .. 3 is empty"));
  EXPECT_EQ(error({3, -3}, i32), invalid_argument("[integers] the range 3 .. -3 is empty"));
  EXPECT_EQ(error({-1, 3}, u32), invalid_argument("[integers] -1 does not fit u32"));
  EXPECT_EQ(error({0, 257}, u8), invalid_argument("[integers] the last of 0 .. 257 does not fit u8"));
  EXPECT_EQ(error({-128, 129}, i8),
            invalid_argument("[integers] the last of -128 .. 129 does not fit i8"));
  EXPECT_EQ(error({0, ~std::uint64_t{0}}, i64),
            invalid_argument("[integers] the last of 0 .. 18446744073709551615 does not fit i64"));
  EXPECT_EQ(error({-5, ~std::uint64_t{0}}, i64).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(error({0, 2.5}, i64), invalid_argument("[integers] the range 0 .. 2.5 is not of integers"));
  EXPECT_EQ(error({0, 2}, f32),
            invalid_argument("[integers] f32 is no integer dtype; convert what is drawn"));
  EXPECT_EQ(g.offset(), 0u);
}

TEST(GeneratorState, IsKeptAndTakenUpAgain) {
  Generator g(9);
  random::uniform({3}, {}, {}, g);
  const random::GeneratorState kept = g.state();
  EXPECT_EQ(kept, (random::GeneratorState{9, 1}));
  const auto next = random::uniform({3}, {}, {}, g).to_vector<float>();
  Generator other(1);
  other.set_state(kept);
  EXPECT_EQ(other.offset(), 1u);
  EXPECT_EQ(random::uniform({3}, {}, {}, other).to_vector<float>(), next);
  EXPECT_EQ(other.state(), g.state());
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
