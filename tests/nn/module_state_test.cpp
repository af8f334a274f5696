// What a module consists of: buffers, paths, names that are nearly right, dtypes, frozen parameters,
// text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Buffer;
using nn::Parameter;
using testing::Each;
using testing::ElementsAre;

/// x / scale + shift · bias, with a buffer that is saved and one that is not.
class Scaling : public nn::Layer<Scaling> {
 public:
  explicit Scaling(Device on)
      : fc(add("fc", nn::Linear(2, 2, {.tensor = {.device = on}}))),
        shift(add("shift", Parameter(ones({2}, {.device = on})))),
        scale(register_buffer("scale", full({2}, 2.0, {.device = on}))),
        count(register_buffer("count", zeros({}, {.dtype = i32, .device = on}), false)) {}
  Tensor forward(const Tensor& x) const { return fc(x) / scale + shift; }
  nn::Linear fc;
  Parameter shift;
  Buffer scale, count;
};

template <class Named>
std::vector<std::string> names_of(const Named& list) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : list) names.push_back(name);
  return names;
}

class ModuleState : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.device = on()}; }
};

TEST_P(ModuleState, HoldsPersistentBuffersBehindAModulesParameters) {
  const nn::Sequential model{Scaling(on()), nn::Tanh()};
  EXPECT_THAT(names_of(model.named_buffers()), ElementsAre("0.scale", "0.count"));
  EXPECT_THAT(names_of(model.state_dict()),
              ElementsAre("0.shift", "0.scale", "0.fc.weight", "0.fc.bias"));
  EXPECT_EQ(model.parameters().size(), 3U);
}

TEST_P(ModuleState, LoadsBuffersToo) {
  const Scaling from(on()), to(on());
  Tensor scale = from.scale;
  scale.fill_(5);
  to.load_state_dict(from.state_dict());
  EXPECT_THAT(to.scale.to_vector<float>(), Each(5));
}

TEST_P(ModuleState, NamesTheNearestOfAWrongName) {
  const Scaling model(on());
  nn::StateDict state = model.state_dict();
  state[2].first = "fc.wieght";
  state.push_back({"nothing.like.it", ones({1}, here())});
  EXPECT_EQ(thrown([&] { model.load_state_dict(state); }),
            invalid_argument("[load_state_dict] fc.weight is missing; fc.wieght is unexpected, did you "
                             "mean fc.weight?; nothing.like.it is unexpected"));
  Tensor bias = state[3].second.clone();
  state[3].second = bias.fill_(9);
  const nn::LoadReport report = model.load_state_dict(state, {.strict = false});
  EXPECT_THAT(report.missing, ElementsAre("fc.weight"));
  EXPECT_THAT(report.unexpected, ElementsAre("fc.wieght", "nothing.like.it"));
  EXPECT_THAT(model.fc.bias.to_vector<float>(), Each(9));
  state[3].second = ones({3}, here());
  EXPECT_EQ(thrown([&] { model.load_state_dict(state, {.strict = false}); }),
            invalid_argument("[load_state_dict] fc.bias is (3,), not (2,)"));
}

TEST_P(ModuleState, NamesAnUndefinedTensor) {
  const Scaling model(on());
  nn::StateDict state = model.state_dict();
  state[2].second = {};
  EXPECT_EQ(thrown([&] { model.load_state_dict(state); }),
            invalid_argument("[load_state_dict] fc.weight is undefined"));
}

TEST_P(ModuleState, NamedModulesArePathsEachOnce) {
  const nn::Linear shared(2, 2, {.tensor = here()});
  const nn::Sequential model{nn::Sequential(shared, nn::ReLU()), shared, Scaling(on())};
  EXPECT_THAT(names_of(model.named_modules()), ElementsAre("", "0", "0.0", "0.1", "2", "2.fc"));
  EXPECT_THAT(names_of(model.named_children()), ElementsAre("0", "1", "2"));
  std::vector<std::string> types;
  model.apply([&](const nn::Module& module) { types.push_back(module.type_name()); });
  EXPECT_THAT(types, ElementsAre("Linear", "ReLU", "Sequential", "Linear", "Scaling", "Sequential"));
}

TEST_P(ModuleState, FrozenParametersStayAsTheyAre) {
  const Scaling model(on());
  const std::vector<float> weight = model.fc.weight.to_vector<float>();
  model.fc.freeze();
  optim::SGD sgd(model.parameters(), {.lr = 1});
  model(ones({3, 2}, here())).sum().backward();
  sgd.step();
  EXPECT_FALSE(model.fc.bias.requires_grad());
  EXPECT_FALSE(model.fc.weight.grad().defined());
  EXPECT_EQ(model.fc.weight.to_vector<float>(), weight);
  EXPECT_THAT(model.shift.to_vector<float>(), Each(-2));
  model.unfreeze();
  EXPECT_TRUE(model.fc.weight.requires_grad());
}

TEST_P(ModuleState, MovesAndConvertsBuffersToo) {
  for (const Device& other : devices()) {
    const Scaling model(on());
    const Tensor handle = model.scale;
    EXPECT_EQ(model.to(other).scale.device(), other);
    EXPECT_EQ(handle.device(), other);
    EXPECT_EQ(model(ones({1, 2}, {.device = other})).device(), other);
  }
}

TEST_P(ModuleState, ConvertsFloatingTensorsAndKeepsHandles) {
  const Scaling model(on());
  optim::Adam adam(model.parameters(), {.lr = 0.5});
  const Tensor x = ones({3, 2}, here());
  model(x).sum().backward();
  adam.step();
  const Tensor weight = model.fc.weight;
  const std::vector<float> before = weight.to_vector<float>();
  const Scaling wide = model.to(f64);
  EXPECT_EQ(weight.dtype(), f64);
  EXPECT_EQ(weight.to(f32).to_vector<float>(), before);
  EXPECT_EQ(wide.scale.dtype(), f64);
  EXPECT_EQ(wide.count.dtype(), i32);
  EXPECT_FALSE(weight.grad().defined());
  model(x.to(f64)).sum().backward();
  adam.step();
  EXPECT_EQ(weight.grad().dtype(), f64);
  EXPECT_NEAR(model.shift.to_vector<double>()[0], 0, 1e-6);  // two steps of 0.5, down from 1
  EXPECT_EQ(thrown([&] { model.convert_to(i32); }),
            invalid_argument("[to] a module's parameters can't be i32; use a floating dtype"));
}

TEST_P(ModuleState, SummaryIsATree) {
  const Scaling inner(on());
  inner.fc.freeze();
  const nn::Sequential model{inner, nn::ReLU()};
  EXPECT_EQ(model.summary(),
            "Sequential\n"
            "  0: Scaling\n"
            "    shift (2,) f32: 2\n"
            "    scale (2,) f32: 2, buffer\n"
            "    count () i32: 1, buffer\n"
            "    fc: Linear\n"
            "      weight (2, 2) f32: 4, frozen\n"
            "      bias (2,) f32: 2, frozen\n"
            "  1: ReLU\n"
            "8 parameters, 2 trainable; 3 in buffers\n");
}

INSTANTIATE_TEST_SUITE_P(Devices, ModuleState, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ModuleState);

TEST(ModuleText, OfAPlainModuleAndOfATemplate) {
  class Plain : public nn::Module {};
  EXPECT_EQ(Plain().type_name(), "Module");
  EXPECT_EQ(nn::ModuleList<nn::Linear>().summary(), "ModuleList\n0 parameters, 0 trainable\n");
}

TEST(ModuleText, ABuffersNameMustBeFree) {
  class Open : public nn::Module {
   public:
    using nn::Module::add;
    using nn::Module::register_buffer;
  };
  Open module;
  module.register_buffer("b", ones({1}));
  EXPECT_EQ(thrown([&] { module.add("b", Parameter(ones({1}))); }),
            invalid_argument("[Module] the name b is taken"));
  EXPECT_EQ(thrown([&] { module.register_buffer("b", ones({1})); }),
            invalid_argument("[Module] the name b is taken"));
  EXPECT_EQ(thrown([&] { module.register_buffer("c", Tensor()); }),
            invalid_argument("[Module] the buffer c is undefined"));
}

}  // namespace
}  // namespace tenon::test
