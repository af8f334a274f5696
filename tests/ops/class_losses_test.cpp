// Losses over classes against loops in f64: cross entropy of indices and of probabilities, nll.
#include <cmath>
#include <limits>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/groups.h"
#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<std::int32_t> kTargets = {2, 0, 1, 2};  // of 3 classes, in 4 rows
const std::vector<double> kWeights = {0.5, 2, 1.5};

Tensor targets(const Tensor& x) {
  return tensor(kTargets, {.device = x.device()});
}
Tensor weights(const Tensor& x) {
  return tensor(kWeights, {.device = x.device()}).to(x.dtype());
}

/// The loss of each row of (4, 3) logits; targets of each class as t(row, class).
template <class T>
Group losses(const Reals& x, bool weighted, T t) {
  Group rows;
  for (std::size_t n = 0; n < 4; ++n) {
    const Group p = soft({&x.values[3 * n], &x.values[3 * n] + 3});
    double loss = 0;
    for (std::size_t c = 0; c < 3; ++c) loss -= (weighted ? kWeights[c] : 1) * t(n, c) * std::log(p[c]);
    rows.push_back(loss);
  }
  return rows;
}
double one_hot(std::size_t n, std::size_t c) {
  return static_cast<std::size_t>(kTargets[n]) == c ? 1 : 0;
}
double smooth(std::size_t n, std::size_t c) {
  return 0.7 * one_hot(n, c) + 0.3 / 3;
}

const std::vector<Row> kRows = {
    {.name = "cross_entropy",
     .op = [](const auto& x) { return cross_entropy(x[0], targets(x[0])); },
     .oracle = [](const auto& x) { return Reals{{}, {mean_of(losses(x[0], false, one_hot))}}; },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
    {.name = "cross_entropy_weighted",
     .op =
         [](const auto& x) {
           return cross_entropy(x[0], targets(x[0]), {.weight = weights(x[0]), .label_smoothing = 0.3});
         },
     .oracle =
         [](const auto& x) {
           const Group rows = losses(x[0], true, smooth);
           return Reals{{}, {mean_of(rows) * 4 / (1.5 + 0.5 + 2 + 1.5)}};
         },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
    {.name = "cross_entropy_ignoring",
     .op =
         [](const auto& x) {
           return cross_entropy(x[0], targets(x[0]),
                                {.weight = weights(x[0]), .ignore_index = 2, .label_smoothing = 0.3});
         },
     .oracle =
         [](const auto& x) {
           const Group rows = losses(x[0], true, smooth);
           return Reals{{}, {(rows[1] + rows[2]) / (0.5 + 2)}};
         },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
    {.name = "cross_entropy_of_rows",
     .op =
         [](const auto& x) {
           return cross_entropy(x[0].reshape({2, 2, 3}).permute({0, 2, 1}), targets(x[0]).view({2, 2}),
                                {.weight = weights(x[0]), .reduction = LossReduction::none});
         },
     .oracle = [](const auto& x) { return Reals{{2, 2}, losses(x[0], true, one_hot)}; },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
    {.name = "cross_entropy_of_one_row",
     .op =
         [](const auto& x) {
           return cross_entropy(x[0].select(0, 1), targets(x[0]).select(0, 1),
                                {.reduction = LossReduction::sum});
         },
     .oracle = [](const auto& x) { return Reals{{}, {losses(x[0], false, one_hot)[1]}}; },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
    {.name = "cross_entropy_of_probabilities",
     .op =
         [](const auto& x) {
           return cross_entropy(x[0], x[1], {.weight = weights(x[0]), .label_smoothing = 0.3});
         },
     .oracle =
         [](const auto& x) {
           return Reals{{}, {mean_of(losses(x[0], true, [&](std::size_t n, std::size_t c) {
                          return 0.7 * x[1].values[3 * n + c] + 0.1;
                        }))}};
         },
     .shapes = {{{4, 3}, {4, 3}}},
     .tolerance = 8},
    {.name = "nll_loss",
     .op =
         [](const auto& x) {
           return nll_loss(log_softmax(x[0], 1), targets(x[0]),
                           {.weight = weights(x[0]), .ignore_index = 0});
         },
     .oracle =
         [](const auto& x) {
           const Group rows = losses(x[0], true, one_hot);
           return Reals{{}, {(rows[0] + rows[2] + rows[3]) / (1.5 + 2 + 1.5)}};
         },
     .shapes = {{{4, 3}}},
     .tolerance = 8},
};
TENON_ROWS(ClassLosses, kRows);

class ClassLossesOn : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Ops, ClassLossesOn, testing::ValuesIn(row_devices()), device_test_name);

using List = std::vector<double>;

TEST_P(ClassLossesOn, LargeLogits) {
  const Tensor logits = tensor(List{1000, 0}, here_).view({1, 2});
  EXPECT_EQ(cross_entropy(logits, tensor({1}, here_)).item<double>(), 1000);
}

TEST_P(ClassLossesOn, WhatIsIgnoredCountsAsNone) {
  const Tensor x = tensor(List{1, 2, 3, 4, 5, 7}, here_).view({2, 3}), t = tensor({-100, 0}, here_);
  EXPECT_NEAR(nll_loss(x, t).item<double>(), -4, 1e-12);
  EXPECT_NEAR(cross_entropy(x, t, {.ignore_index = -100}).item<double>(),
              std::log(1 + std::exp(1.0) + std::exp(3.0)), 1e-12);
  const Tensor all = tensor({-100, -100}, here_),
               nothing = zeros({0}, {.dtype = i64, .device = device_});
  for (const auto loss : {+[](const Tensor& a, const Tensor& b, LossReduction how) {
                            return cross_entropy(a, b, {.ignore_index = -100, .reduction = how});
                          },
                          +[](const Tensor& a, const Tensor& b, LossReduction how) {
                            return nll_loss(a, b, {.reduction = how});
                          }}) {
    EXPECT_TRUE(std::isnan(loss(x, all, LossReduction::mean).item<double>()));
    EXPECT_EQ(loss(x, all, LossReduction::sum).item<double>(), 0);
    EXPECT_EQ(loss(x, all, LossReduction::none).to_vector<double>(), (List{0, 0}));
    EXPECT_TRUE(std::isnan(loss(zeros({0, 3}, here_), nothing, LossReduction::mean).item<float>()));
    EXPECT_EQ(loss(zeros({0, 3}, here_), nothing, LossReduction::sum).item<float>(), 0);
  }
}

TEST_P(ClassLossesOn, WhatIsNoClassIsAnError) {
  const Tensor x = zeros({2, 3}, here_), row = zeros({3}, here_), w = ones({3}, here_);
  const auto told = [&](auto call) {
    return thrown([&] {
      call();
      device_.synchronize();
    });
  };
  const auto wrong = [&](const std::string& op, int index, int dim, int position) {
    return invalid_argument("[" + op + "] index " + std::to_string(index) +
                            " is out of range for 3 rows of dimension " + std::to_string(dim) +
                            " (at position " + std::to_string(position) + ", on " + device_.name() +
                            ")");
  };
  for (const int index : {3, -1, -3, 255}) {
    const Tensor t = tensor({0, index}, {.dtype = i32, .device = device_});
    EXPECT_EQ(told([&] { cross_entropy(x, t, {.ignore_index = -100}); }),
              wrong("cross_entropy", index, 1, 1));
    EXPECT_EQ(told([&] { cross_entropy(x, t, {.weight = w, .reduction = LossReduction::none}); }),
              wrong("cross_entropy", index, 1, 1));
    EXPECT_EQ(told([&] { nll_loss(x, t, {.ignore_index = 0}); }), wrong("nll_loss", index, 1, 1));
    EXPECT_EQ(told([&] { cross_entropy(row, t.select(0, 1), {.weight = w}); }),
              wrong("cross_entropy", index, 0, 0));
    if (device_.state().limits().kinds == 0) {
      EXPECT_TRUE(std::isnan(cross_entropy(x, t).item<float>()));
    } else {
      EXPECT_EQ(told([&] { cross_entropy(x, t); }), wrong("cross_entropy", index, 1, 1));
    }
    EXPECT_EQ(told([&] { nll_loss(row, t.select(0, 1)); }), wrong("nll_loss", index, 0, 0));
  }
  EXPECT_EQ(told([&] { cross_entropy(x, tensor({-100, 0}, here_), {.ignore_index = 0}); }),
            wrong("cross_entropy", -100, 1, 0));
  EXPECT_EQ(thrown([&] { cross_entropy(zeros({2, 0}, here_), tensor({0, 0}, here_)); }),
            invalid_argument("[cross_entropy] x (2, 0) has no classes"));
}

TEST_P(ClassLossesOn, EveryOptionIsDifferentiableTwice) {
  const Tensor x = tensor(List{0.3, -1, 0.8, 2, 0.1, -0.4}, here_).view({2, 3}).detach();
  const Tensor t = tensor({2, 0}, here_),
               p = softmax(tensor(List{1, 2, 0, 0, 1, 3}, here_).view({2, 3}), 1);
  for (const Tensor& weight : {Tensor(), tensor(kWeights, here_)}) {
    for (const double smoothing : {0.0, 0.3}) {
      for (const LossReduction how : {LossReduction::none, LossReduction::mean, LossReduction::sum}) {
        for (const std::optional<std::int64_t> ignored : {std::optional<std::int64_t>(), {-100}, {2}}) {
          const auto of_classes = [&](std::span<const Tensor> in) {
            return cross_entropy(in[0], t, {weight, ignored, how, smoothing});
          };
          EXPECT_EQ(autograd::gradgradcheck(of_classes, std::vector{x.clone().set_requires_grad()}),
                    "");
        }
        const auto of_parts = [&](std::span<const Tensor> in) {
          return cross_entropy(in[0], in[1], {weight, {}, how, smoothing});
        };
        EXPECT_EQ(autograd::gradgradcheck(of_parts, std::vector{x.clone().set_requires_grad(),
                                                                p.clone().set_requires_grad()}),
                  "");
      }
    }
  }
}

TEST_P(ClassLossesOn, WhatIsIgnoredHasNoGradient) {
  const Tensor x = tensor(List{kNan, 1, 2, 3}, {.device = device_, .requires_grad = true});
  const Tensor loss = cross_entropy(x.view({2, 2}), tensor({7, 1}, here_), {.ignore_index = 7});
  const List dx = autograd::grad({&loss, 1}, {&x, 1})[0].to_vector<double>();
  EXPECT_EQ((List{dx[0], dx[1]}), (List{0, 0}));
  EXPECT_NEAR(dx[2], 1 / (1 + std::exp(1.0)), 1e-12);
}

TEST_P(ClassLossesOn, GradientsHaveTheDtypeOfTheirOperand) {
  const Tensor x = tensor_of(draw({4, 3}, {}, f16, 1), f16, device_).set_requires_grad();
  const Tensor loss = cross_entropy(x, targets(x)), other = nll_loss(x, targets(x));
  EXPECT_EQ(autograd::grad({&loss, 1}, {&x, 1})[0].dtype(), f16);
  EXPECT_EQ(autograd::grad({&other, 1}, {&x, 1})[0].dtype(), f16);
}

TEST_P(ClassLossesOn, Launches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor x = tensor_of(draw({4, 3}, {}, f32, 1), f32, device_).set_requires_grad();
  const Tensor t = targets(x), w = weights(x), p = softmax(x.detach(), 1);
  // Three over the rows; where indices are ignored or weighed the check, and a mean's quotient. Where
  // the device has an op for the rows: that, their sum, the quotient.
  const bool whole = device_.state().limits().kinds != 0;
  const auto expect = [&](int made, int had, const CrossEntropyOptions& options) {
    EXPECT_EQ(launches([&] { cross_entropy(x, t, options); }), whole ? had : made);
  };
  EXPECT_EQ(launches([&] { cross_entropy(x, p); }), 3);
  expect(3, 2, {});
  expect(3, 2, {.label_smoothing = 0.1});
  expect(3, 1, {.reduction = LossReduction::none});
  expect(3, 2, {.reduction = LossReduction::sum});
  expect(4, 2, {.ignore_index = 0, .reduction = LossReduction::sum});
  expect(5, 3, {.weight = w, .ignore_index = 0, .label_smoothing = 0.1});
  EXPECT_EQ(launches([&] { nll_loss(x, t); }), 4);
  EXPECT_EQ(launches([&] { nll_loss(x, t, {.weight = w}); }), 5);
  // The one that it begins with, the classes, the gradient, and its sum with the grad from before.
  EXPECT_EQ(backward_launches([&] { return cross_entropy(x, t); }), whole ? 3 : 4);
}

TEST_P(ClassLossesOn, RefusesLossesOfWhatDoesNotFit) {
  const Tensor x = zeros({2, 3}, here_), t = tensor({0, 1}, here_);
  EXPECT_EQ(thrown([&] { cross_entropy(t, t); }),
            invalid_argument("[cross_entropy] x is i64, not floating"));
  EXPECT_EQ(thrown([&] { cross_entropy(x, tensor({true, true}, here_)); }),
            invalid_argument("[cross_entropy] the target is bool, not classes"));
  EXPECT_EQ(thrown([&] { cross_entropy(x, tensor({0}, here_)); }),
            invalid_argument("[cross_entropy] the target (1,) does not fit x (2, 3)"));
  EXPECT_EQ(thrown([&] { cross_entropy(x, zeros({2}, here_)); }),
            invalid_argument("[cross_entropy] the target (2,) does not fit x (2, 3)"));
  EXPECT_EQ(thrown([&] { cross_entropy(x, t, {.weight = zeros({2}, here_)}); }),
            invalid_argument("[cross_entropy] the weight is (2,) f32, not floating (3,)"));
  const Tensor learnt = ones({3}, {.device = device_, .requires_grad = true});
  EXPECT_EQ(
      thrown([&] { cross_entropy(x, t, {.weight = learnt}); }),
      (Thrown{ErrorKind::Unsupported, "[cross_entropy] the weight has no gradient; detach() it"}));
  EXPECT_EQ(thrown([&] { cross_entropy(x, t, {.label_smoothing = 2}); }),
            invalid_argument("[cross_entropy] label_smoothing 2 is not in [0, 1]"));
  EXPECT_EQ(thrown([&] { cross_entropy(x, x, {.ignore_index = 0}); }),
            invalid_argument("[cross_entropy] ignore_index is a class; the target is probabilities"));
  EXPECT_EQ(thrown([&] { nll_loss(x, x); }),
            invalid_argument("[nll_loss] the target is f32, not class indices"));
  EXPECT_EQ(thrown([&] { nll_loss(zeros({}, here_), tensor(1, here_)); }),
            invalid_argument("[nll_loss] a 0-d x has no classes"));
}

}  // namespace
}  // namespace tenon::test
