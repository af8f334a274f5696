// Elementwise ops against loops over coordinates: dtypes x layouts x shapes x edge values.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Ops : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, Ops, testing::ValuesIn(test_devices()), device_test_name);

const std::vector<std::pair<Shape, Shape>> kShapes = {
    {{3, 4}, {3, 4}},
    {{3, 4}, {4}},
    {{3, 1}, {1, 4}},
    {{2, 1, 3}, {5, 1}},
    {{}, {5}},
    {{}, {}},
    {{1}, {1, 1}},
    {{7}, {7}},
    {{0, 3}, {1, 3}},
    {{2, 0}, {}},
    {{1, 2, 1, 2, 1, 3, 1, 2}, {2, 1, 2, 1, 2, 1, 2, 1}},
};

/// Arithmetic of whole numbers wraps; what it gives of bools is whether it is not 0.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else if constexpr (std::is_same_v<T, bool>) {
    return f(int{a}, int{b}) != 0;
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(f(static_cast<U>(a), static_cast<U>(b)));
  }
}
template <class T>
using Number = std::conditional_t<std::is_same_v<T, bool>, std::int64_t, T>;
template <class T>
using Quotient = std::conditional_t<std::is_floating_point_v<T>, T, float>;

/// `product` on tensors of C++ type T against `expected` on its elements, over all shapes and layouts.
template <class T, class R, class Product, class Expected>
void check_binary(Device device, Product product, Expected expected, double ulp) {
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    const auto x = random_array<T>(kShapes[s].first, 2 * s),
               y = random_array<T>(kShapes[s].second, 2 * s + 1);
    Array<R> wanted{stretched(x.shape, y.shape), {}};
    for (const Dims& at : coordinates(wanted.shape))
      wanted.values.push_back(
          expected(x.values[element_at(x.shape, at)], y.values[element_at(y.shape, at)]));
    for (std::size_t l = 0; l < std::size(kLayouts); ++l) {
      SCOPED_TRACE(std::string(name(dtype_of<T>)) + " " + to_string(x.shape) + " and " +
                   to_string(y.shape) + ", layout " + std::to_string(l));
      const Layout other = kLayouts[(l + s) % std::size(kLayouts)];
      expect_equals(product(arranged(x, kLayouts[l], device), arranged(y, other, device)), wanted, ulp);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

template <class Product, class Formula>
void check_arithmetic(Device device, Product product, Formula formula, bool of_bools = true) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    if (std::is_same_v<T, bool> && !of_bools) return;
    check_binary<T, T>(device, product, [&](T a, T b) { return wrapping(a, b, formula); }, 0);
  });
}

template <class Product, class Formula>
void check_comparison(Device device, Product product, Formula formula) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    check_binary<T, bool>(device, product, formula, 0);
  });
}

TEST_P(Ops, Add) {
  check_arithmetic(
      device_, [](const Tensor& x, const Tensor& y) { return x + y; },
      [](auto a, auto b) { return a + b; });
}
TEST_P(Ops, Sub) {
  check_arithmetic(
      device_, [](const Tensor& x, const Tensor& y) { return x - y; },
      [](auto a, auto b) { return a - b; }, false);
}
TEST_P(Ops, Mul) {
  check_arithmetic(
      device_, [](const Tensor& x, const Tensor& y) { return x * y; },
      [](auto a, auto b) { return a * b; });
}

TEST_P(Ops, DivGivesFloats) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    using R = Quotient<T>;
    check_binary<T, R>(
        device_, [](const Tensor& x, const Tensor& y) { return x / y; },
        [](T a, T b) { return static_cast<R>(a) / static_cast<R>(b); }, 2.5);
  });
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

TEST_P(Ops, MinimumAndMaximumLetNanWin) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    check_binary<T, T>(
        device_, [](const Tensor& x, const Tensor& y) { return minimum(x, y); },
        [](T a, T b) { return is_nan(a)            ? a
                              : is_nan(b) || b < a ? b
                                                   : a; }, kEitherZero);
    check_binary<T, T>(
        device_, [](const Tensor& x, const Tensor& y) { return maximum(x, y); },
        [](T a, T b) { return is_nan(a)            ? a
                              : is_nan(b) || b > a ? b
                                                   : a; }, kEitherZero);
  });
}

TEST_P(Ops, ComparisonsGiveBool) {
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x < y; },
      [](auto a, auto b) { return a < b; });
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x <= y; },
      [](auto a, auto b) { return a <= b; });
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x > y; },
      [](auto a, auto b) { return a > b; });
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x >= y; },
      [](auto a, auto b) { return a >= b; });
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x == y; },
      [](auto a, auto b) { return a == b; });
  check_comparison(
      device_, [](const Tensor& x, const Tensor& y) { return x != y; },
      [](auto a, auto b) { return a != b; });
}

/// A number is rounded to the tensor's dtype before it takes part.
template <class T, class Product, class Formula>
void check_scalar(Device device, T scalar, Product product, Formula formula, double ulp = 0) {
  using R = std::decay_t<decltype(formula(T{}, T{}))>;
  const Array<T> x = random_array<T>({3, 5}, 11);
  Array<R> right{x.shape, {}}, left{x.shape, {}};
  for (const T value : x.values) {
    right.values.push_back(formula(value, scalar));
    left.values.push_back(formula(scalar, value));
  }
  for (const Layout layout : kLayouts) {
    const Tensor y = arranged(x, layout, device);
    expect_equals(product(y, Scalar(scalar)), right, ulp);
    expect_equals(product(Scalar(scalar), y), left, ulp);
  }
}

template <class T>
void check_scalars(Device device, T scalar) {
  SCOPED_TRACE(name(dtype_of<T>));
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a + b; },
      [](T a, T b) { return wrapping(a, b, [](auto p, auto q) { return p + q; }); });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a - b; },
      [](T a, T b) { return wrapping(a, b, [](auto p, auto q) { return p - q; }); });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a * b; },
      [](T a, T b) { return wrapping(a, b, [](auto p, auto q) { return p * q; }); });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a / b; },
      [](T a, T b) { return static_cast<Quotient<T>>(a) / static_cast<Quotient<T>>(b); }, 2.5);
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return maximum(a, b); },
      [](T a, T b) { return is_nan(a) || a > b ? a : b; }, kEitherZero);
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return minimum(a, b); },
      [](T a, T b) { return is_nan(a) || a < b ? a : b; }, kEitherZero);
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a < b; }, [](T a, T b) { return a < b; });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a <= b; }, [](T a, T b) { return a <= b; });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a > b; }, [](T a, T b) { return a > b; });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a >= b; }, [](T a, T b) { return a >= b; });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a == b; }, [](T a, T b) { return a == b; });
  check_scalar(
      device, scalar, [](auto&& a, auto&& b) { return a != b; }, [](T a, T b) { return a != b; });
}

TEST_P(Ops, ScalarsOnBothSides) {
  check_scalars(device_, 0.7f);
  check_scalars(device_, -1e300);
  check_scalars(device_, std::int32_t{-5});
  check_scalars(device_, std::uint32_t{7});
  check_scalars(device_, std::numeric_limits<std::int64_t>::min());
  check_scalars(device_, ~std::uint64_t{0});
  const Tensor x = tensor({1.0f, 2.0f}, {.device = device_});
  expect_equals(x + 0.1, Array<float>{{2}, {1 + 0.1f, 2 + 0.1f}});
  expect_equals(x * 16777217, Array<float>{{2}, {16777216, 33554432}});
}

/// A unary op on floating tensors, within the accuracy table; `formula` computes wider than T.
template <class T, class Product, class Formula>
void check_unary(Device device, Product product, Formula formula, double ulp) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  Array<T> x = random_array<T>({6, 40}, 21);
  for (int i = -60; i <= 60; ++i) x.values[static_cast<std::size_t>(i + 60)] = T(i) / 4;
  Array<T> wanted{x.shape, {}};
  for (const T value : x.values) wanted.values.push_back(static_cast<T>(formula(Wide(value))));
  for (const Layout layout : kLayouts) expect_equals(product(arranged(x, layout, device)), wanted, ulp);
}

template <class Product, class Formula>
void check_floating(Device device, Product product, Formula formula, double ulp) {
  check_unary<float>(device, product, formula, ulp);
  check_unary<double>(device, product, formula, ulp);
  const Array<std::int32_t> whole{{4}, {0, 1, -3, 20}};
  Array<float> wanted{{4}, {}};
  for (const std::int32_t value : whole.values)
    wanted.values.push_back(static_cast<float>(formula(double(value))));
  expect_equals(product(to_tensor(whole, device)), wanted, ulp);
  const float one = static_cast<float>(formula(1.0));
  expect_equals(product(tensor({true}, {.device = device})), Array<float>{{1}, {one}}, ulp);
}

TEST_P(Ops, Exp) {
  check_floating(
      device_, [](const Tensor& x) { return exp(x); }, [](auto v) { return std::exp(v); }, 4);
}
TEST_P(Ops, Log) {
  check_floating(
      device_, [](const Tensor& x) { return log(x); }, [](auto v) { return std::log(v); }, 4);
}
TEST_P(Ops, Sqrt) {
  check_floating(
      device_, [](const Tensor& x) { return sqrt(x); }, [](auto v) { return std::sqrt(v); }, 2.5);
}
TEST_P(Ops, Tanh) {
  check_floating(
      device_, [](const Tensor& x) { return tanh(x); }, [](auto v) { return std::tanh(v); }, 5);
}
TEST_P(Ops, Sigmoid) {
  check_floating(
      device_, [](const Tensor& x) { return sigmoid(x); },
      [](auto v) { return 1 / (1 + std::exp(-v)); }, 6);
}

TEST_P(Ops, NegAbsAndReluKeepTheDType) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    using R = Number<T>;
    SCOPED_TRACE(name(dtype_of<T>));
    const Array<T> x = random_array<T>({4, 6}, 31);
    Array<R> negative{x.shape, {}}, absolute{x.shape, {}}, positive{x.shape, {}};
    for (const T value : x.values) {
      const R number = value;
      if constexpr (std::is_floating_point_v<R>) {
        negative.values.push_back(-number);
        absolute.values.push_back(std::fabs(number));
      } else {
        const R minus = wrapping(R{0}, number, [](auto a, auto b) { return a - b; });
        negative.values.push_back(minus);
        absolute.values.push_back(number < R{} ? minus : number);
      }
      positive.values.push_back(number <= R{} ? R{} : number);
    }
    for (const Layout layout : kLayouts) {
      const Tensor y = arranged(x, layout, device_);
      expect_equals(-y, negative);
      expect_equals(abs(y), absolute);
      expect_equals(relu(y), positive);
    }
  });
}

TEST_P(Ops, WhereTakesFromEither) {
  const std::vector<std::array<Shape, 3>> shapes = {
      {{{3, 4}, {3, 4}, {3, 4}}}, {{{4}, {3, 1}, {}}}, {{{}, {2}, {2}}}, {{{2, 1}, {1, 0}, {}}}};
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    for (const auto& [a, b, c] : shapes) {
      const auto condition = random_array<bool>(a, 1);
      const auto x = random_array<T>(b, 2), y = random_array<T>(c, 3);
      Array<T> wanted{stretched(stretched(a, b), c), {}};
      for (const Dims& at : coordinates(wanted.shape)) {
        const bool first = condition.values[element_at(a, at)];
        wanted.values.push_back(first ? x.values[element_at(b, at)] : y.values[element_at(c, at)]);
      }
      for (const Layout layout : kLayouts)
        expect_equals(where(arranged(condition, layout, device_), arranged(x, layout, device_),
                            to_tensor(y, device_)),
                      wanted);
    }
  });
  const Tensor x = ones({2}, {.device = device_});
  EXPECT_EQ(thrown([&] { where(x, x, x); }),
            invalid_argument("[where] the condition is f32, not bool"));
  EXPECT_EQ(thrown([&] { where(x > 0, x, ones({3}, {.device = device_})); }),
            invalid_argument("[where] shapes do not broadcast: (2,) and (3,)"));
}

TEST_P(Ops, StretchedOperandsOfStride0) {
  const Array<float> row = random_array<float>({1, 4}, 3), all = random_array<float>({3, 4}, 4);
  Array<float> wanted{{3, 4}, {}};
  for (const Dims& at : coordinates(wanted.shape))
    wanted.values.push_back(row.values[element_at({1, 4}, at)] + all.values[element_at({3, 4}, at)]);
  const Tensor stretched_row = to_tensor(row, device_).expand({3, 4});
  expect_equals(stretched_row + to_tensor(all, device_), wanted);
  expect_equals(to_tensor(all, device_).transpose(0, 1) + stretched_row.transpose(0, 1),
                rearranged(wanted, {4, 3}, [](const Dims& at) { return Dims{at[1], at[0]}; }));
}

TEST_P(Ops, ManyElements) {
  const std::int64_t count = 100'003;
  const Array<float> x = whole_array<float>({count}, 1), y = whole_array<float>({count}, 2);
  Array<float> wanted{{count}, {}};
  for (std::size_t i = 0; i < x.values.size(); ++i) wanted.values.push_back(x.values[i] * y.values[i]);
  expect_equals(to_tensor(x, device_) * to_tensor(y, device_), wanted);
  expect_equals(arranged(x, Layout::Gapped, device_) * arranged(y, Layout::Reversed, device_), wanted);
}

TEST_P(Ops, RefuseShapesAndDevicesThatDoNotFit) {
  const Tensor x = ones({2, 3}, {.device = device_}), y = ones({4}, {.device = device_});
  EXPECT_EQ(thrown([&] { x + y; }), invalid_argument("[add] shapes do not broadcast: (2, 3) and (4,)"));
  EXPECT_EQ(thrown([&] { return y <= x; }),
            invalid_argument("[le] shapes do not broadcast: (4,) and (2, 3)"));
  EXPECT_EQ(thrown([&] { maximum(x, x.reshape({3, 2})); }),
            invalid_argument("[maximum] shapes do not broadcast: (2, 3) and (3, 2)"));
  for (const std::string& other : test_devices()) {
    if (other == GetParam()) continue;
    const Tensor away = ones({2, 3}, {.device = device(other)});
    const std::string text =
        " operands are on different devices: " + GetParam() + " and " + other + "; move one with to()";
    EXPECT_EQ(thrown([&] { x + away; }), invalid_argument("[add]" + text));
    EXPECT_EQ(thrown([&] { x.clone() *= away; }), invalid_argument("[mul]" + text));
    EXPECT_EQ(thrown([&] { matmul(x, away); }), invalid_argument("[matmul]" + text));
    EXPECT_EQ(thrown([&] { where(x > 0, away, away); }), invalid_argument("[where]" + text));
  }
}

}  // namespace
}  // namespace tenon::test
