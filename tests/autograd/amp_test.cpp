// Autocast: which dtype each kind of op computes in. GradScaler: scaled losses, skipped steps.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/amp.h>
#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using amp::Autocast;
using amp::GradScaler;
using Floats = std::vector<float>;

class Amp : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto& stored = device_.info().storage_dtypes;
    for (const DType dtype : {bf16, f16}) {
      if (std::find(stored.begin(), stored.end(), dtype) == stored.end())
        GTEST_SKIP() << GetParam() << " does not store " << name(dtype);
    }
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_}, leaf_ = {.device = device_, .requires_grad = true};
};

INSTANTIATE_TEST_SUITE_P(Devices, Amp, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Amp, ProductsAreLowAndSumsAreWide) {
  const Tensor x = ones({2, 3}, here_), w = ones({4, 3}, here_), b = ones({4}, here_);
  const Tensor wide = ones({3, 2}, {.dtype = f64, .device = device_}), low = x.to(bf16);
  for (const DType dtype : {bf16, f16}) {
    const Autocast guard({.dtype = dtype});
    EXPECT_EQ(matmul(x, w.transpose(0, 1)).dtype(), dtype);
    EXPECT_EQ(linear(x, w, b).dtype(), dtype);
    EXPECT_EQ(addmm(b, x, w.transpose(0, 1)).dtype(), dtype);
    EXPECT_EQ(matmul(x, wide).dtype(), f64) << "f64 is left alone, and promotes";
    const Tensor y = matmul(x, w.transpose(0, 1));
    EXPECT_EQ(y.sum().dtype(), f32);
    EXPECT_EQ(exp(y).dtype(), f32);
    EXPECT_EQ(log(y).dtype(), f32);
    EXPECT_EQ(relu(y).dtype(), dtype);
    EXPECT_EQ((y + 1).dtype(), dtype);
    EXPECT_EQ((y + x.sum()).dtype(), f32) << "others promote";
    EXPECT_EQ(nn::MSELoss()(y, y).dtype(), f32);
    EXPECT_EQ(exp(ones({2}, {.dtype = i32, .device = device_})).dtype(), f32);
  }
  EXPECT_EQ(matmul(x, w.transpose(0, 1)).dtype(), f32);
  EXPECT_EQ(low.sum().dtype(), bf16);
  EXPECT_EQ(exp(low).dtype(), bf16);
}

/// What loses too much in 16 bits is computed, and given, in f32; products are of 16 bits.
TEST_P(Amp, EachFamilyHasItsDType) {
  const Tensor x = tensor({{0.5, 1.0}, {2.0, 0.25}}, {.dtype = bf16, .device = device_});
  const Tensor wide = x.to(f32), classes = tensor({0, 1}, {.dtype = i64, .device = device_});
  const std::vector<std::function<Tensor()>> sums = {[&] { return softmax(x, 1); },
                                                     [&] { return log_softmax(x, 1); },
                                                     [&] { return layer_norm(x, {2}); },
                                                     [&] { return rms_norm(x, {2}); },
                                                     [&] { return logsumexp(x, {1}); },
                                                     [&] { return norm(x); },
                                                     [&] { return prod(x); },
                                                     [&] { return mean(x); },
                                                     [&] { return cumsum(x, 0); },
                                                     [&] { return cumprod(x, 0); },
                                                     [&] { return pow(x, 2.5); },
                                                     [&] { return log1p(x); },
                                                     [&] { return std(x); },
                                                     [&] { return cross_entropy(x, classes); },
                                                     [&] { return nll_loss(x, classes); },
                                                     [&] { return exp(x); }};
  const std::vector<std::function<Tensor()>> products = {
      [&] { return addmm(wide, wide, wide); }, [&] { return matmul(wide, x); },
      [&] { return baddbmm(wide.unsqueeze(0), wide.unsqueeze(0), wide.unsqueeze(0)); }};
  for (const auto& f : sums) EXPECT_EQ(f().dtype(), bf16) << &f - sums.data();
  const Autocast guard({.dtype = bf16});
  for (const auto& f : sums) EXPECT_EQ(f().dtype(), f32) << &f - sums.data();
  for (const auto& f : products) EXPECT_EQ(f().dtype(), bf16) << &f - products.data();
  EXPECT_EQ(relu(x).dtype(), bf16);
}

TEST_P(Amp, GuardsNestAndNameADevice) {
  const Tensor x = ones({2, 2}, here_);
  const Autocast outer;
  EXPECT_EQ(matmul(x, x).dtype(), bf16);
  {
    const Autocast inner({.enabled = false});
    EXPECT_EQ(matmul(x, x).dtype(), f32);
    const Autocast innermost({.dtype = f16, .device = device_});
    EXPECT_EQ(matmul(x, x).dtype(), f16);
  }
  EXPECT_EQ(matmul(x, x).dtype(), bf16);
  for (const Device& other : devices()) {
    if (other == device_) continue;
    const Autocast elsewhere({.device = other});
    EXPECT_EQ(matmul(x, x).dtype(), f32);
  }
  EXPECT_EQ(thrown([] { Autocast({.dtype = f32}); }),
            invalid_argument("[Autocast] the dtype is bf16 or f16, not f32"));
}

TEST_P(Amp, GradientsHaveTheirLeafsDType) {
  const Tensor x = tensor({{0.5, 1.0}}, leaf_), w = tensor({{2.0, 4.0}, {1.0, 8.0}}, leaf_);
  Tensor loss;
  {
    const Autocast guard;
    loss = exp(linear(x, w) * 0.0).sum() + linear(x, w).sum();
    loss.backward({}, true);
    Tensor(x).set_grad({});
    Tensor(w).set_grad({});
  }
  loss.backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{3, 12}));
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{0.5, 1, 0.5, 1}));
}

TEST_P(Amp, ALeafIsConvertedOnce) {
  const Tensor x = ones({2, 2}, {.dtype = bf16, .device = device_});
  Tensor w = ones({2, 2}, leaf_);
  const Autocast guard;
  const auto launches = [&] {
    const auto before = device_.stats().launches;
    matmul(x, w);
    return device_.stats().launches - before;
  };
  const auto first = launches();
  EXPECT_EQ(launches(), first - 1);
  {
    const NoGrad none;
    w *= 3;
  }
  EXPECT_EQ(launches(), first) << "it was written since";
  EXPECT_EQ(matmul(x, w).to(f32).to_vector<float>(), (Floats{6, 6, 6, 6}));
  matmul(x, w).sum().backward();
  matmul(x, w).sum().backward();  // the copy's graph was freed by the first
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{4, 4, 4, 4}));
  {
    const NoGrad none;
    matmul(x, w);
  }
  EXPECT_TRUE(matmul(x, w).requires_grad());
}

TEST_P(Amp, ACheckpointComputesAgainAsItDid) {
  const Tensor x = tensor({{1.0, 3.0}}, leaf_), w = tensor({{1.0, 2.0}, {3.0, 1.0}}, leaf_);
  const auto block = [&](const Tensor& in) { return tanh(linear(in, w)) * linear(in, w); };
  const auto gradients = [&](const auto& call) {
    for (Tensor t : {x, w}) t.set_grad({});
    Tensor loss;
    {
      const Autocast guard;
      loss = call().sum();
    }
    loss.backward();
    return std::vector{x.grad().to_vector<float>(), w.grad().to_vector<float>()};
  };
  EXPECT_EQ(gradients([&] { return autograd::checkpoint(block, x); }),
            gradients([&] { return block(x); }));
}

// --- GradScaler ---

TEST_P(Amp, AScaledStepIsThePlainStep) {
  const nn::Parameter w(tensor({1.0, 2.0}, here_));
  optim::SGD sgd({w}, {.lr = 0.5});
  GradScaler scaler({.init_scale = 1024});
  const Tensor loss = scaler.scale((w * w).sum());
  EXPECT_EQ(loss.item<float>(), 5 * 1024);
  loss.backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{2048, 4096}));
  scaler.unscale_(sgd);
  EXPECT_EQ(w.grad().to_vector<float>(), (Floats{2, 4}));
  EXPECT_TRUE(scaler.step(sgd));
  EXPECT_EQ(w.detach().to_vector<float>(), (Floats{0, 0}));
  scaler.update();
  EXPECT_EQ(scaler.scale(), 1024);
  EXPECT_EQ(scaler.scale(tensor(1.0, {.dtype = f16, .device = device_})).dtype(), f32)
      << "65536 is no f16";
}

TEST_P(Amp, StepsWithInfinityOrNaNAreSkipped) {
  const nn::Parameter w(tensor({1.0, 2.0}, here_)), v(tensor({{1.0}}, here_));
  optim::SGD sgd({w, v}, {.lr = 0.5});
  GradScaler scaler({.init_scale = 8, .growth_interval = 2});
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    Tensor(w).set_grad(ones({2}, here_));
    Tensor(v).set_grad(full({1, 1}, bad, here_));
    const double before = scaler.scale();
    EXPECT_FALSE(scaler.step(sgd));
    scaler.update();
    EXPECT_EQ(scaler.scale(), before / 2);
  }
  EXPECT_EQ(w.detach().to_vector<float>(), (Floats{1, 2}));
  EXPECT_EQ(scaler.state(), (amp::GradScalerState{1, 0}));
  for (const double expected : {1.0, 2.0, 2.0, 4.0}) {
    Tensor(w).set_grad(zeros({2}, here_));
    Tensor(v).set_grad({});
    EXPECT_TRUE(scaler.step(sgd));
    scaler.update();
    EXPECT_EQ(scaler.scale(), expected);
  }
  scaler.set_state({512, 1});
  EXPECT_EQ(scaler.state(), (amp::GradScalerState{512, 1}));
}

TEST_P(Amp, WrongUseOfTheScalerIsRefused) {
  const nn::Parameter w(tensor({1.0, 2.0}, here_));
  optim::SGD sgd({w}, {.lr = 0.5});
  GradScaler scaler;
  EXPECT_EQ(thrown([&] { scaler.step(sgd); }),
            invalid_argument("[GradScaler] no parameter has a gradient"));
  EXPECT_EQ(thrown([&] { scaler.update(); }),
            invalid_argument("[GradScaler] no gradients were unscaled since the last update()"));
  Tensor(w).set_grad(ones({2}, here_));
  scaler.step(sgd);
  EXPECT_EQ(thrown([&] { scaler.step(sgd); }),
            invalid_argument("[GradScaler] step() was called since the last update()"));
  EXPECT_EQ(thrown([&] { scaler.unscale_(sgd); }),
            invalid_argument("[GradScaler] the gradients were unscaled since the last update()"));
  const auto made = [](amp::GradScalerOptions options) {
    return thrown([&] { GradScaler{options}; }).text;
  };
  EXPECT_EQ(made({.init_scale = 0}), "[GradScaler] the scale is 0: it must be positive and finite");
  EXPECT_EQ(made({.growth_factor = 1}), "[GradScaler] the growth factor is 1: it must exceed 1");
  EXPECT_EQ(made({.backoff_factor = 1}),
            "[GradScaler] the backoff factor is 1: it must be between 0 and 1");
  EXPECT_EQ(made({.growth_interval = 0}), "[GradScaler] the growth interval is 0: it must be positive");
}

}  // namespace
}  // namespace tenon::test
