// Scans: what accumulates along a dimension.
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/lines.h"

namespace tenon::test {
namespace {

using Line = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// f(what was, x[i]) from the second element on.
template <class F>
Line scanned(Line x, F f) {
  for (std::size_t i = 1; i < x.size(); ++i) x[i] = f(x[i - 1], x[i]);
  return x;
}

/// The place of the last extreme element so far: `less` tells which of two is lesser.
template <class Less>
Line places(const Line& x, Less less) {
  Line at;
  std::size_t best = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool kept = !std::isnan(x[i]) && (std::isnan(x[best]) || less(x[i], x[best]));
    if (!kept) best = i;
    at.push_back(static_cast<double>(best));
  }
  return at;
}
Line greatest_places(const Line& x) {
  return places(x, std::less<>());
}
Line least_places(const Line& x) {
  return places(x, std::greater<>());
}
Line taken(const Line& x, const Line& at) {
  Line y;
  for (const double i : at) y.push_back(x[static_cast<std::size_t>(i)]);
  return y;
}

Line log_sums(const Line& x) {
  return scanned(x, [](double a, double b) {
    const double high = std::max(a, b);
    return high + std::log(std::exp(a - high) + std::exp(b - high));
  });
}

Line differences(const Line& x) {
  Line y;
  for (std::size_t i = 1; i < x.size(); ++i) y.push_back(x[i] - x[i - 1]);
  return y;
}

Line trapezoids(const Line& y, double dx) {
  Line sums;
  double sum = 0;
  for (std::size_t i = 1; i < y.size(); ++i) sums.push_back(sum += (y[i] + y[i - 1]) * dx / 2);
  return sums;
}

const std::vector<Row> kRows = {
    {.name = "cumsum",
     .op = [](const auto& x) { return cumsum(x[0], 1); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return scanned(line, std::plus<>()); });
         },
     .shapes = {{{2, 5, 2}}, {{2, 0}}, {{1, 1}}},
     .dtypes = kAllDTypes,
     .tolerance = 12},
    {.name = "cumsum_along_the_first",
     .op = [](const auto& x) { return cumsum(x[0], -2); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 0, [](const Line& line) { return scanned(line, std::plus<>()); });
         },
     .shapes = {{{4, 3}}},
     .tolerance = 12},
    {.name = "cumprod",
     .op = [](const auto& x) { return cumprod(x[0], 1); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return scanned(line, std::multiplies<>()); });
         },
     .shapes = {{{2, 5, 2}}, {{0, 2}}, {{1, 1}}},
     .dtypes = kAllDTypes},
    {.name = "cumulative_prod",
     .op = [](const auto& x) { return cumulative_prod(x[0], {.dim = 0, .include_initial = true}); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 0, [](Line line) {
             line.insert(line.begin(), 1);
             return scanned(line, std::multiplies<>());
           });
         },
     .shapes = {{{4, 2}}, {{0, 2}}},
     .dtypes = {f32, f64, i32}},
    {.name = "cummax",
     .op = [](const auto& x) { return cummax(x[0], 1).values; },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return taken(line, greatest_places(line)); });
         },
     .shapes = {{{2, 6, 2}}, {{2, 0}}, {{1, 1}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true, .distinct = true}},
    {.name = "places_of_cummax",
     .op = [](const auto& x) { return cummax(x[0], 1).indices; },
     .oracle = [](const auto& x) { return along(x[0], 1, greatest_places); },
     .shapes = {{{2, 9}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "cummin",
     .op = [](const auto& x) { return cummin(x[0], 0).values; },
     .oracle =
         [](const auto& x) {
           return along(x[0], 0, [](const Line& line) { return taken(line, least_places(line)); });
         },
     .shapes = {{{7, 2}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true, .distinct = true}},
    {.name = "places_of_cummin",
     .op = [](const auto& x) { return cummin(x[0], -1).indices; },
     .oracle = [](const auto& x) { return along(x[0], 1, least_places); },
     .shapes = {{{2, 9}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "logcumsumexp",
     .op = [](const auto& x) { return logcumsumexp(x[0], 1); },
     .oracle = [](const auto& x) { return along(x[0], 1, log_sums); },
     .shapes = {{{2, 5, 2}}, {{2, 0}}, {{1, 1}}},
     .tolerance = 12},
    {.name = "diff",
     .op =
         [](const auto& x) { return diff(x[0], {.n = 2, .dim = 1, .prepend = x[1], .append = x[2]}); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [&, row = std::size_t{0}](Line line) mutable {
             const std::size_t before = x[1].values.size() / 2, behind = x[2].values.size() / 2;
             const auto part = [&](const Reals& y, std::size_t count) {
               return y.values.begin() + static_cast<std::ptrdiff_t>(row * count);
             };
             line.insert(line.begin(), part(x[1], before), part(x[1], before) + std::ptrdiff_t(before));
             line.insert(line.end(), part(x[2], behind), part(x[2], behind) + std::ptrdiff_t(behind));
             ++row;
             return differences(differences(line));
           });
         },
     .shapes = {{{2, 4}, {2, 2}, {2, 1}}},
     .tolerance = 16},
    {.name = "trapezoid",
     .op = [](const auto& x) { return trapezoid(x[0], 0.5, 0); },
     .oracle =
         [](const auto& x) {
           Reals y =
               along(x[0], 0, [](const Line& line) { return Line{trapezoids(line, 0.5).back()}; });
           y.shape = {2};
           return y;
         },
     .shapes = {{{5, 2}}},
     .tolerance = 16},
    {.name = "cumulative_trapezoid",
     .op = [](const auto& x) { return cumulative_trapezoid(x[0], x[1]); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [&](const Line& line) {
             Line sums;
             double sum = 0;
             for (std::size_t i = 1; i < line.size(); ++i) {
               const double width = x[1].values[i] - x[1].values[i - 1];
               sums.push_back(sum += (line[i] + line[i - 1]) * width / 2);
             }
             return sums;
           });
         },
     .shapes = {{{2, 5}, {5}}},
     .dtypes = {f32, f64},
     .tolerance = 16},
};
TENON_ROWS(Scans, kRows);

class ScansOnDevices : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, ScansOnDevices, testing::ValuesIn(row_devices()), device_test_name);

/// Whole numbers, whose sums are exact in any order: each extent, at each place.
TEST_P(ScansOnDevices, ExtentsOfAllKinds) {
  for (const std::int64_t n : {1, 2, 3, 7, 8, 9, 1000, 1025}) {
    const Array<float> x = whole_array<float>({n, 2}, 1);
    Array<float> sums = x, greatest = x;
    for (std::size_t i = 2; i < x.values.size(); ++i) {
      sums.values[i] += sums.values[i - 2];
      greatest.values[i] = std::max(greatest.values[i], greatest.values[i - 2]);
    }
    expect_equals(cumsum(to_tensor(x, device_), 0), sums);
    expect_equals(cummax(to_tensor(x, device_), 0).values, greatest);
  }
}

TEST_P(ScansOnDevices, AScalarIsALineOfOne) {
  const Tensor x = tensor(2.5, here_);
  for (const int dim : {0, -1}) {
    expect_equals(cumsum(x, dim), Array<float>{{}, {2.5f}});
    expect_equals(cumprod(x, dim), Array<float>{{}, {2.5f}});
    expect_equals(logcumsumexp(x, dim), Array<float>{{}, {2.5f}});
    expect_equals(cummin(x, dim).values, Array<float>{{}, {2.5f}});
    expect_equals(cummax(x, dim).indices, Array<std::int64_t>{{}, {0}});
  }
}

TEST_P(ScansOnDevices, ALineNeedsNoDimension) {
  const Tensor x = tensor({1, 2, 3}, here_);
  expect_equals(cumulative_sum(x), Array<std::int64_t>{{3}, {1, 3, 6}});
  expect_equals(cumulative_sum(x, {.dtype = f32, .include_initial = true}),
                Array<float>{{4}, {0, 1, 3, 6}});
}

TEST_P(ScansOnDevices, DTypesOfSums) {
  const Tensor small = tensor(std::vector<std::uint8_t>{200, 100}, here_);
  expect_equals(cumsum(small, 0), Array<std::uint64_t>{{2}, {200, 300}});
  expect_equals(cumsum(small, 0, u8), Array<std::uint8_t>{{2}, {200, 44}});
  expect_equals(cumsum(small, 0, f32), Array<float>{{2}, {200, 300}});
  expect_equals(cumsum(tensor({true, false, true}, here_), 0), Array<std::int64_t>{{3}, {1, 1, 2}});
  expect_equals(cumsum(tensor({1.75, 2.75}, here_), 0, i32), Array<std::int32_t>{{2}, {1, 3}});
  expect_equals(cumprod(tensor({2, 3, -4}, here_), 0, f64), Array<double>{{3}, {2, 6, -24}});
  EXPECT_EQ(cumsum(zeros({0}, here_), 0, f16).dtype(), f16);
}

/// 2048 + 1 has no f16, and 2048 + 1 + 1 has: what is carried has all bits.
TEST_P(ScansOnDevices, HalvesAreRoundedOnce) {
  const Tensor x = tensor({2048.0, 1.0, 1.0, 1.0}, {.dtype = f16, .device = device_});
  expect_equals(cumsum(x, 0).to(f32), Array<float>{{4}, {2048, 2048, 2050, 2052}});
}

TEST_P(ScansOnDevices, NanAndInfinitiesOfSums) {
  const Tensor x = tensor({1.0, kInfinity, 2.0, -kInfinity, 3.0}, here_);
  expect_equals(cumsum(x, 0), Array<float>{{5}, {1, INFINITY, INFINITY, NAN, NAN}});
  const Tensor y = tensor({-kInfinity, -kInfinity, 1.0, kInfinity, 2.0, kInfinity, kNan, 0.0}, here_);
  expect_equals(logcumsumexp(y, 0),
                Array<float>{{8}, {-INFINITY, -INFINITY, 1, INFINITY, INFINITY, INFINITY, NAN, NAN}});
  expect_equals(logcumsumexp(tensor({1000.0, 1000.0}, here_), 0), Array<float>{{2}, {1000, 1000.6931f}},
                1);
}

/// Gradients at most one of whose factors survives.
TEST_P(ScansOnDevices, ZerosInAProductHaveAGradient) {
  for (const auto& values :
       std::vector<std::vector<double>>{{2, 0, 3, 0, 2}, {0, 1.5, -2}, {0, 0, 1}, {-1, 2, 0}}) {
    const Tensor x = tensor(values, here_).set_requires_grad();
    const Tensor weights =
        tensor(std::vector<double>{0.5, -1, 2, 1.5, 1}, here_).slice(0, {.stop = x.size(0)});
    const auto f = [&](std::span<const Tensor> in) { return cumprod(in[0], 0); };
    EXPECT_EQ(autograd::gradcheck(f, {&x, 1}), "");
    const auto slope = [&](std::span<const Tensor> in) {
      const Tensor y = cumprod(in[0], 0);
      return autograd::grad({&y, 1}, in, {&weights, 1}, {.create_graph = true}).front();
    };
    EXPECT_EQ(autograd::gradcheck(slope, {&x, 1}), "");
  }
}

TEST_P(ScansOnDevices, AProductInAnotherDTypeHasAGradient) {
  const Tensor x = tensor({2.0, 0.0, 3.0}, here_).set_requires_grad();
  cumprod(x, 0, f64).sum().backward();
  expect_equals(x.grad(), Array<float>{{3}, {1, 8, 0}});
  Tensor y = tensor({2.0, 0.5, 3.0}, {.dtype = f16, .device = device_});
  y.set_requires_grad();
  cumprod(y, 0).sum().backward();
  expect_equals(y.grad().to(f32), Array<float>{{3}, {3, 8, 1}});
}

/// As PyTorch's: to the last of equals.
TEST_P(ScansOnDevices, TheGradientOfAnExtremeGoesToItsPlace) {
  const Tensor x = tensor({1.0, 3.0, 3.0, 2.0, 5.0, 5.0}, here_).set_requires_grad();
  cummax(x, 0).values.sum().backward();
  expect_equals(x.grad(), Array<float>{{6}, {1, 1, 2, 0, 1, 1}});
}

TEST_P(ScansOnDevices, InfiniteTermsOfALogarithmHaveAGradient) {
  const Tensor x = tensor({-kInfinity, 0.0, 0.0}, here_).set_requires_grad();
  logcumsumexp(x, 0).slice(0, {.start = 1}).sum().backward();
  expect_equals(x.grad(), Array<float>{{3}, {0, 1.5f, 0.5f}}, 8);
}

TEST_P(ScansOnDevices, DifferencesOfOtherDTypes) {
  expect_equals(diff(tensor({true, false, false}, here_)), Array<bool>{{2}, {true, false}});
  expect_equals(diff(tensor(std::vector<std::uint8_t>{1, 3, 2}, here_)),
                Array<std::uint8_t>{{2}, {2, 255}});
  expect_equals(diff(tensor({3, 2}, here_), {.n = 5}), Array<std::int64_t>{{0}, {}});
  expect_equals(diff(tensor({3, 2}, here_), {.n = 0}), Array<std::int64_t>{{2}, {3, 2}});
  expect_equals(trapezoid(tensor({1, 2, 3}, here_)), Array<float>{{}, {4}});
}

TEST_P(ScansOnDevices, IntegralsOfSmallIntegersDoNotWrap) {
  const Tensor y = tensor(std::vector<std::uint8_t>{200, 200, 200}, here_);
  const Tensor x = tensor(std::vector<std::uint8_t>{250, 100, 0}, here_);
  expect_equals(trapezoid(y), Array<float>{{}, {400}});
  expect_equals(trapezoid(y, x), Array<float>{{}, {-50000}});
  expect_equals(cumulative_trapezoid(y), Array<float>{{2}, {200, 400}});
  expect_equals(cumulative_trapezoid(y, x), Array<float>{{2}, {-30000, -50000}});
}

}  // namespace
}  // namespace tenon::test
