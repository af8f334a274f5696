// Clipping against plain loops, on every device.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using nn::utils::clip_grad_norm_;
using nn::utils::clip_grad_value_;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Clipping : public testing::TestWithParam<std::string> {
 protected:
  /// A parameter of zeros whose gradient has these elements, in rows of two.
  Parameter with_gradient(const std::vector<double>& values, DType dtype = f32) const {
    const TensorOptions here{.dtype = dtype, .device = device(GetParam())};
    const Shape shape{static_cast<std::int64_t>(values.size()) / 2, 2};
    Parameter p(zeros(shape, here));
    p.set_grad(from_values<double>(values, shape, here));
    return p;
  }
  /// A parameter without a gradient and three with, of two dtypes; and the gradients' elements.
  std::vector<Parameter> parameters() const {
    std::vector<Parameter> all{Parameter(zeros({3}, {.device = device(GetParam())}))};
    for (std::size_t i = 0; i < kGradients.size(); ++i)
      all.push_back(with_gradient(kGradients[i], i == 1 ? f64 : f32));
    return all;
  }
  void expect_scaled(const std::vector<Parameter>& all, double factor) const {
    for (std::size_t i = 0; i < kGradients.size(); ++i) {
      std::vector<double> expected = kGradients[i];
      for (double& value : expected) value *= factor;
      EXPECT_THAT(doubles_of(all[i + 1].grad()),
                  testing::Pointwise(testing::DoubleNear(1e-6), expected));
    }
  }
  const std::vector<std::vector<double>> kGradients = {{3, -4}, {1, 2, -2, 0.5}, {-7, 0.25}};
};

TEST_P(Clipping, OfTheNorm) {
  for (const double p : {1.0, 2.0, 3.0, kInfinity}) {
    double norm = 0;
    for (const auto& gradient : kGradients) {
      for (const double g : gradient)
        norm = std::isinf(p) ? std::max(norm, std::abs(g)) : norm + std::pow(std::abs(g), p);
    }
    if (!std::isinf(p)) norm = std::pow(norm, 1 / p);
    for (const double most : {0.0, 2.5, 100.0}) {
      const std::vector<Parameter> all = parameters();
      EXPECT_NEAR(clip_grad_norm_(all, most, {.norm_type = p}).item<double>(), norm, 1e-5 * norm) << p;
      expect_scaled(all, std::min(1.0, most / (norm + 1e-6)));
    }
  }
}

TEST_P(Clipping, TakesAsManyLaunchesForManyAsForOne) {
  if (!takes_whole_programs(device(GetParam()))) GTEST_SKIP() << "which has programs in parts";
  std::vector<Parameter> all;
  for (int i = 0; i < 20; ++i) all.push_back(with_gradient({1, 2, 3, 4}));
  const auto launches = [&](auto clip) {
    const std::int64_t before = device(GetParam()).stats().launches;
    clip();
    return device(GetParam()).stats().launches - before;
  };
  EXPECT_EQ(launches([&] { clip_grad_norm_(all, 1); }), 4);
  EXPECT_EQ(launches([&] { clip_grad_value_(all, 1); }), 1);
}

TEST_P(Clipping, OfTheValue) {
  const std::vector<Parameter> all = parameters();
  clip_grad_value_(all, 2);
  EXPECT_THAT(all[1].grad().to_vector<float>(), testing::ElementsAre(2, -2));
  EXPECT_THAT(all[2].grad().to_vector<double>(), testing::ElementsAre(1, 2, -2, 0.5));
  EXPECT_THAT(all[3].grad().to_vector<float>(), testing::ElementsAre(-2, 0.25));
}

TEST_P(Clipping, SumsHalvesInF32) {
  const Parameter p = with_gradient({300, 400}, f16);  // 300² is beyond f16
  EXPECT_EQ(clip_grad_norm_({p}, 5).item<double>(), 500);
  EXPECT_THAT(p.grad().to(f32).to_vector<float>(), testing::ElementsAre(3, 4));
}

TEST_P(Clipping, OfANormThatIsNotFinite) {
  const std::vector<Parameter> all{with_gradient({kInfinity, 1})};
  EXPECT_EQ(thrown([&] { clip_grad_norm_(all, 1, {.error_if_nonfinite = true}); }),
            invalid_argument("[clip_grad_norm_] the norm of the gradients is inf"));
  EXPECT_EQ(all[0].grad().to_vector<float>()[1], 1);
  EXPECT_EQ(clip_grad_norm_(all, 1).item<double>(), kInfinity);
}

TEST_P(Clipping, OfNoGradients) {
  EXPECT_EQ(clip_grad_norm_({}, 1).item<double>(), 0);
  clip_grad_value_({Parameter(zeros({2}))}, 1);
}

TEST_P(Clipping, SaysWhatIsOutOfRange) {
  EXPECT_EQ(thrown([] { clip_grad_norm_({}, -1); }),
            invalid_argument("[clip_grad_norm_] max_norm is -1: it must be at least 0"));
  EXPECT_EQ(thrown([] { clip_grad_norm_({}, 1, {.norm_type = 0}); }),
            invalid_argument("[clip_grad_norm_] norm_type is 0: it must be above 0"));
  EXPECT_EQ(thrown([] { clip_grad_value_({}, -1); }),
            invalid_argument("[clip_grad_value_] the limit is -1: it must be at least 0"));
}

INSTANTIATE_TEST_SUITE_P(Devices, Clipping, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Clipping);

}  // namespace
}  // namespace tenon::test
