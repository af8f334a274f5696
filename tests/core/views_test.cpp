// Views: which elements they show, that they share storage, and what they refuse.
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Views : public testing::TestWithParam<std::string> {
 protected:
  /// 0, 1, 2 .. in a shape.
  Tensor counted(const Shape& shape) const { return to_tensor(count(shape), device_); }
  static Array<std::int64_t> count(const Shape& shape) {
    Array<std::int64_t> x{shape, {}};
    for (std::size_t i = 0; i < element_count(shape); ++i)
      x.values.push_back(static_cast<std::int64_t>(i));
    return x;
  }
  /// Whether a write to one is seen in the other.
  static bool share(Tensor a, const Tensor& b) {
    a.fill_(-1);
    return (b.to(f64).sum() + static_cast<double>(b.numel())).item<double>() == 0;
  }

  const Device device_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, Views, testing::ValuesIn(test_devices()), device_test_name);

/// Python's list(range(5))[start:stop:step], by numpy 2.4; a row for each start, a column for each
/// stop.
constexpr std::optional<std::int64_t> kEnds[] = {std::nullopt, -7, -5, -2, 0, 2, 4, 7};
struct SliceRows {
  std::int64_t step;
  const char* rows[8];
};
constexpr SliceRows kSlices[] = {
    {1,
     {"01234 - - 012 - 01 0123 01234", "01234 - - 012 - 01 0123 01234", "01234 - - 012 - 01 0123 01234",
      "34 - - - - - 3 34", "01234 - - 012 - 01 0123 01234", "234 - - 2 - - 23 234", "4 - - - - - - 4",
      "- - - - - - - -"}},
    {2,
     {"024 - - 02 - 0 02 024", "024 - - 02 - 0 02 024", "024 - - 02 - 0 02 024", "3 - - - - - 3 3",
      "024 - - 02 - 0 02 024", "24 - - 2 - - 2 24", "4 - - - - - - 4", "- - - - - - - -"}},
    {-1,
     {"43210 43210 4321 4 4321 43 - -", "- - - - - - - -", "0 0 - - - - - -",
      "3210 3210 321 - 321 3 - -", "0 0 - - - - - -", "210 210 21 - 21 - - -",
      "43210 43210 4321 4 4321 43 - -", "43210 43210 4321 4 4321 43 - -"}},
    {-3,
     {"41 41 41 4 41 4 - -", "- - - - - - - -", "0 0 - - - - - -", "30 30 3 - 3 3 - -",
      "0 0 - - - - - -", "2 2 2 - 2 - - -", "41 41 41 4 41 4 - -", "41 41 41 4 41 4 - -"}},
};

TEST_P(Views, SlicesAsPythonDoes) {
  const Tensor x = counted({5});
  for (const SliceRows& table : kSlices) {
    for (std::size_t i = 0; i < 8; ++i) {
      std::istringstream row(table.rows[i]);
      for (const auto& stop : kEnds) {
        std::string expected, found;
        row >> expected;
        const Tensor y = x.slice(0, {kEnds[i], stop, table.step});
        for (const std::int64_t value : y.to_vector<std::int64_t>()) found += std::to_string(value);
        ASSERT_EQ(found.empty() ? "-" : found, expected)
            << kEnds[i].value_or(99) << ":" << stop.value_or(99) << ":" << table.step;
      }
    }
  }
}

TEST_P(Views, SlicesAtTheEdgesOfIntegers) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  const Tensor x = counted({5}), none = counted({0}), one = counted({1});
  expect_equals(x.slice(0, {kMin, kMax, 1}), count({5}));
  expect_equals(x.slice(0, {.step = kMax}), Array<std::int64_t>{{1}, {0}});
  expect_equals(x.slice(0, {.step = 1 - (std::int64_t{1} << 62)}), Array<std::int64_t>{{1}, {4}});
  expect_equals(x.slice(0, {kMax, kMin, -2}), Array<std::int64_t>{{3}, {4, 2, 0}});
  EXPECT_EQ(none.slice(0, {.step = -1}).numel(), 0);
  EXPECT_EQ(none.slice(0, {1, 3, 1}).numel(), 0);
  expect_equals(one.slice(0, {-1, std::nullopt, -5}), Array<std::int64_t>{{1}, {0}});
  EXPECT_EQ(one.slice(0, {1, std::nullopt, 1}).numel(), 0);
  EXPECT_EQ(thrown([&] { x.slice(0, {.step = 0}); }), invalid_argument("[slice] the step is 0"));
  EXPECT_EQ(thrown([&] { x.slice(1, {}); }),
            invalid_argument("[slice] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(thrown([&] { x.slice(0, {.step = kMin}); }),
            invalid_argument("[slice] the step -9223372036854775808 is too large"));
}

TEST_P(Views, SliceTakesAnyDimensionOfAView) {
  const Tensor x = counted({3, 4}).transpose(0, 1);  // x[i][j] = i + 4 j
  expect_equals(x.slice(-1, {.start = 1}), Array<std::int64_t>{{4, 2}, {4, 8, 5, 9, 6, 10, 7, 11}});
  expect_equals(x.slice(0, {.step = -2}), Array<std::int64_t>{{2, 3}, {3, 7, 11, 1, 5, 9}});
  expect_equals(x.slice(0, {.step = -1}).slice(0, {.step = -3}).slice(1, {2, 0, -1}),
                Array<std::int64_t>{{2, 2}, {8, 4, 11, 7}});
  EXPECT_TRUE(share(x.slice(0, {.step = -2}), x.slice(0, {.start = 1, .step = 2})));
}

TEST_P(Views, ReshapeIsAViewWhereStridesAllowIt) {
  struct Row {
    Shape asked, given;
  };
  for (const auto& [asked, given] : std::vector<Row>{{{24}, {24}},
                                                     {{-1}, {24}},
                                                     {{4, 6}, {4, 6}},
                                                     {{6, -1}, {6, 4}},
                                                     {{2, -1, 12, 1}, {2, 1, 12, 1}},
                                                     {{1, 2, 2, 3, 2}, {1, 2, 2, 3, 2}}}) {
    const Tensor x = counted({2, 3, 4}), y = x.reshape(asked);
    expect_equals(y, count(given));
    expect_equals(x.view(asked), count(given));
    EXPECT_TRUE(share(y, x)) << to_string(asked);
  }
  // Splits and merges within runs that are contiguous, on a transposed tensor.
  const Tensor t = counted({4, 6}).transpose(0, 1);
  const Tensor split = t.view({2, 3, 2, 2});
  expect_equals(split.reshape({6, 4}),
                rearranged(count({4, 6}), {6, 4}, [](const Dims& at) { return Dims{at[1], at[0]}; }));
  EXPECT_TRUE(share(split, t));
  const Tensor backwards = counted({6}).slice(0, {.step = -1});
  expect_equals(backwards.view({2, 3}), Array<std::int64_t>{{2, 3}, {5, 4, 3, 2, 1, 0}});
  EXPECT_TRUE(share(backwards.view({2, 3}), backwards));
  const Tensor one = counted({1}).expand({3, 4});
  expect_equals(one.view({2, 6}), Array<std::int64_t>{{2, 6}, std::vector<std::int64_t>(12, 0)});
}

TEST_P(Views, ReshapeCopiesWhereTheyDoNot) {
  const Tensor x = counted({2, 3}), t = x.transpose(0, 1), y = t.reshape({6});
  expect_equals(y, Array<std::int64_t>{{6}, {0, 3, 1, 4, 2, 5}});
  EXPECT_FALSE(share(y, x));
  EXPECT_EQ(
      thrown([&] { t.view({6}); }),
      invalid_argument("[view] shape (3, 2) with strides (1, 3) can't be seen as (6,); use reshape"));
  expect_equals(counted({4, 1}).expand({4, 3}).reshape({2, 6}),
                Array<std::int64_t>{{2, 6}, {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}});
  expect_equals(counted({2, 4}).slice(1, {.step = 2}).reshape({4}),
                Array<std::int64_t>{{4}, {0, 2, 4, 6}});
}

TEST_P(Views, ReshapeOfOneOrNoElement) {
  expect_equals(tensor(5, {.device = device_}).reshape({1, 1}), Array<std::int64_t>{{1, 1}, {5}});
  expect_equals(counted({1, 1, 1}).reshape({}), count({}));
  expect_equals(counted({0, 3}).reshape({3, 0}), count({3, 0}));
  expect_equals(counted({0, 3}).reshape({-1, 3}), count({0, 3}));
  expect_equals(counted({0, 3}).view({0}), count({0}));
}

TEST_P(Views, ReshapeRefuses) {
  const Tensor x = counted({2, 3});
  EXPECT_EQ(thrown([&] { x.reshape({4}); }),
            invalid_argument("[reshape] 6 elements of shape (2, 3) don't fit (4,)"));
  EXPECT_EQ(thrown([&] { x.reshape({4, -1}); }),
            invalid_argument("[reshape] 6 elements of shape (2, 3) don't fit (4, -1)"));
  EXPECT_EQ(thrown([&] { x.view({-1, -1}); }),
            invalid_argument("[view] (-1, -1) has more than one -1"));
  EXPECT_EQ(thrown([&] { x.reshape({-2, 3}); }),
            invalid_argument("[reshape] (-2, 3) has a negative extent"));
  EXPECT_EQ(thrown([&] { counted({0}).reshape({0, -1}); }),
            invalid_argument("[reshape] 0 elements of shape (0,) don't fit (0, -1)"));
  EXPECT_EQ(thrown([&] { x.reshape({std::int64_t{1} << 40, std::int64_t{1} << 40}); }),
            invalid_argument("[reshape] (1099511627776, 1099511627776) is too large"));
}

TEST_P(Views, TransposeAndPermute) {
  const Tensor x = counted({2, 3, 4});
  const Array<std::int64_t> values = count({2, 3, 4});
  expect_equals(x.transpose(0, -1), rearranged(values, {4, 3, 2}, [](const Dims& at) {
                  return Dims{at[2], at[1], at[0]};
                }));
  expect_equals(x.permute({2, 0, -2}), rearranged(values, {4, 2, 3}, [](const Dims& at) {
                  return Dims{at[1], at[2], at[0]};
                }));
  expect_equals(x.permute({0, 1, 2}), values);
  expect_equals(tensor(5, {.device = device_}).permute({}), Array<std::int64_t>{{}, {5}});
  EXPECT_EQ(thrown([&] { x.permute({0, 1}); }),
            invalid_argument("[permute] (0, 1) names 2 dimensions, the tensor has 3"));
  EXPECT_EQ(thrown([&] { x.permute({0, 1, -2}); }),
            invalid_argument("[permute] dimension 1 is named twice in (0, 1, -2)"));
  EXPECT_EQ(thrown([&] { x.permute({0, 1, 3}); }),
            invalid_argument("[permute] dimension 3 is out of range for a tensor of 3 dimensions"));
  EXPECT_EQ(
      thrown([&] { x.permute({0, 1, (std::int64_t{1} << 32) + 2}); }),
      invalid_argument("[permute] dimension 4294967298 is out of range for a tensor of 3 dimensions"));
  EXPECT_EQ(thrown([&] { x.transpose(0, -4); }),
            invalid_argument("[transpose] dimension -4 is out of range for a tensor of 3 dimensions"));
  EXPECT_TRUE(share(x.permute({2, 0, 1}), x));
}

TEST_P(Views, Select) {
  const Tensor x = counted({2, 3});
  expect_equals(x.select(0, 1), Array<std::int64_t>{{3}, {3, 4, 5}});
  expect_equals(x.select(-1, -3), Array<std::int64_t>{{2}, {0, 3}});
  expect_equals(x.select(0, -1).select(0, 2), Array<std::int64_t>{{}, {5}});
  EXPECT_EQ(thrown([&] { x.select(1, 3); }),
            invalid_argument("[select] index 3 is out of range for extent 3"));
  EXPECT_EQ(thrown([&] { x.select(1, -4); }),
            invalid_argument("[select] index -4 is out of range for extent 3"));
  Tensor row = x.select(0, 0);
  row.fill_(9);
  expect_equals(x, Array<std::int64_t>{{2, 3}, {9, 9, 9, 3, 4, 5}});
}

TEST_P(Views, Expand) {
  const Tensor x = counted({3, 1});
  const Tensor y = x.expand({2, 3, 2});
  EXPECT_EQ(y.strides()[0], 0);
  EXPECT_EQ(y.strides()[2], 0);
  expect_equals(y, Array<std::int64_t>{{2, 3, 2}, {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2}});
  expect_equals(tensor(7, {.device = device_}).expand({2}), Array<std::int64_t>{{2}, {7, 7}});
  expect_equals(x.expand({3, 0}), count({3, 0}));
  EXPECT_EQ(thrown([&] { x.expand({2, 2}); }),
            invalid_argument("[expand] shapes do not broadcast: (3, 1) and (2, 2)"));
  EXPECT_EQ(thrown([&] { x.expand({3}); }),
            invalid_argument("[expand] (3, 1) does not stretch to (3,)"));
  EXPECT_EQ(thrown([&] { x.expand({1, 4}); }),
            invalid_argument("[expand] (3, 1) does not stretch to (1, 4)"));
  EXPECT_EQ(thrown([&] { counted({3}).expand({1}); }),
            invalid_argument("[expand] (3,) does not stretch to (1,)"));
}

TEST_P(Views, SqueezeAndUnsqueeze) {
  const Tensor x = counted({2, 3}).transpose(0, 1);
  const Array<std::int64_t> values{{3, 2}, {0, 3, 1, 4, 2, 5}};
  for (const auto& [dim, shape] : std::vector<std::pair<int, Shape>>{
           {0, {1, 3, 2}}, {1, {3, 1, 2}}, {2, {3, 2, 1}}, {-1, {3, 2, 1}}, {-3, {1, 3, 2}}}) {
    const Tensor y = x.unsqueeze(dim);
    expect_equals(y, Array<std::int64_t>{shape, values.values});
    expect_equals(y.squeeze(dim), values);
  }
  expect_equals(x.squeeze(0), values);
  expect_equals(x.unsqueeze(0).squeeze({0, 1}), values);
  EXPECT_TRUE(share(x.unsqueeze(1), x));
  expect_equals(tensor(7, {.device = device_}).unsqueeze(0), Array<std::int64_t>{{1}, {7}});
  EXPECT_EQ(thrown([&] { x.unsqueeze(3); }),
            invalid_argument("[unsqueeze] dimension 3 is out of range for a tensor of 3 dimensions"));
  EXPECT_EQ(tensor(7, {.device = device_}).unsqueeze(0).squeeze(0).squeeze(0).shape(), Shape{});
  EXPECT_EQ(thrown([&] { x.squeeze(2); }),
            invalid_argument("[squeeze] dimension 2 is out of range for a tensor of 2 dimensions"));
}

TEST_P(Views, ChainsOfRandomViewsShowTheRightElements) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t bound) {
      return static_cast<int>(random() % std::uint64_t(bound));
    };
    Array<std::int64_t> expected = count({2, 3, 4});
    Tensor x = counted({2, 3, 4});
    for (int step = 0; step < 5; ++step) {
      const int d = below(x.rank());
      Shape shape = expected.shape;
      switch (below(4)) {
        case 0: {
          const int other = below(x.rank());
          std::swap(shape[d], shape[other]);
          expected = rearranged(expected, shape, [&](Dims at) {
            std::swap(at[d], at[other]);
            return at;
          });
          x = x.transpose(d, other);
          break;
        }
        case 1: {
          const std::int64_t last = shape[d] - 1;
          expected = rearranged(expected, shape, [&](Dims at) {
            at[d] = last - at[d];
            return at;
          });
          x = x.slice(d, {.step = -1});
          break;
        }
        case 2: {
          if (shape[d] == 1) continue;
          const int start = below(shape[d] - 1);
          shape[d] -= start;
          expected = rearranged(expected, shape, [&](Dims at) {
            at[d] += start;
            return at;
          });
          x = x.slice(d, {.start = start});
          break;
        }
        case 3: {
          expected.shape = {static_cast<std::int64_t>(element_count(shape)), 1};
          x = x.reshape({-1, 1});
          break;
        }
      }
    }
    expect_equals(x, expected);
    expect_equals(x.contiguous() + 0, expected);
  }
}

}  // namespace
}  // namespace tenon::test
