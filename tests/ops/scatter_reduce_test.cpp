// Scatters that reduce, and other ways to write at places: against lists of what comes to each element.
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"

namespace tenon::test {
namespace {

using Line = std::vector<double>;

Tensor places(const Tensor& x, const Shape& shape, const std::vector<std::int64_t>& values) {
  return from_values(std::span(values), shape, {.dtype = i32, .device = x.device()});
}

/// Along dimension 1 of (2, 4): twice to one element, and to a whole column.
const std::vector<std::int64_t> kAlong = {3, -3, 3, 0, 2, -2};
std::size_t element_along(std::size_t i) {
  const std::int64_t place = kAlong[i];
  return i / 3 * 4 + static_cast<std::size_t>(place < 0 ? place + 4 : place);
}

double reduced(Reduce how, const Line& x, bool whole) {
  const double sum = std::accumulate(x.begin(), x.end(), 0.0);
  const double mean = sum / static_cast<double>(x.size());
  switch (how) {
    case Reduce::sum:
      return sum;
    case Reduce::prod:
      return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies());
    case Reduce::mean:
      return whole ? std::floor(mean) : mean;
    case Reduce::amax:
      return *std::max_element(x.begin(), x.end());
    case Reduce::amin:
      return *std::min_element(x.begin(), x.end());
  }
  return 0;
}

/// Of each element of x, and of src that goes to it.
template <class Element>
Reals reduced_at(const Reals& x, const Reals& src, Element element, Reduce how, bool include_self,
                 bool whole) {
  Reals y = x;
  for (std::size_t k = 0; k < x.values.size(); ++k) {
    Line line;
    for (std::size_t i = 0; i < src.values.size(); ++i) {
      if (element(i) == k) line.push_back(src.values[i]);
    }
    if (line.empty()) continue;
    if (include_self) line.insert(line.begin(), x.values[k]);
    y.values[k] = reduced(how, line, whole);
  }
  return y;
}

/// Squared where that does not overflow, so that the second order is not zero.
Row row(const std::string& name, Reduce how, bool include_self, const std::vector<DType>& dtypes) {
  const bool whole = !is_floating(dtypes.front());
  return {.name = name + (include_self ? "" : "_alone") + (whole ? "_of_integers" : ""),
          .op =
              [=](const auto& x) {
                const Tensor y =
                    scatter_reduce(x[0], 1, places(x[0], {2, 3}, kAlong), x[1], how, include_self);
                return whole ? y : y * y;
              },
          .oracle =
              [=](const auto& x) {
                Reals y = reduced_at(x[0], x[1], element_along, how, include_self, whole);
                if (!whole) {
                  for (double& value : y.values) value *= value;
                }
                return y;
              },
          .shapes = {{{2, 4}, {2, 3}}},
          .dtypes = dtypes,
          .values = {.distinct = true},
          .gradient = !whole,
          .tolerance = 8};
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const bool include_self : {true, false}) {
    for (const std::vector<DType>& dtypes : {kFloats, kIntegers}) {
      all.push_back(row("sum", Reduce::sum, include_self, dtypes));
      all.push_back(row("prod", Reduce::prod, include_self, dtypes));
      all.push_back(row("mean", Reduce::mean, include_self, dtypes));
      all.push_back(row("amax", Reduce::amax, include_self, dtypes));
      all.push_back(row("amin", Reduce::amin, include_self, dtypes));
    }
  }
  all.push_back({.name = "index_reduce",
                 .op =
                     [](const auto& x) {
                       return index_reduce(x[0], 0, places(x[0], {3}, {1, -1, 0}), x[1], Reduce::prod);
                     },
                 .oracle =
                     [](const auto& x) {
                       const auto element = [](std::size_t i) {
                         return i / 2 == 2 ? i - 4 : 2 + i % 2;
                       };
                       return reduced_at(x[0], x[1], element, Reduce::prod, true, false);
                     },
                 .shapes = {{{2, 2}, {3, 2}}},
                 .tolerance = 8});
  all.push_back({.name = "put",
                 .op =
                     [](const auto& x) {
                       const Tensor y = put(x[0], places(x[0], {2, 2}, {5, -6, 1, 5}), x[1]);
                       return y * y;
                     },
                 .oracle =
                     [](const auto& x) {
                       Reals y = x[0];
                       y.values[0] = x[1].values[1];
                       y.values[1] = x[1].values[2];
                       y.values[5] = x[1].values[3];
                       for (double& value : y.values) value *= value;
                       return y;
                     },
                 .shapes = {{{2, 3}, {4}}},
                 .dtypes = kNumbers});
  all.push_back({.name = "masked_scatter",
                 .op =
                     [](const auto& x) {
                       const Tensor mask = places(x[0], {3, 1}, {1, 0, 1}).to(bool_);
                       const Tensor y = masked_scatter(x[0], mask, x[1]);
                       return y * y;
                     },
                 .oracle =
                     [](const auto& x) {
                       Reals y{{3, 2}, {}};
                       for (std::size_t i = 0; i < 6; ++i) {
                         const double value =
                             i / 2 == 1 ? x[0].values[i % 2] : x[1].values[i < 2 ? i : i - 2];
                         y.values.push_back(value * value);
                       }
                       return y;
                     },
                 .shapes = {{{2}, {5}}},
                 .dtypes = kNumbers});
  return all;
}
const std::vector<Row> kRows = rows();
TENON_ROWS(ScatterReduce, kRows);

class ScatterReduceOn : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, ScatterReduceOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(ScatterReduceOn, NothingAndNumbersOutOfRange) {
  const Tensor x = tensor({1.0, 2.0}, here_), none = places(x, {0}, {});
  for (const Reduce how : {Reduce::sum, Reduce::prod, Reduce::mean, Reduce::amax, Reduce::amin}) {
    expect_equals(scatter_reduce(x, 0, none, zeros({0}, here_), how, false), Array<float>{{2}, {1, 2}});
    const Tensor empty = zeros({0, 2}, here_);
    EXPECT_EQ(scatter_reduce(empty, 1, places(x, {0, 1}, {}), empty, how).shape(), (Shape{0, 2}));
    EXPECT_THROW(
        {
          scatter_reduce(x, 0, places(x, {1}, {2}), x, how);
          device_.synchronize();
        },
        Error);
  }
}

/// What is infinite, or no number, stays where it is.
TEST_P(ScatterReduceOn, ProductsKeepApart) {
  const Tensor x = ones({3}, here_), at = places(x, {5}, {0, 2, 1, 1, 2});
  const Tensor y =
      scatter_reduce(x, 0, at, tensor({HUGE_VAL, 2.0, 0.0, std::nan(""), 1e30}, here_), Reduce::prod);
  expect_equals(y, Array<float>{{3}, {INFINITY, NAN, 2e30f}});
}

/// Of as many as take several steps of a tree.
TEST_P(ScatterReduceOn, ProductsOfMany) {
  const Array<float> src = whole_array<float>({300}, 3, 1, 2);
  Array<float> wanted{{19}, std::vector<float>(19, 1)};
  for (std::size_t i = 0; i < 300; ++i) wanted.values[i % 19] *= src.values[i];
  const Tensor at = arange(300, {.dtype = i32, .device = device_}) % 19;
  expect_equals(scatter_reduce(ones({19}, here_), 0, at, to_tensor(src, device_), Reduce::prod),
                wanted);
}

}  // namespace
}  // namespace tenon::test
