// Activations, values and slopes, against PyTorch.
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"

namespace tenon::test {
namespace {

/// In the order of tests/figures/activations.py.
std::vector<nn::AnyModule> modules() {
  return {nn::ReLU(),
          nn::ReLU6(),
          nn::Sigmoid(),
          nn::LogSigmoid(),
          nn::Tanh(),
          nn::SiLU(),
          nn::Mish(),
          nn::SELU(),
          nn::Softsign(),
          nn::Tanhshrink(),
          nn::Hardsigmoid(),
          nn::Hardswish(),
          nn::GELU(),
          nn::GELU(true),
          nn::LeakyReLU(),
          nn::LeakyReLU(0.3),
          nn::ELU(),
          nn::ELU(0.5),
          nn::CELU(),
          nn::CELU(2),
          nn::Softplus(),
          nn::Softplus(2),
          nn::Hardshrink(),
          nn::Softshrink(1.5),
          nn::Softmax(0),
          nn::LogSoftmax(),
          nn::Hardtanh(),
          nn::Hardtanh(-2, 0.5),
          nn::Threshold(0.5, 3)};
}

class Activations : public testing::TestWithParam<std::string> {};

TEST_P(Activations, AreThoseOfPyTorch) {
  const nlohmann::json all = figures("activations");
  const auto xs = all["x"].get<std::vector<double>>();
  const std::vector<nn::AnyModule> ours = modules();
  ASSERT_EQ(all["rows"].size(), ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const nlohmann::json& row = all["rows"][i];
    const std::string text = row["module"];
    EXPECT_EQ(ours[i].type_name(), text.substr(0, text.find('(')));
    for (const DType dtype : figure_dtypes(device(GetParam()))) {
      Tensor x = from_values<double>(xs, {static_cast<std::int64_t>(xs.size())},
                                     {.dtype = dtype, .device = device(GetParam())});
      x.set_requires_grad();
      const Tensor y = ours[i](x);
      (y * arange(12, {.dtype = f32, .device = x.device()})).sum().backward();
      const nlohmann::json& expected = row[std::string(name(dtype))];
      expect_figures(y, expected["y"], text);
      expect_figures(x.grad(), expected["slope"], "slope of " + text);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Activations, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Activations);

}  // namespace
}  // namespace tenon::test
