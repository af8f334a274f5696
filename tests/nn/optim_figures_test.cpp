// Optimisers for every combination of their options, against PyTorch over 20 steps.
#include <memory>

#include <gtest/gtest.h>

#include <tenon/optim.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using Json = nlohmann::json;

std::unique_ptr<optim::Optimizer> make(const std::string& name, const Json& o,
                                       const std::vector<Parameter>& p) {
  if (name == "SGD")
    return std::make_unique<optim::SGD>(p, optim::SGDOptions{.lr = o["lr"],
                                                             .momentum = o["momentum"],
                                                             .dampening = o["dampening"],
                                                             .weight_decay = o["weight_decay"],
                                                             .nesterov = o["nesterov"],
                                                             .maximize = o["maximize"]});
  if (name == "Adam")
    return std::make_unique<optim::Adam>(p, optim::AdamOptions{.lr = o["lr"],
                                                               .beta1 = o["betas"][0],
                                                               .beta2 = o["betas"][1],
                                                               .eps = o["eps"],
                                                               .weight_decay = o["weight_decay"],
                                                               .amsgrad = o["amsgrad"],
                                                               .maximize = o["maximize"]});
  if (name == "AdamW")
    return std::make_unique<optim::AdamW>(p, optim::AdamWOptions{.lr = o["lr"],
                                                                 .beta1 = o["betas"][0],
                                                                 .beta2 = o["betas"][1],
                                                                 .eps = o["eps"],
                                                                 .weight_decay = o["weight_decay"],
                                                                 .amsgrad = o["amsgrad"],
                                                                 .maximize = o["maximize"]});
  if (name == "RMSprop")
    return std::make_unique<optim::RMSprop>(p, optim::RMSpropOptions{.lr = o["lr"],
                                                                     .alpha = o["alpha"],
                                                                     .eps = o["eps"],
                                                                     .weight_decay = o["weight_decay"],
                                                                     .momentum = o["momentum"],
                                                                     .centered = o["centered"],
                                                                     .maximize = o["maximize"]});
  const optim::AdagradOptions options{.lr = o["lr"],
                                      .lr_decay = o["lr_decay"],
                                      .weight_decay = o["weight_decay"],
                                      .initial_accumulator_value = o["initial_accumulator_value"],
                                      .eps = o["eps"],
                                      .maximize = o["maximize"]};
  return name == "Adagrad" ? std::make_unique<optim::Adagrad>(p, options) : nullptr;
}

Tensor five(double (*f)(int, int), int t, const TensorOptions& options) {
  std::vector<double> values;
  for (int i = 0; i < 5; ++i) values.push_back(f(i, t));
  return from_values<double>(values, {5}, options);
}

class OptimiserFigures : public testing::TestWithParam<std::string> {};

TEST_P(OptimiserFigures, AreReached) {
  const Json rows = figures("optim");
  ASSERT_GT(rows.size(), 70U);
  for (const Json& row : rows) {
    for (const DType dtype : figure_dtypes(device(GetParam()))) {
      const TensorOptions here{.dtype = dtype, .device = device(GetParam())};
      Parameter p(five([](int i, int) { return std::cos(0.3 * i); }, 0, here));
      const auto optimizer = make(row["optimizer"], row["options"], {p});
      ASSERT_NE(optimizer, nullptr) << row["optimizer"];
      for (int t = 1; t <= 20; ++t) {
        p.set_grad(five([](int i, int k) { return std::sin(0.9 * i + 0.37 * k); }, t, here));
        optimizer->step();
      }
      expect_figures(p, row[std::string(name(dtype))],
                     row["optimizer"].get<std::string>() + row["options"].dump());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, OptimiserFigures, testing::ValuesIn(test_devices()),
                         device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OptimiserFigures);

}  // namespace
}  // namespace tenon::test
