// lgamma, digamma and erfinv against the C++ library, or plain loops in long double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Unary = double (*)(double);
using Op = Tensor (*)(const Tensor&);

bool is_pole(double x) {
  return x <= 0 && x == std::floor(x);
}

/// Up by ψ(x) = ψ(x + 1) - 1 / x to where few terms of its series are enough.
double digamma_by_steps(double x) {
  if (x == 0) return std::copysign(kInfinity, -x);
  if (is_pole(x)) return kNan;
  long double at = x, sum = 0;
  for (; at < 1000; ++at) sum -= 1 / at;
  return static_cast<double>(sum + std::log(at) - 1 / (2 * at) - 1 / (12 * at * at) +
                             1 / (120 * at * at * at * at));
}

/// The derivative of digamma, likewise.
double trigamma_by_steps(double x) {
  long double at = x, sum = 0;
  for (; at < 1000; ++at) sum += 1 / (at * at);
  return static_cast<double>(sum + 1 / at + 1 / (2 * at * at) + 1 / (6 * at * at * at) -
                             1 / (30 * at * at * at * at * at));
}

/// By halving the interval where it lies.
double erfinv_by_halves(double x) {
  const long double size = std::fabs(x);
  if (!(size < 1)) return size == 1 ? std::copysign(kInfinity, x) : kNan;
  if (size == 0) return x;
  long double low = 0, high = 7, middle = 1;
  for (; low < middle && middle < high; middle = (low + high) / 2) {
    const bool below = size < 0.5L ? std::erf(middle) < size : std::erfc(middle) > 1 - size;
    (below ? low : high) = middle;
  }
  return std::copysign(static_cast<double>(high), x);
}
double lgamma_of_library(double x) {
  return std::lgamma(x);
}

Row row(const std::string& name, Op op, Unary oracle, Values values) {
  return {.name = name,
          .op = [op](const auto& x) { return op(x[0]); },
          .oracle =
              [oracle](const std::vector<Reals>& x) {
                Reals y{x[0].shape, {}};
                for (const double value : x[0].values) y.values.push_back(oracle(value));
                return y;
              },
          .shapes = {{{2, 3}}, {{}}, {{0, 3}}},
          .values = values,
          .tolerance = 16};
}

std::vector<Row> rows() {
  std::vector<Row> all;
  const auto add = [&](const std::string& name, Op op, Unary oracle, Values values) {
    all.push_back(row(name, op, oracle, values));
    all.push_back(
        row(name + "_edges", op, oracle, {.low = values.low, .high = values.high, .edges = true}));
    all.back().shapes = {{{4, 9}}};
    all.back().gradient = false;
  };
  add("lgamma", lgamma, lgamma_of_library, {.low = 0.25, .high = 9});
  add("digamma", digamma, digamma_by_steps, {.low = 2, .high = 9});
  add("erfinv", erfinv, erfinv_by_halves, {.low = -0.9, .high = 0.9});
  // The gradients are of numbers close to no pole.
  all.push_back(row("lgamma_below_zero", lgamma, lgamma_of_library, {.low = -2.9, .high = -2.1}));
  all.push_back(row("digamma_below_zero", digamma, digamma_by_steps, {.low = -1.9, .high = -1.1}));
  for (Row& each : all) {
    if (each.gradient && each.name != "erfinv") each.dtypes = {f32, f64, f16, bf16, i32, u8};
    if (each.values.high < 0) each.dtypes.pop_back();  // u8 has none of them
  }
  return all;
}
TENON_ROWS(SpecialFunctions, rows());

class SpecialFunctionsCases : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  Tensor numbers(const std::vector<double>& values, DType dtype = f32) const {
    return from_values<double>(values, {static_cast<std::int64_t>(values.size())},
                               {.dtype = dtype, .device = device_});
  }

  /// Each element, within so many times its own size, or that of `least` where it is smaller.
  void expect_close(Op op, Unary oracle, const std::vector<double>& at, double least, double of_f32,
                    double of_f64) const {
    const auto& stored = device_.info().storage_dtypes;
    for (const DType dtype : {f32, f64}) {
      if (std::find(stored.begin(), stored.end(), dtype) == stored.end()) continue;
      const Tensor x = numbers(at, dtype);
      const std::vector<double> exact = reals_of(x).values, y = reals_of(op(x)).values;
      const double bound = dtype == f32 ? of_f32 : of_f64;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const double wanted = oracle(exact[i]);
        if (!std::isfinite(wanted)) continue;
        EXPECT_LE(std::fabs(y[i] - wanted), bound * std::fmax(std::fabs(wanted), least))
            << "of " << exact[i] << " in " << name(dtype) << ": " << y[i] << ", not " << wanted;
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, SpecialFunctionsCases, testing::ValuesIn(row_devices()),
                         device_test_name);

std::vector<double> steps(double low, double high, int count) {
  std::vector<double> values;
  for (int i = 0; i <= count; ++i) values.push_back(low + (high - low) * i / count);
  return values;
}
/// Powers of 2, and what lies next to 1 and 2, where lgamma is 0.
std::vector<double> far_and_near() {
  std::vector<double> values;
  for (int power = -100; power <= 100; ++power) values.push_back(std::exp2(power));
  for (const double at : {1.0, 2.0}) {
    for (int power = -23; power < -2; ++power) {
      values.push_back(at + std::exp2(power));
      values.push_back(at - std::exp2(power));
    }
  }
  return values;
}

TEST_P(SpecialFunctionsCases, LgammaHasItsDigitsEvenNearItsZeros) {
  expect_close(lgamma, lgamma_of_library, steps(0.01, 12, 400), 0, 1e-6, 4e-15);
  expect_close(lgamma, lgamma_of_library, far_and_near(), 0, 1e-6, 4e-15);
  // Below 0 its zeros are no floating numbers.
  expect_close(lgamma, lgamma_of_library, steps(-8.97, 0, 300), 1, 1e-6, 1e-14);
}

TEST_P(SpecialFunctionsCases, DigammaAndItsSlopeHaveTheirDigits) {
  expect_close(digamma, digamma_by_steps, steps(0.01, 12, 400), 1, 1e-6, 4e-15);
  expect_close(digamma, digamma_by_steps, far_and_near(), 1, 1e-6, 4e-15);
  expect_close(digamma, digamma_by_steps, steps(-8.97, 0, 300), 1, 4e-6, 1e-14);
  const auto slope = [](const Tensor& at) {
    Tensor x = at.detach().clone();
    x.set_requires_grad();
    digamma(x).sum().backward();
    return x.grad();
  };
  expect_close(slope, trigamma_by_steps, steps(0.01, 20, 400), 0, 4e-6, 1e-13);
  expect_close(slope, trigamma_by_steps, steps(-8.97, -0.03, 300), 0, 1e-5, 1e-13);
}

TEST_P(SpecialFunctionsCases, ErfinvHasItsDigitsOutToItsEnds) {
  std::vector<double> ends = steps(-0.999, 0.999, 500);
  for (int power = -52; power < -1; ++power) {
    ends.push_back(1 - std::exp2(power));
    ends.push_back(std::exp2(power) - 1);
    ends.push_back(std::exp2(2 * power));
  }
  expect_close(erfinv, erfinv_by_halves, ends, 0, 1e-6, 2e-15);
}

// PyTorch's, but for the slopes of lgamma and digamma at -1, which are NaN as digamma is.
TEST_P(SpecialFunctionsCases, EdgesOfValuesAndSlopes) {
  const auto check = [&](Op op, const std::vector<double>& at, const std::vector<float>& values,
                         const std::vector<float>& slopes) {
    Tensor x = numbers(at);
    x.set_requires_grad();
    const Tensor y = op(x);
    expect_equals(y.detach(), Array<float>{y.shape(), values});
    y.sum().backward();
    expect_equals(x.grad(), Array<float>{y.shape(), slopes});
  };
  constexpr float infinity = std::numeric_limits<float>::infinity(),
                  nan = std::numeric_limits<float>::quiet_NaN();
  check(lgamma, {0.0, -0.0, -1, -1e30, kInfinity, -kInfinity, kNan},
        {infinity, infinity, infinity, infinity, infinity, infinity, nan},
        {-infinity, infinity, nan, nan, infinity, nan, nan});
  check(digamma, {0.0, -0.0, -1, kInfinity, -kInfinity, kNan},
        {-infinity, infinity, nan, infinity, nan, nan}, {nan, nan, nan, 0, nan, nan});
  constexpr float half_root = static_cast<float>(0.5 / std::numbers::inv_sqrtpi);
  check(erfinv, {0.0, 1, -1, 1.5, kInfinity, kNan}, {0, infinity, -infinity, nan, nan, nan},
        {half_root, infinity, infinity, nan, nan, nan});
  EXPECT_TRUE(std::signbit(erfinv(numbers({-0.0})).item<float>()));
}

TEST_P(SpecialFunctionsCases, EachIsOneLaunchAndItsGradientAnother) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  for (Op op : {Op(lgamma), Op(digamma), Op(erfinv)}) {
    Tensor x = numbers({0.25, 0.5});
    x.set_requires_grad();
    const Tensor dy = numbers({1, 2});
    const std::int64_t before = device_.stats().launches;
    const Tensor y = op(x);
    EXPECT_EQ(device_.stats().launches - before, 1);
    const std::int64_t between = device_.stats().launches;
    y.backward(dy);
    // That of digamma is derived from its instructions, and longer than what one launch takes.
    EXPECT_EQ(device_.stats().launches - between, op == Op(digamma) ? 2 : 1);
  }
}

}  // namespace
}  // namespace tenon::test
