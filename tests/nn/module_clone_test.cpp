// Clones share nothing, whatever a module's class holds; what can't be cloned says so.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using nn::Buffer;
using nn::Parameter;
using testing::Each;

/// Members of every kind that a clone has of its own.
class Everything : public nn::Layer<Everything> {
 public:
  Everything() {
    weight = add("weight", Parameter(ones({2})));
    tied = add("tied", weight);
    many["a"] = add("a", Parameter(ones({2})));
    buffer = register_buffer("buffer", ones({2}));
    body = add("body", nn::Sequential(nn::Linear(2, 2), nn::ReLU(), nn::Linear(2, 2)));
    list = add("list", nn::ModuleList<nn::Linear>({nn::Linear(2, 2), nn::Linear(2, 2)}));
    dict = add("dict", nn::ModuleDict<>({{"tanh", nn::Tanh()}, {"fc", nn::Linear(2, 2)}}));
    *calls = 5;
  }
  Tensor forward(const Tensor& x) const {
    ++*calls;
    Tensor y = body(x) * weight + tied + buffer + many.at("a");
    for (const nn::Linear& fc : list) y = fc(y);
    return dict["fc"](dict["tanh"](y));
  }
  Parameter weight, tied;
  std::map<std::string, Parameter> many;
  Buffer buffer;
  nn::Sequential body;
  nn::ModuleList<nn::Linear> list;
  nn::ModuleDict<> dict;
  nn::Shared<int> calls;
};

TEST(Clone, HasTheValuesAndNothingInCommon) {
  const Everything model;
  model.body.freeze();
  model.body.eval();
  const Everything copy = model.clone();
  const Tensor x = tensor({{0.5, -1.0}, {2.0, 3.0}});
  EXPECT_EQ(copy(x).to_vector<float>(), model(x).to_vector<float>());

  const nn::StateDict mine = model.state_dict(), its = copy.state_dict();
  ASSERT_EQ(mine.size(), its.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    EXPECT_EQ(mine[i].first, its[i].first);
    const std::vector<float> before = mine[i].second.to_vector<float>();
    Tensor changed = its[i].second;
    changed.fill_(static_cast<float>(i) + 0.25F);
    EXPECT_EQ(mine[i].second.to_vector<float>(), before) << mine[i].first;
  }
  EXPECT_TRUE(copy.tied.is_same(copy.weight));
  EXPECT_FALSE(copy.weight.is_same(model.weight));
  EXPECT_EQ(copy.parameters().size(), model.parameters().size());
  EXPECT_EQ(*model.calls, 6);
  EXPECT_EQ(*copy.calls, 6);

  EXPECT_EQ(copy.body.path(), "body");
  EXPECT_FALSE(copy.body.is_training());
  EXPECT_FALSE(copy.body.parameters().front().requires_grad());
  copy.body.train();
  EXPECT_FALSE(model.body.is_training());
  EXPECT_TRUE(copy.is_training());
}

// What forward reads is what the clone's registered names mean.
TEST(Clone, ComputesWithItsOwnTensors) {
  const Everything model;
  const Everything copy = model.clone();
  const Tensor x = ones({1, 2});
  const std::vector<float> before = model(x).to_vector<float>();
  for (auto& [name, value] : copy.state_dict()) Tensor(value).fill_(0);
  EXPECT_EQ(model(x).to_vector<float>(), before);
  EXPECT_THAT(copy(x).to_vector<float>(), Each(0));
  copy(x).sum().backward();
  for (const Parameter& parameter : model.parameters()) EXPECT_FALSE(parameter.grad().defined());
  for (const Parameter& parameter : copy.parameters()) EXPECT_TRUE(parameter.grad().defined());
}

TEST(Clone, OfACloneAndOfACopy) {
  const nn::Sequential model{nn::Linear(2, 2)};
  const nn::Sequential handle = model;
  const nn::Sequential first = handle.clone();
  nn::Sequential second = first.clone();
  second.push_back(nn::Tanh());
  EXPECT_EQ(first.size(), 1U);
  EXPECT_EQ(second.size(), 2U);
  EXPECT_EQ(first.state_dict()[0].second.to_vector<float>(),
            second.state_dict()[0].second.to_vector<float>());
}

TEST(Clone, HasNoGradientsAndNoHooks) {
  const nn::Linear model(2, 1);
  int calls = 0;
  model.register_forward_pre_hook([&](const nn::Module&, std::span<Tensor>) { ++calls; });
  model(ones({1, 2})).sum().backward();
  const nn::Linear copy = model.clone();
  copy(ones({1, 2}));
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(copy.weight.grad().defined());
}

class PlainMember : public nn::Layer<PlainMember> {
 public:
  PlainMember() : weight(add("weight", Parameter(ones({2})))) {}
  Tensor forward(const Tensor& x) const { return x * weight; }
  Tensor weight;
};
class BehindAPointer : public nn::Layer<BehindAPointer> {
 public:
  BehindAPointer() : inner(std::make_shared<nn::Identity>(add("inner", nn::Identity()))) {}
  Tensor forward(const Tensor& x) const { return (*inner)(x); }
  std::shared_ptr<nn::Identity> inner;
};

TEST(Clone, OfAClassThatHidesWhatItOwnsIsRefused) {
  EXPECT_EQ(
      thrown([] { PlainMember().clone(); }),
      invalid_argument("[clone] no member of the copy is the parameter or buffer weight: hold it as "
                       "a nn::Parameter or nn::Buffer, or what holds it in a nn::Shared"));
  EXPECT_EQ(
      thrown([] { BehindAPointer().clone(); }),
      invalid_argument("[clone] no member of the copy is the module inner: hold it as its class, or "
                       "what holds it in a nn::Shared"));
  const PlainMember afterwards;
  const PlainMember copy = afterwards;  // outside of cloning a copy shares
  EXPECT_TRUE(copy.weight.is_same(afterwards.weight));
}

}  // namespace
}  // namespace tenon::test
