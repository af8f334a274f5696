// Whether random numbers are distributed as they say, by tests that broken generators fail. The bits
// are the same on every device (random_bits_test.cpp), so one device draws here; and seeds are fixed,
// so a test that passes once passes always. Of a right generator one p-value in 10,000 is below the
// threshold.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/support/devices.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"
#include "tests/support/statistics.h"

namespace tenon::test {
namespace {

constexpr double kLeast = 1e-4;
constexpr std::int64_t kCount = 1 << 17;

void expect_likely(const PValues& values) {
  for (const auto& [name, p] : values) EXPECT_GT(p, kLeast) << name;
}

/// Beyond any doubt, and for this reason.
void expect_broken(const PValues& values, const std::string& name) {
  EXPECT_LT(values.at(name), 1e-8) << name;
}

std::vector<double> drawn(const Tensor& x) {
  if (x.dtype() == f64) return x.to_vector<double>();
  const std::vector<float> values = x.to_vector<float>();
  return {values.begin(), values.end()};
}

/// What integers() drew, counted from `low`.
std::vector<std::uint64_t> integers_from(std::int64_t low, const Tensor& x) {
  std::vector<std::uint64_t> values;
  for (const std::int64_t value : x.to_vector<std::int64_t>())
    values.push_back(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(low));
  return values;
}

/// A generator of the test's own, from word numbers.
template <class T>
std::vector<T> made(std::function<T(std::uint64_t)> of_index, std::uint64_t count = 1 << 15) {
  std::vector<T> values;
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(of_index(i));
  return values;
}
double unit(std::uint64_t i) {
  return static_cast<double>(philox_word(i, 0, 1) >> 8) * 0x1p-24;
}

class Statistics : public testing::TestWithParam<std::uint64_t> {
 protected:
  random::Generator generator_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, Statistics, testing::Values(0, 0x9E3779B97F4A7C15));

TEST_P(Statistics, OfUniform) {
  expect_likely(uniform_p_values(drawn(random::uniform({kCount}, {}, {}, generator_)), 24));
  expect_likely(uniform_p_values(drawn(random::uniform({kCount}, {}, {.dtype = f64}, generator_)), 53));
}

TEST_P(Statistics, OfNormal) {
  expect_likely(normal_p_values(drawn(random::normal({kCount}, {}, {}, generator_))));
  expect_likely(normal_p_values(drawn(random::normal({kCount}, {}, {.dtype = f64}, generator_))));
}

/// 1 - exp(-rate · x) of exponential numbers is uniform; of 32 random bits, f32's 24 are not all left.
TEST_P(Statistics, OfExponential) {
  for (const DType dtype : {f32, f64}) {
    std::vector<double> values;
    for (const double x : drawn(random::exponential({kCount}, 2.5, {.dtype = dtype}, generator_)))
      values.push_back(-std::expm1(-2.5 * x));
    EXPECT_GT(kolmogorov_smirnov_p(values), 1e-6) << name(dtype);
  }
}

TEST_P(Statistics, OfNormalsTails) {
  double beyond[7] = {}, count = 0;
  for (std::uint64_t round = 0; round < rounds(2); ++round) {
    for (const double z : drawn(random::normal({1 << 19}, {}, {}, generator_))) {
      for (int sigma = 3; sigma < 7; ++sigma) beyond[sigma] += std::fabs(z) > sigma ? 1 : 0;
      ++count;
    }
  }
  for (int sigma = 3; sigma < 7; ++sigma) {
    EXPECT_GT(poisson_p(beyond[sigma], count * std::erfc(sigma / std::sqrt(2.0))), kLeast) << sigma;
  }
}

TEST_P(Statistics, OfBernoulli) {
  for (const double p : {0.5, 0.1, 0.999, 1e-3}) {
    std::vector<double> seen(4);
    const std::vector<bool> values = random::bernoulli({kCount}, p, {}, generator_).to_vector<bool>();
    for (std::size_t i = 0; i < values.size(); i += 2) ++seen[values[i] * 2u + values[i + 1]];
    EXPECT_GT(counts_p(seen, {(1 - p) * (1 - p), (1 - p) * p, p * (1 - p), p * p}), kLeast) << p;
  }
}

TEST_P(Statistics, OfIntegers) {
  // Of 3 · 2^30 and 3 · 2^62 a third would be twice as likely by the remainder of one word, or two.
  for (const std::int64_t count : {std::int64_t{2}, std::int64_t{7}, std::int64_t{960},
                                   std::int64_t{3} << 30, std::int64_t{3} << 61}) {
    const std::int64_t low = -(count / 2);
    const Tensor x = random::integers({kCount}, {low, low + count}, {}, generator_);
    SCOPED_TRACE(count);
    expect_likely(integer_p_values(integers_from(low, x), static_cast<double>(count)));
  }
}

/// Drawn one by one with the weights 1, 2, 0 and 3: pairs of categories.
TEST_P(Statistics, OfMultinomial) {
  const double weights[] = {1, 2, 0, 3};
  const std::int64_t rows = kCount / 4;
  for (const bool replacement : {true, false}) {
    const Tensor p = tensor({1.0, 2.0, 0.0, 3.0}).expand({rows, 4});
    const Tensor x = random::multinomial(p, 2, replacement, generator_);
    std::vector<double> seen(16), expected;
    const std::vector<std::int64_t> drawn = x.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < drawn.size(); i += 2)
      ++seen[static_cast<std::size_t>(drawn[i] * 4 + drawn[i + 1])];
    std::vector<double> possible;
    for (std::size_t i = 0; i < 16; ++i) {
      const double first = weights[i / 4], left = replacement ? 6 : 6 - first;
      const double second = !replacement && i / 4 == i % 4 ? 0 : weights[i % 4];
      const double chance = first / 6 * second / left;
      if (chance == 0) {
        EXPECT_EQ(seen[i], 0) << i;
      } else {
        expected.push_back(chance);
        possible.push_back(seen[i]);
      }
    }
    EXPECT_GT(counts_p(possible, expected), kLeast) << replacement;
  }
}

TEST_P(Statistics, OfSixteenBitUniform) {
  // In [1, 2) every number is as likely but the first and last, whose neighbours beyond are not drawn.
  for (const auto& [dtype, count] : {std::pair{f16, 1024u}, std::pair{bf16, 128u}}) {
    const Device here = default_device();
    const auto& stored = here.info().storage_dtypes;
    if (std::find(stored.begin(), stored.end(), dtype) == stored.end()) continue;
    std::vector<double> seen(count), expected(count, 1.0 / count);
    expected.front() *= 0.5, expected.back() *= 1.5;
    const Tensor x = random::uniform({kCount}, {1, 2}, {.dtype = dtype}, generator_);
    for (const double value : drawn(x.to(f32)))
      ++seen.at(static_cast<std::size_t>((value - 1) * count));
    EXPECT_GT(counts_p(seen, expected), kLeast) << name(dtype);
  }
}

TEST(BrokenGenerator, WithAConstantBitIsFound) {
  expect_broken(uniform_p_values(made<double>([](auto i) { return unit(i) / 2; }), 24), "distribution");
  const auto without_bit_11 = [](auto i) {
    return static_cast<double>(philox_word(i, 0, 1) >> 8 & ~0x800u) * 0x1p-24;
  };
  const PValues values = uniform_p_values(made<double>(without_bit_11), 24);
  expect_broken(values, "bits");
  EXPECT_GT(values.at("bins"), kLeast) << "only the bit is wrong";
}

TEST(BrokenGenerator, ThatRepeatsItselfIsFound) {
  const auto halves = [](std::uint64_t i) { return (unit(i) + unit(i / 2 * 2)) / 2; };
  expect_broken(uniform_p_values(made<double>(halves), 24), "pairs");
  const auto twice = [](std::uint64_t i) { return unit(i / 2); };
  expect_broken(uniform_p_values(made<double>(twice), 24), "neighbours");
}

TEST(BrokenGenerator, OfNormalsBySumsIsFound) {
  const auto sum_of_12 = [](std::uint64_t i) {
    double sum = -6;
    for (std::uint64_t j = 0; j < 12; ++j) sum += unit(12 * i + j);
    return sum;
  };
  const PValues values = normal_p_values(made<double>(sum_of_12, 1 << 17));
  expect_broken(values, "kurtosis");
  EXPECT_GT(values.at("variance"), kLeast) << "the first moments are right";
}

/// Box-Muller with the words of these numbers.
double box_muller(std::uint64_t u, std::uint64_t angle) {
  return std::sqrt(-2 * std::log(unit(u) + 0x1p-25)) * std::cos(2 * M_PI * unit(angle));
}

TEST(BrokenGenerator, OfNormalsOfOneRadiusIsFound) {
  const auto right = [](std::uint64_t i) { return box_muller(2 * i, 2 * i + 1); };
  expect_likely(normal_p_values(made<double>(right)));
  const auto shared = [](std::uint64_t i) { return box_muller(i / 2 * 4, 2 * i + 1); };
  const PValues values = normal_p_values(made<double>(shared));
  expect_broken(values, "neighbours' squares");
  EXPECT_GT(values.at("neighbours"), kLeast) << "they are uncorrelated, but not independent";
}

TEST(BrokenGenerator, OfNormalsWithoutTailsIsFound) {
  const auto cut = [](std::uint64_t i) { return std::fmin(box_muller(2 * i, 2 * i + 1), 3.0); };
  expect_broken(normal_p_values(made<double>(cut, 1 << 17)), "tails");
}

TEST(BrokenGenerator, OfIntegersByRemainderIsFound) {
  constexpr std::uint64_t kThree = std::uint64_t{3} << 30;
  const auto remainder = [](std::uint64_t i) { return philox_word(i, 0, 1) % kThree; };
  expect_broken(integer_p_values(made<std::uint64_t>(remainder), static_cast<double>(kThree)), "bins");
  const auto off_by_one = [](std::uint64_t i) { return std::uint64_t{philox_word(i, 0, 1) % 6}; };
  expect_broken(integer_p_values(made<std::uint64_t>(off_by_one), 7), "bins");
}

TEST(Statistics, KnowTheirTables) {
  EXPECT_NEAR(chi_square_p(43.820, 19), 0.001, 1e-6);  // Abramowitz and Stegun, table 26.8
  EXPECT_NEAR(chi_square_p(6.635, 1), 0.01, 1e-5);
  EXPECT_NEAR(chi_square_p(67.328, 100), 0.995, 1e-5);
  EXPECT_NEAR(normal_p(1.959964), 0.05, 1e-7);
  EXPECT_NEAR(poisson_p(0, 10), 2 * std::exp(-10.0), 1e-12);
  EXPECT_NEAR(poisson_p(3, 1), 2 * (1 - 2.5 * std::exp(-1.0)), 1e-12);
  std::vector<double> even;
  for (int i = 0; i < 100; ++i) even.push_back((i + 0.5) / 100);
  EXPECT_GT(kolmogorov_smirnov_p(even), 0.999);
  for (double& value : even) value *= 0.8642;  // a distance of 0.1358 + 0.0043, which has p = 0.036
  EXPECT_NEAR(kolmogorov_smirnov_p(even), 0.036, 0.004);
}

}  // namespace
}  // namespace tenon::test
