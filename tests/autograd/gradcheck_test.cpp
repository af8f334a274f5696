// The checker of gradients.
#include <span>
#include <string>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"

namespace tenon::test {
namespace {

class Gradcheck : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Devices, Gradcheck, testing::ValuesIn(test_devices()), device_test_name);

/// The derivative of x³ is 3x², whose derivative is asked for.
TEST_P(Gradcheck, TakesFunctionsThatTakeGradients) {
  const TensorOptions options{.dtype = f64, .device = device(GetParam()), .requires_grad = true};
  const Tensor x = tensor({0.5, -2.0}, options);
  const auto slope = [](std::span<const Tensor> in) {
    const Tensor y = in[0] * in[0] * in[0];
    const Tensor ones = ones_like(y);
    return autograd::grad({&y, 1}, in, {&ones, 1}, {.create_graph = true}).front();
  };
  EXPECT_EQ(autograd::gradcheck(slope, {&x, 1}), "");
}

}  // namespace
}  // namespace tenon::test
