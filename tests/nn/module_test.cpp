// Modules: names, values in and out, shared handles, modes, devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Parameter;
using testing::Each;
using testing::ElementsAre;

// As nn.h's head comment has it.
class Net : public nn::Layer<Net> {
 public:
  Net() : fc(add("fc", nn::Linear(13, 1))) {}
  Tensor forward(const Tensor& x) const { return fc(x); }
  nn::Linear fc;
};

/// Two children, and a parameter registered between them.
class Scaled : public nn::Layer<Scaled> {
 public:
  explicit Scaled(Device on)
      : first(add("first", nn::Linear(2, 3, {.tensor = {.device = on}}))),
        scale(add("scale", Parameter(ones({3}, {.device = on})))),
        second(add("second", nn::Linear(3, 1, {.bias = false, .tensor = {.device = on}}))) {}
  Tensor forward(const Tensor& x) const { return second(first(x) * scale); }
  nn::Linear first;
  Parameter scale;
  nn::Linear second;
};

/// Whose `add` a test can call.
class Open : public nn::Module {
 public:
  using nn::Module::add;
};

template <class Named>
std::vector<std::string> names_of(const Named& list) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : list) names.push_back(name);
  return names;
}

class Modules : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.device = on()}; }
  Tensor filled(const Shape& shape, float value) const { return full(shape, value, here()); }
};

TEST(Module, AUserModuleAsDocumented) {
  const Net net;
  EXPECT_THAT(names_of(net.named_parameters()), ElementsAre("fc.weight", "fc.bias"));
  EXPECT_EQ(net(zeros({5, 13})).shape(), (Shape{5, 1}));
}

TEST_P(Modules, NamesAreInOrderOfRegistrationOwnFirst) {
  const nn::Sequential model(Scaled(on()), nn::ReLU(), nn::Linear(1, 1, {.tensor = here()}));
  const std::vector<std::string> names = {"0.scale",         "0.first.weight", "0.first.bias",
                                          "0.second.weight", "2.weight",       "2.bias"};
  EXPECT_EQ(names_of(model.named_parameters()), names);
  EXPECT_EQ(names_of(model.state_dict()), names);
  EXPECT_EQ(model.parameters().size(), names.size());
}

TEST_P(Modules, StateIsSharedAndOutsideTheGraph) {
  const nn::Linear fc(2, 1, {.tensor = here()});
  for (auto& [name, value] : fc.state_dict()) {
    EXPECT_FALSE(value.requires_grad()) << name;
    value.fill_(7);
  }
  EXPECT_THAT(fc.weight.to_vector<float>(), Each(7));
  EXPECT_THAT(fc.bias.to_vector<float>(), Each(7));
}

TEST_P(Modules, StateLoadsFromAnyDevice) {
  for (const Device& from : devices()) {
    const Scaled source(from);
    Scaled copy(on());
    const Tensor weight = copy.first.weight;
    copy.load_state_dict(source.state_dict());
    EXPECT_EQ(weight.to_vector<float>(), source.first.weight.to_vector<float>());
    EXPECT_EQ(copy.scale.device(), on());
    EXPECT_TRUE(copy.scale.requires_grad());
    const Tensor x = tensor({{0.5, -2.0}});
    EXPECT_EQ(copy(x.to(on())).item<float>(), source.to(on())(x.to(on())).item<float>());
  }
}

TEST_P(Modules, StateLoadsInAnyOrderAndDtype) {
  nn::Linear fc(2, 1, {.tensor = here()});
  fc.load_state_dict({{"bias", tensor({3.0}, {.dtype = f64})}, {"weight", tensor({{1, 2}})}});
  EXPECT_THAT(fc.weight.to_vector<float>(), ElementsAre(1, 2));
  EXPECT_THAT(fc.bias.to_vector<float>(), ElementsAre(3));
}

TEST_P(Modules, AStateThatDoesNotFitNamesAllKeysAndChangesNothing) {
  Scaled model(on());
  const nn::StateDict mine = model.state_dict();
  std::vector<std::vector<float>> before;
  for (const auto& [name, value] : mine) before.push_back(value.to_vector<float>());

  const nn::StateDict other = {{"scale", filled({3}, 9)},
                               {"first.weight", filled({2, 3}, 9)},
                               {"second.weight", filled({3}, 9)},
                               {"third.weight", filled({1}, 9)},
                               {"extra", filled({1}, 9)}};
  EXPECT_EQ(thrown([&] { model.load_state_dict(other); }),
            invalid_argument("[load_state_dict] first.weight is (2, 3), not (3, 2); "
                             "first.bias is missing; "
                             "second.weight is (3,), not (1, 3); "
                             "third.weight is unexpected; extra is unexpected"));
  for (std::size_t i = 0; i < mine.size(); ++i) {
    EXPECT_EQ(mine[i].second.to_vector<float>(), before[i]) << mine[i].first;
  }
}

TEST_P(Modules, CopiesAreTheSameModule) {
  const Scaled model(on());
  const Scaled copy = model;
  copy.eval();
  EXPECT_FALSE(model.is_training());
  copy.scale.detach().fill_(4);
  EXPECT_THAT(model.scale.to_vector<float>(), Each(4));
  const nn::Sequential wrapped(model);
  Tensor inner = wrapped.parameters().front();
  inner.detach().fill_(5);
  EXPECT_THAT(model.scale.to_vector<float>(), Each(5));
}

TEST_P(Modules, ModesReachEveryChild) {
  const Scaled inner(on());
  const nn::Sequential model{nn::Sequential(inner), nn::Sigmoid()};
  EXPECT_TRUE(model.is_training());
  EXPECT_TRUE(inner.second.is_training());
  model.eval();
  EXPECT_FALSE(model.is_training());
  EXPECT_FALSE(inner.is_training());
  EXPECT_FALSE(inner.second.is_training());
  inner.train();
  EXPECT_TRUE(inner.second.is_training());
  EXPECT_FALSE(model.is_training());
}

TEST_P(Modules, ZeroGradForgetsAllGradients) {
  const Scaled model(on());
  model(filled({4, 2}, 1)).sum().backward();
  for (const auto& [name, parameter] : model.named_parameters()) {
    EXPECT_TRUE(parameter.grad().defined()) << name;
  }
  model.zero_grad();
  for (const auto& [name, parameter] : model.named_parameters()) {
    EXPECT_FALSE(parameter.grad().defined()) << name;
  }
}

/// The parameters after one more step of `optimizer`.
std::vector<std::vector<float>> step_on(const nn::Linear& fc, optim::Optimizer& optimizer, Device on) {
  optimizer.zero_grad();
  fc(tensor({{1.0, 2.0}, {-0.5, 0.25}}, {.device = on})).sum().backward();
  optimizer.step();
  return {fc.weight.to_vector<float>(), fc.bias.to_vector<float>()};
}

TEST_P(Modules, MovingKeepsAnOptimisersHandles) {
  for (const Device& other : devices()) {
    nn::Linear moving(2, 2, {.tensor = here()}), staying(2, 2, {.tensor = here()});
    staying.load_state_dict(moving.state_dict());
    optim::Adam moving_steps(moving.parameters(), {.lr = 0.1}),
        steps(staying.parameters(), {.lr = 0.1});
    EXPECT_EQ(step_on(moving, moving_steps, on()), step_on(staying, steps, on()));

    const nn::Linear moved = moving.to(other);
    EXPECT_EQ(moving.weight.device(), other);
    EXPECT_EQ(moving.weight.grad().device(), other);
    EXPECT_TRUE(moved.weight.is_same(moving.weight));
    const auto after = step_on(moving, moving_steps, other), expected = step_on(staying, steps, on());
    for (std::size_t i = 0; i < after.size(); ++i) {
      EXPECT_THAT(after[i], testing::Pointwise(testing::FloatNear(1e-6F), expected[i]));
    }
  }
}

TEST_P(Modules, ASharedChildHasItsParametersOnce) {
  const nn::Linear fc(2, 2, {.bias = false, .tensor = here()});
  nn::Sequential model(fc, nn::ReLU(), fc);
  EXPECT_THAT(names_of(model.state_dict()), ElementsAre("0.weight", "2.weight"));
  const std::vector<Parameter> parameters = model.parameters();
  ASSERT_EQ(parameters.size(), 1U);
  EXPECT_TRUE(parameters.front().is_same(fc.weight));
}

INSTANTIATE_TEST_SUITE_P(Devices, Modules, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Modules);

TEST(Module, NamesAreUniqueAndHaveNoDots) {
  Open module;
  const Parameter p(zeros({1}));
  module.add("a", p);
  module.add("b", nn::ReLU());
  EXPECT_EQ(thrown([&] { module.add("a", p); }), invalid_argument("[Module] the name a is taken"));
  EXPECT_EQ(thrown([&] { module.add("b", p); }), invalid_argument("[Module] the name b is taken"));
  EXPECT_EQ(thrown([&] { module.add("a", nn::ReLU()); }),
            invalid_argument("[Module] the name a is taken"));
  EXPECT_EQ(thrown([&] { module.add("c.d", p); }),
            invalid_argument("[Module] \"c.d\" can't be a name: it is empty or has a dot"));
  EXPECT_EQ(thrown([&] { module.add("", p); }),
            invalid_argument("[Module] \"\" can't be a name: it is empty or has a dot"));
  EXPECT_EQ(thrown([&] { module.add("e", Parameter()); }),
            invalid_argument("[Module] the parameter e is undefined"));
  EXPECT_THAT(names_of(module.named_parameters()), ElementsAre("a"));
}

TEST(Parameter, IsALeafOutsideItsValuesGraph) {
  Tensor x = ones({2});
  x.set_requires_grad();
  const Parameter p(x * 2);
  EXPECT_TRUE(p.is_leaf());
  EXPECT_TRUE(p.requires_grad());
  (p * 3).sum().backward();
  EXPECT_THAT(p.grad().to_vector<float>(), Each(3));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Parameter, OfIntegersIsRefused) {
  EXPECT_EQ(thrown([] { Parameter(zeros({1}, {.dtype = i32})); }),
            invalid_argument("[set_requires_grad] i32 has no gradient; use a floating dtype"));
}

/// Ties two weights behind the back of what is registered.
class Tied : public nn::Layer<Tied> {
 public:
  Tied()
      : encoder(add("encoder", nn::Linear(2, 2, {.bias = false}))),
        decoder(add("decoder", nn::Linear(2, 2, {.bias = false}))) {
    decoder.weight = encoder.weight;
  }
  Tensor forward(const Tensor& x) const { return decoder(encoder(x)); }
  nn::Linear encoder, decoder;
};
/// Shares one weight as it is to be shared.
class Shares : public nn::Layer<Shares> {
 public:
  explicit Shares(const Parameter& of) : weight(add("weight", of)) {}
  Tensor forward(const Tensor& x) const { return matmul(x, weight); }
  Parameter weight;
};
/// Holds none of what it has registered, and what belongs to nobody.
class Exchanged : public nn::Layer<Exchanged> {
 public:
  Exchanged() : scale(add("scale", Parameter(ones({2})))) { scale = Parameter(zeros({2})); }
  Tensor forward(const Tensor& x) const { return x * scale; }
  Parameter scale;
};
class HoldsNone : public nn::Layer<HoldsNone> {
 public:
  HoldsNone() { add("scale", Parameter(ones({2}))); }
  Tensor forward(const Tensor& x) const { return x * named_parameters()[0].second; }
};

TEST(Members, ThatAreAssignedToAreFoundByTheFirstCall) {
  const auto text = [](const std::string& name) {
    return invalid_argument("[Module] " + name +
                            " is registered, but the member that held it has been assigned another "
                            "tensor, which is not: give that one to add() in its place");
  };
  EXPECT_EQ(thrown([] { Tied()(ones({1, 2})); }), text("decoder.weight"));
  EXPECT_EQ(thrown([] { Exchanged()(ones({2})); }), text("scale"));
  const nn::Linear layer(2, 2, {.bias = false});
  const Shares shares(layer.weight);
  EXPECT_TRUE(shares(ones({1, 2})).defined());
  const nn::Sequential both{layer, shares};
  EXPECT_TRUE(both(ones({1, 2})).defined());
  EXPECT_EQ(both.parameters().size(), 1u);
  EXPECT_TRUE(HoldsNone()(ones({2})).defined());
  Net net;
  net = Net();
  EXPECT_TRUE(net(ones({1, 13})).defined());
}

}  // namespace
}  // namespace tenon::test
