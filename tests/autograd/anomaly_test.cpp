// Anomaly mode: where a NaN among gradients came from.
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Anomaly : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Anomaly, testing::ValuesIn(test_devices()), device_test_name);

/// NaN of the gradient: 0 · 1/0.
Tensor log_of_nothing(const Tensor& x) {
  return log(x * 0.0) * 0.0;
}

class Broken : public nn::Layer<Broken> {
 public:
  Tensor operator()(const Tensor& x) const { return log_of_nothing(x); }
};

class Outer : public nn::Layer<Outer> {
 public:
  explicit Outer(const TensorOptions& options)
      : inner(add("inner", nn::Sequential(nn::Linear(2, 2, {.tensor = options}), Broken()))) {}
  Tensor operator()(const Tensor& x) const { return inner(x); }
  nn::Sequential inner;
};

TEST_P(Anomaly, NamesTheOpThatMadeNaN) {
  const Tensor x = leaf({1, 2});
  log_of_nothing(x).sum().backward();  // without a guard nobody looks
  Tensor(x).set_grad({});
  const autograd::AnomalyMode guard;
  EXPECT_EQ(thrown([&] { log_of_nothing(x).sum().backward(); }),
            invalid_argument("[backward] log made NaN of a gradient without one, for its input 0"));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(thrown([&] { autograd::grad(std::vector{log_of_nothing(x).sum()}, {&x, 1}); }).text,
            "[backward] log made NaN of a gradient without one, for its input 0");
  (x * 2).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 2}));
}

TEST_P(Anomaly, NamesTheModule) {
  const nn::Sequential model(nn::ReLU{}, Outer(here_));
  const Tensor x = ones({3, 2}, here_);
  const autograd::AnomalyMode guard;
  EXPECT_EQ(thrown([&] { model(x).sum().backward(); }).text,
            "[backward] log made NaN of a gradient without one, for its input 0, recorded in module "
            "1.inner.1");
  const Tensor weight = leaf({1, 2});
  EXPECT_EQ(thrown([&] { log_of_nothing(weight).sum().backward(); }).text,
            "[backward] log made NaN of a gradient without one, for its input 0")
      << "outside of any module again";
}

/// As nn/module.h's head comment has modules: a `forward`, called as what it is.
class Plain : public nn::Layer<Plain> {
 public:
  Tensor forward(const Tensor& x) const { return log_of_nothing(x); }
};
class Holder : public nn::Layer<Holder> {
 public:
  Holder() : part(add("part", Plain())) {}
  Tensor forward(const Tensor& x) const { return part(x * 2); }
  Plain part;
};
/// No Layer: it opens its scope itself.
class Bare : public nn::Module {
 public:
  Tensor forward(const Tensor& x) const {
    const nn::CallScope scope(*this);
    return log_of_nothing(x);
  }
};

TEST_P(Anomaly, NamesModulesOfAUser) {
  const Tensor x = leaf({1, 2});
  const autograd::AnomalyMode guard;
  const std::string text = "[backward] log made NaN of a gradient without one, for its input 0, ";
  EXPECT_EQ(thrown([&] { Plain()(x).sum().backward(); }).text, text + "recorded in module Plain");
  EXPECT_EQ(thrown([&] { Holder()(x).sum().backward(); }).text, text + "recorded in module part");
  EXPECT_EQ(thrown([&] { nn::Sequential{Holder()}(x).sum().backward(); }).text,
            text + "recorded in module 0.part");
  EXPECT_EQ(thrown([&] { Bare().forward(x).sum().backward(); }).text,
            text + "recorded in module Module");
}

TEST_P(Anomaly, PathsAreThoseOfTheRegistration) {
  const Outer outer(here_);
  EXPECT_EQ(outer.path(), "");
  EXPECT_EQ(outer.inner.path(), "inner");
  const nn::Sequential model(nn::ReLU(), outer);
  EXPECT_EQ(outer.inner.path(), "1.inner");
}

TEST_P(Anomaly, NaNThatWasThereBeforeIsNoNews) {
  const Tensor x = leaf({1, 2});
  const autograd::AnomalyMode guard;
  (x * 2).backward(
      tensor({1.0, std::numeric_limits<double>::quiet_NaN()}, {.dtype = f32, .device = device_}));
  const auto found = x.grad().to_vector<float>();
  EXPECT_EQ(found[0], 2);
  EXPECT_NE(found[1], found[1]);
  const Tensor none = zeros({0, 2}, {.device = device_, .requires_grad = true});
  log_of_nothing(none).sum().backward();
}

}  // namespace
}  // namespace tenon::test
