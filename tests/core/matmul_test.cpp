// Matrix products against three nested loops in f64.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Matmul : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Matmul, testing::ValuesIn(test_devices()), device_test_name);

Shape leading(const Shape& shape) {
  return Dims(std::span(shape.begin(), static_cast<std::size_t>(shape.size() - 2)));
}

/// The product, and with `absolute` that of the magnitudes, which bounds the rounding.
template <class T>
Array<double> product(Array<T> x, Array<T> y, bool absolute = false) {
  const bool row = x.shape.size() == 1, column = y.shape.size() == 1;
  if (row) x.shape.insert(0, 1);
  if (column) y.shape.push_back(1);
  Shape shape = stretched(leading(x.shape), leading(y.shape));
  const int batch = shape.size();
  const std::int64_t inner = x.shape.back();
  shape.push_back(x.shape[x.shape.size() - 2]);
  shape.push_back(y.shape.back());
  Array<double> result{shape, {}};
  for (const Dims& at : coordinates(shape)) {
    double sum = 0;
    for (std::int64_t k = 0; k < inner; ++k) {
      Dims left = at, right = at;
      left[batch + 1] = k;
      right[batch] = k;
      const double term =
          double(x.values[element_at(x.shape, left)]) * double(y.values[element_at(y.shape, right)]);
      sum += absolute ? std::fabs(term) : term;
    }
    result.values.push_back(sum);
  }
  if (column) result.shape.erase(batch + 1);
  if (row) result.shape.erase(batch);
  return result;
}

template <class T>
Array<T> rounded(const Array<double>& x) {
  return {x.shape, {x.values.begin(), x.values.end()}};
}

const std::vector<std::pair<Shape, Shape>> kShapes = {
    {{3}, {3}},
    {{3}, {3, 4}},
    {{2, 3}, {3}},
    {{2, 3}, {3, 4}},
    {{1, 1}, {1, 1}},
    {{1, 5}, {5, 1}},
    {{7, 5}, {5, 9}},
    {{2, 2, 3}, {3, 4}},
    {{2, 3}, {4, 3, 2}},
    {{2, 2, 3}, {2, 3, 4}},
    {{2, 1, 2, 3}, {4, 3, 2}},
    {{2, 1, 2, 3}, {1, 3, 3, 1}},
    {{3}, {2, 3, 4}},
    {{2, 2, 3}, {3}},
    {{3, 0}, {0, 4}},
    {{0}, {0}},
    {{0, 3}, {3, 4}},
    {{2, 0, 3}, {3, 2}},
    {{0, 2, 3}, {3, 4}},
    {{2, 3}, {3, 0}},
};

template <class T>
void check_exact(Device device) {
  for (std::size_t s = 0; s < kShapes.size(); ++s) {
    const auto x = whole_array<T>(kShapes[s].first, s), y = whole_array<T>(kShapes[s].second, s + 100);
    const Array<T> wanted = rounded<T>(product(x, y));
    for (const Layout left : kLayouts) {
      for (const Layout right : kLayouts) {
        SCOPED_TRACE(to_string(x.shape) + " x " + to_string(y.shape));
        // A sum of zeros of both signs has either.
        expect_equals(matmul(arranged(x, left, device), arranged(y, right, device)), wanted,
                      kEitherZero);
      }
    }
  }
}

TEST_P(Matmul, WholeNumbersAreExactInEveryShapeAndLayout) {
  check_exact<float>(device_);
  check_exact<double>(device_);
}

TEST_P(Matmul, RandomNumbersAreWithinTheRoundingOfASum) {
  std::mt19937_64 random(3);
  const auto fill = [&](const Shape& shape) {
    Array<float> x{shape, {}};
    for (std::size_t i = 0; i < element_count(shape); ++i)
      x.values.push_back(static_cast<float>(random() % 2001) / 1000 - 1);
    return x;
  };
  const auto x = fill({2, 33, 129}), y = fill({129, 17});
  const Array<double> wanted = product(x, y), bound = product(x, y, true);
  const auto found = matmul(to_tensor(x, device_), arranged(y, Layout::Transposed, device_));
  const auto values = found.to_vector<float>();
  ASSERT_EQ(values.size(), wanted.values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(double(values[i]), wanted.values[i], 129 * 0x1p-24 * bound.values[i] + 1e-30) << i;
}

TEST_P(Matmul, AnEmptySumIsZero) {
  expect_equals(matmul(zeros({2, 0}, here_), zeros({0, 3}, here_)),
                Array<float>{{2, 3}, std::vector<float>(6, 0)});
}

TEST_P(Matmul, StretchedOperands) {
  const Tensor row = tensor({{1.0f, 2.0f, 3.0f}}, here_).expand({2, 3});
  const Tensor one = tensor({{1.0f}}, here_).expand({3, 2});
  expect_equals(matmul(row, one), Array<float>{{2, 2}, {6, 6, 6, 6}});
  const Tensor batch = tensor({{1.0f, 2.0f}, {3.0f, 4.0f}}, here_).expand({2, 2, 2});
  expect_equals(matmul(batch, batch), Array<float>{{2, 2, 2}, {7, 10, 15, 22, 7, 10, 15, 22}});
}

TEST_P(Matmul, NanAndInfinitySpreadAlongTheirRow) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = tensor({{kNan, 1.0f}, {kInf, 1.0f}, {1.0f, 1.0f}}, here_);
  const Tensor y = tensor({{1.0f, 0.0f}, {1.0f, 1.0f}}, here_);
  expect_equals(matmul(x, y), Array<float>{{3, 2}, {kNan, kNan, kInf, kNan, 2, 1}});
}

TEST_P(Matmul, MixedDTypesPromote) {
  const auto whole = whole_array<std::int32_t>({2, 3}, 1);
  const auto wide = whole_array<double>({3, 2}, 2);
  const auto narrow = whole_array<float>({3, 2}, 3);
  const auto flags = random_array<bool>({2, 3}, 4);
  const auto as_f64 = [](const auto& x) {
    return Array<double>{x.shape, {x.values.begin(), x.values.end()}};
  };
  expect_equals(matmul(to_tensor(whole, device_), to_tensor(wide, device_)),
                product(as_f64(whole), wide), kEitherZero);
  expect_equals(matmul(to_tensor(whole, device_), to_tensor(narrow, device_)),
                rounded<float>(product(as_f64(whole), as_f64(narrow))), kEitherZero);
  expect_equals(matmul(to_tensor(flags, device_), to_tensor(narrow, device_)),
                rounded<float>(product(as_f64(flags), as_f64(narrow))), kEitherZero);
  expect_equals(
      matmul(to_tensor(narrow, device_).transpose(0, 1), to_tensor(wide, device_)),
      product(rearranged(as_f64(narrow), {2, 3}, [](const Dims& at) { return Dims{at[1], at[0]}; }),
              wide),
      kEitherZero);
}

TEST_P(Matmul, IntegersAreRightOrUnsupported) {
  const auto x = whole_array<std::int64_t>({2, 3}, 1), y = whole_array<std::int64_t>({3, 4}, 2);
  const auto wanted = rounded<std::int64_t>(product(x, y));
  Tensor found;
  try {
    found = matmul(to_tensor(x, device_), to_tensor(y, device_));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unsupported) << error.what();
    return;
  }
  expect_equals(found, wanted);
}

TEST_P(Matmul, RefusalsNameBothOperands) {
  const auto z = [&](const Shape& shape) { return zeros(shape, here_); };
  EXPECT_EQ(thrown([&] { matmul(z({2, 3}), z({4, 5})); }),
            invalid_argument("[matmul] inner dimensions differ: (2, 3) x (4, 5)"));
  EXPECT_EQ(thrown([&] { matmul(z({3}), z({4})); }),
            invalid_argument("[matmul] inner dimensions differ: (3,) x (4,)"));
  EXPECT_EQ(thrown([&] { matmul(z({2, 3}), z({2})); }),
            invalid_argument("[matmul] inner dimensions differ: (2, 3) x (2,)"));
  EXPECT_EQ(thrown([&] { matmul(z({}), z({2})); }),
            invalid_argument("[matmul] a 0-d operand has no inner dimension: () x (2,); use *"));
  EXPECT_EQ(thrown([&] { matmul(z({2}), z({})); }),
            invalid_argument("[matmul] a 0-d operand has no inner dimension: (2,) x (); use *"));
  EXPECT_EQ(thrown([&] { matmul(z({2, 2, 3}), z({3, 3, 4})); }),
            invalid_argument("[matmul] leading dimensions do not broadcast: (2, 2, 3) x (3, 3, 4)"));
}

TEST(MatmulBits, AreTheSameOnFaultyAndReference) {
  const auto x = random_array<float>({5, 37}, 1), y = random_array<float>({37, 6}, 2);
  const auto on = [&](const Device& where) {
    return matmul(to_tensor(x, where), to_tensor(y, where)).to_vector<float>();
  };
  const Array<float> reference{{5, 6}, on(device("reference"))};
  for (const Device& each : devices()) {
    if (each.info().kind == "faulty")
      expect_equals(to_tensor(Array<float>{{5, 6}, on(each)}, each), reference);
  }
}

}  // namespace
}  // namespace tenon::test
