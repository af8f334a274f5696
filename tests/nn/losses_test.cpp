// Losses and their gradients against formulas in f64.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

struct ValueAndSlope {
  double value, slope;
};

/// Cross entropy of y and sigmoid(x), and its derivative in x, sigmoid(x) - y; every term small.
ValueAndSlope bce(double x, double y) {
  const double e = std::exp(-std::abs(x));
  const double sigmoid = x >= 0 ? 1 / (1 + e) : e / (1 + e);
  const double log_sigmoid = x >= 0 ? -std::log1p(e) : x - std::log1p(e);
  const double log_rest = log_sigmoid - x;
  return {-(y * log_sigmoid + (1 - y) * log_rest), sigmoid - y};
}

ValueAndSlope mse(double x, double y) {
  return {(x - y) * (x - y), 2 * (x - y)};
}

class Losses : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }

  /// Value and gradient of a loss over all pairs, as one batch of shape (xs, ys) and one by one.
  template <class Loss>
  void check(const Loss& loss, ValueAndSlope (*plain)(double, double), const std::vector<double>& xs,
             const std::vector<double>& ys, DType dtype) {
    std::vector<double> all_x, all_y;
    for (const double x : xs) {
      for (const double y : ys) {
        check_batch(loss, plain, {x}, {y}, Shape{}, dtype);
        all_x.push_back(x);
        all_y.push_back(y);
      }
    }
    const auto rows = static_cast<std::int64_t>(xs.size()),
               columns = static_cast<std::int64_t>(ys.size());
    check_batch(loss, plain, all_x, all_y, {rows, columns}, dtype);
  }

 private:
  template <class Loss>
  void check_batch(const Loss& loss, ValueAndSlope (*plain)(double, double),
                   const std::vector<double>& xs, const std::vector<double>& ys, const Shape& shape,
                   DType dtype) {
    const double bound = dtype == f64 ? 1e-13 : 2e-6;
    Tensor x = from_values<double>(xs, shape, {.dtype = dtype, .device = on()});
    const Tensor y = from_values<double>(ys, shape, {.dtype = dtype, .device = on()});
    x.set_requires_grad();
    const Tensor value = loss(x, y);
    EXPECT_EQ(value.shape(), Shape{});
    EXPECT_EQ(value.dtype(), dtype);
    value.backward();
    const std::vector<double> slopes = x.grad().to(f64).to_vector<double>();
    const auto count = static_cast<double>(xs.size());
    double expected = 0;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const ValueAndSlope one = plain(xs[i], ys[i]);
      expected += one.value / count;
      const double slope = one.slope / count;
      EXPECT_NEAR(slopes[i], slope, bound * std::max(std::abs(slope), 1 / count))
          << "x " << xs[i] << " y " << ys[i];
    }
    EXPECT_NEAR(value.item<double>(), expected, bound * std::max(expected, 1.0))
        << "x " << xs.front() << " y " << ys.front() << " and " << xs.size() - 1 << " more";
  }
};

TEST_P(Losses, MeanSquaredError) {
  const std::vector<double> xs = {-1e4, -3, -0.5, 0, 0.5, 7, 1e4};
  for (const DType dtype : {f32, f64}) check(nn::MSELoss(), mse, xs, {-1e4, 0, 0.5, 1e4}, dtype);
}

TEST_P(Losses, CrossEntropyIsStableForLargeLogits) {
  const std::vector<double> xs = {-1e4,    -745, -104, -88, -17, -1,  -0x1p-30, 0,
                                  0x1p-30, 0.5,  1,    17,  88,  104, 745,      1e4};
  for (const DType dtype : {f32, f64}) check(nn::BCEWithLogitsLoss(), bce, xs, {0, 0.25, 1}, dtype);
}

// Where the loss is tiny its digits still count: log(1 + e^-20) is not 0.
TEST_P(Losses, CrossEntropyKeepsSmallValues) {
  const Tensor x = tensor(20.0, {.dtype = f32, .device = on()}), y = ones_like(x);
  EXPECT_NEAR(nn::BCEWithLogitsLoss()(x, y).item<double>(), 2.0611536e-9, 1e-15);
}

TEST_P(Losses, CrossEntropyTakesClassesOfAnyDtype) {
  const Tensor x = tensor({1.0, -2.0}, {.dtype = f32, .device = on()});
  const double expected = (bce(1, 1).value + bce(-2, 0).value) / 2;
  const Tensor as_float = tensor({1, 0}, {.dtype = f32, .device = on()});
  for (const DType dtype : {bool_, i64, f64}) {
    EXPECT_NEAR(nn::BCEWithLogitsLoss()(x, as_float.to(dtype)).item<double>(), expected, 1e-7)
        << name(dtype);
  }
}

TEST_P(Losses, AreDifferentiableTwice) {
  const std::vector<double> values = {0.3, -1.2, 0.9};
  Tensor x = from_values<double>(values, {3}, {.device = on()});
  x.set_requires_grad();
  const Tensor y = tensor({1.0, 0.0, 0.5}, {.dtype = f64, .device = on()});
  const Tensor loss = nn::BCEWithLogitsLoss()(x, y) + nn::MSELoss()(x, y);
  const Tensor slope = autograd::grad({&loss, 1}, {&x, 1}, {}, {.create_graph = true}).front().sum();
  const Tensor second = autograd::grad({&slope, 1}, {&x, 1}).front();
  std::vector<double> expected;
  for (const double v : values) {
    const double sigmoid = 1 / (1 + std::exp(-v));
    expected.push_back((sigmoid * (1 - sigmoid) + 2) / 3);
  }
  EXPECT_THAT(second.to_vector<double>(), testing::Pointwise(testing::DoubleNear(1e-14), expected));
}

TEST_P(Losses, ShapesMustBeEqual) {
  const TensorOptions here{.device = on()};
  const Tensor x = zeros({4, 1}, here), y = zeros({4}, here);
  EXPECT_EQ(thrown([&] { nn::MSELoss()(x, y); }),
            invalid_argument("[MSELoss] shapes differ: (4, 1) and (4,)"));
  EXPECT_EQ(thrown([&] { nn::BCEWithLogitsLoss()(y, x); }),
            invalid_argument("[BCEWithLogitsLoss] shapes differ: (4,) and (4, 1)"));
}

INSTANTIATE_TEST_SUITE_P(Devices, Losses, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Losses);

}  // namespace
}  // namespace tenon::test
