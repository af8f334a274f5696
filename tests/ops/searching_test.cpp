// What is found and counted in sorted elements.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <tenon/ops.h>

#include "tests/figures/sort.h"
#include "tests/ops/lines.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Line = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool less(double a, double b) {
  return std::isnan(b) ? !std::isnan(a) : a < b;
}

/// How many of the elements are less than x, or not greater.
double count_before(const Line& elements, double x, bool right) {
  return static_cast<double>(std::count_if(elements.begin(), elements.end(), [&](double element) {
    return right ? !less(x, element) : less(element, x);
  }));
}

/// Distinct elements in order, each NaN for itself.
Line distinct(Line x) {
  std::sort(x.begin(), x.end(), less);
  x.erase(std::unique(x.begin(), x.end()), x.end());
  return x;
}

Reals line_of(const Line& x) {
  return {{static_cast<std::int64_t>(x.size())}, x};
}

template <class F>
Reals each(const Reals& x, F f) {
  Reals y{x.shape, {}};
  for (const double value : x.values) y.values.push_back(f(value));
  return y;
}

/// The element that stands most often in a line, of several the least.
Line most_frequent(Line x) {
  std::sort(x.begin(), x.end());
  const auto count = [&](double value) { return std::count(x.begin(), x.end(), value); };
  return {
      *std::max_element(x.begin(), x.end(), [&](double a, double b) { return count(a) < count(b); })};
}

/// Without dimension 1, which has extent 1.
Reals in_one(Reals x) {
  x.shape.erase(1);
  return x;
}

/// The distinct rows of a matrix, in order.
Reals distinct_rows(const Reals& x) {
  const std::int64_t width = x.shape[1];
  std::set<Line> rows;
  for (auto row = x.values.begin(); row != x.values.end(); row += width) rows.emplace(row, row + width);
  Reals y{{static_cast<std::int64_t>(rows.size()), width}, {}};
  for (const Line& row : rows) y.values.insert(y.values.end(), row.begin(), row.end());
  return y;
}

const std::vector<Row> kRows = {
    {.name = "searchsorted",
     .op = [](const auto& x) { return searchsorted(sort(x[0]).values, x[1]); },
     .oracle =
         [](const auto& x) {
           return each(x[1], [&](double value) { return count_before(x[0].values, value, false); });
         },
     .shapes = {{{9}, {3, 4}}, {{1}, {5}}, {{0}, {2}}, {{8}, {}}, {{5}, {0, 2}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "searchsorted_right",
     .op = [](const auto& x) { return searchsorted(sort(x[0]).values, x[1], true); },
     .oracle =
         [](const auto& x) {
           return each(x[1], [&](double value) { return count_before(x[0].values, value, true); });
         },
     .shapes = {{{7}, {3, 4}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "searchsorted_by_rows",
     .op = [](const auto& x) { return searchsorted(sort(x[0]).values, x[1]); },
     .oracle =
         [](const auto& x) {
           Reals y{x[1].shape, {}};
           for (const Dims& at : coordinates(x[1].shape)) {
             const auto row = x[0].values.begin() + (at[0] * 3 + at[1]) * x[0].shape[2];
             y.values.push_back(count_before({row, row + x[0].shape[2]},
                                             x[1].values[element_at(x[1].shape, at)], false));
           }
           return y;
         },
     .shapes = {{{2, 3, 6}, {2, 3, 2}}},
     .gradient = false},
    {.name = "searchsorted_by_a_sorter",
     .op = [](const auto& x) { return searchsorted(x[0], x[1], false, argsort(x[0])); },
     .oracle =
         [](const auto& x) {
           return each(x[1], [&](double value) { return count_before(x[0].values, value, false); });
         },
     .shapes = {{{9}, {3, 4}}, {{0}, {2}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "mode",
     .op = [](const auto& x) { return mode(x[0], 1).values; },
     .oracle = [](const auto& x) { return in_one(along(x[0], 1, most_frequent)); },
     .shapes = {{{3, 7, 2}}, {{0, 2}}},
     .dtypes = kNumbers,
     .values = {.low = -2, .high = 2},
     .second = false},
    {.name = "unique_rows",
     .op = [](const auto& x) { return unique(x[0], {.dim = 0}).values; },
     .oracle = [](const auto& x) { return distinct_rows(x[0]); },
     .shapes = {{{9, 3}}, {{1, 2}}, {{0, 2}}},
     .dtypes = kAllDTypes,
     .values = {.low = 0, .high = 1},
     .gradient = false},
    {.name = "isin",
     .op = [](const auto& x) { return isin(x[0], x[1]); },
     .oracle =
         [](const auto& x) {
           return each(x[0], [&](double value) {
             return std::find(x[1].values.begin(), x[1].values.end(), value) != x[1].values.end();
           });
         },
     .shapes = {{{3, 4}, {2, 3}}, {{2}, {0}}, {{}, {3}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "unique",
     .op = [](const auto& x) { return unique(x[0]).values; },
     .oracle = [](const auto& x) { return line_of(distinct(x[0].values)); },
     .shapes = {{{3, 5}}, {{0, 2}}, {{}}, {{1, 1}}},
     .dtypes = kAllDTypes,
     .values = {.edges = true},
     .gradient = false},
    {.name = "unique_consecutive",
     .op = [](const auto& x) { return unique_consecutive(x[0]).values; },
     .oracle =
         [](const auto& x) {
           Line y = x[0].values;
           y.erase(std::unique(y.begin(), y.end()), y.end());
           return line_of(y);
         },
     .shapes = {{{3, 5}}, {{0, 2}}},
     .dtypes = {i32, bool_, f32},
     .values = {.low = 0, .high = 2},
     .gradient = false},
    {.name = "bincount",
     .op = [](const auto& x) { return bincount(x[0], {}, 4); },
     .oracle =
         [](const auto& x) {
           Line counts(4);
           for (const double value : x[0].values) {
             counts.resize(std::max(counts.size(), static_cast<std::size_t>(value) + 1));
             ++counts[static_cast<std::size_t>(value)];
           }
           return line_of(counts);
         },
     .shapes = {{{12}}, {{0}}},
     .dtypes = kIntegers,
     .values = {.low = 0, .high = 9},
     .gradient = false},
    {.name = "histogram",
     .op = [](const auto& x) { return histc(x[0], 4, -2, 2); },
     .oracle =
         [](const auto& x) {
           Line counts(4);
           for (const double value : x[0].values) {
             if (value >= -2 && value <= 2) ++counts[std::min<std::size_t>(std::size_t(value + 2), 3)];
           }
           return line_of(counts);
         },
     .shapes = {{{3, 8}}, {{0, 2}}},
     .values = {.edges = true},
     .gradient = false},
};
TENON_ROWS(Searching, kRows);

class SearchingOnDevices : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, SearchingOnDevices, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(SearchingOnDevices, ExtentsOfAllKinds) {
  for (const std::int64_t n : {1, 2, 3, 7, 8, 9, 1000, 1025}) {
    const Tensor sorted = arange(n, {.dtype = i32, .device = device_}) * 2;
    const Tensor values = arange(2 * n + 1, {.dtype = i32, .device = device_}) - 1;
    const Tensor left = searchsorted(sorted, values), right = searchsorted(sorted, values, true);
    std::vector<std::int64_t> less, not_greater;
    for (std::int64_t x = -1; x < 2 * n; ++x) {
      less.push_back((x + 1) / 2);
      not_greater.push_back((x + 2) / 2);
    }
    EXPECT_EQ(left.to_vector<std::int64_t>(), less) << n;
    EXPECT_EQ(right.to_vector<std::int64_t>(), not_greater) << n;
  }
}

TEST_P(SearchingOnDevices, DTypesPromote) {
  expect_equals(searchsorted(tensor({1, 2, 3}, here_), tensor({1.5, 3.0}, here_)),
                Array<std::int64_t>{{2}, {1, 2}});
  expect_equals(bucketize(tensor({{3, 6, 9}}, here_), tensor({1, 3, 5, 7, 9}, here_), true),
                Array<std::int64_t>{{1, 3}, {2, 3, 5}});
  expect_equals(isin(tensor({1.5, 2.0}, here_), tensor({2}, here_), true),
                Array<bool>{{2}, {true, false}});
}

TEST_P(SearchingOnDevices, DistinctElementsWithAllThatIsKnownOfThem) {
  const Tensor x = tensor({{3.0, -0.0, 1.0}, {0.0, kNan, 3.0}, {1.0, 3.0, kNan}}, here_);
  const Unique all = unique_all(x);
  expect_equals(all.values, Array<float>{{5}, {-0.0f, 1, 3, NAN, NAN}});
  expect_equals(all.indices, Array<std::int64_t>{{5}, {1, 2, 0, 4, 8}});
  expect_equals(all.inverse, Array<std::int64_t>{{3, 3}, {2, 0, 1, 0, 3, 2, 1, 2, 4}});
  expect_equals(all.counts, Array<std::int64_t>{{5}, {2, 2, 3, 1, 1}});
  EXPECT_FALSE(unique_counts(x).inverse.defined());
  expect_equals(unique_counts(x).counts, Array<std::int64_t>{{5}, {2, 2, 3, 1, 1}});
  expect_equals(unique_inverse(x).inverse, Array<std::int64_t>{{3, 3}, {2, 0, 1, 0, 3, 2, 1, 2, 4}});
  EXPECT_EQ(unique_values(x).numel(), 5);
  EXPECT_EQ(unique_all(zeros({2, 0}, here_)).inverse.shape(), (Shape{2, 0}));
}

TEST_P(SearchingOnDevices, DistinctAmongManyElements) {
  const Array<float> x = whole_array<float>({1000}, 3, -50, 50);
  const Unique all = unique_all(to_tensor(x, device_));
  std::map<float, std::int64_t> counts, first;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    ++counts[x.values[i]];
    first.try_emplace(x.values[i], i);
  }
  const auto n = static_cast<std::int64_t>(counts.size());
  Array<float> values{{n}, {}};
  Array<std::int64_t> wanted{{n}, {}}, indices{{n}, {}};
  for (const auto& [value, count] : counts) {
    values.values.push_back(value);
    wanted.values.push_back(count);
    indices.values.push_back(first.at(value));
  }
  expect_equals(all.values, values);
  expect_equals(all.counts, wanted);
  expect_equals(all.indices, indices);
  expect_equals(index_select(all.values, 0, all.inverse), x);
}

TEST_P(SearchingOnDevices, RunsOfEqualElements) {
  const Unique runs = unique_consecutive(tensor({{1, 1}, {2, 2}, {2, 1}}, here_).transpose(0, 1),
                                         {.indices = true, .inverse = true, .counts = true});
  expect_equals(runs.values, Array<std::int64_t>{{5}, {1, 2, 1, 2, 1}});
  expect_equals(runs.indices, Array<std::int64_t>{{5}, {0, 1, 3, 4, 5}});
  expect_equals(runs.inverse, Array<std::int64_t>{{2, 3}, {0, 1, 1, 2, 3, 4}});
  expect_equals(runs.counts, Array<std::int64_t>{{5}, {1, 2, 1, 1, 1}});
  EXPECT_EQ(unique_consecutive(ones({1000}, here_), {.counts = true}).counts.item<std::int64_t>(),
            1000);
}

TEST_P(SearchingOnDevices, DistinctSlices) {
  const Tensor x = tensor({{2.0, 1.0, 2.0, kNan, kNan}, {0.0, 3.0, -0.0, 1.0, 1.0}}, here_);
  const Unique all = unique(x, {.indices = true, .inverse = true, .counts = true, .dim = -1});
  expect_equals(all.values, Array<float>{{2, 4}, {1, 2, NAN, NAN, 3, 0, 1, 1}});
  expect_equals(all.indices, Array<std::int64_t>{{4}, {1, 0, 3, 4}});
  expect_equals(all.inverse, Array<std::int64_t>{{5}, {1, 0, 1, 2, 3}});
  expect_equals(all.counts, Array<std::int64_t>{{4}, {1, 2, 1, 1}});
  const Tensor rows = tensor({{1, 2}, {1, 2}, {1, 3}, {1, 2}}, here_);
  const Unique runs = unique_consecutive(rows, {.inverse = true, .counts = true, .dim = 0});
  expect_equals(runs.values, Array<std::int64_t>{{3, 2}, {1, 2, 1, 3, 1, 2}});
  expect_equals(runs.inverse, Array<std::int64_t>{{4}, {0, 0, 1, 2}});
  expect_equals(runs.counts, Array<std::int64_t>{{3}, {2, 1, 1}});
}

TEST_P(SearchingOnDevices, SlicesOfNothing) {
  const Unique none = unique(zeros({3, 0}, here_), {.indices = true, .inverse = true, .dim = 1});
  EXPECT_EQ(none.values.shape(), (Shape{3, 0}));
  EXPECT_EQ(none.inverse.shape(), (Shape{0}));
  const Unique same = unique(zeros({3, 0}, here_), {.counts = true, .dim = 0});
  EXPECT_EQ(same.values.shape(), (Shape{1, 0}));
  expect_equals(same.counts, Array<std::int64_t>{{1}, {3}});
  EXPECT_EQ(thrown([&] { unique(same.values, {.dim = 2}); }),
            invalid_argument("[unique] dimension 2 is out of range for a tensor of 2 dimensions"));
}

TEST_P(SearchingOnDevices, WhereTheMostFrequentStandsLast) {
  const Tensor x = tensor({{3, 1, 3, 1, 2}, {5, 4, 3, 2, 1}}, here_);
  const ValuesAndIndices found = mode(x, -1, true);
  expect_equals(found.values, Array<std::int64_t>{{2, 1}, {1, 1}});
  expect_equals(found.indices, Array<std::int64_t>{{2, 1}, {3, 4}});
  const ValuesAndIndices number = mode(tensor(2.5, here_), 0, true);
  EXPECT_EQ(number.values.item<float>(), 2.5f);
  EXPECT_EQ(number.indices.item<std::int64_t>(), 0);
  expect_equals(mode(tensor({kNan, 1.0, kNan}, here_)).values, Array<float>{{}, {NAN}});
  EXPECT_EQ(thrown([&] { mode(zeros({2, 0}, here_)); }),
            invalid_argument("[mode] (2, 0) has no elements along dimension 1"));
}

TEST_P(SearchingOnDevices, ASorterFitsWhatItSorts) {
  const Tensor x = tensor({{3, 1, 2}, {6, 4, 5}}, here_), values = tensor({{2}, {7}}, here_);
  expect_equals(searchsorted(x, values, true, argsort(x)), Array<std::int64_t>{{2, 1}, {2, 3}});
  EXPECT_EQ(thrown([&] { searchsorted(x, values, false, values); }),
            invalid_argument("[searchsorted] the sorter is (2, 1), the elements are (2, 3)"));
  EXPECT_EQ(thrown([&] { searchsorted(x, values, false, x.to(f32)); }),
            invalid_argument("[searchsorted] indices are integers, not f32"));
}

TEST_P(SearchingOnDevices, WeightsAreAddedUp) {
  const Tensor x = tensor({1, 0, 1}, here_);
  expect_equals(bincount(x, tensor({0.5, 2.0, 0.25}, here_)), Array<float>{{2}, {2, 0.75f}});
  expect_equals(bincount(x, tensor(std::vector<std::uint8_t>{200, 1, 100}, here_)),
                Array<std::uint64_t>{{2}, {1, 300}});
  expect_equals(bincount(tensor(std::vector<std::uint64_t>{}, here_)), Array<std::int64_t>{{0}, {}});
}

TEST_P(SearchingOnDevices, TheLastBinIsClosed) {
  const Tensor x = tensor({{0.0, 1.0, 2.0}, {4.0, 4.0, kNan}, {-0.5, 4.5, kInfinity}}, here_);
  const Histogram h = histogram(x, 4, {.range = std::pair(0.0, 4.0)});
  expect_equals(h.hist, Array<float>{{4}, {1, 1, 1, 2}});
  expect_equals(h.bin_edges, Array<float>{{5}, {0, 1, 2, 3, 4}});
  const Histogram uneven = histogram(x, tensor({0.0, 0.5, 4.0}, here_), {.density = true});
  expect_equals(uneven.hist, Array<float>{{2}, {0.4f, 4 / 17.5f}}, 4);
  const Histogram weighted = histogram(x, tensor({0.0, 2.0, 4.0}, here_), {.weight = x});
  expect_equals(weighted.hist, Array<float>{{2}, {1, 10}});
}

TEST_P(SearchingOnDevices, EqualBinsFromTheLeastToTheGreatest) {
  const Histogram h = histogram(tensor({1.0, 2.0, 5.0, 3.0}, here_), 2);
  expect_equals(h.hist, Array<float>{{2}, {2, 2}});
  expect_equals(h.bin_edges, Array<float>{{3}, {1, 3, 5}});
  const Histogram one_value = histogram(tensor({2.0, 2.0}, here_), 2);
  expect_equals(one_value.hist, Array<float>{{2}, {0, 2}});
  expect_equals(one_value.bin_edges, Array<float>{{3}, {1.5f, 2, 2.5f}});
  expect_equals(histc(tensor({1.0, 2.0, 5.0, 3.0}, here_), 2), Array<float>{{2}, {2, 2}});
  const Histogram nothing = histogram(zeros({0}, here_), 2);
  expect_equals(nothing.hist, Array<float>{{2}, {0, 0}});
  expect_equals(nothing.bin_edges, Array<float>{{3}, {0, 0.5f, 1}});
}

TEST_P(SearchingOnDevices, FiguresOfPyTorch) {
  for (const DType dtype : {f32, f64}) {
    const auto place = [&](const Line& x) {
      return from_values(std::span<const double>(x), {static_cast<std::int64_t>(x.size())},
                         {.dtype = dtype, .device = device_});
    };
    const auto equals = [](const Tensor& got, const Line& wanted, double tolerance = 0) {
      const std::vector<double> found = got.to(f64).to_vector<double>();
      ASSERT_EQ(found.size(), wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i], wanted[i], tolerance * std::abs(wanted[i])) << i;
      }
    };
    const Tensor x = place(figures::kX), edges = place(figures::kEdges);
    equals(searchsorted(edges, x), figures::kSearched);
    equals(searchsorted(edges, x, true), figures::kSearchedRight);
    equals(histogram(x, edges).hist, figures::kHistogram);
    const Histogram even = histogram(x, 5);
    equals(even.hist, figures::kHistogramOfFive);
    equals(even.bin_edges, figures::kFiveEdges, dtype == f64 ? 1e-10 : 1e-5);
    const Histogram density = histogram(x, 5, {.range = std::pair(-1.0, 2.0), .density = true});
    equals(density.hist, figures::kDensity, dtype == f64 ? 1e-10 : 1e-5);
  }
}

}  // namespace
}  // namespace tenon::test
