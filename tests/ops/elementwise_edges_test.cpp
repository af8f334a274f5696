// Elementwise ops where dtypes and formulas end: kinks, NaN bounds, numbers beyond a dtype, bools. What
// is expected is PyTorch's, of comparisons NumPy's.
#include <cmath>
#include <limits>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();

class ElementwiseEdges : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  Tensor numbers(const std::vector<double>& values, DType dtype = f32) const {
    return from_values<double>(values, {static_cast<std::int64_t>(values.size())},
                               {.dtype = dtype, .device = device_});
  }
  Tensor leaf(const std::vector<double>& values) const {
    Tensor x = numbers(values);
    x.set_requires_grad();
    return x;
  }
  /// dy/dx at `at`.
  template <class F>
  Tensor slopes(F op, const std::vector<double>& at) const {
    Tensor x = leaf(at);
    op(x).sum().backward();
    return x.grad();
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, ElementwiseEdges, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(ElementwiseEdges, AcoshIsNanBelowOne) {
  const auto expect_nan = [&](const std::vector<double>& at, DType dtype) {
    where_stored([&] {
      for (const double y : reals_of(acosh(numbers(at, dtype))).values) EXPECT_TRUE(std::isnan(y)) << y;
    });
  };
  expect_nan({0.5, -0.5, -1, -3, -5000, -1e8, -1e30, -kInfinity}, f32);
  expect_nan({-5000, -1e8, -1e16, -1e160}, f64);
  expect_nan({-5000, -60000}, f16);
  const auto of = [](const Tensor& x) { return acosh(x); };
  expect_equals(slopes(of, {-5000, -1e30, 0.5, 1}),
                Array<float>{{4}, {kNanF, kNanF, kNanF, static_cast<float>(kInfinity)}});
  expect_equals(slopes(of, {1e30}), Array<float>{{1}, {1e-30f}}, 8);
}

TEST_P(ElementwiseEdges, Atan2OfWhatIsLarge) {
  const auto check = [&](const std::vector<double>& y, const std::vector<double>& x, DType dtype) {
    where_stored([&] {
      const Reals got = reals_of(atan2(numbers(y, dtype), numbers(x, dtype)));
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_NEAR(got.values[i], std::atan2(y[i], x[i]), dtype == f32 ? 1e-6 : 1e-14)
            << y[i] << ", " << x[i];
      }
    });
  };
  check({kInfinity, -kInfinity, kInfinity, 3e38, 3e38, 2e38, 1e-30, 3},
        {2e38, -3e38, -kInfinity, 2e38, -3.2e38, 3e38, 3e38, 2}, f32);
  check({kInfinity, -kInfinity, 1.5e308, 3}, {1.7e308, -1.7e308, 1.2e308, 2}, f64);
}

TEST_P(ElementwiseEdges, Atan2HasNoSlopeAtTheOrigin) {
  Tensor y = leaf({0, 0, 1e30, 3}), x = leaf({0, -0.0, -1e30, 4});
  atan2(y, x).sum().backward();
  expect_equals(y.grad(), Array<float>{{4}, {0, 0, -0.5e-30f, 0.16f}}, 16);
  expect_equals(x.grad(), Array<float>{{4}, {0, 0, -0.5e-30f, -0.12f}}, 16);
}

TEST_P(ElementwiseEdges, ANanBoundIsTheResult) {
  const Tensor x = numbers({0, 5}), nan = numbers({kNan}), one = numbers({1});
  const Array<float> both{{2}, {kNanF, kNanF}};
  expect_equals(clamp(x, kNan), both);
  expect_equals(clamp(x, kNan, 1), both);
  expect_equals(clamp(x, 0, kNan), both);
  expect_equals(clamp(x, std::nullopt, kNan), both);
  expect_equals(clamp(x, nan, one), both);
  expect_equals(clamp(x, one, nan), both);
  expect_equals(clamp(numbers({kNan, 5}), 2, 1), Array<float>{{2}, {kNanF, 1}});
  Tensor y = numbers({0, 5});
  expect_equals(clamp_(y, kNan, 1), both);
}

TEST_P(ElementwiseEdges, ErfcHasItsDigits) {
  std::vector<double> at{9.0055144};
  for (int i = -8; i < 92; ++i) at.push_back(i * 0.1007);
  const Tensor x = numbers(at);
  const std::vector<double> exact = reals_of(x).values, y = reals_of(erfc(x)).values;
  for (std::size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(y[i], std::erfc(exact[i]), std::erfc(exact[i]) * 12 * 0x1p-24) << exact[i];
  }
}

TEST_P(ElementwiseEdges, SlopesAtKinks) {
  const auto check = [&](auto op, const std::vector<double>& at, const std::vector<float>& expected) {
    expect_equals(slopes(op, at), Array<float>{{static_cast<std::int64_t>(at.size())}, expected}, 2);
  };
  check([](const Tensor& x) { return hardtanh(x); }, {-2, -1, 0.5, 1, 2}, {0, 0, 1, 0, 0});
  check([](const Tensor& x) { return hardswish(x); }, {-4, -3, 0, 3, 4}, {0, 0, 0.5, 1, 1});
  check([](const Tensor& x) { return hardsigmoid(x); }, {-3, 3}, {0, 0});
  check([](const Tensor& x) { return relu6(x); }, {0, 3, 6}, {0, 1, 0});
  check([](const Tensor& x) { return clamp(x, -1, 1); }, {-2, -1, 0, 1, 2, kNan}, {0, 0, 1, 0, 0, 0});
  check([](const Tensor& x) { return clamp(x, -1); }, {-1, 1}, {0, 1});
  check([](const Tensor& x) { return clamp(x, std::nullopt, 1); }, {-1, 1}, {1, 0});
}

TEST_P(ElementwiseEdges, ATensorThatBoundsSharesTheSlope) {
  Tensor x = leaf({-1, 0, 1, 3}), low = leaf({-1, -1, 0, 2}), high = leaf({2, 1, 1, 1});
  clamp(x, low, high).sum().backward();
  expect_equals(x.grad(), Array<float>{{4}, {0.5, 1, 0.5, 0}});
  expect_equals(low.grad(), Array<float>{{4}, {0.5, 0, 0, 0}});
  expect_equals(high.grad(), Array<float>{{4}, {0, 0, 0.5, 1}});
}

TEST_P(ElementwiseEdges, BoolsStayBools) {
  const Tensor a = numbers({0, 0, 1, 1}, bool_), b = numbers({0, 1, 0, 1}, bool_);
  const Array<bool> either{{4}, {false, true, true, true}}, both{{4}, {false, false, false, true}};
  expect_equals(a + b, either);
  expect_equals(maximum(a, b), either);
  expect_equals(fmax(a, b), either);
  expect_equals(a * b, both);
  expect_equals(minimum(a, b), both);
  expect_equals(fmin(a, b), both);
  expect_equals(heaviside(a, b), Array<bool>{{4}, {false, true, true, true}});
  expect_equals(a + true, Array<bool>{{4}, {true, true, true, true}});
  expect_equals(a * 1, Array<std::int64_t>{{4}, {0, 0, 1, 1}});
  expect_equals(trapezoid(a, 2.0), Array<float>{{}, {3}});
  Tensor c = a.clone();
  expect_equals(c += b, either);
  const Thrown refused =
      invalid_argument("[sub] takes numbers, not two bools (logical_xor tells where they differ)");
  EXPECT_EQ(thrown([&] { a - b; }), refused);
  EXPECT_EQ(thrown([&] { true - b; }), refused);
  EXPECT_EQ(thrown([&] { c -= b; }), refused);
}

TEST_P(ElementwiseEdges, IntegersCompareWithNumbersBeyondThem) {
  const auto check = [&](const Tensor& x, Scalar y, bool less) {
    const std::vector<bool> yes(static_cast<std::size_t>(x.numel()), true);
    const Array<bool> smaller{x.shape(), std::vector<bool>(yes.size(), less)},
        greater{x.shape(), std::vector<bool>(yes.size(), !less)}, all{x.shape(), yes},
        none{x.shape(), std::vector<bool>(yes.size(), false)};
    expect_equals(x < y, smaller);
    expect_equals(x <= y, smaller);
    expect_equals(x > y, greater);
    expect_equals(x >= y, greater);
    expect_equals(x == y, none);
    expect_equals(x != y, all);
    expect_equals(y > x, smaller);
    expect_equals(y <= x, greater);
  };
  where_stored([&] { check(numbers({0, 1, 255}, u8), -1, false); });
  where_stored([&] { check(numbers({0, 1, 255}, u8), 256, true); });
  where_stored([&] { check(numbers({-128, 0, 127}, i8), 1000, true); });
  where_stored([&] { check(numbers({-128, 0, 127}, i8), -129, false); });
  where_stored([&] { check(numbers({-5, 5}, i32), std::uint64_t{1} << 63, true); });
  where_stored([&] { check(numbers({-5, 5}, i64), ~std::uint64_t{0}, true); });
  where_stored([&] { check(numbers({0, 1e19}, u64), -1, false); });
  where_stored([&] { check(zeros({0, 2}, {.dtype = u8, .device = device_}), -1, false); });
  where_stored([&] {
    Tensor x = numbers({3, 4}, u8);
    expect_equals(gt_(x, -1), Array<std::uint8_t>{{2}, {1, 1}});
    expect_equals(x > 255, Array<bool>{{2}, {false, false}});
  });
}

TEST_P(ElementwiseEdges, ShiftsCountBoolsAsIntegers) {
  const Tensor x = numbers({0, 1, 1}, bool_), y = numbers({1, 0, 1}, bool_);
  expect_equals(x << y, Array<std::int64_t>{{3}, {0, 1, 2}});
  expect_equals(x >> y, Array<std::int64_t>{{3}, {0, 1, 0}});
  Tensor z = x.clone();
  EXPECT_EQ(
      thrown([&] { bitwise_left_shift_(z, y); }),
      invalid_argument("[bitwise_left_shift] the result is i64, which bool can't hold; convert first"));
}

TEST_P(ElementwiseEdges, OperatorsInPlace) {
  Tensor x = numbers({13, -6}, i32);
  const Tensor y = numbers({5, 4}, i32);
  expect_equals(x %= y, Array<std::int32_t>{{2}, {3, 2}});
  expect_equals(x <<= y, Array<std::int32_t>{{2}, {96, 32}});
  expect_equals(x |= y, Array<std::int32_t>{{2}, {101, 36}});
  expect_equals(x ^= y, Array<std::int32_t>{{2}, {96, 32}});
  expect_equals(x >>= 3, Array<std::int32_t>{{2}, {12, 4}});
  expect_equals(x &= 8, Array<std::int32_t>{{2}, {8, 0}});
  expect_equals(x |= 3, Array<std::int32_t>{{2}, {11, 3}});
  expect_equals(x ^= 1, Array<std::int32_t>{{2}, {10, 2}});
  expect_equals(x <<= 1, Array<std::int32_t>{{2}, {20, 4}});
  expect_equals(x >>= numbers({2, 1}, i32), Array<std::int32_t>{{2}, {5, 2}});
  expect_equals(x &= numbers({4, 2}, i32), Array<std::int32_t>{{2}, {4, 2}});
  expect_equals(x %= 3, Array<std::int32_t>{{2}, {1, 2}});
}

}  // namespace
}  // namespace tenon::test
