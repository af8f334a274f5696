// Small trainings to their ends, on every device; on two that compute alike, with the same bits.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/data.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

constexpr std::int64_t kRows = 64;

/// Features in -1 .. 1, the same on every device.
Tensor features(Device on) {
  random::Generator generator(11);
  return random::uniform({kRows, 2}, {-1, 1}, {.device = on}, generator);
}

/// 2·x0 - 3·x1 + 0.5.
Tensor plane(const Tensor& x) {
  const Tensor weight = tensor({{2.0}, {-3.0}}, {.device = x.device()});
  return matmul(x, weight) + 0.5;
}

template <class Optimiser, class Options>
std::vector<float> train(const nn::Sequential& model, const Tensor& x, const Tensor& y, Options options,
                         int epochs, const std::function<Tensor(const Tensor&, const Tensor&)>& loss) {
  data::DataLoader loader({x, y}, {.batch_size = 16, .shuffle = true, .seed = 3});
  Optimiser optimizer(model.parameters(), options);
  std::vector<float> losses;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [features, targets] : loader) {
      optimizer.zero_grad();
      const Tensor value = loss(model(features), targets);
      value.backward();
      optimizer.step();
      losses.push_back(value.item<float>());
    }
  }
  return losses;
}

struct Trained {
  std::vector<float> losses;
  nn::Sequential model;
  Tensor x, y;
};

Trained linear_regression(Device on) {
  random::manual_seed(1);
  const nn::Sequential model{nn::Linear(2, 1, {.tensor = {.device = on}})};
  const Tensor x = features(on), y = plane(x);
  const auto losses =
      train<optim::SGD>(model, x, y, optim::SGDOptions{.lr = 0.05, .momentum = 0.9}, 60, nn::MSELoss());
  return {losses, model, x, y};
}

/// Inside a circle or not: no line parts the two, a hidden layer does.
Trained logistic_regression(Device on) {
  random::manual_seed(1);
  const TensorOptions here{.device = on};
  const nn::Sequential model{nn::Linear(2, 16, {.tensor = here}), nn::ReLU(),
                             nn::Linear(16, 1, {.tensor = here})};
  const Tensor x = features(on), x0 = x.slice(1, {.stop = 1}), x1 = x.slice(1, {.start = 1});
  const Tensor y = (x1 * x1 + x0 * x0 < 0.5).to(f32);
  const auto losses =
      train<optim::Adam>(model, x, y, optim::AdamOptions{.lr = 0.05}, 100, nn::BCEWithLogitsLoss());
  return {losses, model, x, y};
}

class Training : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
};

TEST_P(Training, LinearRegressionFindsThePlane) {
  const Trained run = linear_regression(on());
  EXPECT_LT(run.losses.back(), 1e-6F * run.losses.front());
  const auto state = run.model.state_dict();
  EXPECT_THAT(state[0].second.to_vector<float>(),
              testing::Pointwise(testing::FloatNear(1e-3F), {2.F, -3.F}));
  EXPECT_NEAR(state[1].second.item<float>(), 0.5, 1e-3);
}

TEST_P(Training, LogisticRegressionPartsTheClasses) {
  const Trained run = logistic_regression(on());
  EXPECT_LT(run.losses.back(), 0.2F);
  const Tensor right = ((run.model(run.x) > 0.0).to(f32) == run.y).to(f32).mean();
  EXPECT_GE(right.item<float>(), 0.97F);
}

INSTANTIATE_TEST_SUITE_P(Devices, Training, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Training);

// The logistic one takes log1p and sigmoid, which a device may lack.
TEST(TrainingOnTwoDevices, GivesTheSameBitsOnReferenceAndFaulty) {
  const Device reference = device("reference"), faulty = device("faulty:0");
  std::vector<Trained (*)(Device)> trainings{linear_regression};
  if (compute_alike(reference, faulty)) trainings.push_back(logistic_regression);
  for (const auto train_on : trainings) {
    const Trained here = train_on(reference), there = train_on(faulty);
    EXPECT_EQ(here.losses, there.losses);
    const nn::StateDict a = here.model.state_dict(), b = there.model.state_dict();
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].second.to_vector<float>(), b[i].second.to_vector<float>()) << a[i].first;
    }
  }
}

}  // namespace
}  // namespace tenon::test
