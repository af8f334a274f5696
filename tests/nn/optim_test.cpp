// Optimisers against plain loops in f64, and the promise of one launch for all parameters.
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
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using optim::AdamOptions;
using optim::SGDOptions;

/// Shapes whose elements come to 1, 3, 1000, 35 and 24.
const std::vector<Shape> kShapes = {{1}, {3}, {1000}, {5, 7}, {2, 3, 4}};

double start_of(std::size_t parameter, std::size_t element) {
  return std::cos(0.3 * static_cast<double>(element) + static_cast<double>(parameter));
}
double gradient_of(std::size_t parameter, std::size_t element, int step) {
  return std::sin(0.9 * static_cast<double>(element) + static_cast<double>(parameter) + 0.37 * step);
}

std::vector<double> elements(const Shape& shape, const std::function<double(std::size_t)>& f) {
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(i);
  return values;
}

/// One number's way through the optimisers, as their papers and PyTorch's manual write it.
struct PlainSGD {
  SGDOptions options;
  double velocity = 0;
  double step(double p, double g, int) {
    velocity = options.momentum * velocity + g + options.weight_decay * p;
    return p - options.lr * velocity;
  }
};
struct PlainAdam {
  AdamOptions options;
  double m = 0, v = 0;
  double step(double p, double g, int t) {
    const double beta1 = options.beta1, beta2 = options.beta2;
    g += options.weight_decay * p;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const double m_hat = m / (1 - std::pow(beta1, t)), v_hat = v / (1 - std::pow(beta2, t));
    return p - options.lr * m_hat / (std::sqrt(v_hat) + options.eps);
  }
};

class Optimisers : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }

  Parameter parameter(std::size_t k, DType dtype) const {
    const auto values = elements(kShapes[k], [&](std::size_t i) { return start_of(k, i); });
    return Parameter(from_values<double>(values, kShapes[k], {.dtype = dtype, .device = on()}));
  }
  std::vector<Parameter> parameters(DType dtype) const {
    std::vector<Parameter> all;
    for (std::size_t k = 0; k < kShapes.size(); ++k) all.push_back(parameter(k, dtype));
    return all;
  }
  void set_gradient(Parameter p, std::size_t k, int step) const {
    const auto values = elements(kShapes[k], [&](std::size_t i) { return gradient_of(k, i, step); });
    p.set_grad(from_values<double>(values, kShapes[k], {.dtype = p.dtype(), .device = on()}));
  }
  void set_gradients(const std::vector<Parameter>& all, int step) const {
    for (std::size_t k = 0; k < all.size(); ++k) set_gradient(all[k], k, step);
  }
  std::int64_t launches_of_step(optim::Optimizer& optimizer, Device where) const {
    const std::int64_t before = where.stats().launches;
    optimizer.step();
    return where.stats().launches - before;
  }

  /// A device of narrow limits runs a step in parts.
  void step_in_one_launch(optim::Optimizer& optimizer) const {
    const std::int64_t launches = launches_of_step(optimizer, on());
    EXPECT_TRUE(launches == 1 || !takes_whole_programs(on())) << launches << " launches";
  }

  /// 50 steps of `optimizer` and of `plain` for each element.
  template <class Plain>
  void check(optim::Optimizer& optimizer, const std::vector<Parameter>& all, const Plain& plain) {
    constexpr int kSteps = 50;
    for (int t = 1; t <= kSteps; ++t) {
      set_gradients(all, t);
      optimizer.step();
    }
    const double bound = all.front().dtype() == f64 ? 1e-13 : 2e-5;
    for (std::size_t k = 0; k < all.size(); ++k) {
      const auto expected = elements(kShapes[k], [&](std::size_t i) {
        Plain one = plain;
        double p = start_of(k, i);
        for (int t = 1; t <= kSteps; ++t) p = one.step(p, gradient_of(k, i, t), t);
        return p;
      });
      EXPECT_THAT(all[k].to(f64).template to_vector<double>(),
                  testing::Pointwise(testing::DoubleNear(bound), expected))
          << "of shape " << to_string(kShapes[k]);
    }
  }
};

TEST_P(Optimisers, SGDIsPlainLoops) {
  const SGDOptions rows[] = {{.lr = 0.01},
                             {.lr = 0.01, .weight_decay = 0.1},
                             {.lr = 0.01, .momentum = 0.9},
                             {.lr = 0.003, .momentum = 0.5, .weight_decay = 0.2}};
  for (const SGDOptions& options : rows) {
    for (const DType dtype : {f32, f64}) {
      const std::vector<Parameter> all = parameters(dtype);
      optim::SGD sgd(all, options);
      check(sgd, all, PlainSGD{options});
    }
  }
}

TEST_P(Optimisers, AdamIsPlainLoops) {
  const AdamOptions rows[] = {{},
                              {.lr = 0.02, .weight_decay = 0.1},
                              {.lr = 0.01, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3},
                              {.lr = 0.01, .beta1 = 0}};
  for (const AdamOptions& options : rows) {
    for (const DType dtype : {f32, f64}) {
      const std::vector<Parameter> all = parameters(dtype);
      optim::Adam adam(all, options);
      check(adam, all, PlainAdam{options});
    }
  }
}

TEST_P(Optimisers, AStepIsOneLaunch) {
  const auto expect_one_launch = [&](auto make) {
    const std::vector<Parameter> all = parameters(f32);
    const std::unique_ptr<optim::Optimizer> optimizer = make(all);
    set_gradients(all, 1);
    optimizer->step();  // makes its state
    for (int t = 2; t < 5; ++t) {
      set_gradients(all, t);
      step_in_one_launch(*optimizer);
    }
  };
  expect_one_launch([](const auto& all) { return std::make_unique<optim::SGD>(all, SGDOptions{}); });
  expect_one_launch([](const auto& all) {
    return std::make_unique<optim::SGD>(all, SGDOptions{.momentum = 0.9, .weight_decay = 0.1});
  });
  expect_one_launch([](const auto& all) { return std::make_unique<optim::Adam>(all); });
}

// The gradients that backward leaves, a transposed product's among them, suit that launch too.
TEST_P(Optimisers, AStepAfterBackwardIsOneLaunch) {
  const TensorOptions here{.device = on()};
  const nn::Sequential model(nn::Linear(7, 5, {.tensor = here}), nn::Sigmoid(),
                             nn::Linear(5, 3, {.tensor = here}), nn::Linear(3, 1, {.tensor = here}));
  optim::Adam adam(model.parameters());
  for (int t = 0; t < 3; ++t) {
    adam.zero_grad();
    model(random::uniform({4, 7}, {}, here)).sum().backward();
    if (t == 0) {
      adam.step();
    } else {
      step_in_one_launch(adam);
    }
  }
}

TEST_P(Optimisers, EachDtypeAndDeviceHasALaunch) {
  if (!takes_whole_programs(on())) GTEST_SKIP() << "which has programs in parts";
  const Device other = devices().front() == on() ? devices().back() : devices().front();
  std::vector<Parameter> all = {parameter(0, f32), parameter(1, f64), parameter(3, f32),
                                parameter(2, f64)};
  all.push_back(Parameter(ones({4}, {.device = other})));
  all.push_back(Parameter(ones({2}, {.device = other})));
  optim::SGD sgd(all, {.lr = 0.5});
  for (Parameter& p : all) p.set_grad(ones_like(p));
  const std::int64_t before = other.stats().launches;
  EXPECT_EQ(launches_of_step(sgd, on()), other == on() ? 3 : 2);
  if (other != on()) {
    EXPECT_EQ(other.stats().launches - before, 1);
  }
  EXPECT_THAT(all[4].to_vector<float>(), testing::Each(0.5F));
}

TEST_P(Optimisers, AParameterWithoutAGradientIsLeftAlone) {
  std::vector<Parameter> all = parameters(f32);
  all.push_back(Parameter(zeros({0}, {.device = on()})));
  optim::Adam adam(all, {.lr = 0.1, .weight_decay = 0.5});
  adam.step();
  for (int t = 1; t < 4; ++t) {
    for (std::size_t k = 0; k < kShapes.size(); ++k) {
      if (k != 1) set_gradient(all[k], k, t);
    }
    all.back().set_grad(zeros_like(all.back()));
    adam.step();
  }
  const auto kept = elements(kShapes[1], [](std::size_t i) { return start_of(1, i); });
  EXPECT_EQ(all[1].to_vector<float>(), std::vector<float>(kept.begin(), kept.end()));
  EXPECT_EQ(all[1].version(), parameter(1, f32).version());
}

// Its own count of steps, not the optimiser's, corrects a parameter's running means.
TEST_P(Optimisers, AdamCountsEachParametersSteps) {
  const std::vector<Parameter> all = {parameter(0, f64), parameter(1, f64)};
  optim::Adam adam(all, {.lr = 0.1});
  for (int t = 1; t <= 6; ++t) {
    set_gradient(all[0], 0, t);
    if (t > 3) set_gradient(all[1], 1, t);
    if (t == 1 || t == 4) {
      adam.step();  // makes the running means
    } else {
      step_in_one_launch(adam);  // whatever the counts
    }
  }
  PlainAdam plain{{.lr = 0.1}};
  double p = start_of(1, 2);
  for (int t = 4; t <= 6; ++t) p = plain.step(p, gradient_of(1, 2, t), t - 3);
  EXPECT_NEAR(all[1].to_vector<double>()[2], p, 1e-14);
}

TEST_P(Optimisers, TheRateMayChange) {
  const std::vector<Parameter> all = {parameter(0, f64)};
  optim::SGD sgd(all, {.lr = 1});
  EXPECT_EQ(sgd.lr(), 1);
  set_gradient(all[0], 0, 1);
  sgd.set_lr(0.25);
  sgd.step();
  EXPECT_EQ(sgd.lr(), 0.25);
  EXPECT_NEAR(all[0].item<double>(), start_of(0, 0) - 0.25 * gradient_of(0, 0, 1), 1e-15);
}

TEST_P(Optimisers, ZeroGradForgetsGradients) {
  const std::vector<Parameter> all = parameters(f32);
  set_gradients(all, 1);
  optim::SGD sgd(all, {});
  sgd.zero_grad();
  for (const Parameter& p : all) EXPECT_FALSE(p.grad().defined());
}

TEST_P(Optimisers, AGraphFromBeforeAStepIsRefused) {
  const TensorOptions here{.device = on()};
  const nn::Linear fc(2, 1, {.tensor = here});
  Tensor x = ones({3, 2}, here);
  x.set_requires_grad();
  const Tensor loss = fc(x).sum();
  loss.backward({}, true);
  optim::SGD(fc.parameters(), {.lr = 0.1}).step();
  const Thrown refusal = thrown([&] { loss.backward(); });
  EXPECT_EQ(refusal.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(refusal.text, testing::HasSubstr("[linear]"));
}

TEST_P(Optimisers, AGradientThatStayedBehindIsRefused) {
  const TensorOptions here{.device = on()};
  Parameter p(ones({3}, here));
  p.set_grad(ones({3}, here));
  optim::SGD sgd({p}, {.lr = 0.1});
  p.set_data(ones({2}, here));
  EXPECT_EQ(thrown([&] { sgd.step(); }),
            invalid_argument("[SGD] the parameter is f32 (2,), its gradient or state f32 (3,)"));
  for (const Device& other : devices()) {
    if (other == on()) continue;
    p.set_data(ones({3}, {.device = other}));
    EXPECT_EQ(thrown([&] { sgd.step(); }),
              invalid_argument("[SGD] operands are on different devices: " + other.name() + " and " +
                               GetParam() + "; move one with to()"));
    EXPECT_THAT(p.to_vector<float>(), testing::Each(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Optimisers, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Optimisers);

TEST(AdamSteps, ThatFailDoNotCount) {
  in_new_process({"TENON_POOL=direct"}, [] {
    const TensorOptions on_faulty{.device = device("faulty")};
    Parameter p(tensor({0.5}, {.dtype = f64, .device = device("faulty")})), q(ones({7}, on_faulty));
    p.set_grad(tensor({-2.0}, {.dtype = f64, .device = device("faulty")}));
    q.set_grad(ones({7}, on_faulty));
    optim::Adam adam({p, q}, {.lr = 0.1});
    set_option("faulty.oom_every", "1");
    EXPECT_EQ(thrown([&] { adam.step(); }).kind, ErrorKind::OutOfMemory);
    set_option("faulty.oom_every", "0");
    adam.step();
    EXPECT_NEAR(p.item<double>(), (PlainAdam{{.lr = 0.1}}.step(0.5, -2, 1)), 1e-15);
  });
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(OptimiserOptions, OfSGD) {
  const std::vector<Parameter> p = {Parameter(ones({1}))};
  const auto refusal = [&](SGDOptions options) { return thrown([&] { optim::SGD(p, options); }); };
  EXPECT_EQ(refusal({.lr = -0.5}),
            invalid_argument("[SGD] lr is -0.5: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.lr = kNaN}),
            invalid_argument("[SGD] lr is nan: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.lr = kInfinity}),
            invalid_argument("[SGD] lr is inf: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.momentum = -1}),
            invalid_argument("[SGD] momentum is -1: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.weight_decay = -1}),
            invalid_argument("[SGD] weight_decay is -1: it must be at least 0 and finite"));
}

TEST(OptimiserOptions, OfAdam) {
  const std::vector<Parameter> p = {Parameter(ones({1}))};
  const auto refusal = [&](AdamOptions options) { return thrown([&] { optim::Adam(p, options); }); };
  EXPECT_EQ(refusal({.lr = -1}), invalid_argument("[Adam] lr is -1: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.beta1 = 1}),
            invalid_argument("[Adam] beta1 is 1: it must be at least 0 and below 1"));
  EXPECT_EQ(refusal({.beta2 = -0.1}),
            invalid_argument("[Adam] beta2 is -0.1: it must be at least 0 and below 1"));
  EXPECT_EQ(refusal({.eps = kNaN}),
            invalid_argument("[Adam] eps is nan: it must be at least 0 and finite"));
  EXPECT_EQ(refusal({.weight_decay = -1}),
            invalid_argument("[Adam] weight_decay is -1: it must be at least 0 and finite"));
}

TEST(OptimiserOptions, Parameters) {
  EXPECT_EQ(thrown([] { optim::SGD({}, {}); }), invalid_argument("[SGD] there are no parameters"));
  const Parameter p(ones({1})), q(ones({1}));
  EXPECT_EQ(thrown([&] { optim::SGD({p, q, p}, {}); }),
            invalid_argument("[SGD] parameter 2 is parameter 0 again"));
  EXPECT_EQ(thrown([&] { optim::SGD({p, Parameter()}, {}); }),
            invalid_argument("[SGD] parameter 1 is undefined"));
  optim::SGD sgd({p}, {.lr = 1});
  EXPECT_EQ(thrown([&] { sgd.set_lr(-2); }),
            invalid_argument("[SGD] lr is -2: it must be at least 0 and finite"));
  EXPECT_EQ(sgd.lr(), 1);
}

}  // namespace
}  // namespace tenon::test
