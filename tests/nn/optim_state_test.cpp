// Parameter groups, and optimisers that are kept and go on as if nothing had been.
#include <cmath>
#include <limits>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using Optimizer = std::unique_ptr<optim::Optimizer>;
using Parameters = std::vector<Parameter>;

const std::vector<std::function<Optimizer(const Parameters&)>> kMakers = {
    [](const auto& p) {
      return std::make_unique<optim::SGD>(
          p, optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5});
    },
    [](const auto& p) { return std::make_unique<optim::Adam>(p, optim::AdamOptions{.amsgrad = true}); },
    [](const auto& p) { return std::make_unique<optim::AdamW>(p); },
    [](const auto& p) {
      return std::make_unique<optim::RMSprop>(p,
                                              optim::RMSpropOptions{.momentum = 0.5, .centered = true});
    },
    [](const auto& p) {
      return std::make_unique<optim::Adagrad>(p, optim::AdagradOptions{.lr_decay = 0.1});
    },
};

class OptimiserState : public testing::TestWithParam<std::string> {
 protected:
  TensorOptions here(DType dtype = f32) const { return {.dtype = dtype, .device = device(GetParam())}; }

  Parameters parameters(DType dtype = f32) const {
    return {Parameter(full({3}, 0.5, here(dtype))), Parameter(full({2, 2}, -1, here(dtype)))};
  }
  /// The second parameter has no gradient before step 3.
  static void step(const Optimizer& optimizer, const Parameters& parameters, int t) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Parameter p = parameters[i];
      p.set_grad(i == 1 && t < 3 ? Tensor() : full(p.shape(), std::sin(t + double(i)), options_of(p)));
    }
    optimizer->step();
  }
  static TensorOptions options_of(const Tensor& x) {
    return {.dtype = x.dtype(), .device = x.device()};
  }
  static std::vector<std::vector<float>> values(const Parameters& parameters) {
    std::vector<std::vector<float>> all;
    for (const Parameter& p : parameters) all.push_back(p.to_vector<float>());
    return all;
  }
};

TEST_P(OptimiserState, GoesOnBitForBit) {
  for (const auto& make : kMakers) {
    const Parameters whole = parameters(), half = parameters(), resumed = parameters();
    const Optimizer one = make(whole), two = make(half), three = make(resumed);
    step(three, resumed, 9);  // what it has done before is forgotten
    for (int t = 1; t <= 8; ++t) {
      step(one, whole, t);
      step(t <= 4 ? two : three, t <= 4 ? half : resumed, t);
      if (t != 4) continue;
      nn::StateDict kept;
      for (const auto& [name, value] : two->state_dict()) kept.emplace_back(name, value.clone());
      step(two, half, 5);  // what is kept does not follow
      for (std::size_t i = 0; i < half.size(); ++i) {
        Tensor p = resumed[i].detach();
        p.copy_(whole[i].detach());
      }
      three->load_state_dict(kept);
    }
    EXPECT_EQ(values(resumed), values(whole));
  }
}

TEST_P(OptimiserState, HasPyTorchsNames) {
  const Parameters all = parameters();
  const Optimizer adam = kMakers[1](all);
  step(adam, all, 1);
  std::vector<std::string> names;
  for (const auto& [name, value] : adam->state_dict()) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("steps", "0.exp_avg", "0.exp_avg_sq", "0.max_exp_avg_sq"));
  EXPECT_THAT(adam->state_dict()[0].second.to_vector<std::int32_t>(), testing::ElementsAre(1, 0));
}

TEST_P(OptimiserState, ThatDoesNotFitChangesNothing) {
  const Parameters all = parameters(), others = parameters();
  const Optimizer sgd = kMakers[0](all), other = kMakers[0](others);
  step(sgd, all, 1);
  step(other, others, 1);
  const nn::StateDict good = sgd->state_dict();
  nn::StateDict bad = good;
  bad[1].first = "0.momentum_bufer";
  EXPECT_EQ(thrown([&] { sgd->load_state_dict(bad); }),
            invalid_argument("[SGD.load_state_dict] 0.momentum_buffer is missing; 0.momentum_bufer is "
                             "unexpected, did you mean 0.momentum_buffer?"));
  bad = good;
  bad[1].second = ones({2}, here());
  EXPECT_EQ(thrown([&] { sgd->load_state_dict(bad); }),
            invalid_argument("[SGD.load_state_dict] 0.momentum_buffer is (2,), not (3,)"));
  bad[0].second = zeros({3}, here(i32));
  EXPECT_EQ(thrown([&] { sgd->load_state_dict(bad); }),
            invalid_argument("[SGD.load_state_dict] steps is i32 (3,), not i32 (2,)"));
  bad[0].second = tensor({0, -1}, here(i32));
  EXPECT_EQ(thrown([&] { sgd->load_state_dict(bad); }),
            invalid_argument("[SGD.load_state_dict] steps has -1 at 1"));
  EXPECT_EQ(thrown([&] { sgd->load_state_dict({}); }),
            invalid_argument("[SGD.load_state_dict] steps is missing"));
  for (int t = 2; t < 5; ++t) {
    step(sgd, all, t);
    step(other, others, t);
  }
  EXPECT_EQ(values(all), values(others));
}

TEST_P(OptimiserState, GroupsHaveOptionsOfTheirOwnInOneLaunch) {
  const Parameters all = parameters();
  optim::SGD sgd({{{all[0]}, {.lr = 0.5, .weight_decay = 0.1}}, {{all[1]}, {.lr = 0.25}}});
  EXPECT_EQ(sgd.group_count(), 2U);
  EXPECT_EQ(sgd.lr(1), 0.25);
  for (Parameter p : all) p.set_grad(ones_like(p));
  const std::int64_t before = device(GetParam()).stats().launches;
  sgd.step();
  const std::int64_t launches = device(GetParam()).stats().launches - before;
  EXPECT_TRUE(launches == 1 || !takes_whole_programs(device(GetParam()))) << launches;
  EXPECT_THAT(all[0].to_vector<float>(), testing::Each(testing::FloatEq(0.5F - 0.5F * 1.05F)));
  EXPECT_THAT(all[1].to_vector<float>(), testing::Each(-1.25F));
  sgd.set_lr(1, 0);
  EXPECT_EQ(sgd.lr(0), 0.5);
  sgd.set_lr(2);
  EXPECT_EQ(sgd.lr(0) + sgd.lr(1), 4);
  sgd.zero_grad();
  EXPECT_FALSE(all[1].grad().defined());
}

// 1 - 1e-3 is no f16, and 1e-8 is 0 in it: such parameters are computed in f32.
TEST_P(OptimiserState, HalvesAreComputedInF32) {
  for (const DType dtype : {f16, bf16}) {
    const Parameters all = parameters(dtype);
    Parameter p = all[0];
    optim::Adam adam({p}, {.lr = 0.125});
    p.set_grad(full({3}, 0x1p-10, here(dtype)));
    adam.step();
    EXPECT_THAT(p.to(f32).to_vector<float>(), testing::Each(testing::FloatNear(0.375F, 2e-3F)));
    EXPECT_EQ(adam.state_dict()[1].second.dtype(), dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, OptimiserState, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OptimiserState);

TEST(OptimiserGroups, SayWhatDoesNotFit) {
  const Parameter p(ones({1})), q(ones({1}));
  using Groups = std::vector<optim::Group<optim::SGDOptions>>;
  EXPECT_EQ(thrown([&] { optim::SGD(Groups{{{p}}, {{q, p}}}); }),
            invalid_argument("[SGD] parameter 2 is parameter 0 again"));
  EXPECT_EQ(thrown([&] { optim::SGD(Groups{{{p}}, {}}); }),
            invalid_argument("[SGD] there are no parameters"));
  EXPECT_EQ(thrown([] { optim::SGD(Groups{}); }), invalid_argument("[SGD] there are no parameters"));
  optim::SGD sgd({p}, {});
  EXPECT_EQ(thrown([&] { sgd.lr(1); }), invalid_argument("[SGD] there is no group 1 among 1"));
  EXPECT_EQ(thrown([&] { sgd.set_lr(1, 1); }), invalid_argument("[SGD] there is no group 1 among 1"));
}

TEST(OptimiserGroups, NewOptionsSayWhatIsOutOfRange) {
  const Parameters p = {Parameter(ones({1}))};
  EXPECT_EQ(thrown([&] { optim::SGD(p, {.nesterov = true}); }),
            invalid_argument("[SGD] nesterov needs a momentum and no dampening, not 0 and 0"));
  EXPECT_EQ(thrown([&] { optim::SGD(p, {.dampening = HUGE_VAL}); }),
            invalid_argument("[SGD] dampening is inf: it must be finite"));
  EXPECT_EQ(thrown([&] { optim::AdamW(p, {.beta1 = 1}); }),
            invalid_argument("[AdamW] beta1 is 1: it must be at least 0 and below 1"));
  EXPECT_EQ(thrown([&] { optim::RMSprop(p, {.alpha = -1}); }),
            invalid_argument("[RMSprop] alpha is -1: it must be at least 0 and finite"));
  EXPECT_EQ(thrown([&] { optim::RMSprop(p, {.momentum = -1}); }),
            invalid_argument("[RMSprop] momentum is -1: it must be at least 0 and finite"));
  EXPECT_EQ(thrown([&] { optim::Adagrad(p, {.lr_decay = -1}); }),
            invalid_argument("[Adagrad] lr_decay is -1: it must be at least 0 and finite"));
  EXPECT_EQ(
      thrown([&] { optim::Adagrad(p, {.initial_accumulator_value = -1}); }),
      invalid_argument("[Adagrad] initial_accumulator_value is -1: it must be at least 0 and finite"));
}

}  // namespace
}  // namespace tenon::test
