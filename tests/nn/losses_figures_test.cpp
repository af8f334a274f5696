// Losses with every option and reduction, values and gradients, against PyTorch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Reduction = LossReduction;
using Json = nlohmann::json;

/// A loss by name with the options of a row.
Tensor call(const std::string& name, const Json& o, Reduction reduction, const Tensor& x,
            const Tensor& y) {
  const TensorOptions here{.dtype = x.dtype(), .device = x.device()};
  const auto weight = [&](const char* key) {
    if (!o.contains(key)) return Tensor();
    const auto values = o[key].get<std::vector<double>>();
    return from_values<double>(values, {static_cast<std::int64_t>(values.size())}, here);
  };
  if (name == "MSELoss") return nn::MSELoss({reduction})(x, y);
  if (name == "L1Loss") return nn::L1Loss({reduction})(x, y);
  if (name == "SmoothL1Loss") return nn::SmoothL1Loss({reduction, o.value("beta", 1.0)})(x, y);
  if (name == "HuberLoss") return nn::HuberLoss({reduction, o.value("delta", 1.0)})(x, y);
  if (name == "BCELoss") return nn::BCELoss({reduction, weight("weight")})(x, y);
  if (name == "BCEWithLogitsLoss")
    return nn::BCEWithLogitsLoss({reduction, weight("weight"), weight("pos_weight")})(x, y);
  return nn::KLDivLoss({reduction, o.value("log_target", false)})(x, y);
}

/// Σ w·dL/dx, where L is the sum of a loss and w its target.
Tensor slope_sum(const std::string& loss, const Tensor& x, const Tensor& y) {
  const Tensor value = call(loss, Json::object(), Reduction::sum, x, y);
  return (autograd::grad({&value, 1}, {&x, 1}, {}, {.create_graph = true}).front() * y).sum();
}

/// The derivative of that along x against difference quotients.
void check_second_order(const std::string& loss, const Tensor& x, const Tensor& y) {
  constexpr double kEps = 1e-6;
  const Tensor fixed = y.detach(), slopes = slope_sum(loss, x, fixed);
  std::vector<double> second(static_cast<std::size_t>(x.numel()));
  if (slopes.requires_grad())
    second = autograd::grad({&slopes, 1}, {&x, 1}).front().to_vector<double>();
  for (std::size_t i = 0; i < second.size(); ++i) {
    double quotient = 0;
    for (const double side : {kEps, -kEps}) {
      std::vector<double> values = x.to_vector<double>();
      values[i] += side;
      Tensor moved = from_values<double>(values, x.shape(), {.device = x.device()});
      quotient += slope_sum(loss, moved.set_requires_grad(), fixed).item<double>() / (2 * side);
    }
    EXPECT_NEAR(second[i], quotient, 1e-4 * std::max(1.0, std::abs(quotient))) << loss << " at " << i;
  }
}

class LossFigures : public testing::TestWithParam<std::string> {
 protected:
  TensorOptions here(DType dtype = f32) const { return {.dtype = dtype, .device = device(GetParam())}; }
  Tensor made(const Json& values, DType dtype) const {
    return from_values<double>(values.get<std::vector<double>>(), {3, 4}, here(dtype));
  }
};

TEST_P(LossFigures, AreReached) {
  const std::map<std::string, Reduction> reductions{
      {"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}};
  for (const Json& row : figures("losses")) {
    for (const DType dtype : figure_dtypes(device(GetParam()))) {
      const Json& expected = row[std::string(name(dtype))];
      const std::string what = row["loss"].get<std::string>() + row["options"].dump() +
                               row["reduction"].get<std::string>() + std::string(name(dtype));
      Tensor x = made(row["x"], dtype);
      x.set_requires_grad();
      const Tensor value =
          call(row["loss"], row["options"], reductions.at(row["reduction"]), x, made(row["y"], dtype));
      value.sum().backward();
      expect_figures(value, expected["value"], what);
      expect_figures(x.grad(), expected["slope"], what + " slope");
    }
  }
}

TEST_P(LossFigures, AMeanIsOneLaunch) {
  if (!takes_whole_programs(device(GetParam()))) GTEST_SKIP() << "which has programs in parts";
  Tensor x = zeros({4, 3}, here());
  x.set_requires_grad();
  const Tensor y = ones({4, 3}, here());
  nn::BCEWithLogitsLoss loss;
  loss(x, y).backward();
  const std::int64_t before = device(GetParam()).stats().launches;
  const Tensor value = loss(x, y);
  EXPECT_EQ(device(GetParam()).stats().launches - before, 1);
}

TEST_P(LossFigures, GradientsOfEveryInputAreRight) {
  const auto tensor_of_parts = [&](double step, double least) {
    std::vector<double> values;
    for (int i = 0; i < 6; ++i) values.push_back(least + 0.13 * std::fmod(i * step, 6));
    Tensor x = from_values<double>(values, {3, 2}, here(f64));
    return x.set_requires_grad();
  };
  const std::vector<Tensor> inputs{tensor_of_parts(1, 0.1), tensor_of_parts(2.3, 0.15)};
  const char* const losses[] = {"MSELoss",           "L1Loss",   "SmoothL1Loss", "HuberLoss", "BCELoss",
                                "BCEWithLogitsLoss", "KLDivLoss"};
  for (const char* const loss : losses) {
    for (const Reduction reduction : {Reduction::none, Reduction::mean}) {
      const auto value = [&](std::span<const Tensor> in) {
        return call(loss, Json::object(), reduction, in[0], in[1]);
      };
      EXPECT_EQ(autograd::gradcheck(value, inputs), "") << loss;
    }
    check_second_order(loss, inputs[0], inputs[1]);
  }
}

TEST_P(LossFigures, HaveTheDtypeThatTheirInputsPromoteTo) {
  for (const DType dtype : {f16, bf16}) {
    Tensor x = full({1000}, 0.5, here(dtype));
    x.set_requires_grad();
    const Tensor value = nn::MSELoss({Reduction::sum})(x, zeros({1000}, here(dtype)));
    EXPECT_EQ(value.dtype(), dtype);
    EXPECT_EQ(value.item<double>(), 250);  // in f16 the sum of 1000 parts would lose some
    value.backward();
    EXPECT_EQ(x.grad().dtype(), dtype);
    EXPECT_THAT(x.grad().to(f32).to_vector<float>(), testing::Each(1));
  }
  EXPECT_EQ(nn::L1Loss()(ones({2}, here(i64)), zeros({2}, here(i64))).dtype(), f32);
}

TEST_P(LossFigures, OfClassesAreTheirOps) {
  const Tensor x = tensor({{0.5, -1.0, 2.0}, {1.0, 3.0, 0.25}}, here());
  const Tensor classes = tensor({2, 0}, {.dtype = i32, .device = device(GetParam())});
  const Tensor weight = tensor({1.0, 2.0, 0.5}, here());
  const Tensor log_p = nn::LogSoftmax(1)(x);
  const auto expected = [&](double a, double b) {
    return -(a * log_p.select(0, 0).select(0, 2).item<double>() +
             b * log_p.select(0, 1).select(0, 0).item<double>());
  };
  EXPECT_NEAR(nn::CrossEntropyLoss()(x, classes).item<double>(), expected(0.5, 0.5), 1e-6);
  EXPECT_NEAR(nn::NLLLoss()(log_p, classes).item<double>(), expected(0.5, 0.5), 1e-6);
  EXPECT_NEAR(nn::NLLLoss({.weight = weight})(log_p, classes).item<double>(),
              expected(1 / 3.0, 2 / 3.0), 1e-6);
  EXPECT_NEAR(nn::CrossEntropyLoss({.ignore_index = 0})(x, classes).item<double>(), expected(1, 0),
              1e-6);
  EXPECT_NEAR(
      nn::CrossEntropyLoss({.weight = weight, .reduction = Reduction::sum})(x, classes).item<double>(),
      expected(0.5, 1), 1e-6);
}

TEST_P(LossFigures, OfNothing) {
  const Tensor none = zeros({0, 3}, here());
  EXPECT_TRUE(std::isnan(nn::MSELoss()(none, none).item<double>()));
  EXPECT_EQ(nn::MSELoss({Reduction::sum})(none, none).item<double>(), 0);
  EXPECT_EQ(nn::MSELoss({Reduction::none})(none, none).shape(), (Shape{0, 3}));
  EXPECT_EQ(nn::MSELoss()(ones({}, here()), zeros({}, here())).item<double>(), 1);
}

TEST_P(LossFigures, SayWhatDoesNotFit) {
  const Tensor x = ones({2, 3}, here());
  EXPECT_EQ(thrown([&] { nn::L1Loss()(x, ones({3}, here())); }),
            invalid_argument("[L1Loss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::BCELoss({.weight = ones({4, 2, 3}, here())})(x, x); }),
            invalid_argument("[BCELoss] a weight of shape (4, 2, 3) does not broadcast to (2, 3)"));
  EXPECT_EQ(thrown([&] { nn::SmoothL1Loss({.beta = -1}); }),
            invalid_argument("[SmoothL1Loss] beta is -1: it must be at least 0 and finite"));
  EXPECT_EQ(thrown([&] { nn::HuberLoss({.delta = 0}); }),
            invalid_argument("[HuberLoss] delta is 0: it must be above 0 and finite"));
  EXPECT_EQ(thrown([&] { nn::MSELoss()(Tensor(), x); }).kind, ErrorKind::InvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Devices, LossFigures, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LossFigures);

}  // namespace
}  // namespace tenon::test
