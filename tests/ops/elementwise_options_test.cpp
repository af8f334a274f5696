// Divisors and multiples of integers, and what options there are to elementwise ops; results are
// PyTorch's, or NumPy's where those wrap.
#include <cmath>
#include <limits>
#include <numeric>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Binary = double (*)(double, double);

Row binary(const std::string& name, Tensor (*op)(const Tensor&, const Tensor&), Binary oracle,
           Values values = {}) {
  return {.name = name,
          .op = [op](const auto& x) { return op(x[0], x[1]); },
          .oracle =
              [oracle](const std::vector<Reals>& x) {
                Reals y{x[0].shape, {}};
                for (std::size_t i = 0; i < x[0].values.size(); ++i) {
                  y.values.push_back(oracle(x[0].values[i], x[1].values[i]));
                }
                return y;
              },
          .shapes = {{{2, 3}, {2, 3}}, {{0, 3}, {0, 3}}},
          .values = values};
}
Row whole(Row row, const std::vector<DType>& dtypes) {
  row.name += "_whole";
  row.dtypes = dtypes;
  row.shapes = {{{8, 9}, {8, 9}}};
  row.gradient = false;
  return row;
}

double divisor(double x, double y) {
  return static_cast<double>(std::gcd(static_cast<std::int64_t>(x), static_cast<std::int64_t>(y)));
}
double multiple(double x, double y) {
  return static_cast<double>(std::lcm(static_cast<std::int64_t>(x), static_cast<std::int64_t>(y)));
}
Tensor twice_added(const Tensor& x, const Tensor& y) {
  return add(x, y, 2);
}
Tensor thrice_subtracted(const Tensor& x, const Tensor& y) {
  return sub(x, y, 3);
}
Tensor divided(const Tensor& x, const Tensor& y) {
  return div(x, y, Rounding::none);
}
Tensor divided_to_zero(const Tensor& x, const Tensor& y) {
  return div(x, y, Rounding::trunc);
}
Tensor divided_down(const Tensor& x, const Tensor& y) {
  return div(x, y, Rounding::floor);
}

std::vector<Row> rows() {
  const Values small{.low = -11, .high = 12}, large{.low = -2e9, .high = 2e9};
  const Row add = binary("add_alpha", twice_added, [](double x, double y) { return x + 2 * y; }),
            sub = binary("sub_alpha", thrice_subtracted, [](double x, double y) { return x - 3 * y; }),
            to_zero =
                binary("div_trunc", divided_to_zero,
                       [](double x, double y) { return std::trunc(x / y); }, {.low = 1, .high = 9}),
            down = binary("div_floor", divided_down,
                          [](double x, double y) { return std::floor(x / y); }, {.low = 1, .high = 9});
  return {whole(binary("gcd", gcd, divisor, small), kIntegers),
          whole(binary("gcd_large", gcd, divisor, large), {i32, i64, u64}),
          whole(binary("lcm", lcm, multiple, small), kIntegers),
          whole(binary("lcm_large", lcm, multiple, {.low = -3e7, .high = 3e7}), {i64}),
          binary("ldexp", ldexp, [](double x, double y) { return x * std::exp2(y); }),
          add,
          whole(add, {i8, i32, i64}),
          sub,
          whole(sub, {i8, i32, i64}),
          binary("div_none", divided, [](double x, double y) { return x / y; }, {.low = 1}),
          to_zero,
          whole(to_zero, {i8, u8, i32, i64}),
          down,
          whole(down, {i8, u8, i32, i64})};
}
TENON_ROWS(ElementwiseOptions, rows());

class ElementwiseOptionsCases : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  Tensor numbers(std::initializer_list<double> values, DType dtype = f32) const {
    return tensor(values, {.dtype = dtype, .device = device_});
  }
  Tensor longs(const std::vector<std::int64_t>& values) const {
    return from_values<std::int64_t>(values, {static_cast<std::int64_t>(values.size())},
                                     {.dtype = i64, .device = device_});
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, ElementwiseOptionsCases, testing::ValuesIn(row_devices()),
                         device_test_name);

TEST_P(ElementwiseOptionsCases, DivisorsOfTheLeastAndTheGreatest) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  const Tensor x = longs({least, least, least, least, least, least, most, 0, -4, 0}),
               y = longs({0, 6, least, -1, 1, most, most, -7, 6, 0});
  expect_equals(gcd(x, y), Array<std::int64_t>{{10}, {least, 2, least, 1, 1, 1, most, 7, 2, 0}});
  expect_equals(lcm(x, y),
                Array<std::int64_t>{{10}, {0, least, least, least, least, least, most, 0, 12, 0}});
  // Neighbours in Fibonacci's sequence take the most divisions: 89 and 90, and 11 and 12 of u8.
  constexpr std::int64_t f91 = 4660046610375530309, f92 = 7540113804746346429;
  expect_equals(gcd(longs({f91, f92}), longs({f92, f91})), Array<std::int64_t>{{2}, {1, 1}});
  expect_equals(gcd(numbers({144, 233, 255}, u8), numbers({233, 144, 170}, u8)),
                Array<std::uint8_t>{{3}, {1, 1, 85}});
  expect_equals(gcd(numbers({-128, -128, 100}, i8), numbers({0, 48, -75}, i8)),
                Array<std::int8_t>{{3}, {-128, 16, 25}});
  expect_equals(lcm(numbers({100, 4}, i8), numbers({99, -6}, i8)), Array<std::int8_t>{{2}, {-84, 12}});
  expect_equals(gcd(numbers({1, 0}, bool_), true), Array<std::int64_t>{{2}, {1, 1}});
  expect_equals(gcd(12, numbers({18, 7}, i32)), Array<std::int32_t>{{2}, {6, 1}});
  EXPECT_EQ(thrown([&] { gcd(numbers({1}), numbers({2})); }),
            invalid_argument("[gcd] takes integers or bools, not f32"));
  EXPECT_EQ(thrown([&] { lcm(numbers({1}, i32), 1.5); }),
            invalid_argument("[lcm] takes integers or bools, not f32"));
}

TEST_P(ElementwiseOptionsCases, FactorsOfIntegersAreWhole) {
  const Tensor i = numbers({1, 2}, i32), b = numbers({1, 0}, bool_);
  expect_equals(add(b, b, 2), Array<std::int64_t>{{2}, {3, 0}});
  expect_equals(sub(i, b, true), Array<std::int32_t>{{2}, {0, 2}});
  expect_equals(sub(i, numbers({0.5}), 2), Array<float>{{2}, {0, 1}});
  expect_equals(addcmul(i, i, i, 2), Array<std::int32_t>{{2}, {3, 10}});
  EXPECT_EQ(thrown([&] { add(i, i, 1.5); }),
            invalid_argument("[add] the number 1.5 is floating, the result i32"));
  EXPECT_EQ(thrown([&] { addcmul(i, i, i, 0.5); }),
            invalid_argument("[addcmul] the number 0.5 is floating, the result i32"));
  EXPECT_EQ(thrown([&] { sub(numbers({1}, i8), numbers({1}, i8), 300); }),
            invalid_argument("[sub] 300 does not fit i8"));
  Tensor x = numbers({1, 2}, i32);
  EXPECT_EQ(thrown([&] { add_(x, numbers({1}), 2); }),
            invalid_argument("[add] the result is f32, which i32 can't hold; convert first"));
}

TEST_P(ElementwiseOptionsCases, QuotientsAreRounded) {
  const Tensor x = numbers({-7, 7, 1, -1, kInfinity}), y = numbers({2, -2, 0, 0, 2});
  const float infinity = std::numeric_limits<float>::infinity();
  expect_equals(div(x, y, Rounding::trunc), Array<float>{{5}, {-3, -3, infinity, -infinity, infinity}});
  expect_equals(div(numbers({-7, 7}), 2, Rounding::floor), Array<float>{{2}, {-4, 3}});
  expect_equals(div(numbers({-7, 7}, i8), 2, Rounding::trunc), Array<std::int8_t>{{2}, {-3, 3}});
  expect_equals(div(numbers({-7, 7}, i8), 2, Rounding::floor), Array<std::int8_t>{{2}, {-4, 3}});
  expect_equals(div(numbers({-7, 7}, i8), 2, Rounding::none), Array<float>{{2}, {-3.5, 3.5}});
  expect_equals(div(numbers({-7, 7}, i32), 0, Rounding::trunc), Array<std::int32_t>{{2}, {0, 0}});
  Tensor integers = numbers({1}, i32);
  EXPECT_EQ(thrown([&] { div_(integers, 0.5, Rounding::floor); }),
            invalid_argument("[div] the result is f32, which i32 can't hold; convert first"));
}

TEST_P(ElementwiseOptionsCases, RoundedToDigits) {
  expect_equals(round(numbers({123.456, -15, 25, 0.5}), -1), Array<float>{{4}, {120, -20, 20, 0}});
  expect_equals(round(numbers({1.25, -0.375, kInfinity, kNan}), 1),
                Array<float>{{4}, {1.2f, -0.4f, static_cast<float>(kInfinity), kNan}});
  expect_equals(round(numbers({2.5, 3.5}), 0), Array<float>{{2}, {2, 4}});
  expect_equals(round(numbers({2.5, 3.5}), std::numeric_limits<int>::min()),
                Array<float>{{2}, {kNan, kNan}});
  expect_equals(round(numbers({14, -16}, i32), -1), Array<float>{{2}, {10, -20}});
  Tensor integers = numbers({14, -16}, i32);
  EXPECT_EQ(thrown([&] { round_(integers, -1); }),
            invalid_argument("[round] the result is f32, which i32 can't hold; convert first"));
}

TEST_P(ElementwiseOptionsCases, LogitWithinBounds) {
  Tensor x = numbers({0, 0.25, 0.5, 0.75, 1, 2, -1, kNan});
  x.set_requires_grad();
  const Tensor y = logit(x, 0.125);
  const float end = std::log(7.0f), third = std::log(3.0f);
  expect_equals(y.detach(), Array<float>{{8}, {-end, -third, 0, third, end, end, -end, kNan}}, 4);
  y.sum().backward();
  const float slope = static_cast<float>(16.0 / 3);
  expect_equals(x.grad(), Array<float>{{8}, {0, slope, 4, slope, 0, 0, 0, kNan}}, 2);
  expect_equals(logit(numbers({0, 0.45, 0.6}, f32), 0.6),
                Array<float>{{3}, {std::log(1.5f), std::log(1.5f), -std::log(1.5f)}}, 16);
}

TEST_P(ElementwiseOptionsCases, RelationsInPlaceGiveZeroAndOneWithoutAGradient) {
  Tensor x = numbers({1, 2, 3});
  x.set_requires_grad();
  Tensor z = x * 2;
  lt_(z, 5);
  expect_equals(z.detach(), Array<float>{{3}, {1, 1, 0}});
  z.sum().backward();
  expect_equals(x.grad(), Array<float>{{3}, {0, 0, 0}});
}

TEST_P(ElementwiseOptionsCases, PlusIsACopy) {
  const Tensor x = numbers({1, 2});
  Tensor y = +x;
  y.fill_(3);
  expect_equals(x, Array<float>{{2}, {1, 2}});
}

TEST_P(ElementwiseOptionsCases, BoolsAreShiftedAsIntegers) {
  const Tensor yes = numbers({1, 0}, bool_);
  expect_equals(yes << yes, Array<std::int64_t>{{2}, {2, 0}});
  expect_equals(yes >> yes, Array<std::int64_t>{{2}, {0, 0}});
}

TEST_P(ElementwiseOptionsCases, IntegersHaveNoNan) {
  Tensor x = numbers({1, 2}, i32);
  expect_equals(nan_to_num_(x, {.nan = 7}), Array<std::int32_t>{{2}, {1, 2}});
}

TEST_P(ElementwiseOptionsCases, EachIsOneLaunch) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  Tensor x = numbers({0.25, 0.5});
  const auto expect_launches = [&](const char* what, int count, auto op) {
    const std::int64_t before = device_.stats().launches;
    op();
    EXPECT_EQ(device_.stats().launches - before, count) << what;
  };
  expect_launches("add", 1, [&] { add(x, x, 2); });
  expect_launches("sub_", 1, [&] { sub_(x, x, 2); });
  expect_launches("div", 1, [&] { div(x, x, Rounding::trunc); });
  expect_launches("round", 1, [&] { round(x, 2); });
  expect_launches("logit", 1, [&] { logit(x, 0.1); });
  const Tensor bytes = numbers({12, 18}, u8);
  expect_launches("gcd", 1, [&] { gcd(bytes, bytes); });
}

}  // namespace
}  // namespace tenon::test
