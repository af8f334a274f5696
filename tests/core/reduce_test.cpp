// sum, mean and max over every choice of axes against loops over coordinates.
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class Reduce : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Reduce, testing::ValuesIn(test_devices()), device_test_name);

/// x folded with f over the axes whose bits are set in `mask`; those stay with extent 1.
template <class R, class T, class F>
Array<R> folded(const Array<T>& x, unsigned mask, R first, F f) {
  Array<R> y{x.shape, {}};
  for (int d = 0; d < y.shape.size(); ++d) {
    if (mask >> d & 1u) y.shape[d] = 1;
  }
  y.values.assign(element_count(y.shape), first);
  const std::vector<Dims> all = coordinates(x.shape);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t to = element_at(y.shape, all[i]);
    y.values[to] = f(y.values[to], x.values[i]);
  }
  return y;
}

Shape without(const Shape& shape, unsigned mask) {
  Shape rest;
  for (int d = 0; d < shape.size(); ++d) {
    if ((mask >> d & 1u) == 0) rest.push_back(shape[d]);
  }
  return rest;
}

/// The axes of a mask; every other time counted from the end.
Dims axes(unsigned mask, int rank, bool from_end) {
  Dims dims;
  for (int d = rank - 1; d >= 0; --d) {
    if (mask >> d & 1u) dims.push_back(from_end ? d - rank : d);
  }
  return dims;
}

template <class T>
using Sum = std::conditional_t<
    std::is_floating_point_v<T>, T,
    std::conditional_t<std::is_unsigned_v<T> && !std::is_same_v<T, bool>, std::uint64_t, std::int64_t>>;

using Reduction = std::function<Tensor(const Tensor&, const Dims&, bool)>;

template <class R>
void expect_reduced(const Tensor& x, unsigned mask, const Reduction& reduction, const Array<R>& kept) {
  // Zeros of either sign: which of them is the largest is not specified.
  expect_equals(reduction(x, axes(mask, x.rank(), false), true), kept, kEitherZero);
  expect_equals(reduction(x, axes(mask, x.rank(), true), false),
                Array<R>{without(x.shape(), mask), kept.values}, kEitherZero);
}

const std::vector<Shape> kShapes = {{5}, {3, 4}, {2, 3, 4}, {2, 1, 3, 2}, {1, 1}, {3, 1}};

TEST_P(Reduce, SumOverEveryChoiceOfAxes) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    using R = Sum<T>;
    for (const Shape& shape : kShapes) {
      const Array<T> x = std::is_same_v<T, bool> ? random_array<T>(shape, 4) : whole_array<T>(shape, 5);
      for (unsigned mask = 1; mask < 1u << shape.size(); ++mask) {
        const auto wanted = folded(x, mask, R{}, [](R a, T b) { return R(a + R(b)); });
        for (const Layout layout : kLayouts) {
          SCOPED_TRACE(std::string(name(dtype_of<T>)) + to_string(shape) + " " + std::to_string(mask));
          expect_reduced<R>(
              arranged(x, layout, device_), mask,
              [](const Tensor& t, const Dims& d, bool k) { return t.sum(d, k); }, wanted);
        }
      }
    }
  });
}

TEST_P(Reduce, MaxOverEveryChoiceOfAxes) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    constexpr T kLeast = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                              : std::numeric_limits<T>::lowest();
    for (const Shape& shape : kShapes) {
      const Array<T> x = random_array<T>(shape, 6);
      for (unsigned mask = 1; mask < 1u << shape.size(); ++mask) {
        const auto wanted = folded(x, mask, kLeast, [](T a, T b) {
          return a != a ? a : b != b || b > a ? b : a;
        });
        for (const Layout layout : kLayouts)
          expect_reduced<T>(
              arranged(x, layout, device_), mask,
              [](const Tensor& t, const Dims& d, bool k) { return t.max(d, k); }, wanted);
      }
    }
  });
}

TEST_P(Reduce, MeanDividesByTheCount) {
  const auto mean_of = [](const Tensor& t, const Dims& d, bool k) { return t.mean(d, k); };
  for (const Shape& shape : {Shape{4}, Shape{4, 2}, Shape{2, 2, 4}}) {
    const Array<double> x = whole_array<double>(shape, 5);
    const Array<float> narrow{shape, {x.values.begin(), x.values.end()}};
    const Array<std::int32_t> whole{shape, {x.values.begin(), x.values.end()}};
    for (unsigned mask = 1; mask < 1u << shape.size(); ++mask) {
      auto wanted = folded(x, mask, 0.0, [](double a, double b) { return a + b; });
      const double count =
          static_cast<double>(x.values.size()) / static_cast<double>(wanted.values.size());
      for (double& value : wanted.values) value /= count;  // exact: a power of two
      const Array<float> rounded{wanted.shape, {wanted.values.begin(), wanted.values.end()}};
      expect_reduced(arranged(x, Layout::Transposed, device_), mask, mean_of, wanted);
      expect_reduced(arranged(narrow, Layout::Reversed, device_), mask, mean_of, rounded);
      expect_reduced(to_tensor(whole, device_), mask, mean_of, rounded);
    }
  }
  expect_equals(tensor({true, false, true, true}, here_).mean(), Array<float>{{}, {0.75f}});
}

TEST_P(Reduce, WithoutDimsOverAll) {
  const Tensor x = arange(24, here_).reshape({2, 3, 4});
  expect_equals(x.sum(), Array<std::int64_t>{{}, {276}});
  expect_equals(x.sum({}, true), Array<std::int64_t>{{1, 1, 1}, {276}});
  expect_equals(x.max(), Array<std::int64_t>{{}, {23}});
  expect_equals(mean(x.transpose(0, 2)), Array<float>{{}, {11.5f}});
  const Tensor number = tensor(2.5, here_);
  expect_equals(number.sum(), Array<float>{{}, {2.5f}});
  expect_equals(number.mean({}, true), Array<float>{{}, {2.5f}});
  expect_equals(number.max(), Array<float>{{}, {2.5f}});
}

TEST_P(Reduce, StretchedDimensionsCountEachTime) {
  const Tensor x = tensor({{1}, {2}, {3}}, here_).expand({3, 4});
  expect_equals(x.sum(), Array<std::int64_t>{{}, {24}});
  expect_equals(x.sum({1}), Array<std::int64_t>{{3}, {4, 8, 12}});
  expect_equals(x.sum({0}), Array<std::int64_t>{{4}, {6, 6, 6, 6}});
  expect_equals(tensor(2.0, here_).expand({2, 3}).sum({0}), Array<float>{{3}, {4, 4, 4}});
}

TEST_P(Reduce, IntegersAreSummedWide) {
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
  expect_equals(tensor(std::vector<std::int32_t>{kMax, kMax, kMax}, here_).sum(),
                Array<std::int64_t>{{}, {3 * std::int64_t{kMax}}});
  expect_equals(tensor(std::vector<std::uint32_t>{~0u, ~0u}, here_).sum(),
                Array<std::uint64_t>{{}, {2 * std::uint64_t{~0u}}});
  expect_equals(tensor(std::vector<std::uint64_t>{~std::uint64_t{0}, 3}, here_).sum(),
                Array<std::uint64_t>{{}, {2}});
  expect_equals(tensor({true, true, false}, here_).sum(), Array<std::int64_t>{{}, {2}});
}

TEST_P(Reduce, NanAndInfinities) {
  const auto f64_of = [&](std::vector<double> values) { return tensor(values, here_); };
  expect_equals(f64_of({1, kNan, 2}).sum(), Array<double>{{}, {kNan}});
  expect_equals(f64_of({kInf, -kInf}).sum(), Array<double>{{}, {kNan}});
  expect_equals(f64_of({kInf, 1}).mean(), Array<double>{{}, {kInf}});
  expect_equals(f64_of({1, kNan, kInf}).max(), Array<double>{{}, {kNan}});
  expect_equals(f64_of({-kInf, -kInf}).max(), Array<double>{{}, {-kInf}});
  expect_equals(f64_of({-3, -kInf}).max(), Array<double>{{}, {-3}});
}

TEST_P(Reduce, OverNothing) {
  expect_equals(zeros({0}, here_).sum(), Array<float>{{}, {0}});
  expect_equals(zeros({2, 0}, here_).sum({1}), Array<float>{{2}, {0, 0}});
  expect_equals(zeros({2, 0}, here_).sum({0}), Array<float>{{0}, {}});
  expect_equals(zeros({0, 3}, {.dtype = i32, .device = device_}).sum({0}, true),
                Array<std::int64_t>{{1, 3}, {0, 0, 0}});
  expect_equals(zeros({2, 0}, here_).mean({1}),
                Array<float>{{2}, {static_cast<float>(kNan), static_cast<float>(kNan)}});
  expect_equals(zeros({2, 0}, here_).max({0}), Array<float>{{0}, {}});
  EXPECT_EQ(thrown([&] { zeros({2, 0}, here_).max({1}); }),
            invalid_argument("[max] (2, 0) has no elements along dimension 1"));
  EXPECT_EQ(thrown([&] { zeros({0}, here_).max(); }),
            invalid_argument("[max] (0,) has no elements along dimension 0"));
}

TEST_P(Reduce, LongSumsStayCloseToF64) {
  const std::int64_t rows = 3, columns = 20'011;
  std::mt19937_64 random(1);
  Array<float> x{{rows, columns}, {}};
  for (std::size_t i = 0; i < element_count(x.shape); ++i)
    x.values.push_back(static_cast<float>(random() % 1000) / 1000);
  const auto sums = folded(x, 2, 0.0, [](double a, float b) { return a + double{b}; });
  for (const Layout layout : kLayouts) {
    const auto found = arranged(x, layout, device_).sum({1}).to_vector<float>();
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(static_cast<double>(found[i]), sums.values[i], 1e-5 * sums.values[i]);
  }
}

TEST_P(Reduce, RefusesWrongDims) {
  const Tensor x = zeros({2, 3}, here_);
  EXPECT_EQ(thrown([&] { x.sum({2}); }),
            invalid_argument("[sum] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { x.mean({-3}); }),
            invalid_argument("[mean] dimension -3 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { x.max({0, -2}); }),
            invalid_argument("[max] dimension 0 is named twice in (0, -2)"));
  EXPECT_EQ(thrown([&] { tensor(1.0, here_).sum({1}); }),
            invalid_argument("[sum] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(
      thrown([&] { x.sum({std::int64_t{1} << 32}); }),
      invalid_argument("[sum] dimension 4294967296 is out of range for a tensor of 2 dimensions"));
}

/// As PyTorch 2.15 has it.
TEST_P(Reduce, A0DTensorCountsAsOneOfOneDimension) {
  Tensor x = tensor(3.0, here_);
  x.set_requires_grad();
  const Array<float> same{{}, {3}}, one{{}, {1}};
  const Array<std::int64_t> first{{}, {0}};
  for (const int d : {0, -1}) {
    for (const Tensor& y :
         {sum(x, d), mean(x, d), prod(x, d), amax(x, d), amin(x, d), logsumexp(x, d), norm(x, 2, d),
          max(x, d).values, min(x, d).values, x.squeeze(d), sum(x, d, true)}) {
      expect_equals(y, same, 2);
    }
    for (const Tensor& y : {max(x, d).indices, min(x, d).indices, argmax(x, d), argmin(x, d)})
      expect_equals(y, first);
    expect_equals(softmax(x, d), one);
    expect_equals(x.unfold(d, 1, 1), Array<float>{{1}, {3}});
    expect_equals(gather(x, d, tensor(0, here_)), same);
    expect_equals(gather(x, d, tensor({0, -1}, here_)), Array<float>{{2}, {3, 3}});
    expect_equals(scatter(x, d, tensor(0, here_), tensor(5.0, here_), Scatter::add),
                  Array<float>{{}, {8}});
    expect_equals(var(x, d, {.correction = 0}), Array<float>{{}, {0}});
    expect_equals(std(x, d, {.correction = 0}), Array<float>{{}, {0}});
    expect_equals(count_nonzero(x, d), Array<std::int64_t>{{}, {1}});
    expect_equals(any(x, d), Array<bool>{{}, {true}});
    expect_equals(all(x, d), Array<bool>{{}, {true}});
    x.set_grad({});
    (max(x, d).values * gather(x, d, tensor(0, here_)) + softmax(x, d)).backward();
    expect_equals(x.grad(), Array<float>{{}, {6}});
  }
  EXPECT_EQ(thrown([&] { max(x, 1); }),
            invalid_argument("[max] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(thrown([&] { gather(x, 0, zeros({1, 1}, {.dtype = i32, .device = device_})); }),
            invalid_argument("[gather] index (1, 1) has not as many dimensions as ()"));
}

TEST_P(Reduce, SumToIsTheReverseOfExpand) {
  const Array<double> x = whole_array<double>({2, 3, 4}, 9);
  const Tensor t = to_tensor(x, device_);
  const auto wanted = folded(x, 0b101, 0.0, [](double a, double b) { return a + b; });
  expect_equals(sum_to(t, {1, 3, 1}), wanted);
  expect_equals(sum_to(t, {3, 1}), Array<double>{{3, 1}, wanted.values});
  EXPECT_TRUE(sum_to(t, {2, 3, 4}).is_same(t));
  EXPECT_EQ(sum_to(t, {}).shape(), Shape{});
  EXPECT_EQ(thrown([&] { sum_to(t, {2, 4}); }),
            invalid_argument("[sum_to] shapes do not broadcast: (2, 3, 4) and (2, 4)"));
  EXPECT_EQ(thrown([&] { sum_to(t.select(0, 0), {2, 3, 4}); }),
            invalid_argument("[sum_to] (3, 4) is not broadcast from (2, 3, 4)"));
}

}  // namespace
}  // namespace tenon::test
