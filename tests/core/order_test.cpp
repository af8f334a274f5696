// Scans, sorts and what is made of them: how many launches they take, and what they refuse.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Order : public testing::TestWithParam<std::string> {
 protected:
  std::int64_t launches(const std::function<void()>& f) const {
    const std::int64_t before = device_.stats().launches;
    f();
    return device_.stats().launches - before;
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Order, testing::ValuesIn(test_devices()), device_test_name);

/// One to load, one for each doubling, one to store: whatever the layout.
TEST_P(Order, AScanTakesALogarithmOfLaunches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  const Tensor x = ones({3, 1000}, here_);
  EXPECT_EQ(launches([&] { cumsum(x, 1); }), 2 + 10);
  EXPECT_EQ(launches([&] { cummax(x.transpose(0, 1), 0); }), 2 + 10);
  EXPECT_EQ(launches([&] { cumprod(x.slice(1, {.stop = 1}), 1); }), 2);
  EXPECT_EQ(launches([&] { cumsum(x.slice(1, {.stop = 0}), 1); }), 0);
}

/// Stages of the network, keys, padding, indices as i64, and a gather with its indices checked.
TEST_P(Order, ASortTakesTheSquareOfALogarithmOfLaunches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  const auto stages = [](std::int64_t log) { return log * (log + 1) / 2; };
  const Tensor x = ones({3, 1025}, here_);
  EXPECT_EQ(launches([&] { argsort(x); }), 3 + stages(11));
  EXPECT_EQ(launches([&] { sort(x); }), 5 + stages(11));
  EXPECT_EQ(launches([&] { argsort(x.slice(1, {.stop = 1024})); }), 2 + stages(10));
  EXPECT_EQ(launches([&] { argsort(x.slice(1, {.stop = 1})); }), 2);
}

/// For each step a gather and a comparison.
TEST_P(Order, ASearchTakesALogarithmOfLaunches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  const Tensor sorted = arange(1000, here_), values = arange(7, here_);
  EXPECT_EQ(launches([&] { searchsorted(sorted, values); }), 2 * 10 + 3);
}

TEST_P(Order, WrongScans) {
  const Tensor x = ones({2, 3}, here_);
  EXPECT_EQ(thrown([&] { cumsum(x, 2); }),
            invalid_argument("[cumsum] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { cumprod(tensor(1.0, here_), 1); }),
            invalid_argument("[cumprod] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(thrown([&] { cummax(x, -3); }),
            invalid_argument("[cummax] dimension -3 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { cummin(tensor(1.0, here_), 1); }),
            invalid_argument("[cummin] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(thrown([&] { cumsum(x, 0, bool_); }),
            invalid_argument("[cumsum] bool can't be accumulated; name an integer dtype"));
  EXPECT_EQ(thrown([&] { logcumsumexp(x.to(i32), 0); }),
            invalid_argument("[logcumsumexp] i32 is not floating; convert it"));
  EXPECT_EQ(thrown([&] { cumulative_sum(x); }),
            invalid_argument("[cumulative_sum] x is (2, 3), not 1-D; name a dimension"));
  EXPECT_EQ(thrown([&] { cumulative_prod(tensor(1.0, here_), {.dim = 0, .include_initial = true}); }),
            invalid_argument("[cumulative_prod] nothing comes before a 0-d tensor"));
  EXPECT_EQ(thrown([&] { cumsum(Tensor(), 0); }), invalid_argument("[cumsum] the tensor is undefined"));
}

TEST_P(Order, WrongDifferences) {
  const Tensor x = ones({2, 3}, here_);
  EXPECT_EQ(thrown([&] { diff(tensor(1.0, here_)); }),
            invalid_argument("[diff] a 0-d tensor has no dimension to go along"));
  EXPECT_EQ(thrown([&] { diff(x, {.n = -1}); }), invalid_argument("[diff] n is -1"));
  EXPECT_EQ(thrown([&] { diff(x, {.prepend = ones({3, 1}, here_)}); }),
            invalid_argument("[diff] prepend (3, 1) does not fit (2, 3) along dimension 1"));
  EXPECT_EQ(thrown([&] { diff(x, {.append = ones({2}, here_)}); }),
            invalid_argument("[diff] append (2,) does not fit (2, 3) along dimension 1"));
  EXPECT_EQ(thrown([&] { diff(x, {.append = x.to(i32)}); }),
            invalid_argument("[diff] append is i32 and x f32; convert one"));
  EXPECT_EQ(thrown([&] { trapezoid(x, ones({2}, here_)); }),
            invalid_argument("[trapezoid] there are 2 places, and 3 values along dimension 1"));
  EXPECT_EQ(thrown([&] { cumulative_trapezoid(x, ones({2, 2}, here_)); }),
            invalid_argument("[cumulative_trapezoid] places (2, 2) do not broadcast to (2, 3)"));
}

TEST_P(Order, WrongSorts) {
  const Tensor x = ones({2, 3}, here_);
  EXPECT_EQ(thrown([&] { sort(x, 2); }),
            invalid_argument("[sort] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { argsort(Tensor()); }), invalid_argument("[argsort] the tensor is undefined"));
  EXPECT_EQ(thrown([&] { topk(x, 4); }),
            invalid_argument("[topk] k is 4, and dimension 1 of (2, 3) has extent 3"));
  EXPECT_EQ(thrown([&] { topk(x, -1, 0); }),
            invalid_argument("[topk] k is -1, and dimension 0 of (2, 3) has extent 2"));
  EXPECT_EQ(thrown([&] { kthvalue(x, 0); }),
            invalid_argument("[kthvalue] k is 0, and dimension 1 of (2, 3) has extent 3"));
}

TEST_P(Order, WrongStatistics) {
  const Tensor x = ones({2, 3}, here_), none = ones({0, 3}, here_), half = tensor(0.5, here_);
  EXPECT_EQ(thrown([&] { median(none, 0); }),
            invalid_argument("[median] (0, 3) has no elements along dimension 0"));
  EXPECT_EQ(thrown([&] { nanmedian(none.to(i32)); }),
            invalid_argument("[nanmedian] (0, 3) has no elements"));
  EXPECT_EQ(thrown([&] { median(tensor(1.0, here_), 1); }),
            invalid_argument("[median] dimension 1 is out of range for a tensor of 1 dimensions"));
  const Tensor endless = ones({1}, here_).expand({std::int64_t{1} << 31});
  EXPECT_EQ(thrown([&] { median(endless, 0); }),
            invalid_argument("[median] extent 2147483648 is too large"));
  EXPECT_EQ(thrown([&] { quantile(endless, 0.5); }),
            invalid_argument("[quantile] extent 2147483648 is too large"));
  EXPECT_EQ(thrown([&] { quantile(x.to(i32), 0.5); }),
            invalid_argument("[quantile] i32 is not floating; convert it"));
  EXPECT_EQ(thrown([&] { quantile(x, half.to(i32)); }),
            invalid_argument("[quantile] q is i32, not floating"));
  EXPECT_EQ(thrown([&] { quantile(x, x); }),
            invalid_argument("[quantile] q is 0-d or 1-D, not (2, 3)"));
  EXPECT_EQ(thrown([&] { nanquantile(x, 1.5); }),
            invalid_argument("[nanquantile] q is 1.5, not in [0, 1]"));
  EXPECT_EQ(thrown([&] { quantile(none, half); }),
            invalid_argument("[quantile] (0,) has no elements along dimension 0"));
  EXPECT_EQ(thrown([&] { quantile(x, half, {.dim = 2}); }),
            invalid_argument("[quantile] dimension 2 is out of range for a tensor of 2 dimensions"));
}

TEST_P(Order, WrongSearches) {
  const Tensor x = ones({2, 3}, here_);
  EXPECT_EQ(thrown([&] { searchsorted(tensor(1.0, here_), x); }),
            invalid_argument("[searchsorted] the sorted elements are 0-d, not (..., n)"));
  EXPECT_EQ(
      thrown([&] { searchsorted(x, ones({3, 3}, here_)); }),
      invalid_argument("[searchsorted] values (3, 3) have not the rows of the sorted elements (2, 3)"));
  EXPECT_EQ(thrown([&] { bucketize(x, x); }),
            invalid_argument("[bucketize] boundaries are 1-D, not (2, 3)"));
  EXPECT_EQ(thrown([&] { isin(Tensor(), x); }), invalid_argument("[isin] the tensor is undefined"));
}

TEST_P(Order, WrongCounts) {
  const Tensor x = tensor({1, -2, 3}, here_), y = tensor({1.0, 2.0}, here_);
  EXPECT_EQ(thrown([&] { bincount(x); }),
            invalid_argument("[bincount] -2 is negative; only 0, 1, .. are counted"));
  EXPECT_EQ(thrown([&] { bincount(y); }),
            invalid_argument("[bincount] x is 1-D and of integers, not (2,) f32"));
  EXPECT_EQ(thrown([&] { bincount(x, y); }),
            invalid_argument("[bincount] weights (2,) are not of x's shape (3,)"));
  EXPECT_EQ(thrown([&] { bincount(x, {}, -1); }), invalid_argument("[bincount] minlength is -1"));
  EXPECT_EQ(thrown([&] { bincount(tensor(std::vector<std::uint64_t>{1ull << 63}, here_)); }),
            invalid_argument("[bincount] 9223372036854775808 is too large to count up to"));
  EXPECT_EQ(thrown([&] { histogram(x, 2); }),
            invalid_argument("[histogram] i64 is not floating; convert it"));
  EXPECT_EQ(thrown([&] { histogram(y, 0); }), invalid_argument("[histogram] there are 0 bins"));
  EXPECT_EQ(thrown([&] { histc(y, 0); }), invalid_argument("[histc] there are 0 bins"));
  EXPECT_EQ(thrown([&] { histogram(y, tensor({0.0, 2.0, 1.0}, here_)); }),
            invalid_argument("[histogram] the edges fall"));
  EXPECT_EQ(thrown([&] { histogram(y, 2, {.range = std::pair(3.0, 1.0)}); }),
            invalid_argument("[histogram] the range 3 .. 1 is empty or not finite"));
  EXPECT_EQ(thrown([&] { histogram(y, 2, {.weight = y.to(f64)}); }),
            invalid_argument("[histogram] weights (2,) f64 are not of x's shape and dtype, (2,) f32"));
  EXPECT_EQ(thrown([&] { histogram(y, y.to(f64)); }),
            invalid_argument("[histogram] edges are f64 and x f32; convert one"));
  EXPECT_EQ(thrown([&] { histogram(y, ones({1}, here_)); }),
            invalid_argument("[histogram] edges are 1-D and at least 2, not (1,)"));
}

}  // namespace
}  // namespace tenon::test
