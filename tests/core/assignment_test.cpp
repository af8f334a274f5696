// Assignment: a handle takes another tensor; what an expression looks at takes its values.
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Assignment : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Devices, Assignment, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Assignment, ToAViewWritesToItsBase) {
  Tensor x = zeros({3, 4}, here_);
  x[0] = tensor({1.0, 2.0, 3.0, 4.0}, here_);
  x[1][2] = 7;
  x[Slice{.start = 2}] = ones({4}, here_);
  x.index({ellipsis, 0}) = tensor(9.0, here_);
  x.slice(1, {1, 2}) = x.slice(1, {3, 4});
  x.select(0, 2).narrow(0, 2, 2) = -1;
  expect_equals(x, Array<float>{{3, 4}, {9, 4, 3, 4, 9, 0, 7, 0, 9, 1, -1, -1}});
  x.T()[3] = x[1][2];
  x[0] = x[1] = x[2];
  expect_equals(x, Array<float>{{3, 4}, {9, 1, -1, 7, 9, 1, -1, 7, 9, 1, -1, 7}});
}

TEST_P(Assignment, ToAHandleTakesTheOtherTensor) {
  const Tensor a = ones({2}, here_), b = zeros({2}, here_);
  Tensor x = a, y = b;
  y = x;
  EXPECT_TRUE(y.is_same(a));
  std::tie(x, y) = std::pair(a, b);
  std::swap(x, y);
  EXPECT_TRUE(x.is_same(b));
  EXPECT_TRUE(y.is_same(a));
  std::vector<Tensor> both{a, b};
  both.erase(both.begin());
  EXPECT_TRUE(both[0].is_same(b));
  both[0] = a;
  both.insert(both.begin(), b);
  EXPECT_TRUE(both[1].is_same(a));
  x = {};
  EXPECT_FALSE(x.defined());
  expect_equals(a, Array<float>{{2}, {1, 1}});
  expect_equals(b, Array<float>{{2}, {0, 0}});
}

TEST_P(Assignment, ToAViewIsRecorded) {
  Tensor x = ones({2, 2}, here_), y = tensor({3.0, 4.0}, here_);
  x.set_requires_grad();
  y.set_requires_grad();
  const Tensor z = x * 2;
  z[0] = y;
  (z * z).sum().backward();
  expect_equals(x.grad(), Array<float>{{2, 2}, {0, 0, 8, 8}});
  expect_equals(y.grad(), Array<float>{{2}, {6, 8}});
}

TEST_P(Assignment, SaysWhatDoesNotFit) {
  const Tensor x = zeros({2, 3}, here_);
  EXPECT_EQ(thrown([&] { x[0] = ones({2}, here_); }).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { x[0] = Tensor(); }).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { x[2] = 1; }),
            invalid_argument("[index] index 2 is out of range for 2 rows of dimension 0"));
}

template <class X, class I>
concept Assigns = requires(X x, I i, Tensor y) { x[i] = y; };
template <class X, class I>
concept Adds = requires(X x, I i, Tensor y) { x[i] += y; };
template <class X>
concept AssignsList = requires(X x, std::vector<Index> i, Tensor y) { x.index(i) = y; };

// What an index tensor picks is a copy, to which a write would be lost.
static_assert(Assigns<Tensor, int> && Adds<Tensor, int> && Assigns<Tensor, Slice>);
static_assert(!Assigns<Tensor, Tensor> && !Adds<Tensor, Tensor> && !AssignsList<Tensor>);

}  // namespace
}  // namespace tenon::test
