// Functions with a gradient of the user's own.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/differences.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using autograd::Context;
using autograd::custom;
using Floats = std::vector<float>;
using Tensors = std::vector<Tensor>;
using Inputs = std::span<const Tensor>;

class Custom : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  std::vector<Tensor> wide_leaves(std::vector<Shape> shapes) const {
    return random_leaves(shapes, 0.5, 2, 3, device_);
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Custom, testing::ValuesIn(test_devices()), device_test_name);

/// x³·y, whose backward is written with public ops.
Tensor cube_times(const Tensor& x, const Tensor& y) {
  return custom(
             "cube_times", {x, y},
             [](Context& context, Inputs in) {
               context.save_for_backward({in[0], in[1]});
               return Tensors{in[0] * in[0] * in[0] * in[1]};
             },
             [](const Context& context, Inputs dy) {
               const Tensors in = context.saved();
               return Tensors{dy[0] * in[1] * in[0] * in[0] * 3, dy[0] * in[0] * in[0] * in[0]};
             })
      .front();
}

/// exp, which saves its own result.
Tensor exponential(const Tensor& x) {
  return custom(
             "exponential", {x},
             [](Context& context, Inputs in) {
               const Tensor y = exp(in[0]);
               context.save_for_backward({y});
               return Tensors{y};
             },
             [](const Context& context, Inputs dy) { return Tensors{dy[0] * context.saved()[0]}; })
      .front();
}

TEST_P(Custom, GradientsOfBothOrdersAreTheUsers) {
  const auto both = wide_leaves({{2, 3}, {2, 3}}), one = wide_leaves({{4}});
  const auto cube = [](Inputs in) { return cube_times(in[0], in[1]); };
  EXPECT_EQ(autograd::gradcheck(cube, both), "");
  EXPECT_EQ(autograd::gradgradcheck(cube, both), "");
  const auto e = [](Inputs in) { return exponential(in[0] * in[0]); };
  EXPECT_EQ(autograd::gradcheck(e, one), "");
  EXPECT_EQ(autograd::gradgradcheck(e, one), "") << "a saved result is part of the graph";
  const Tensor x = leaf({2}), y = cube_times(x, leaf({5}));
  EXPECT_FALSE(y.is_leaf());
  y.backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{60}));
}

TEST_P(Custom, AWrongGradientIsFoundByGradcheck) {
  const auto wrong = [](Inputs in) {
    return custom(
               "wrong", {in[0]}, [](Context&, Inputs x) { return Tensors{x[0] * 2}; },
               [](const Context&, Inputs dy) { return Tensors{dy[0] * 3}; })
        .front();
  };
  EXPECT_THAT(autograd::gradcheck(wrong, wide_leaves({{2}})),
              testing::HasSubstr("input 0, element 0: the gradient is "));
}

TEST_P(Custom, KeepsNothingAliveAfterwards) {
  const Tensor x = tensor(std::vector<float>(1000), {.device = device_, .requires_grad = true});
  const auto once = [&] {
    exponential(x);
    exponential(x).sum().backward();
    Tensor(x).set_grad({});
  };
  once();
  const std::int64_t before = memory_stats(device_).live;
  for (int i = 0; i < 5; ++i) once();
  EXPECT_EQ(memory_stats(device_).live, before);
}

TEST_P(Custom, SeveralOutputsOfWhichSomeHaveNoGradient) {
  const Tensor x = leaf({1, 5, 2});
  int undefined = 0;
  const auto run = [&] {
    return custom(
        "parts", {x},
        [](Context& context, Inputs in) {
          const Tensor largest = in[0].max(), twice = in[0] * 2, mask = in[0] * 0;
          context.mark_non_differentiable(mask);
          return Tensors{twice, largest * 1, argmax(in[0]), mask};
        },
        [&](const Context&, Inputs dy) {
          for (const Tensor& g : dy) undefined += g.defined() ? 0 : 1;
          return Tensors{dy[0] * 2 + dy[1]};
        });
  };
  const Tensors y = run();
  EXPECT_TRUE(y[0].requires_grad());
  EXPECT_TRUE(y[1].requires_grad());
  EXPECT_FALSE(y[2].requires_grad());
  EXPECT_FALSE(y[3].requires_grad());
  (y[0].sum() + y[1]).backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{3, 3, 3}));
  EXPECT_EQ(undefined, 2) << "the two without a gradient";
  Tensor(x).set_grad({});
  run()[1].backward();  // zeros stand for the gradient of what is unused
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{1, 1, 1}));
}

TEST_P(Custom, KnowsWhichGradientsAreWanted) {
  const Tensor x = leaf({1, 2}), fixed = ones({2}, here_);
  const auto run = [&](const Tensor& a, const Tensor& b) {
    return custom(
               "add", {a, b}, [](Context&, Inputs in) { return Tensors{in[0] + in[1]}; },
               [](const Context& context, Inputs dy) {
                 Tensors dx(2);
                 for (std::size_t i = 0; i < 2; ++i) {
                   if (context.needs_input_grad(i)) dx[i] = dy[0] * (1.0 + static_cast<double>(i));
                 }
                 return dx;
               })
        .front();
  };
  run(fixed, x).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{2, 2}));
  run(x, x).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{5, 5}));
  EXPECT_FALSE(run(fixed, fixed).requires_grad());
  const NoGrad guard;
  EXPECT_FALSE(run(x, x).requires_grad());
}

TEST_P(Custom, GradientsThatDoNotFitAreRefused) {
  const Tensor x = leaf({1, 2});
  const auto refusal = [&](const std::function<Tensors(const Tensor&)>& backward) {
    const Tensor y =
        custom(
            std::string("odd"), {x}, [](Context&, Inputs in) { return Tensors{in[0] * 1}; },
            [&](const Context&, Inputs dy) { return backward(dy[0]); })
            .front();
    return thrown([&] { y.sum().backward(); });
  };
  const std::string end =
      " on " + GetParam() + " as the gradient of input 0, which is f32 (2,) on " + GetParam();
  EXPECT_EQ(refusal([](const Tensor&) { return Tensors{}; }),
            invalid_argument("[odd] backward gave 0 gradients for 1 inputs"));
  EXPECT_EQ(refusal([](const Tensor& dy) { return Tensors{dy, dy}; }),
            invalid_argument("[odd] backward gave 2 gradients for 1 inputs"));
  EXPECT_EQ(refusal([](const Tensor& dy) { return Tensors{dy.sum()}; }),
            invalid_argument("[odd] backward gave f32 ()" + end));
  EXPECT_EQ(refusal([](const Tensor& dy) { return Tensors{dy.to(i32)}; }),
            invalid_argument("[odd] backward gave i32 (2,)" + end));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(refusal([](const Tensor&) { return Tensors{Tensor()}; }).text, "nothing was thrown");
  EXPECT_FALSE(x.grad().defined());
}

TEST_P(Custom, TensorsThatChangeAreNoticed) {
  const Tensor x = leaf({1, 2});
  EXPECT_EQ(thrown([&] {
              custom(
                  "greedy", {x},
                  [](Context&, Inputs in) {
                    Tensor mine = in[0];
                    mine += 1;
                    return Tensors{mine};
                  },
                  [](const Context&, Inputs dy) { return Tensors{dy[0]}; });
            }),
            invalid_argument("[greedy] forward changed its input 0 in place; clone() it first"));
  Tensor inner = x * 1;
  const Tensor y = cube_times(inner, x).sum();
  inner += 1;
  EXPECT_EQ(thrown([&] { y.backward(); }).text,
            "[cube_times] a tensor that backward needs was changed in place: it is at version 1, 0 was "
            "saved");
  EXPECT_EQ(thrown([&] {
              custom(
                  "empty", {x}, [](Context&, Inputs) { return Tensors{Tensor()}; },
                  [](const Context&, Inputs dy) { return Tensors{dy[0]}; });
            }),
            invalid_argument("[empty] output 0 of forward is undefined"));
}

TEST_P(Custom, AnInputMayBeTheOutput) {
  const Tensor x = leaf({1, 2});
  const auto reversed = [](const Tensor& in) {
    return custom(
               "reversed", {in}, [](Context&, Inputs i) { return Tensors{i[0]}; },
               [](const Context&, Inputs dy) { return Tensors{-dy[0]}; })
        .front();
  };
  reversed(x).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{-1, -1}));
  EXPECT_TRUE(x.is_leaf());
  const Tensor h = x * 2;
  (reversed(h) * 3 + h).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{-5, -5}));
}

}  // namespace
}  // namespace tenon::test
