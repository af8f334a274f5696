// Hooks on gradients: when they run, what they may change, how they go.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Floats = std::vector<float>;

class Hooks : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Hooks, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Hooks, SeeTheWholeGradientOnce) {
  Tensor x = leaf({1, 2});
  std::vector<Floats> seen;
  x.register_hook([&](const Tensor& g) { seen.push_back(g.to_vector<float>()); });
  (x * 2 + x * 3 + x).sum().backward();
  EXPECT_EQ(seen, (std::vector<Floats>{{6, 6}}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{6, 6}));
  x.sum().backward();
  EXPECT_EQ(seen.back(), (Floats{1, 1})) << "of this backward, not what was accumulated";
}

TEST_P(Hooks, ReplaceTheGradientInTheirOrderUntilRemoved) {
  Tensor x = leaf({1, 2});
  HookHandle doubled = x.register_hook([](const Tensor& g) { return g * 2; });
  HookHandle raised = x.register_hook([](const Tensor& g) { return g + 1; });
  const auto gradient = [&] {
    x.set_grad({});
    (x * 5).sum().backward();
    return x.grad().to_vector<float>();
  };
  EXPECT_EQ(gradient(), (Floats{11, 11}));
  doubled.remove();
  EXPECT_EQ(gradient(), (Floats{6, 6}));
  doubled.remove();
  raised.remove();
  EXPECT_EQ(gradient(), (Floats{5, 5}));
}

TEST_P(Hooks, OnResultsActOnWhatLiesBefore) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 3;
  y.register_hook([](const Tensor& g) { return g * 10; });
  (y + y * 2).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{90, 90}));
}

TEST_P(Hooks, StayWithTheValueThatWasWrittenOver) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 3;
  Floats seen;
  y.register_hook([&](const Tensor& g) { seen = g.to_vector<float>(); });
  y *= 4;
  (y * 5).sum().backward();
  EXPECT_EQ(seen, (Floats{20, 20})) << "d/d(3x), not d/d(12x)";
}

TEST_P(Hooks, ActOnWhatGradReturns) {
  Tensor x = leaf({1, 2}), y = x * 3;
  int accumulated = 0;
  x.register_hook([](const Tensor& g) { return g + 1; });
  x.register_post_accumulate_grad_hook([&](const Tensor&) { ++accumulated; });
  y.register_hook([](const Tensor& g) { return g * 10; });
  const Tensor sum = y.sum(), inputs[] = {x, y};
  const auto gradients = autograd::grad({&sum, 1}, inputs);
  EXPECT_EQ(gradients[0].to_vector<float>(), (Floats{31, 31}));
  EXPECT_EQ(gradients[1].to_vector<float>(), (Floats{10, 10}));
  EXPECT_EQ(accumulated, 0);
}

TEST_P(Hooks, AreRecordedWithTheirGradient) {
  Tensor x = leaf({3});
  x.register_hook([](const Tensor& g) { return g * g; });
  const Tensor y = x * x;
  const Tensor first = autograd::grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
  EXPECT_EQ(first.item<float>(), 36);  // (2x)²
  Tensor plain = x;
  first.backward();
  EXPECT_EQ(plain.grad().item<float>(), 24 * 24);  // (8x)², since the hook sees this one too
}

TEST_P(Hooks, MustGiveAGradientThatFits) {
  Tensor x = leaf({1, 2});
  HookHandle handle = x.register_hook([](const Tensor& g) { return g.sum(); });
  EXPECT_EQ(thrown([&] { x.sum().backward(); }),
            invalid_argument("[register_hook] the hook gave f32 () on " + GetParam() +
                             ", the gradient is f32 (2,) on " + GetParam()));
  handle.remove();
  x.register_hook([](const Tensor& g) { return g.to(i32); });
  EXPECT_EQ(thrown([&] { x.sum().backward(); }),
            invalid_argument("[register_hook] the hook gave i32 (2,) on " + GetParam() +
                             ", the gradient is f32 (2,) on " + GetParam()));
  EXPECT_FALSE(x.grad().defined());
}

TEST_P(Hooks, NeedATensorThatGetsAGradient) {
  Tensor fixed = ones({2}, here_), result = leaf({1}) * 2;
  EXPECT_EQ(thrown([&] { fixed.register_hook([](const Tensor&) {}); }),
            invalid_argument("[register_hook] the tensor requires no gradient"));
  EXPECT_EQ(thrown([&] { fixed.retain_grad(); }),
            invalid_argument("[retain_grad] the tensor requires no gradient"));
  EXPECT_EQ(
      thrown([&] { result.register_post_accumulate_grad_hook([](const Tensor&) {}); }),
      invalid_argument("[register_post_accumulate_grad_hook] only a leaf that requires a gradient "
                       "accumulates one"));
}

TEST_P(Hooks, ThatThrowLeaveTheGradientAlone) {
  Tensor x = leaf({1, 2});
  HookHandle handle = x.register_hook([](const Tensor&) { throw std::runtime_error("not this one"); });
  EXPECT_THROW(x.sum().backward(), std::runtime_error);
  EXPECT_FALSE(x.grad().defined());
  handle.remove();
  x.sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{1, 1}));
}

TEST_P(Hooks, MayRemoveThemselvesAndOutliveTheirTensor) {
  HookHandle handle;
  int calls = 0;
  {
    Tensor x = leaf({1, 2});
    handle = x.register_hook([&](const Tensor&) {
      ++calls;
      handle.remove();
    });
    x.sum().backward();
    x.sum().backward();
    EXPECT_EQ(calls, 1);
    handle = (x * 2).register_hook([](const Tensor&) {});
  }
  handle.remove();
  HookHandle().remove();
}

TEST_P(Hooks, KeepNothingAliveOnceRemoved) {
  Tensor x = leaf({1, 2});
  const auto held = std::make_shared<int>(1);
  HookHandle handle = x.register_hook([held](const Tensor&) {});
  EXPECT_GT(held.use_count(), 1);
  handle.remove();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_P(Hooks, AfterAccumulationSeeTheLeaf) {
  Tensor x = leaf({1, 2});
  std::vector<Floats> seen;
  x.register_post_accumulate_grad_hook([&](const Tensor& leaf) {
    seen.push_back(leaf.grad().to_vector<float>());
    Tensor(leaf).set_grad({});  // an optimiser's step may use it up here
  });
  (x * 2 + x).sum().backward();
  (x * 4).sum().backward();
  EXPECT_EQ(seen, (std::vector<Floats>{{3, 3}, {4, 4}}));
  EXPECT_FALSE(x.grad().defined());
}

TEST_P(Hooks, ResultsRetainTheirGradientWhenTold) {
  Tensor x = leaf({1, 2}), y = x * 3, z = y * y;
  y.register_hook([](const Tensor& g) { return g + 1; });
  y.retain_grad();
  y.retain_grad();
  x.retain_grad();
  EXPECT_FALSE(y.grad().defined());
  z.sum().backward({}, true);
  EXPECT_EQ(y.grad().to_vector<float>(), (Floats{7, 13})) << "what the hooks made of it";
  EXPECT_FALSE(z.grad().defined());
  z.sum().backward();
  EXPECT_EQ(y.grad().to_vector<float>(), (Floats{14, 26}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{42, 78}));
  y.set_grad({});
  EXPECT_FALSE(y.grad().defined());
}

TEST_P(Hooks, ARetainedGradientIsOfTheTensorAsItIs) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 3;
  y.retain_grad();
  y *= 4;
  (y * 5).sum().backward();
  EXPECT_EQ(y.grad().to_vector<float>(), (Floats{5, 5}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{60, 60}));
}

TEST_P(Hooks, LongChainsOfHooksDieWithoutRecursion) {
  Tensor x = leaf({1});
  for (int i = 0; i < 5'000; ++i) {
    Tensor y = x.detach().clone().set_requires_grad() * 2;
    y.register_hook([x](const Tensor&) {});  // each node's hook holds the node before
    x = y;
  }
}

}  // namespace
}  // namespace tenon::test
