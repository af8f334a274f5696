// Writes in place to views of recorded tensors: the base and its other views follow.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/differences.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Floats = std::vector<float>;
using Inputs = std::span<const Tensor>;

class Views : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Views, testing::ValuesIn(test_devices()), device_test_name);

Tensor zeros_beside(const Tensor& x, const Shape& shape) {
  return zeros(shape, {.dtype = f64, .device = x.device()});
}

struct Row {
  const char* name;
  std::vector<Shape> shapes;
  Function f;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"add to a slice",
       {{3}, {2}},
       [](Inputs x) {
         Tensor h = x[0] * 2;
         h.slice(0, {1, 3}) += exp(x[1]);
         return h * h;
       }},
      {"copy into a row of zeros",
       {{3}},
       [](Inputs x) {
         Tensor h = zeros_beside(x[0], {2, 3});
         h.select(0, 1).copy_(x[0] * x[0]);
         h.select(0, 0).copy_(exp(x[0]));
         return h * h.select(0, 1);
       }},
      {"fill a column",
       {{2, 3}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         h.select(1, 2).fill_(7);
         return h * h;
       }},
      {"a view of a view of a view",
       {{2, 3}, {2}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         Tensor part = h.transpose(0, 1).slice(0, {.step = -2}).select(1, 1);
         part += x[1] * x[1];
         part *= 3;
         return exp(h * 0.1) * h;
       }},
      {"a view after its base was written",
       {{3}, {3}},
       [](Inputs x) {
         Tensor h = x[0] * 2;
         const Tensor part = h.slice(0, {1, 3});
         const Tensor before = part * 1;
         h += x[1] * x[1];
         return part * part + before * h.sum();
       }},
      {"another view of what was written",
       {{2, 2}, {2}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         const Tensor column = h.select(1, 0), flat = h.view({4});
         h.select(0, 1).copy_(exp(x[1]));
         return column.sum() * flat * flat;
       }},
      {"a stretched view of what was written",
       {{1, 3}, {3}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         const Tensor tall = h.expand({2, 3});
         h.select(0, 0) += x[1] * x[1];
         return tall * tall * arange(2, {.dtype = f64, .device = h.device()}).view({2, 1});
       }},
      {"view and base by turns",
       {{3}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         Tensor front = h.slice(0, {.stop = 2}), back = h.slice(0, {.start = 1});
         front += back.slice(0, {.stop = 2}) * 0.5;
         h *= 2;
         back += exp(x[0].slice(0, {.stop = 2}));
         front.slice(0, {0, 1}).fill_(1);
         return h * front.sum();
       }},
      {"the view itself goes on",
       {{3}},
       [](Inputs x) {
         Tensor h = x[0] * x[0];
         Tensor part = h.slice(0, {.step = 2});
         part += x[0].slice(0, {.stop = 2});
         return part * part + h.sum();
       }},
      {"a product's view",
       {{2, 3}, {3}},
       [](Inputs x) {
         Tensor h = matmul(x[0], x[1]);
         h.slice(0, {0, 1}) *= 3;
         h += 1;
         return h * h;
       }},
  };
  return table;
}

TEST_P(Views, GradientsOfBothOrdersAgreeWithDifferences) {
  for (const Row& row : rows()) {
    const auto inputs = random_leaves(row.shapes, 0.5, 1.5, 3, device_);
    EXPECT_EQ(autograd::gradcheck(row.f, inputs), "") << row.name;
    EXPECT_EQ(autograd::gradgradcheck(row.f, inputs), "") << row.name;
  }
}

TEST_P(Views, AWriteMakesABaseThatWasNoneAResult) {
  const Tensor x = leaf({5});
  Tensor h = zeros({3}, here_);
  const Tensor other = h.slice(0, {1, 3}), apart = h.clone();
  h.slice(0, {0, 2}) += x;
  EXPECT_TRUE(h.requires_grad());
  EXPECT_FALSE(h.is_leaf());
  EXPECT_TRUE(other.requires_grad());
  EXPECT_FALSE(apart.requires_grad());
  (other * 10).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{10}));
  h.fill_(0);
  EXPECT_FALSE(h.requires_grad());
  EXPECT_FALSE(other.requires_grad()) << "nothing of x is left in it either";
}

TEST_P(Views, SavedValuesThatAViewChangesAreNoticed) {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 2;
  const Tensor square = (h * h).sum();
  h.slice(0, {0, 1}) += 1;
  EXPECT_EQ(
      thrown([&] { square.backward(); }),
      invalid_argument("[mul] a tensor that backward needs was changed in place: it is at version "
                       "1, 0 was saved"));
}

TEST_P(Views, AViewBehindAHiddenWriteIsRefused) {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 2, part = h.slice(0, {0, 1});
  h.detach() += 1;
  const std::string stale =
      "its result was changed in place through another tensor; clone() before the change";
  EXPECT_EQ(thrown([&] { part + 1; }), invalid_argument("[slice] " + stale));
  EXPECT_EQ(thrown([&] { part += 1; }), invalid_argument("[mul] " + stale));
  EXPECT_EQ(h.to_vector<float>(), (Floats{3, 5}));
}

TEST_P(Views, OfALeafFollowItUnderNoGrad) {
  Tensor x = leaf({1, 2});
  const Tensor part = x.slice(0, {1, 2});
  {
    const NoGrad guard;
    x *= 10;  // an optimiser's step
  }
  (part * part).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0, 40}));
}

TEST_P(Views, ALeafThatIsAViewStaysOne) {
  Tensor h = zeros({3}, here_), part = h.slice(0, {0, 2});
  part.set_requires_grad();
  h += leaf({1, 2, 3});
  EXPECT_TRUE(part.is_leaf());
  EXPECT_EQ(thrown([&] { part += 1; }),
            invalid_argument("[add] a leaf that requires a gradient can't be written in place; do it "
                             "under NoGrad"));
}

TEST_P(Views, OtherDataHasNothingToDoWithTheBase) {
  const Tensor x = leaf({1, 2});
  Tensor h = zeros({2}, here_), part = h.slice(0, {0, 1});
  part.set_data(tensor({5.0}, here_));
  h += x;
  EXPECT_FALSE(part.requires_grad());
  part += x.slice(0, {0, 1});
  (part * h.detach()).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{3, 0}));
}

TEST_P(Views, TheBaseKeepsRetainingItsGradient) {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 2;
  h.retain_grad();
  h.slice(0, {0, 1}) *= 3;
  (h * 5).sum().backward();
  EXPECT_EQ(h.grad().to_vector<float>(), (Floats{5, 5}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{30, 10}));
}

TEST_P(Views, WritesKeepNothingAlive) {
  const Tensor x = tensor(std::vector<float>(1000), {.device = device_, .requires_grad = true});
  const auto once = [&] {
    Tensor h = x * 2, part = h.slice(0, {.stop = 500}), other = h.view({10, 100});
    part += exp(part * 1);
    part *= 2;
    (other * h.view({10, 100})).sum().backward();
    Tensor(x).set_grad({});
  };
  once();
  const std::int64_t before = memory_stats(device_).live;
  for (int i = 0; i < 5; ++i) once();
  EXPECT_EQ(memory_stats(device_).live, before);
}

}  // namespace
}  // namespace tenon::test
