// Learning rates over 100 steps against PyTorch's, kept states, and what is out of its range.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/nn/figures.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using Plateau = optim::ReduceLROnPlateauOptions;

constexpr double kBase = 0.3;

optim::SGD make_sgd() {
  return optim::SGD({Parameter(zeros({1}))}, {.lr = kBase});
}

void expect_rates(const std::string& name, const optim::Rule& rule) {
  const auto expected = figures("schedules").at(name).get<std::vector<double>>();
  ASSERT_EQ(expected.size(), 100U);
  optim::SGD sgd = make_sgd();
  optim::Schedule schedule(sgd, rule);
  for (std::size_t t = 0; t < expected.size(); ++t) {
    EXPECT_NEAR(sgd.lr(), expected[t], 1e-10 * kBase) << name << " at step " << t;
    schedule.step();
  }
}

TEST(Schedules, AreThoseOfPyTorch) {
  const optim::SequentialLR sequential{
      .rules = {optim::LinearLR{.start_factor = 0.1, .total_iters = 10},
                optim::CosineAnnealingLR{.T_max = 50},
                optim::ConstantLR{.factor = 0.2, .total_iters = 1000}},
      .milestones = {10, 60}};
  expect_rates("lambda", optim::LambdaLR{[](std::int64_t t) { return 1 / (1 + 0.1 * double(t)); }});
  expect_rates("constant", optim::ConstantLR{.factor = 0.5, .total_iters = 7});
  expect_rates("step", optim::StepLR{.step_size = 13, .gamma = 0.5});
  expect_rates("multi_step", optim::MultiStepLR{.milestones = {10, 11, 50}, .gamma = 0.3});
  expect_rates("exponential", optim::ExponentialLR{.gamma = 0.97});
  expect_rates("cosine", optim::CosineAnnealingLR{.T_max = 40, .eta_min = 0.01});
  expect_rates("linear", optim::LinearLR{.start_factor = 0.25, .end_factor = 0.9, .total_iters = 30});
  expect_rates("polynomial", optim::PolynomialLR{.total_iters = 80, .power = 2});
  expect_rates("one_cycle", optim::OneCycleLR{.max_lr = 1, .total_steps = 101});
  expect_rates("sequential", sequential);
}

/// As tests/figures/schedules.py has it.
double metric(int t) {
  if (t < 20) return 1 / (1.0 + t);
  return t < 60 ? 0.05 + 0.01 * std::sin(t) : 0.04 - 0.0003 * t;
}

void expect_plateau(const std::string& name, const Plateau& options) {
  const auto expected = figures("schedules").at(name).get<std::vector<double>>();
  optim::SGD sgd = make_sgd(), resumed_sgd = make_sgd();
  optim::ReduceLROnPlateau plateau(sgd, options), resumed(resumed_sgd, options);
  for (int t = 0; t < 100; ++t) {
    EXPECT_NEAR(sgd.lr(), expected[static_cast<std::size_t>(t)], 1e-10) << name << " at step " << t;
    plateau.step(metric(t));
    if (t == 43) resumed.set_state(plateau.state());
    if (t > 43) resumed.step(metric(t));
  }
  EXPECT_EQ(resumed.state(), plateau.state());
}

TEST(Schedules, APlateauIsThatOfPyTorchAndGoesOn) {
  expect_plateau("plateau", {.patience = 3});
  expect_plateau("plateau_abs", {.mode = Plateau::Mode::max,
                                 .factor = 0.7,
                                 .patience = 2,
                                 .threshold = 0.01,
                                 .threshold_mode = Plateau::Threshold::abs,
                                 .cooldown = 4,
                                 .min_lr = 0.05});
}

TEST(Schedules, WarmupIsALineUpToTheRule) {
  const optim::Warmup rule{.steps = 4, .then = optim::StepLR{.step_size = 2, .gamma = 0.5}};
  const std::vector<double> expected = {0.2, 0.4, 0.6, 0.8, 1, 1, 0.5, 0.5, 0.25};
  for (std::size_t t = 0; t < expected.size(); ++t)
    EXPECT_NEAR(rule(1, static_cast<std::int64_t>(t)), expected[t], 1e-15) << t;
}

TEST(Schedules, EachGroupHasABaseOfItsOwn) {
  const std::vector<optim::Group<optim::SGDOptions>> groups = {{{Parameter(zeros({1}))}, {.lr = 1}},
                                                               {{Parameter(zeros({2}))}, {.lr = 0.5}}};
  optim::SGD sgd(groups);
  optim::Schedule schedule(sgd, optim::ExponentialLR{.gamma = 0.5});
  schedule.step();
  EXPECT_EQ(sgd.lr(0), 0.5);
  EXPECT_EQ(sgd.lr(1), 0.25);
  schedule.set_last_step(3);
  EXPECT_EQ(schedule.last_step(), 3);
  EXPECT_EQ(sgd.lr(1), 0.0625);
}

TEST(Schedules, SayWhatIsOutOfRange) {
  optim::SGD sgd = make_sgd();
  const auto refusal = [&](const optim::Rule& rule) {
    return thrown([&] { optim::Schedule(sgd, rule); });
  };
  EXPECT_EQ(refusal({}), invalid_argument("[Schedule] a rule is missing"));
  EXPECT_EQ(refusal(optim::LambdaLR{}), invalid_argument("[LambdaLR] the function is missing"));
  EXPECT_EQ(refusal(optim::StepLR{}),
            invalid_argument("[StepLR] step_size is 0: it must be at least 1"));
  EXPECT_EQ(refusal(optim::StepLR{.step_size = 1, .gamma = -1}),
            invalid_argument("[StepLR] gamma is -1: it must be at least 0 and finite"));
  EXPECT_EQ(refusal(optim::ConstantLR{.factor = 1, .total_iters = -1}),
            invalid_argument("[ConstantLR] total_iters is -1: it must be at least 0"));
  EXPECT_EQ(refusal(optim::MultiStepLR{.milestones = {5, 3}}),
            invalid_argument("[MultiStepLR] the milestones don't grow"));
  EXPECT_EQ(refusal(optim::ExponentialLR{.gamma = std::numeric_limits<double>::infinity()}),
            invalid_argument("[ExponentialLR] gamma is inf: it must be at least 0 and finite"));
  EXPECT_EQ(refusal(optim::CosineAnnealingLR{}),
            invalid_argument("[CosineAnnealingLR] T_max is 0: it must be at least 1"));
  EXPECT_EQ(refusal(optim::LinearLR{.start_factor = 1, .end_factor = -2}),
            invalid_argument("[LinearLR] end_factor is -2: it must be at least 0 and finite"));
  EXPECT_EQ(refusal(optim::PolynomialLR{.total_iters = 0}),
            invalid_argument("[PolynomialLR] total_iters is 0: it must be at least 1"));
  EXPECT_EQ(refusal(optim::OneCycleLR{.max_lr = 1, .total_steps = 5, .pct_start = 2}),
            invalid_argument("[OneCycleLR] pct_start is 2: it must be from 0 to 1"));
  EXPECT_EQ(refusal(optim::OneCycleLR{.max_lr = 1, .total_steps = 5, .div_factor = 0}),
            invalid_argument("[OneCycleLR] the divisors 0 and 10000 must be above 0"));
  EXPECT_EQ(refusal(optim::Warmup{.steps = -1, .then = optim::LinearLR{}}),
            invalid_argument("[Warmup] steps is -1: it must be at least 0"));
  EXPECT_EQ(refusal(optim::Warmup{.steps = 1, .then = {}}),
            invalid_argument("[Warmup] a rule is missing"));
  EXPECT_EQ(refusal(optim::SequentialLR{.rules = {optim::LinearLR{}}, .milestones = {3}}),
            invalid_argument("[SequentialLR] 1 rules want 0 milestones, not 1"));
  EXPECT_EQ(sgd.lr(), kBase);
  optim::Schedule cycle(sgd, optim::OneCycleLR{.max_lr = 1, .total_steps = 2});
  for (int i = 0; i < 2; ++i) cycle.step();  // after each of the two steps of the optimiser
  EXPECT_EQ(thrown([&] { cycle.step(); }), invalid_argument("[OneCycleLR] there is no step 3 among 2"));
  EXPECT_EQ(thrown([&] { cycle.set_last_step(-1); }),
            invalid_argument("[Schedule] step -1 is before the first, 0"));
}

TEST(Schedules, APlateauSaysWhatIsOutOfRange) {
  optim::SGD sgd = make_sgd();
  const auto refusal = [&](const Plateau& options) {
    return thrown([&] { optim::ReduceLROnPlateau(sgd, options); });
  };
  EXPECT_EQ(refusal({.factor = 1}),
            invalid_argument("[ReduceLROnPlateau] factor is 1: it must be at least 0 and below 1"));
  EXPECT_EQ(refusal({.patience = -1}),
            invalid_argument("[ReduceLROnPlateau] patience -1 and cooldown 0 must be at least 0"));
  EXPECT_EQ(refusal({.min_lr = -1}),
            invalid_argument("[ReduceLROnPlateau] min_lr is -1: it must be at least 0 and finite"));
  optim::ReduceLROnPlateau plateau(sgd);
  EXPECT_EQ(thrown([&] { plateau.set_state({}); }),
            invalid_argument("[ReduceLROnPlateau] the state is of 0 groups, the optimiser has 1"));
}

}  // namespace
}  // namespace tenon::test
