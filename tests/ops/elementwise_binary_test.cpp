// Elementwise ops of two and three operands against the C++ library in f64.
#include <cmath>
#include <limits>

#include <tenon/ops.h>

#include "core/runtime/device_state.h"
#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Binary = double (*)(double, double);
using Op = Tensor (*)(const Tensor&, const Tensor&);

/// f over elements that are broadcast to each other.
auto each(Binary f) {
  return [f](const std::vector<Reals>& x) {
    Reals y{stretched(x[0].shape, x[1].shape), {}};
    for (const Dims& at : coordinates(y.shape)) {
      y.values.push_back(
          f(x[0].values[element_at(x[0].shape, at)], x[1].values[element_at(x[1].shape, at)]));
    }
    return y;
  };
}

Row binary(const std::string& name, Op op, Binary oracle, Values values = {}) {
  return {.name = name,
          .op = [op](const auto& x) { return op(x[0], x[1]); },
          .oracle = each(oracle),
          .shapes = {{{2, 3}, {2, 3}}, {{2, 1}, {3}}, {{}, {2}}, {{0, 3}, {3}}},
          .values = values,
          .tolerance = 8};
}

Row edges(const std::string& name, Op op, Binary oracle, const std::vector<DType>& dtypes = kFloats) {
  Row row = binary(name + "_edges", op, oracle, {.low = -9, .high = 9, .edges = true});
  row.shapes = {{{7, 9}, {7, 9}}};
  row.dtypes = dtypes;
  row.gradient = false;
  return row;
}

/// As Python's %.
double floored(double x, double y) {
  const double r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
double floor_quotient(double x, double y) {
  if (std::isinf(y) && std::isfinite(x)) return x != 0 && (x < 0) != (y < 0) ? -1 : 0;
  return y == 0 ? x / y : std::nearbyint((x - floored(x, y)) / y);
}
double whole(double x, double y, double (*f)(double, double)) {
  return y == 0 ? 0 : f(x, y);
}
double add_logs(double x, double y) {
  return x == y ? x + std::log(2) : std::fmax(x, y) + std::log1p(std::exp(-std::fabs(x - y)));
}
double nan_wins(double x, double y, bool first) {
  return std::isnan(x) || std::isnan(y) ? kNan : first ? x : y;
}

std::vector<Row> relations() {
  std::vector<DType> all = kNumbers;
  all.push_back(bool_);
  return {
      edges(
          "lt", lt, [](double x, double y) { return double(x < y); }, all),
      edges(
          "le", le, [](double x, double y) { return double(x <= y); }, all),
      edges(
          "gt", gt, [](double x, double y) { return double(x > y); }, all),
      edges(
          "ge", ge, [](double x, double y) { return double(x >= y); }, all),
      edges(
          "eq", eq, [](double x, double y) { return double(x == y); }, all),
      edges(
          "ne", ne, [](double x, double y) { return double(x != y); }, all),
      edges(
          "logical_and", logical_and, [](double x, double y) { return double(x != 0 && y != 0); }, all),
      edges(
          "logical_or", logical_or, [](double x, double y) { return double(x != 0 || y != 0); }, all),
      edges(
          "logical_xor", logical_xor, [](double x, double y) { return double((x != 0) != (y != 0)); },
          all)};
}

std::vector<Row> rows() {
  const std::vector<DType> ints = {i8, u8, i16, i32, u32, i64};
  std::vector<Row> all;
  const auto add = [&](const std::string& name, Op op, Binary oracle, Values values = {}) {
    all.push_back(binary(name, op, oracle, values));
    all.push_back(edges(name, op, oracle));
  };
  const auto add_whole = [&](const std::string& name, Op op, Binary oracle) {
    all.push_back(edges(name + "_whole", op, oracle, ints));
    all.back().values.edges = false;
  };
  add("add", tenon::add, [](double x, double y) { return x + y; });
  add("sub", sub, [](double x, double y) { return x - y; });
  add("mul", mul, [](double x, double y) { return x * y; });
  add("div", div, [](double x, double y) { return x / y; }, {.low = 1});
  add("fmod", fmod, std::fmod, {.low = 1});
  add("remainder", remainder, floored, {.low = 1});
  add("floor_divide", floor_divide, floor_quotient, {.low = 1});
  add_whole("fmod", fmod, [](double x, double y) { return whole(x, y, std::fmod); });
  add_whole("remainder", remainder, [](double x, double y) { return whole(x, y, floored); });
  add_whole("floor_divide", floor_divide,
            [](double x, double y) { return whole(x, y, floor_quotient); });
  add("pow", pow, std::pow, {.low = 0.5, .high = 2});
  add("maximum", maximum, [](double x, double y) { return nan_wins(x, y, x > y); });
  add("minimum", minimum, [](double x, double y) { return nan_wins(x, y, x < y); });
  add("fmax", fmax, std::fmax);
  add("fmin", fmin, std::fmin);
  add("atan2", atan2, std::atan2);
  add("hypot", hypot, std::hypot);
  add("copysign", copysign, std::copysign);
  add("logaddexp", logaddexp, add_logs);
  add("logaddexp2", logaddexp2,
      [](double x, double y) { return add_logs(x * std::log(2), y * std::log(2)) / std::log(2); });
  add("xlogy", xlogy, [](double x, double y) { return x == 0 && !std::isnan(y) ? 0 : x * std::log(y); },
      {.low = 0.5});
  add("heaviside", heaviside, [](double x, double y) {
    return x < 0 ? 0 : x == 0 ? y : std::isnan(x) ? x : 1;
  });
  for (Row& row : all) {
    // log2 of the smallest numbers loses digits in the oracle's detour.
    if (row.name == "logaddexp2_edges") row.dtypes = {f32, f16};
    if (row.name == "floor_divide_edges" || row.name == "remainder_edges") row.dtypes = {f64};
  }
  for (const Row& row : relations()) all.push_back(row);
  return all;
}
TENON_ROWS(ElementwiseBinary, rows());

/// What rows of operands drawn alike do not reach.
class ElementwiseBinaryCases : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  Tensor numbers(std::initializer_list<double> values, DType dtype = f32) const {
    return tensor(values, {.dtype = dtype, .device = device_});
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, ElementwiseBinaryCases, testing::ValuesIn(row_devices()),
                         device_test_name);

TEST_P(ElementwiseBinaryCases, Shifts) {
  const Tensor x = numbers({-8, 5, 1, 1, -1}, i32), y = numbers({1, 2, 31, 32, 40}, i32);
  expect_equals(x << y, Array<std::int32_t>{{5}, {-16, 20, std::numeric_limits<int>::min(), 0, 0}});
  expect_equals(x >> y, Array<std::int32_t>{{5}, {-4, 1, 0, 0, -1}});
  expect_equals(numbers({200, 3}, u8) >> 9, Array<std::uint8_t>{{2}, {0, 0}});
  expect_equals(~numbers({0, -1, 5}, i64), Array<std::int64_t>{{3}, {-1, 0, -6}});
  expect_equals((numbers({12, 10}, i16) & 6) | 1, Array<std::int16_t>{{2}, {5, 3}});
  expect_equals(numbers({1, 0}, bool_) ^ true, Array<bool>{{2}, {false, true}});
  EXPECT_EQ(thrown([&] { numbers({1}) & numbers({1}); }),
            invalid_argument("[bitwise_and] takes integers or bools, not f32"));
}

TEST_P(ElementwiseBinaryCases, WholePowers) {
  const Tensor x = numbers({2, -3, 0, 1, -1, 7}, i64), y = numbers({10, 3, 0, -5, -3, -1}, i64);
  expect_equals(pow(x, y), Array<std::int64_t>{{6}, {1024, -27, 1, 1, -1, 0}});
  // 3^200 modulo 2^64, and 3^5 modulo 2^8.
  expect_equals(pow(numbers({3, 2}, i64), 200), Array<std::int64_t>{{2}, {6627890308811632801, 0}});
  expect_equals(pow(numbers({3, 5}, i8), numbers({5, 1}, i8)), Array<std::int8_t>{{2}, {-13, 5}});
  expect_equals(pow(2, numbers({0, 3, 16}, i32)), Array<std::int32_t>{{3}, {1, 8, 65536}});
  expect_equals(pow(numbers({4, 9}, i32), 0.5), Array<float>{{2}, {2, 3}}, 2);
  Tensor z = numbers({2, 3}, i32);
  expect_equals(pow_(z, 3), Array<std::int32_t>{{2}, {8, 27}});
}

TEST_P(ElementwiseBinaryCases, NextAfter) {
  const float tiny = std::numeric_limits<float>::denorm_min(), one = std::nextafter(1.0f, 2.0f);
  const float most = std::numeric_limits<float>::max(),
              infinity = std::numeric_limits<float>::infinity();
  expect_equals(
      nextafter(numbers({1, 0, -0.0, kInfinity, 3, kNan}), numbers({2, 1, -1, 0, 3, 1})),
      Array<float>{{6}, {one, tiny, -tiny, most, 3, std::numeric_limits<float>::quiet_NaN()}});
  expect_equals(nextafter(numbers({-1, most}), kInfinity),
                Array<float>{{2}, {std::nextafter(-1.0f, 0.0f), infinity}});
  const std::vector<double> halves = reals_of(nextafter(numbers({1, 0}, f16), 2)).values;
  EXPECT_EQ(halves, (std::vector<double>{1 + 0x1p-10, 0x1p-24}));
}

TEST_P(ElementwiseBinaryCases, ChoicesAndMixtures) {
  const Tensor x = numbers({1, 5, -2, kNan}), yes = x > 0.0;
  expect_equals(where(yes, x, 0.5), Array<float>{{4}, {1, 5, 0.5, 0.5}});
  expect_equals(where(yes, 7, numbers({1, 2, 3, 4}, i32)), Array<std::int32_t>{{4}, {7, 7, 3, 4}});
  expect_equals(clamp(x, numbers({2}), numbers({3})),
                Array<float>{{4}, {2, 3, 2, std::numeric_limits<float>::quiet_NaN()}});
  expect_equals(lerp(numbers({0, 10}), numbers({4, 20}), 0.25), Array<float>{{2}, {1, 12.5}});
  expect_equals(lerp(numbers({0.1}), numbers({0.7}), 1), Array<float>{{1}, {0.7f}});
  expect_equals(addcmul(numbers({1}), numbers({2, 3}), numbers({4}), 0.5), Array<float>{{2}, {5, 7}});
  expect_equals(addcdiv(numbers({1}), numbers({2, 3}), numbers({4}), 2), Array<float>{{2}, {2, 2.5}});
  expect_equals(isclose(numbers({1, 1, kInfinity, kNan}), numbers({1.000001, 1.1, kInfinity, kNan})),
                Array<bool>{{4}, {true, false, true, false}});
  expect_equals(isclose(numbers({kNan}), numbers({kNan}), {.equal_nan = true}),
                Array<bool>{{1}, {true}});
  EXPECT_EQ(thrown([&] { clamp(x, std::nullopt); }),
            invalid_argument("[clamp] neither low nor high is given"));
}

TEST_P(ElementwiseBinaryCases, IntoATensor) {
  const Tensor x = numbers({1, 4, 9});
  Tensor out = zeros({3}, {.dtype = f64, .device = device_});
  const std::uint64_t version = out.version();
  sqrt_out(out, x);
  expect_equals(out, Array<double>{{3}, {1, 2, 3}});
  EXPECT_GT(out.version(), version);
  Tensor every_other = zeros({6}, {.device = device_});
  Tensor odd = every_other.slice(0, {.start = 1, .step = 2});
  add_out(odd, x, numbers({1}));
  expect_equals(every_other, Array<float>{{6}, {0, 2, 0, 5, 0, 10}});
  // What it is made of may lie under it.
  Tensor y = numbers({1, 2, 3, 4}), tail = y.slice(0, {.start = 1});
  mul_out(tail, y.slice(0, {.stop = 3}), numbers({10}));
  expect_equals(y, Array<float>{{4}, {1, 10, 20, 30}});

  Tensor wrong = zeros({2}, {.device = device_}),
         integers = zeros({3}, {.dtype = i32, .device = device_});
  EXPECT_EQ(thrown([&] { sqrt_out(wrong, x); }),
            invalid_argument("[sqrt] the result has shape (3,), not that of out: (2,)"));
  EXPECT_EQ(thrown([&] { sqrt_out(integers, x); }),
            invalid_argument("[sqrt] the result is f32, which i32 can't hold; convert first"));
  Tensor leaf = numbers({1, 2, 3});
  leaf.set_requires_grad();
  EXPECT_EQ(
      thrown([&] { sqrt_out(out, leaf); }),
      invalid_argument("[sqrt] a result written into a tensor is not recorded; use NoGrad, or take "
                       "a new one"));
}

TEST_P(ElementwiseBinaryCases, AFunctionOfOnesOwnIsOneLaunchWithItsGradient) {
  const auto swish = [](program::Value x, program::Value beta) { return x * sigmoid(beta * x); };
  Tensor x = numbers({-1, 0.5, 2}), beta = numbers({1.5});
  x.set_requires_grad();
  beta.set_requires_grad();
  const std::int64_t before = device_.stats().launches;
  const Tensor y = elementwise(swish, x, beta);
  if (device_.state().limits().opcodes != 0) {
    EXPECT_EQ(device_.stats().launches - before, 1);
  }
  const Tensor wanted = x * sigmoid(beta * x);
  expect_equals(y.detach(), Array<float>{{3}, wanted.to_vector<float>()}, 1);
  y.sum().backward();
  const std::vector<float> dx = x.grad().to_vector<float>(), dbeta = beta.grad().to_vector<float>();
  x.set_grad({});
  beta.set_grad({});
  wanted.sum().backward();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(dx[i], x.grad().to_vector<float>()[i], 1e-6);
  EXPECT_NEAR(dbeta[0], beta.grad().to_vector<float>()[0], 1e-6);
}

}  // namespace
}  // namespace tenon::test
