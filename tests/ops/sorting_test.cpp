// Sorting and order statistics; searching_test.cpp has what is found and counted in sorted elements.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <tenon/ops.h>

#include "tests/figures/sort.h"
#include "tests/ops/lines.h"

namespace tenon::test {
namespace {

using Line = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// NaN is the greatest.
bool less(double a, double b) {
  return std::isnan(b) ? !std::isnan(a) : a < b;
}

/// Where the sorted elements stand.
Line order(const Line& x, bool descending) {
  Line places(x.size());
  std::iota(places.begin(), places.end(), 0);
  const auto at = [&](double place) { return x[static_cast<std::size_t>(place)]; };
  std::sort(places.begin(), places.end(), [&](double i, double j) {
    const double a = at(descending ? j : i), b = at(descending ? i : j);
    return less(a, b) || (!less(b, a) && i < j);
  });
  return places;
}

Line sorted(const Line& x, bool descending = false) {
  Line y;
  for (const double place : order(x, descending)) y.push_back(x[static_cast<std::size_t>(place)]);
  return y;
}

Line lower_middle(const Line& x) {
  const Line y = sorted(x);
  return {std::isnan(y.back()) ? y.back() : y[(y.size() - 1) / 2]};
}

double quantile_of(const Line& x, double q) {
  const Line y = sorted(x);
  if (std::isnan(y.back())) return y.back();
  const double rank = q * static_cast<double>(y.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const std::size_t high = std::min(low + 1, y.size() - 1);
  return y[low] + (rank - static_cast<double>(low)) * (y[high] - y[low]);
}

Reals squeezed(Reals x, int dim) {
  x.shape.erase(dim);
  return x;
}

const std::vector<Row> kRows = {
    {.name = "sort",
     .op = [](const auto& x) { return sort(x[0], 1).values; },
     .oracle =
         [](const auto& x) { return along(x[0], 1, [](const Line& line) { return sorted(line); }); },
     .shapes = {{{2, 7, 2}}, {{2, 0}}, {{1, 1}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true, .distinct = true}},
    {.name = "sort_descending",
     .op = [](const auto& x) { return sort(x[0], 0, true).values; },
     .oracle =
         [](const auto& x) {
           return along(x[0], 0, [](const Line& line) { return sorted(line, true); });
         },
     .shapes = {{{8, 2}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true, .distinct = true}},
    {.name = "argsort",
     .op = [](const auto& x) { return argsort(x[0]); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return order(line, false); });
         },
     .shapes = {{{2, 9}}, {{2, 0}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "argsort_descending",
     .op = [](const auto& x) { return argsort(x[0], 1, true); },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return order(line, true); });
         },
     .shapes = {{{2, 9}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "topk",
     .op = [](const auto& x) { return topk(x[0], 3, 0).values; },
     .oracle =
         [](const auto& x) {
           return along(x[0], 0, [](const Line& line) {
             Line y = sorted(line, true);
             y.resize(3);
             return y;
           });
         },
     .shapes = {{{5, 2}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true, .distinct = true}},
    {.name = "kthvalue",
     .op = [](const auto& x) { return kthvalue(x[0], 2, 1, true).values; },
     .oracle =
         [](const auto& x) {
           return along(x[0], 1, [](const Line& line) { return Line{sorted(line)[1]}; });
         },
     .shapes = {{{2, 5}}},
     .dtypes = kNumbers,
     .values = {.distinct = true}},
    {.name = "median",
     .op = [](const auto& x) { return median(x[0], 1).values; },
     .oracle = [](const auto& x) { return squeezed(along(x[0], 1, lower_middle), 1); },
     .shapes = {{{2, 5, 2}}, {{3, 6}}, {{1, 1}}},
     .dtypes = kNumbers,
     .values = {.edges = true, .distinct = true}},
    {.name = "quantile",
     .op = [](const auto& x) { return quantile(x[0], 0.3, {.dim = 0}); },
     .oracle =
         [](const auto& x) {
           return squeezed(
               along(x[0], 0, [](const Line& line) { return Line{quantile_of(line, 0.3)}; }), 0);
         },
     .shapes = {{{5, 2}}, {{1, 2}}},
     .values = {.distinct = true}},
};
TENON_ROWS(Sorting, kRows);

class SortingOnDevices : public testing::TestWithParam<std::string> {
 protected:
  Tensor place(const Line& x, DType dtype = f64) {
    return from_values(std::span<const double>(x), {static_cast<std::int64_t>(x.size())},
                       {.dtype = dtype, .device = device_});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, SortingOnDevices, testing::ValuesIn(row_devices()), device_test_name);

/// Few distinct values among many: only a stable sort has these places.
TEST_P(SortingOnDevices, IsStableAtEachExtent) {
  for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 1000u, 1025u}) {
    std::mt19937_64 random(n);
    Line x(n);
    for (double& value : x) value = static_cast<double>(random() % 5);
    for (const DType dtype : {f32, u8, i64}) {
      for (const bool descending : {false, true}) {
        const auto [values, indices] = sort(place(x, dtype), 0, descending);
        EXPECT_EQ(values.to(f64).to_vector<double>(), sorted(x, descending));
        EXPECT_EQ(indices.to(f64).to_vector<double>(), order(x, descending)) << n;
      }
    }
  }
}

TEST_P(SortingOnDevices, ManyRandomElements) {
  const std::size_t n = 100'000;
  std::mt19937_64 random(1);
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(static_cast<std::int64_t>(random())) * 0x1p-63f;
  const auto [values, indices] = sort(tensor(x, here_));
  expect_equals(index_select(tensor(x, here_), 0, indices),
                Array<float>{values.shape(), values.to_vector<float>()});
  std::sort(x.begin(), x.end());
  EXPECT_EQ(values.to_vector<float>(), x);
}

TEST_P(SortingOnDevices, ZerosAreEqualAndNanIsLast) {
  const Tensor x = place({1, kNan, -0.0, 0.0, -0.0, kInfinity, kNan, -kInfinity}, f32);
  const auto [up, up_places] = sort(x);
  EXPECT_EQ(up_places.to_vector<std::int64_t>(), (std::vector<std::int64_t>{7, 2, 3, 4, 0, 5, 1, 6}));
  const std::vector<float> values = up.to_vector<float>();
  EXPECT_TRUE(std::signbit(values[1]) && !std::signbit(values[2]) && std::signbit(values[3]));
  EXPECT_EQ(argsort(x, 0, true).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{1, 6, 5, 0, 2, 3, 4, 7}));
}

TEST_P(SortingOnDevices, ExtremesOfWideIntegers) {
  const std::vector<std::uint64_t> x = {~0ull, 0, 1ull << 63, (1ull << 63) - 1};
  EXPECT_EQ(argsort(tensor(x, here_)).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{1, 3, 2, 0}));
  const std::vector<std::int64_t> y = {INT64_MAX, -1, INT64_MIN, 0, INT64_MAX};
  EXPECT_EQ(argsort(tensor(y, here_), 0, true).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{0, 4, 3, 1, 2}));
}

TEST_P(SortingOnDevices, AScalarIsALineOfOne) {
  const Tensor x = tensor(2.5, here_);
  for (const auto& [values, indices] : {sort(x), topk(x, 1), kthvalue(x, 1), median(x, 0)}) {
    expect_equals(values, Array<float>{{}, {2.5f}});
    expect_equals(indices, Array<std::int64_t>{{}, {0}});
  }
  expect_equals(argsort(x), Array<std::int64_t>{{}, {0}});
  expect_equals(quantile(x, 0.3), Array<float>{{}, {2.5f}});
}

TEST_P(SortingOnDevices, TheGreatestAndTheLeast) {
  const Tensor x = place({3, kNan, 1, 3}, f32);
  expect_equals(topk(x, 3).indices, Array<std::int64_t>{{3}, {1, 0, 3}});
  expect_equals(topk(x, 3, 0, false).indices, Array<std::int64_t>{{3}, {2, 0, 3}});
  EXPECT_EQ(topk(x, 0).values.shape(), Shape{0});
  EXPECT_EQ(topk(zeros({2, 0, 3}, here_), 0, 1).indices.shape(), (Shape{2, 0, 3}));
  EXPECT_EQ(kthvalue(zeros({0, 3}, here_), 2, 1, true).values.shape(), (Shape{0, 1}));
}

TEST_P(SortingOnDevices, MediansAmongNan) {
  const Tensor x =
      tensor({{4.0, 1.0, 3.0, 2.0}, {2.0, kNan, 1.0, kNan}, {kNan, kNan, kNan, kNan}}, here_);
  const auto [values, indices] = median(x, 1, true);
  expect_equals(values, Array<float>{{3, 1}, {2, NAN, NAN}});
  expect_equals(indices, Array<std::int64_t>{{3, 1}, {3, 1, 0}});
  expect_equals(nanmedian(x, 1).values, Array<float>{{3}, {2, 1, NAN}});
  expect_equals(nanmedian(x, 1).indices, Array<std::int64_t>{{3}, {3, 2, 0}});
  expect_equals(nanmedian(x), Array<float>{{}, {2}});
  expect_equals(median(x), Array<float>{{}, {NAN}});
  expect_equals(median(zeros({0}, here_)), Array<float>{{}, {NAN}});
  EXPECT_EQ(median(zeros({0, 3}, here_), 1).values.shape(), Shape{0});
  expect_equals(median(tensor({3, 1, 2, 2}, here_)), Array<std::int64_t>{{}, {2}});
}

TEST_P(SortingOnDevices, QuantilesAmongNanAndInfinities) {
  const Tensor x = tensor({{4.0, kNan, 2.0, 1.0}, {1.0, 2.0, 3.0, 4.0}}, here_);
  expect_equals(quantile(x, 0.5, {.dim = 1}), Array<float>{{2}, {NAN, 2.5f}});
  expect_equals(nanquantile(x, 0.25, {.dim = 1}), Array<float>{{2}, {1.5f, 1.75f}});
  expect_equals(nanquantile(full({3}, kNan, here_), 0.5), Array<float>{{}, {NAN}});
  const Tensor ends = tensor({-kInfinity, kInfinity, kInfinity}, here_);
  expect_equals(quantile(ends, tensor({0.0, 0.75, 1.0}, here_)),
                Array<float>{{3}, {-INFINITY, INFINITY, INFINITY}});
  expect_equals(quantile(ends, tensor({-0.5, 1.5, kNan}, here_)), Array<float>{{3}, {NAN, NAN, NAN}});
  EXPECT_EQ(quantile(zeros({2, 3}, here_), zeros({0}, here_), {.dim = 1}).shape(), (Shape{0, 2}));
}

TEST_P(SortingOnDevices, ShapesOfQuantiles) {
  const Tensor x = zeros({2, 3, 4}, here_), one = tensor(0.5, here_), two = tensor({0.5, 0.25}, here_);
  EXPECT_EQ(quantile(x, two, {.dim = 1}).shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(quantile(x, two, {.dim = 1, .keepdim = true}).shape(), (Shape{2, 2, 1, 4}));
  EXPECT_EQ(quantile(x, one, {.dim = -1, .keepdim = true}).shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(quantile(x, two).shape(), Shape{2});
  EXPECT_EQ(quantile(x, two, {.keepdim = true}).shape(), (Shape{2, 1, 1, 1}));
  EXPECT_EQ(quantile(x, one).shape(), Shape{});
}

void expect_close(const Tensor& got, const Line& wanted) {
  const std::vector<double> found = got.to(f64).to_vector<double>();
  ASSERT_EQ(found.size(), wanted.size());
  const double tolerance = got.dtype() == f64 ? 1e-10 : 1e-5;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted[i], tolerance * std::abs(wanted[i])) << i;
  }
}

TEST_P(SortingOnDevices, FiguresOfPyTorch) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = place(figures::kX, dtype).view({6, 7});
    const Tensor distinct = place(figures::kDistinct, dtype).view({6, 7}),
                 q = place(figures::kQ, dtype);
    int way = 0;
    for (const Line& wanted : figures::kQuantiles) {
      const auto interpolation = static_cast<Interpolation>(way++);
      expect_close(quantile(x, q, {.dim = 0, .interpolation = interpolation}), wanted);
    }
    expect_close(median(x, 1).values, figures::kMedians);
    expect_close(median(distinct, 1).indices, figures::kMedianPlaces);
    expect_close(cummax(x, 0).values, figures::kCummax);
    expect_close(cummax(x, 0).indices, figures::kCummaxPlaces);
    expect_close(logcumsumexp(x, 1), figures::kLogcumsumexp);
    Tensor leaf = distinct.clone().set_requires_grad();
    quantile(leaf, q, {.dim = 0}).sum().backward();
    expect_close(leaf.grad(), figures::kQuantileGradient);
    Tensor product = distinct.clone().set_requires_grad();
    cumprod(product, 1).sum().backward();
    expect_close(product.grad(), figures::kCumprodGradient);
  }
}

}  // namespace
}  // namespace tenon::test
