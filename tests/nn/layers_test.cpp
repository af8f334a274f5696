// Layers against plain loops in f64.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;

constexpr std::size_t kRows = 6, kIn = 5, kOut = 3;

/// Numbers without a pattern that a wrong stride would keep.
std::vector<double> numbers(std::size_t count, double phase) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(1.7 * static_cast<double>(i) + phase);
  return values;
}

/// A linear layer and a weighted sum of its results, with all gradients, in plain loops.
struct PlainLinear {
  std::vector<double> x, weight, bias, c;
  std::vector<double> y = std::vector<double>(kRows * kOut);
  std::vector<double> dx = std::vector<double>(kRows * kIn), dweight = std::vector<double>(kOut * kIn),
                      dbias = std::vector<double>(kOut);

  void run() {
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t o = 0; o < kOut; ++o) {
        double sum = bias[o];
        for (std::size_t i = 0; i < kIn; ++i) sum += x[r * kIn + i] * weight[o * kIn + i];
        y[r * kOut + o] = sum;
        const double dy = c[r * kOut + o];
        dbias[o] += dy;
        for (std::size_t i = 0; i < kIn; ++i) {
          dweight[o * kIn + i] += dy * x[r * kIn + i];
          dx[r * kIn + i] += dy * weight[o * kIn + i];
        }
      }
    }
  }
};

class Layers : public testing::TestWithParam<std::string> {
 protected:
  TensorOptions here(DType dtype) const { return {.dtype = dtype, .device = device(GetParam())}; }
  Tensor made(const std::vector<double>& values, const Shape& shape, DType dtype) const {
    return from_values<double>(values, shape, here(dtype));
  }
  static void expect_near(const Tensor& got, const std::vector<double>& expected, const char* what) {
    const double bound = got.dtype() == f64 ? 1e-13 : 5e-6;
    EXPECT_THAT(got.to(f64).to_vector<double>(),
                testing::Pointwise(testing::DoubleNear(bound), expected))
        << what;
  }
};

TEST_P(Layers, LinearIsPlainLoops) {
  PlainLinear plain{.x = numbers(kRows * kIn, 0),
                    .weight = numbers(kOut * kIn, 1),
                    .bias = numbers(kOut, 2),
                    .c = numbers(kRows * kOut, 3)};
  plain.run();
  for (const DType dtype : {f32, f64}) {
    for (const Shape& lead : {Shape{6}, Shape{2, 3}, Shape{1, 6, 1}}) {
      nn::Linear fc(kIn, kOut, {.tensor = here(dtype)});
      fc.load_state_dict({{"weight", made(plain.weight, {kOut, kIn}, dtype)},
                          {"bias", made(plain.bias, {kOut}, dtype)}});
      Shape in = lead, out = lead;
      in.push_back(kIn);
      out.push_back(kOut);
      Tensor x = made(plain.x, in, dtype);
      x.set_requires_grad();
      const Tensor y = fc(x);
      EXPECT_EQ(y.shape(), out);
      EXPECT_EQ(y.dtype(), dtype);
      (y * made(plain.c, out, dtype)).sum().backward();
      expect_near(y, plain.y, "y");
      expect_near(x.grad(), plain.dx, "dx");
      expect_near(fc.weight.grad(), plain.dweight, "dweight");
      expect_near(fc.bias.grad(), plain.dbias, "dbias");
    }
  }
}

TEST_P(Layers, LinearOfOneRowWithoutBias) {
  nn::Linear fc(3, 2, {.bias = false, .tensor = here(f32)});
  EXPECT_FALSE(fc.bias.defined());
  ASSERT_EQ(fc.parameters().size(), 1U);
  fc.load_state_dict({{"weight", tensor({{1, 2, 3}, {-1, 0, 4}})}});
  const Tensor y = fc(tensor({1.0, 10.0, 100.0}, here(f32)));
  EXPECT_EQ(y.shape(), Shape{2});
  EXPECT_THAT(y.to_vector<float>(), ElementsAre(321, 399));
}

TEST_P(Layers, LinearOfNoRows) {
  const nn::Linear fc(3, 2, {.tensor = here(f32)});
  EXPECT_EQ(fc(zeros({0, 3}, here(f32))).shape(), (Shape{0, 2}));
}

// Of 4,000 uniform draws none comes within 1% of an end with a probability of e^-20.
TEST_P(Layers, LinearStartsUniformBelowTheRootOfItsInputs) {
  random::manual_seed(5);
  const nn::Linear fc(40, 100, {.tensor = here(f32)});
  const float bound = 1 / std::sqrt(40.F);
  const std::vector<float> weight = fc.weight.to_vector<float>(), bias = fc.bias.to_vector<float>();
  EXPECT_THAT(weight, testing::Each(testing::AllOf(testing::Ge(-bound), testing::Lt(bound))));
  EXPECT_THAT(bias, testing::Each(testing::AllOf(testing::Ge(-bound), testing::Lt(bound))));
  EXPECT_LT(*std::min_element(weight.begin(), weight.end()), -0.99F * bound);
  EXPECT_GT(*std::max_element(weight.begin(), weight.end()), 0.99F * bound);
  EXPECT_FALSE(std::equal(bias.begin(), bias.end(), weight.begin()));
}

TEST_P(Layers, LinearStartsTheSameOnEveryDevice) {
  random::manual_seed(5);
  const nn::Linear here_first(7, 3, {.tensor = here(f32)}), here_second(7, 3, {.tensor = here(f32)});
  for (const Device& other : devices()) {
    random::manual_seed(5);
    const nn::Linear there(7, 3, {.tensor = {.device = other}});
    EXPECT_EQ(here_first.weight.to_vector<float>(), there.weight.to_vector<float>()) << other.name();
    EXPECT_EQ(here_first.bias.to_vector<float>(), there.bias.to_vector<float>()) << other.name();
  }
  EXPECT_NE(here_first.weight.to_vector<float>(), here_second.weight.to_vector<float>());
}

TEST_P(Layers, LinearSaysWhatDoesNotFit) {
  const nn::Linear fc(3, 2, {.tensor = here(f32)});
  EXPECT_EQ(thrown([&] { fc(zeros({4, 2}, here(f32))); }),
            invalid_argument("[Linear] the last extent of (4, 2) is not the weight's 3"));
  EXPECT_EQ(thrown([&] { fc(zeros({}, here(f32))); }),
            invalid_argument("[Linear] the last extent of () is not the weight's 3"));
  EXPECT_EQ(thrown([&] { nn::Linear(0, 2); }),
            invalid_argument("[Linear] 0 inputs and 2 outputs: both must be positive"));
  EXPECT_EQ(thrown([&] { nn::Linear(3, -1); }),
            invalid_argument("[Linear] 3 inputs and -1 outputs: both must be positive"));
}

TEST_P(Layers, Activations) {
  const std::vector<double> in = {-2, -0.5, 0, 0.5, 2};
  Tensor x = made(in, {5}, f64);
  x.set_requires_grad();
  const Tensor r = nn::ReLU()(x), s = nn::Sigmoid()(x);
  (r + s).sum().backward();
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto k = static_cast<std::int64_t>(i);
    const double sigmoid = 1 / (1 + std::exp(-in[i]));
    EXPECT_EQ(r.select(0, k).item<double>(), std::max(in[i], 0.0));
    EXPECT_NEAR(s.select(0, k).item<double>(), sigmoid, 1e-15);
    EXPECT_NEAR(x.grad().select(0, k).item<double>(), sigmoid * (1 - sigmoid) + (in[i] > 0), 1e-15);
  }
}

/// A layer of a user, without parameters.
class Times : public nn::Layer<Times> {
 public:
  explicit Times(float factor) : factor_(factor) {}
  Tensor forward(const Tensor& x) const { return x * factor_; }

 private:
  float factor_;
};

TEST_P(Layers, SequentialRunsInOrder) {
  nn::Sequential model(Times(-2), nn::ReLU(), Times(10));
  const Tensor x = tensor({-1.0, 3.0}, here(f32));
  EXPECT_THAT(model(x).to_vector<float>(), ElementsAre(20, 0));
  const nn::Sequential copy = model;
  model.push_back(Times(0.5));
  EXPECT_THAT(copy(x).to_vector<float>(), ElementsAre(10, 0));
  EXPECT_THAT(nn::Sequential()(x).to_vector<float>(), ElementsAre(-1, 3));
  EXPECT_THAT(nn::Sequential(copy, nn::Sequential(Times(2)))(x).to_vector<float>(), ElementsAre(20, 0));
}

INSTANTIATE_TEST_SUITE_P(Devices, Layers, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Layers);

}  // namespace
}  // namespace tenon::test
