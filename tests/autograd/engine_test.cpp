// Backward as a whole: what is recorded, how gradients accumulate, how graphs live and die, and what is
// refused.
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>
#include <tenon/program.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/threads.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using autograd::grad;

class Engine : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Engine, testing::ValuesIn(test_devices()), device_test_name);

void expect_grad(const Tensor& x, const std::vector<float>& expected) {
  ASSERT_TRUE(x.grad().defined());
  EXPECT_EQ(x.grad().to_vector<float>(), expected);
}

TEST_P(Engine, GradientsAccumulateUntilTheyAreReset) {
  Tensor x = leaf({1, 2, 3});
  EXPECT_FALSE(x.grad().defined());
  (x * x).sum().backward();
  expect_grad(x, {2, 4, 6});
  (x * 10).sum().backward();
  expect_grad(x, {12, 14, 16});
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
  x.set_grad(ones({3}, here_));
  x.sum().backward();
  expect_grad(x, {2, 2, 2});
  EXPECT_EQ(thrown([&] { x.set_grad(ones({2}, here_)); }),
            invalid_argument("[set_grad] shapes differ: (2,) and (3,)"));
  EXPECT_EQ(thrown([&] { x.set_grad(ones({3}, {.dtype = f64, .device = device_})); }),
            invalid_argument("[set_grad] the gradient is f64 on " + GetParam() +
                             ", the tensor f32 on " + GetParam()));
}

TEST_P(Engine, AGradientIsNotSharedWithWhatItCameFrom) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  Tensor given = tensor({1.0, 1.0}, here_);
  (x + y).backward(given);
  given.fill_(9);
  Tensor of_x = x.grad();
  of_x.fill_(7);
  expect_grad(x, {7, 7});
  expect_grad(y, {1, 1});
  const Tensor z = leaf({1, 2});
  z.backward(given);
  given.fill_(0);
  expect_grad(z, {9, 9});
}

TEST_P(Engine, AGraphIsFreedUnlessRetained) {
  const Tensor x = leaf({1, 2}), y = (x * x).sum();
  y.backward({}, true);
  y.backward({}, true);
  expect_grad(x, {4, 8});
  y.backward();
  expect_grad(x, {6, 12});
  EXPECT_EQ(
      thrown([&] { y.backward(); }),
      invalid_argument("[backward] the graph behind sum has been freed; keep it with backward({}, "
                       "true)"));
  expect_grad(x, {6, 12});
}

TEST_P(Engine, GradLeavesTheGraphAndTheLeavesAlone) {
  const Tensor x = leaf({1, 2}), y = (x * x).sum();
  for (int time = 0; time < 2; ++time)
    expect_equals(grad({&y, 1}, {&x, 1}, {}, {.retain_graph = true}).front(),
                  Array<float>{{2}, {2, 4}});
  EXPECT_FALSE(x.grad().defined());
}

TEST_P(Engine, GradOfInnerTensorsOutputsAndUnrelatedOnes) {
  const Tensor x = leaf({1, 2}), unrelated = leaf({5}), inner = x * 3, y = inner * inner;
  const Tensor inputs[] = {inner, unrelated, x, y};
  const Tensor weight = tensor({1.0, 10.0}, here_);
  const auto gradients = grad({&y, 1}, inputs, {&weight, 1}, {.allow_unused = true});
  expect_equals(gradients[0], Array<float>{{2}, {6, 120}});
  EXPECT_FALSE(gradients[1].defined());
  expect_equals(gradients[2], Array<float>{{2}, {18, 360}});
  expect_equals(gradients[3], Array<float>{{2}, {1, 10}});
  const Tensor fixed = ones({2}, here_);
  EXPECT_EQ(thrown([&] { grad({&y, 1}, {&fixed, 1}, {&weight, 1}); }),
            invalid_argument("[grad] input 0 of shape (2,) does not require a gradient"));
  EXPECT_EQ(thrown([&] { grad({&y, 1}, {&x, 1}); }),
            invalid_argument("[grad] the tensor has shape (2,): give a gradient, or reduce it to one "
                             "element"));
}

TEST_P(Engine, GradOfSeveralOutputsIsTheirSum) {
  const Tensor x = leaf({2}), a = x * x, outputs[] = {a, a * x, x};
  const Tensor weights[] = {tensor({1.0}, here_), tensor({10.0}, here_), tensor({100.0}, here_)};
  expect_equals(grad(outputs, {&x, 1}, weights).front(), Array<float>{{1}, {4 + 120 + 100}});
}

TEST_P(Engine, NoGradRecordsNothing) {
  const Tensor x = leaf({1, 2});
  EXPECT_TRUE(grad_enabled());
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      EXPECT_FALSE(grad_enabled());
    }
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE((x * x).requires_grad());
    EXPECT_TRUE((x * x).is_leaf());
    bool elsewhere = false;
    std::thread([&] { elsewhere = grad_enabled(); }).join();
    EXPECT_TRUE(elsewhere) << "the mode is the thread's own";
  }
  EXPECT_TRUE((x * x).requires_grad());
  EXPECT_FALSE((x * x).is_leaf());
}

TEST_P(Engine, DetachIsAConstantOnTheSameStorage) {
  const Tensor x = leaf({2, 3});
  Tensor fixed = x.detach();
  EXPECT_FALSE(fixed.requires_grad());
  (x * fixed).sum().backward();
  expect_grad(x, {2, 3});
  fixed.fill_(5);
  expect_equals(x.detach(), Array<float>{{2}, {5, 5}});
}

TEST_P(Engine, ALeafUsedManyTimes) {
  const Tensor x = leaf({1, 2});
  Tensor sum = zeros({2}, here_);
  for (int i = 0; i < 200; ++i) sum = sum + x * i;
  sum.sum().backward();
  expect_grad(x, {19900, 19900});
}

TEST_P(Engine, DiamondsAreWalkedOnce) {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 100; ++i) y = y + y;  // 2^100 paths
  y.backward();
  expect_grad(x, {std::ldexp(1.0f, 100)});
  const Tensor w = leaf({3}), a = w * 2, b = a * a, c = a + b;
  (b * c).backward();  // 4w²(2w + 4w²): 24w² + 64w³
  expect_grad(w, {24 * 9 + 64 * 27});
}

TEST_P(Engine, ProgramsOfSeveralOutputs) {
  program::Builder b;
  const auto p = b.input(f32), q = b.input(f32);
  b.output(p * q);
  b.output(p + q * 3.0);
  b.output(cast(p, i32));
  const program::Program program = b.build();
  const Tensor x = leaf({2, 5}), y = leaf({4});
  const Tensor inputs[] = {x, y};
  const auto run = [&] { return elementwise(program, inputs); };
  const auto both = run();
  EXPECT_FALSE(both[2].requires_grad());
  (both[0] + both[1]).sum().backward();
  expect_grad(x, {5, 5});
  expect_grad(y, {7 + 6});
  run()[1].sum().backward();  // the other outputs are unused
  expect_grad(x, {6, 6});
  expect_grad(y, {13 + 6});
  run()[0].sum().backward();
  expect_grad(x, {10, 10});
}

TEST_P(Engine, BackwardNeedsAGraphAndAFittingGradient) {
  const Tensor x = leaf({1, 2}), y = x * 2, fixed = ones({1}, here_);
  EXPECT_EQ(
      thrown([&] { y.backward(); }),
      invalid_argument("[backward] the tensor has shape (2,): give a gradient, or reduce it to one "
                       "element"));
  EXPECT_EQ(thrown([&] { y.backward(ones({3}, here_)); }),
            invalid_argument("[backward] the gradient's shape (3,) is not the tensor's (2,)"));
  EXPECT_EQ(
      thrown([&] { fixed.backward(); }),
      invalid_argument("[backward] the tensor does not depend on anything that requires a gradient"));
  for (const std::string& other : test_devices()) {
    if (other == GetParam()) continue;
    EXPECT_EQ(
        thrown([&] { y.backward(ones({2}, {.device = device(other)})); }),
        invalid_argument("[backward] the gradient is on " + other + ", the tensor on " + GetParam()));
  }
  y.backward(tensor({1, 10}, {.dtype = f64, .device = device_}));
  expect_grad(x, {2, 20});
  const Tensor number = leaf({3});
  number.backward();
  expect_grad(number, {1});
}

TEST_P(Engine, OnlyFloatingLeavesRequireGradients) {
  Tensor whole = tensor({1}, here_), y = leaf({1}) * 2;
  EXPECT_EQ(thrown([&] { whole.set_requires_grad(); }),
            invalid_argument("[set_requires_grad] i64 has no gradient; use a floating dtype"));
  EXPECT_EQ(thrown([&] { ones({1}, {.dtype = i32, .device = device_, .requires_grad = true}); }),
            invalid_argument("[set_requires_grad] i32 has no gradient; use a floating dtype"));
  EXPECT_EQ(thrown([&] { y.set_requires_grad(false); }),
            invalid_argument("[set_requires_grad] this is the result of mul; only a leaf can be told"));
  Tensor x = leaf({1});
  EXPECT_FALSE((x.set_requires_grad(false) * 2).requires_grad());
}

TEST_P(Engine, WritesInPlaceAreRecorded) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  Tensor z = x * 2;
  z += y;
  z *= 10;
  z.sum().backward();
  expect_grad(x, {20, 20});
  expect_grad(y, {10, 10});
  Tensor plain = zeros({2}, here_);
  plain += x;
  EXPECT_TRUE(plain.requires_grad());
  plain.fill_(1);
  EXPECT_FALSE(plain.requires_grad()) << "nothing of x is left";
  Tensor loss = (x * x).sum();
  loss *= 3;
  loss += 1;
  loss.backward();
  expect_grad(x, {26, 32});
}

TEST_P(Engine, CopiesInPlaceCutWhatWasBefore) {
  const Tensor x = leaf({1, 2}), y = leaf({3});
  Tensor z = x * 2;
  z.copy_(y * 5);
  (z * 2).sum().backward();
  EXPECT_FALSE(x.grad().defined());
  expect_grad(y, {20});
}

TEST_P(Engine, ValuesThatBackwardNeedsMustNotChange) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  const Tensor square = (y * y).sum();
  y += 1;
  EXPECT_EQ(
      thrown([&] { square.backward(); }),
      invalid_argument("[mul] a tensor that backward needs was changed in place: it is at version "
                       "1, 0 was saved"));
  Tensor largest = (x * 1).max({0}, true);
  largest *= 2;
  EXPECT_EQ(
      thrown([&] { largest.backward(); }),
      invalid_argument("[max] a tensor that backward needs was changed in place: it is at version "
                       "1, 0 was saved"));
  Tensor w = x.detach().clone();
  const Tensor product = matmul(w, x);
  w.fill_(0);
  EXPECT_EQ(thrown([&] { product.backward(); }),
            invalid_argument("[matmul] a tensor that backward needs was changed in place: it is at "
                             "version 1, 0 was saved"));
  Tensor itself = x * 2;
  itself *= itself;
  itself.sum().backward();  // what an op in place needs of its own operand, it keeps
  expect_grad(x, {8, 16});
  Tensor unharmed = x * 3;
  const Tensor sum = (unharmed + 1).sum();
  unharmed *= 2;
  sum.backward();  // addition needs no values
  expect_grad(x, {11, 19});
}

TEST_P(Engine, ResultsThatChangedThroughAnAliasAreRefused) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2, alias = y.detach();
  alias += 1;
  EXPECT_EQ(thrown([&] { y + 1; }),
            invalid_argument("[mul] its result was changed in place through another tensor; clone() "
                             "before the change"));
}

TEST_P(Engine, LeavesAndTheirViewsAreNotWrittenInPlace) {
  Tensor x = leaf({1, 2});
  const auto refusal = [](const std::string& op) {
    return invalid_argument(
        "[" + op + "] a leaf that requires a gradient can't be written in place; do it under NoGrad");
  };
  EXPECT_EQ(thrown([&] { x += 1; }), refusal("add"));
  EXPECT_EQ(thrown([&] { x.fill_(1); }), refusal("fill_"));
  EXPECT_EQ(thrown([&] { x.copy_(x); }), refusal("copy_"));
  {
    const NoGrad guard;
    x += 1;
  }
  expect_equals(x.detach(), Array<float>{{2}, {2, 3}});
  Tensor part = leaf({1, 2}).slice(0, {.stop = 1});
  EXPECT_EQ(
      thrown([&] { part += 1; }),
      invalid_argument("[add] a view of a leaf that requires a gradient can't be written in place; "
                       "do it under NoGrad"));
  Tensor constant = (x * 2).detach();
  EXPECT_EQ(
      thrown([&] { constant += x; }),
      invalid_argument("[add] a view that was made by detach() or under NoGrad can't be written in "
                       "place by a recorded op; clone() it"));
  Tensor stretched = (x * 2).expand({2, 2});
  EXPECT_THAT(thrown([&] { stretched += 1; }).text, testing::HasSubstr("clone() it first"));
}

TEST_P(Engine, CreateGraphGivesDifferentiableGradients) {
  const Tensor x = leaf({3});
  const Tensor y = x * x * x;
  const Tensor first = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true}).front();
  EXPECT_TRUE(first.requires_grad());
  EXPECT_FALSE(grad({&y, 1}, {&x, 1}, {}, {.retain_graph = true}).front().requires_grad());
  (first * first).backward();  // d(9x⁴) = 36x³
  expect_grad(x, {972});
  EXPECT_FALSE(x.grad().requires_grad());
}

TEST_P(Engine, ThreadsGoBackwardIntoSharedLeaves) {
  const Tensor x = leaf({1, 2}), shared = leaf({5});
  on_threads(3, [&](int weight) {
    for (int i = 0; i < 25; ++i) ((x * (weight + 1)).sum() * shared).backward();
  });
  expect_grad(x, {25 * 6 * 5, 25 * 6 * 5});
  expect_grad(shared, {25 * 6 * 3});
}

}  // namespace
}  // namespace tenon::test
