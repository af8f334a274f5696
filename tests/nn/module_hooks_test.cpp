// Hooks around forward, and modules of modules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;

/// x · factor + y, and both x and y: forwards of several arguments and results.
class Combine : public nn::Layer<Combine> {
 public:
  Tensor forward(const Tensor& x, float factor, const Tensor& y) const { return x * factor + y; }
};
class Pair : public nn::Layer<Pair> {
 public:
  std::vector<Tensor> forward(const Tensor& x) const { return {x, x * 2}; }
};

TEST(Hooks, RunAroundForwardInOrderAndCanBeRemoved) {
  const nn::Sequential model{nn::Identity()};
  std::string order;
  const auto before = [&](const char* mark) {
    return [&order, mark](const nn::Module&, std::span<Tensor>) { order += mark; };
  };
  nn::HookHandle first = model.register_forward_pre_hook(before("1"));
  model.register_forward_pre_hook(before("2"));
  model[0].register_forward_pre_hook(before("f"));
  nn::HookHandle last = model.register_forward_hook(
      [&](const nn::Module& module, std::span<const Tensor> inputs, std::span<Tensor> outputs) {
        EXPECT_EQ(module.type_name(), "Sequential");
        EXPECT_TRUE(outputs[0].is_same(inputs[0]));
        order += "3";
      });
  const nn::Sequential handle = model;
  handle(ones({1}));
  EXPECT_EQ(order, "12f3");
  first.remove();
  first.remove();
  last.remove();
  order.clear();
  model(ones({1}));
  EXPECT_EQ(order, "2f");
}

TEST(Hooks, SeeTheTensorsOfAnySignatureAndMayReplaceThem) {
  const Combine combine;
  const Tensor x = tensor({1.0, 2.0}), y = tensor({10.0, 20.0});
  combine.register_forward_pre_hook([](const nn::Module&, std::span<Tensor> inputs) {
    ASSERT_EQ(inputs.size(), 2U);
    inputs[0] = inputs[0] * 100;
  });
  combine.register_forward_hook(
      [](const nn::Module&, std::span<const Tensor> inputs, std::span<Tensor> outputs) {
        EXPECT_THAT(inputs[0].to_vector<float>(), ElementsAre(100, 200));
        outputs[0] = outputs[0] + 1;
      });
  EXPECT_THAT(combine(x, 3.F, y).to_vector<float>(), ElementsAre(311, 621));

  const Pair pair;
  pair.register_forward_hook([](const nn::Module&, std::span<const Tensor>, std::span<Tensor> outputs) {
    ASSERT_EQ(outputs.size(), 2U);
    std::swap(outputs[0], outputs[1]);
  });
  EXPECT_THAT(pair(x)[0].to_vector<float>(), ElementsAre(2, 4));
}

TEST(Hooks, MayRemoveThemselvesAndOutliveTheirModule) {
  nn::HookHandle handle;
  int calls = 0;
  {
    const nn::Identity module;
    handle = module.register_forward_pre_hook([&](const nn::Module&, std::span<Tensor>) {
      ++calls;
      handle.remove();
    });
    module(ones({1}));
    module(ones({1}));
    handle = module.register_forward_pre_hook([&](const nn::Module&, std::span<Tensor>) { ++calls; });
  }
  handle.remove();
  EXPECT_EQ(calls, 1);
  nn::HookHandle().remove();
}

TEST(Hooks, ThatAreEmptyAreRefused) {
  const nn::Identity module;
  EXPECT_EQ(thrown([&] { module.register_forward_pre_hook({}); }),
            invalid_argument("[register_forward_pre_hook] the hook is empty"));
  EXPECT_EQ(thrown([&] { module.register_forward_hook({}); }),
            invalid_argument("[register_forward_hook] the hook is empty"));
}

TEST(Sequential, IsARange) {
  const nn::Sequential model(nn::Linear(2, 3), nn::ReLU());
  std::vector<std::string> types;
  for (const nn::AnyModule& step : model) types.push_back(step.type_name());
  EXPECT_THAT(types, ElementsAre("Linear", "ReLU"));
}

TEST(ModuleList, HoldsModulesOfOneClassOrOfAny) {
  nn::ModuleList<nn::Linear> linears({nn::Linear(2, 3)});
  linears.push_back(nn::Linear(3, 1));
  Tensor y = ones({5, 2});
  for (const nn::Linear& fc : linears) y = fc(y);
  EXPECT_EQ(y.shape(), (Shape{5, 1}));
  EXPECT_EQ(linears.parameters().size(), 4U);
  EXPECT_EQ(linears.named_parameters()[2].first, "1.weight");
  EXPECT_EQ(linears[1].weight.shape(), (Shape{1, 3}));

  const nn::ModuleList<> mixed({nn::Linear(2, 3), nn::Sequential(nn::ReLU())});
  EXPECT_EQ(mixed.size(), 2U);
  EXPECT_EQ(mixed[1](tensor({-1.0})).item<float>(), 0);
  mixed.eval();
  EXPECT_FALSE(mixed[0].is_training());
  EXPECT_EQ(thrown([&] { mixed[2]; }), invalid_argument("[ModuleList] there is no module 2 among 2"));
  EXPECT_EQ(thrown([&] { nn::Sequential()[0]; }),
            invalid_argument("[Sequential] there is no module 0 among 0"));
}

TEST(ModuleDict, HoldsModulesByName) {
  nn::ModuleDict<> heads({{"price", nn::Linear(2, 1)}});
  heads.insert("kind", nn::Linear(2, 4));
  EXPECT_EQ(heads["kind"](ones({3, 2})).shape(), (Shape{3, 4}));
  EXPECT_THAT(heads.keys(), ElementsAre("price", "kind"));
  EXPECT_TRUE(heads.contains("price"));
  EXPECT_FALSE(heads.contains("size"));
  EXPECT_EQ(heads.size(), 2U);
  EXPECT_EQ(heads.state_dict()[2].first, "kind.weight");
  EXPECT_EQ(thrown([&] { heads["size"]; }),
            invalid_argument("[ModuleDict] no module \"size\"; there are price, kind"));
  EXPECT_EQ(thrown([&] { heads.insert("kind", nn::ReLU()); }),
            invalid_argument("[Module] the name kind is taken"));
  EXPECT_EQ(heads.size(), 2U);
}

}  // namespace
}  // namespace tenon::test
