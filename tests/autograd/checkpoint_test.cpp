// Checkpoints: the gradients of the plain call, from less memory.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/support/devices.h"
#include "tests/support/differences.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using autograd::checkpoint;
using Floats = std::vector<float>;
using Inputs = std::span<const Tensor>;

class Checkpoint : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_}, leaf_ = {.device = device_, .requires_grad = true};
};

INSTANTIATE_TEST_SUITE_P(Devices, Checkpoint, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Checkpoint, GivesTheGradientsOfThePlainCallByASecondOne) {
  const Tensor x = leaf({0.5, -1, 2}), w = leaf({2, 3, -1});
  int calls = 0;
  const auto block = [&](const Tensor& h) {
    ++calls;
    return exp(tanh(h * w) * h) * w;
  };
  block(x * 2).sum().backward();
  const Floats of_x = x.grad().to_vector<float>(), of_w = w.grad().to_vector<float>();
  for (Tensor t : {x, w}) t.set_grad({});
  calls = 0;
  const Tensor loss = checkpoint(block, x * 2).sum();
  EXPECT_EQ(calls, 1);
  loss.backward();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(x.grad().to_vector<float>(), of_x);
  EXPECT_EQ(w.grad().to_vector<float>(), of_w) << "of a leaf that the function captures";
}

TEST_P(Checkpoint, OfAModuleWhoseInputNeedsNoGradient) {
  random::manual_seed(1);
  const nn::Sequential model(nn::Linear(3, 4, {.tensor = here_}), nn::Sigmoid(),
                             nn::Linear(4, 2, {.tensor = here_}));
  const Tensor x = ones({5, 3}, here_);
  model(x).sum().backward();
  std::vector<Floats> expected;
  for (const auto& p : model.parameters()) expected.push_back(p.grad().to_vector<float>());
  model.zero_grad();
  checkpoint(model, x).sum().backward();
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(model.parameters()[i].grad().to_vector<float>(), expected[i]);
  const Tensor y = checkpoint(model, x).sum(), w = model.parameters()[0];
  EXPECT_EQ(autograd::grad({&y, 1}, {&w, 1})[0].to_vector<float>(), expected[0]);
}

TEST_P(Checkpoint, KeepsNoInnerResults) {
  const Tensor x = ones({1000}, leaf_);
  const auto block = [](const Tensor& in) {
    Tensor h = in;
    for (int i = 0; i < 20; ++i) h = exp(h * -1);
    return h;
  };
  const auto kept = [&](const auto& call) {
    const std::int64_t before = memory_stats(device_).live;
    const Tensor y = call();
    return memory_stats(device_).live - before;
  };
  const std::int64_t plain = kept([&] { return block(x); });
  const std::int64_t less = kept([&] { return checkpoint(block, x); });
  EXPECT_GT(plain, 20 * 4000);
  EXPECT_LT(less, 2 * 4096);
  const std::int64_t before = memory_stats(device_).live;
  checkpoint(block, x).sum().backward();
  Tensor(x).set_grad({});
  EXPECT_EQ(memory_stats(device_).live, before) << "what was computed again is gone too";
}

TEST_P(Checkpoint, DrawsTheSameRandomNumbersAgain) {
  const Tensor x = ones({64}, leaf_);
  random::manual_seed(3);
  const Tensor y = checkpoint(
      [&](const Tensor& in) {
        return in * random::bernoulli({64}, 0.5, {.dtype = f32, .device = device_}) * in;
      },
      x);
  random::uniform({3}, {}, here_);
  const auto before = random::default_generator().state();
  y.sum().backward();
  EXPECT_EQ(random::default_generator().state(), before);
  Floats expected = y.to_vector<float>();  // 1 · mask · 1
  for (float& e : expected) e *= 2;
  EXPECT_EQ(x.grad().to_vector<float>(), expected);
}

TEST_P(Checkpoint, Nests) {
  const auto inputs = random_leaves(std::vector<Shape>{{3}, {3}}, 0.5, 1, 3, device_);
  int inner_calls = 0;
  const auto nested = [&](Inputs in) {
    return checkpoint(
        [&](const Tensor& x, const Tensor& w) {
          const Tensor h = exp(x * w);
          const Tensor once = checkpoint(
              [&inner_calls, w](const Tensor& a) {
                ++inner_calls;
                return tanh(a * w) * a;
              },
              h);
          return checkpoint([x](const Tensor& a, const Tensor& b) { return a * b * x; }, once, h);
        },
        in[0], in[1]);
  };
  EXPECT_EQ(autograd::gradcheck(nested, inputs), "");
  EXPECT_EQ(autograd::gradgradcheck(nested, inputs), "");
  inner_calls = 0;
  nested(inputs).sum().backward();
  EXPECT_EQ(inner_calls, 3) << "forward, again within the outer, and for its own tensors";
}

TEST_P(Checkpoint, OfSecondOrderAndRetained) {
  const auto inputs = random_leaves(std::vector<Shape>{{2, 2}, {2}}, 0.5, 1, 3, device_);
  const auto f = [](Inputs in) {
    return checkpoint([](const Tensor& x, const Tensor& y) { return exp(matmul(x, x)) * y / x.max(); },
                      in[0] * 2, in[1]);
  };
  EXPECT_EQ(autograd::gradcheck(f, inputs), "");
  EXPECT_EQ(autograd::gradgradcheck(f, inputs), "");
  const Tensor y = f(inputs).sum();
  y.backward({}, true);
  const auto once = inputs[0].grad().to_vector<double>();
  y.backward();
  const auto twice = inputs[0].grad().to_vector<double>();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2 * once[i]);
}

TEST_P(Checkpoint, GradientsWithinAreComputedAgainToo) {
  const auto inputs = random_leaves(std::vector<Shape>{{3}}, 0.5, 1, 3, device_);
  const auto penalty = [](Inputs in) {
    return checkpoint(
        [](const Tensor& x) {
          const Tensor y = exp(x * x).sum();
          return autograd::grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0] * x;
        },
        in[0]);
  };
  EXPECT_EQ(autograd::gradcheck(
                [&](Inputs in) {
                  const EnableGrad guard;
                  const Tensor x = in[0].requires_grad() ? in[0] : in[0].detach().set_requires_grad();
                  return penalty({&x, 1});
                },
                inputs),
            "");
}

TEST_P(Checkpoint, AFunctionThatChangesIsRefused) {
  const Tensor x = leaf({1, 2, 3});
  const auto refusal = [&](const std::function<Tensor(const Tensor&, bool)>& f) {
    bool first = true;
    const Tensor y =
        checkpoint([&](const Tensor& in) { return f(in, std::exchange(first, false)); }, x);
    return thrown([&] { y.sum().backward(); });
  };
  const std::string hint = "; the function must do the same each time";
  EXPECT_EQ(
      refusal([](const Tensor& in, bool first) {
        const Tensor h = exp(exp(in));
        return first ? h : h.slice(0, {0, 2});
      }),
      invalid_argument("[checkpoint] the result was f32 (3,), computed again it is f32 (2,)" + hint));
  EXPECT_EQ(
      refusal([](const Tensor& in, bool first) {
        return exp(exp(first ? in : in.slice(0, {0, 2})).sum());
      }),
      invalid_argument("[checkpoint] a saved tensor was f32 (), computed again it is f32 (2,)" + hint));
  EXPECT_EQ(
      refusal([](const Tensor& in, bool first) {
        const Tensor h = exp(exp(in));
        return first ? exp(h) : h;
      }),
      invalid_argument("[checkpoint] 2 tensors were saved for backward, computed again 1" + hint));
  EXPECT_EQ(refusal([](const Tensor& in, bool first) {
              const Tensor h = exp(exp(in));
              return first ? h : exp(h);
            }),
            invalid_argument("[checkpoint] 1 tensors were saved for backward, computed again there are "
                             "more" +
                             hint));
  EXPECT_EQ(thrown([&] { checkpoint([](const Tensor&) { return Tensor(); }, x); }),
            invalid_argument("[checkpoint] the function's result is undefined"));
}

TEST_P(Checkpoint, InputsThatChangeAreNoticed) {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 1;
  const auto block = [](const Tensor& in) { return exp(exp(in)); };
  const Tensor y = checkpoint(block, h).sum();
  h += 1;
  EXPECT_EQ(thrown([&] { y.backward(); }).text,
            "[checkpoint] a tensor that backward needs was changed in place: it is at version 1, 0 was "
            "saved");
  Tensor w = leaf({2, 3});
  const Tensor z = checkpoint([&](const Tensor& in) { return in * w; }, x).sum();
  {
    const NoGrad guard;
    w *= 2;
  }
  EXPECT_EQ(thrown([&] { z.backward(); }).text,
            "[mul] a tensor that backward needs was changed in place: it is at version 1, 0 was saved");
}

TEST_P(Checkpoint, IsAPlainCallWhereNothingIsRecorded) {
  const Tensor x = leaf({1, 2});
  const auto block = [](const Tensor& in) { return in * in; };
  {
    const NoGrad guard;
    EXPECT_FALSE(checkpoint(block, x).requires_grad());
  }
  EXPECT_FALSE(checkpoint(block, x.detach()).requires_grad());
  EXPECT_EQ(checkpoint(block, x).to_vector<float>(), (Floats{1, 4}));
}

}  // namespace
}  // namespace tenon::test
