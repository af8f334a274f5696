// First and second derivatives of every op and view, in f64, against central differences; and the
// values of gradients where a function has a corner.
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/differences.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;
using Inputs = std::span<const Tensor>;

struct Row {
  const char* name;
  std::vector<Shape> shapes;
  Function f;
  double low = 0.5, high = 2;
};

/// A bool tensor of x's shape that does not depend on its elements.
Tensor alternating(const Tensor& x) {
  std::vector<bool> flags;
  for (std::int64_t i = 0; i < x.numel(); ++i) flags.push_back(i % 3 != 1);
  return tensor(flags, {.device = x.device()}).reshape(x.shape());
}

Tensor indices(const Tensor& x, const std::vector<std::int64_t>& values) {
  return tensor(values, {.device = x.device()});
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"add", {{2, 3}, {2, 3}}, [](Inputs x) { return x[0] + x[1]; }},
      {"add, broadcast", {{2, 1}, {3}}, [](Inputs x) { return x[0] + x[1]; }},
      {"sub, broadcast", {{3}, {2, 3}}, [](Inputs x) { return x[0] - x[1]; }},
      {"mul", {{2, 3}, {2, 3}}, [](Inputs x) { return x[0] * x[1]; }},
      {"mul, broadcast", {{2, 1, 2}, {3, 1}}, [](Inputs x) { return x[0] * x[1]; }},
      {"mul, 0-d", {{}, {4}}, [](Inputs x) { return x[0] * x[1]; }},
      {"mul by itself", {{3}}, [](Inputs x) { return x[0] * x[0]; }},
      {"div", {{2, 3}, {2, 3}}, [](Inputs x) { return x[0] / x[1]; }},
      {"div, broadcast", {{2, 1}, {1, 3}}, [](Inputs x) { return x[0] / x[1]; }},
      {"minimum", {{2, 3}, {3}}, [](Inputs x) { return minimum(x[0], x[1]); }},
      {"maximum", {{2, 1}, {3}}, [](Inputs x) { return maximum(x[0], x[1]); }},
      {"scalars", {{3}}, [](Inputs x) { return (2 - x[0]) * 3 + x[0] * 0.5 - 1; }},
      {"scalar quotients", {{3}}, [](Inputs x) { return 3 / x[0] + x[0] / 4; }},
      {"scalar minimum", {{6}}, [](Inputs x) { return minimum(x[0], 1.2) + maximum(0.9, x[0]); }},
      {"neg", {{3}}, [](Inputs x) { return -x[0]; }},
      {"abs", {{6}}, [](Inputs x) { return abs(x[0]); }, -1, 1},
      {"exp", {{4}}, [](Inputs x) { return exp(x[0]); }, -2, 2},
      {"log", {{4}}, [](Inputs x) { return log(x[0]); }},
      {"sqrt", {{4}}, [](Inputs x) { return sqrt(x[0]); }},
      {"sigmoid", {{4}}, [](Inputs x) { return sigmoid(x[0]); }, -3, 3},
      {"tanh", {{4}}, [](Inputs x) { return tanh(x[0]); }, -2, 2},
      {"relu", {{6}}, [](Inputs x) { return relu(x[0]); }, -1, 1},
      {"where", {{2, 3}, {3}}, [](Inputs x) { return where(alternating(x[0]), x[0] * x[0], x[1]); }},
      {"sum", {{2, 3}}, [](Inputs x) { return x[0].sum() * x[0].sum(); }},
      {"sum, dims", {{2, 3, 2}}, [](Inputs x) { return exp(x[0].sum({0, -1})); }},
      {"sum, keepdim", {{2, 3}}, [](Inputs x) { return x[0] / x[0].sum({1}, true); }},
      {"mean", {{2, 3}}, [](Inputs x) { return x[0].mean({0}) * x[0].mean(); }},
      {"max", {{2, 3}}, [](Inputs x) { return x[0].max() * x[0]; }},
      {"max, dims", {{2, 3, 2}}, [](Inputs x) { return exp(x[0].max({1})); }},
      {"max, keepdim", {{2, 3}}, [](Inputs x) { return x[0] * x[0].max({0}, true); }},
      {"min", {{2, 3}}, [](Inputs x) { return x[0].min() * x[0]; }},
      {"min, dims", {{2, 3, 2}}, [](Inputs x) { return exp(x[0].min({1})); }},
      {"sum_to", {{2, 3, 2}}, [](Inputs x) { return exp(sum_to(x[0], {3, 1})); }},
      {"matmul 1 x 1", {{3}, {3}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 1 x 2", {{3}, {3, 2}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 2 x 1", {{2, 3}, {3}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 2 x 2", {{2, 3}, {3, 2}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul, batches", {{2, 1, 2, 2}, {3, 2, 1}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul, 1 x batches", {{2}, {2, 2, 2}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"linear", {{2, 3}, {4, 3}, {4}}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear, no bias", {{3}, {4, 3}}, [](Inputs x) { return linear(x[0], x[1]); }},
      {"linear, batches",
       {{3, 2, 2}, {4, 2}, {4}},
       [](Inputs x) { return linear(x[0].transpose(0, 1), x[1], x[2]); }},
      {"linear of itself", {{2, 2}}, [](Inputs x) { return linear(x[0], x[0]); }},
      {"addmm", {{2}, {3, 4}, {4, 2}}, [](Inputs x) { return addmm(x[0], x[1], x[2]); }},
      {"index_select",
       {{4, 3}},
       [](Inputs x) { return exp(index_select(x[0], 0, indices(x[0], {1, -1, 1}))); }},
      {"gather",
       {{3, 2}},
       [](Inputs x) {
         return exp(gather(x[0], 1, indices(x[0], {1, 1, 0, 1, 0, 0}).view({2, 3}).slice(1, {0, 2})));
       }},
      {"scatter",
       {{4, 2}, {3, 2}},
       [](Inputs x) { return exp(scatter(x[0], 0, indices(x[0], {1, 3, 1, 0}).view({2, 2}), x[1])); }},
      {"scatter, add",
       {{3}, {5}},
       [](Inputs x) { return exp(scatter(x[0], 0, indices(x[0], {2, 0, 2, 2}), x[1], Scatter::add)); }},
      {"embedding",
       {{5, 2}},
       [](Inputs x) { return exp(embedding(x[0], indices(x[0], {4, 0, 4, 1}).view({2, 2}))); }},
      {"matmul, transposed", {{3, 2}}, [](Inputs x) { return matmul(x[0].transpose(0, 1), x[0]); }},
      {"reshape", {{2, 3}}, [](Inputs x) { return exp(x[0].reshape({3, -1})); }},
      {"reshape, copy", {{2, 3}}, [](Inputs x) { return exp(x[0].transpose(0, 1).reshape({6})); }},
      {"view", {{2, 3}}, [](Inputs x) { return exp(x[0].view({6})); }},
      {"permute", {{2, 1, 3}}, [](Inputs x) { return exp(x[0].permute({2, 0, 1})); }},
      {"slice", {{5}}, [](Inputs x) { return exp(x[0].slice(0, {.start = 1, .step = 2})); }},
      {"slice, backwards", {{2, 5}}, [](Inputs x) { return exp(x[0].slice(1, {4, 0, -2})); }},
      {"slices that overlap",
       {{5}},
       [](Inputs x) { return x[0].slice(0, {.start = 1}) * x[0].slice(0, {.stop = -1}); }},
      {"select", {{2, 3}}, [](Inputs x) { return exp(x[0].select(1, -1)); }},
      {"expand", {{2, 1}}, [](Inputs x) { return x[0].expand({3, 2, 2}) * x[0]; }},
      {"squeeze", {{2, 1}}, [](Inputs x) { return exp(x[0].squeeze(1)); }},
      {"unsqueeze", {{2}}, [](Inputs x) { return x[0].unsqueeze(1) * x[0]; }},
      {"contiguous", {{2, 3}}, [](Inputs x) { return exp(x[0].transpose(0, 1).contiguous()); }},
      {"clone", {{2}}, [](Inputs x) { return x[0].clone() * x[0]; }},
      {"in place",
       {{3}, {3}},
       [](Inputs x) {
         Tensor y = x[0] * 2;
         y += x[1];
         y -= 0.25;
         Tensor z = exp(x[1]);
         y += z;
         return y * x[0];
       }},
      {"copy_",
       {{2}, {2, 2}},
       [](Inputs x) {
         Tensor y = exp(x[1]);
         y.copy_(x[0] * x[0]);
         return y * x[1];
       }},
      {"log-sum-exp", {{2, 3}}, [](Inputs x) { return log(exp(x[0]).sum({1})); }},
      {"unused input", {{2}, {3}}, [](Inputs x) { return exp(x[0]); }},
  };
  return table;
}

class Gradients : public testing::TestWithParam<std::string> {
 protected:
  std::vector<Tensor> leaves(const Row& row) const {
    return random_leaves(row.shapes, row.low, row.high, 3, device_);
  }
  const Device device_ = device(GetParam());
  const TensorOptions leaf_ = {.device = device_, .requires_grad = true};
};

INSTANTIATE_TEST_SUITE_P(Devices, Gradients, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Gradients, FirstOrder) {
  for (const Row& row : rows()) EXPECT_EQ(autograd::gradcheck(row.f, leaves(row)), "") << row.name;
}

/// Different weights for all elements, so that mistakes don't cancel out.
Tensor weights(const Shape& shape, Device device) {
  return arange(numel(shape), {.dtype = f64, .device = device}).reshape(shape) * 0.37 + 0.8;
}

/// Σ weights · (gradient of Σ weights · f), a function of the inputs that needs first derivatives.
Tensor weighed_gradient(const Function& f, Inputs inputs) {
  const Tensor y = f(inputs), w = weights(y.shape(), y.device());
  Tensor sum = zeros({}, {.dtype = f64, .device = y.device()});
  for (const Tensor& g :
       autograd::grad({&y, 1}, inputs, {&w, 1}, {.create_graph = true, .allow_unused = true})) {
    if (g.defined()) sum = sum + (g * weights(g.shape(), g.device())).sum();
  }
  return sum;
}

TEST_P(Gradients, SecondOrder) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    const std::vector<Tensor> inputs = leaves(row);
    const Tensor sum = weighed_gradient(row.f, inputs);
    std::vector<Tensor> found(inputs.size());
    if (sum.requires_grad()) found = autograd::grad({&sum, 1}, inputs, {}, {.allow_unused = true});
    const auto expected =
        differences([&](Inputs x) { return weighed_gradient(row.f, x).item<double>(); }, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto values = found[i].defined() ? found[i].to_vector<double>()
                                             : std::vector<double>(expected[i].size(), 0);
      ASSERT_EQ(values.size(), expected[i].size());
      for (std::size_t k = 0; k < values.size(); ++k)
        EXPECT_NEAR(values[k], expected[i][k], 1e-6 * (1 + std::fabs(expected[i][k])))
            << "input " << i << ", element " << k;
    }
  }
}

TEST_P(Gradients, DerivativesOfAnyOrder) {
  const Tensor x = tensor({0.7}, {.dtype = f64, .device = device_, .requires_grad = true});
  Tensor y = x * x * x * x * x;
  for (const double expected :
       {5 * std::pow(0.7, 4), 20 * std::pow(0.7, 3), 60 * 0.7 * 0.7, 120 * 0.7, 120.0}) {
    y = autograd::grad({&y, 1}, {&x, 1}, {}, {.create_graph = true}).front();
    EXPECT_NEAR(y.item<double>(), expected, 1e-9);
  }
  Tensor s = sigmoid(x);
  const double v = 1 / (1 + std::exp(-0.7));
  s = autograd::grad({&s, 1}, {&x, 1}, {}, {.create_graph = true}).front();
  s = autograd::grad({&s, 1}, {&x, 1}, {}, {.create_graph = true}).front();
  EXPECT_NEAR(s.item<double>(), v * (1 - v) * (1 - 2 * v), 1e-12);
  s = autograd::grad({&s, 1}, {&x, 1}, {}, {.create_graph = true}).front();
  EXPECT_NEAR(s.item<double>(), v * (1 - v) * (1 - 6 * v + 6 * v * v), 1e-12);
}

TEST_P(Gradients, GradcheckTellsAWrongGradient) {
  const Tensor x = tensor({3.0, 2.0}, {.dtype = f64, .device = device_, .requires_grad = true});
  const std::string said =
      autograd::gradcheck([](Inputs in) { return in[0] * in[0].detach(); }, {&x, 1});
  EXPECT_THAT(said, testing::HasSubstr("input 0, element 0: the gradient is "));
  const Tensor narrow = tensor({1.0}, leaf_), fixed = x.detach();
  EXPECT_EQ(thrown([&] { autograd::gradcheck([](Inputs in) { return in[0] * 2; }, {&narrow, 1}); }),
            invalid_argument("[gradcheck] inputs must be f64 and require a gradient, not f32"));
  EXPECT_EQ(thrown([&] { autograd::gradcheck([](Inputs in) { return in[0] * 2; }, {&fixed, 1}); }),
            invalid_argument("[gradcheck] inputs must be f64 and require a gradient, not f64"));
}

TEST_P(Gradients, AtCorners) {
  const auto gradient = [&](const Function& f, const std::vector<float>& at) {
    const Tensor x = tensor(at, leaf_);
    f({&x, 1}).sum().backward();
    return x.grad().to_vector<float>();
  };
  EXPECT_THAT(gradient([](Inputs x) { return relu(x[0]); }, {-1, 0, -0.0f, 2}),
              ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(gradient([](Inputs x) { return abs(x[0]); }, {-1, 0, 2}), ElementsAre(-1, 0, 1));
  EXPECT_THAT(gradient([](Inputs x) { return x[0].max(); }, {1, 3, 2, 3}),
              ElementsAre(0, 0.5f, 0, 0.5f));
  EXPECT_THAT(gradient([](Inputs x) { return x[0].reshape({2, 2}).max({1}, true); }, {1, 3, 4, 4}),
              ElementsAre(0, 1, 0.5f, 0.5f));
  EXPECT_THAT(gradient([](Inputs x) { return minimum(x[0], 1); }, {0, 1, 2}), ElementsAre(1, 0.5f, 0));
  EXPECT_THAT(gradient([](Inputs x) { return maximum(x[0], x[0]); }, {3}), ElementsAre(1));
  EXPECT_THAT(gradient([](Inputs x) { return where(x[0] > 0, x[0], x[0] * 3); }, {-1, 0, 1}),
              ElementsAre(3, 3, 1));
  // The branch that is not taken has a finite derivative at 0: no NaN comes from it.
  EXPECT_THAT(gradient([](Inputs x) { return where(x[0] > 0, exp(x[0]), x[0] * 0); }, {0}),
              ElementsAre(0));
}

TEST_P(Gradients, OfNoElements) {
  const Tensor x = zeros({0, 3}, leaf_), w = ones({3, 2}, leaf_);
  (matmul(x, w).sum() + x.mean({1}).sum() + exp(x).sum()).backward();
  expect_equals(x.grad(), Array<float>{{0, 3}, {}});
  expect_equals(w.grad(), Array<float>{{3, 2}, std::vector<float>(6, 0)});
}

TEST_P(Gradients, HaveTheDTypeAndDeviceOfTheirLeaf) {
  const Tensor x = tensor({1.0, 2.0}, leaf_);
  const Tensor wide = tensor({3.0, 4.0}, {.dtype = f64, .device = device_, .requires_grad = true});
  const Tensor whole = tensor({5, 6}, {.device = device_});
  (x * wide * whole).sum().backward();
  expect_equals(x.grad(), Array<float>{{2}, {15, 24}});
  expect_equals(wide.grad(), Array<double>{{2}, {5, 12}});
  const Tensor y = tensor({1.0, 2.0}, leaf_);
  (y.to(f64) * wide.detach()).to(f32).sum().backward();
  expect_equals(y.grad(), Array<float>{{2}, {3, 4}});
  EXPECT_FALSE((y > 0).requires_grad());
  EXPECT_FALSE(y.to(i32).requires_grad());
  for (const std::string& name : test_devices()) {
    const Tensor z = tensor({1.0, 2.0}, leaf_);
    const Tensor there = z.to(device(name)) * 3;
    EXPECT_EQ(there.device().name(), name);
    there.sum().backward();
    EXPECT_EQ(z.grad().device(), device_);
    expect_equals(z.grad(), Array<float>{{2}, {3, 3}});
  }
}

Tensor squashed(const Tensor& x) {
  return tanh(x);
}
Tensor bent(const Tensor& x) {
  return relu(x) + sigmoid(x);
}
/// The same of opcodes that every device has.
Tensor squashed_by_exp(const Tensor& x) {
  return 1 - 2 / (exp(x * 2) + 1);
}
Tensor bent_by_exp(const Tensor& x) {
  return relu(x) + 1 / (exp(-x) + 1);
}

using Activation = Tensor (*)(const Tensor&);

/// The gradients of a small network's weights, whose loss has every kind of op in it.
std::vector<std::vector<float>> network_gradients(Device device, Activation first, Activation second) {
  const auto leaf = [&](const Shape& shape, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Array<float> x{shape, {}};
    for (std::size_t i = 0; i < element_count(shape); ++i)
      x.values.push_back(static_cast<float>(random() % 4001) / 2000 - 1);
    return to_tensor(x, device).set_requires_grad();
  };
  const Tensor x = leaf({33, 7}, 1), w1 = leaf({7, 5}, 2), b1 = leaf({5}, 3), w2 = leaf({5, 1}, 4);
  const Tensor hidden = first(matmul(x, w1) + b1);
  const Tensor logits = matmul(second(hidden), w2).squeeze(1);
  const Tensor loss = log(1 + exp(-abs(logits))).mean() + logits.max() * 0.1 + sqrt(w1 * w1 + 1).sum();
  loss.backward();
  std::vector<std::vector<float>> gradients;
  for (const Tensor& each : {x, w1, b1, w2}) gradients.push_back(each.grad().to_vector<float>());
  return gradients;
}

TEST(GradientBits, AreTheSameOnFaultyAndReference) {
  const Device reference = device("reference");
  for (const Device& each : devices()) {
    if (each.info().kind != "faulty") continue;
    EXPECT_EQ(network_gradients(each, squashed_by_exp, bent_by_exp),
              network_gradients(reference, squashed_by_exp, bent_by_exp))
        << each.name();
    const auto got = network_gradients(each, squashed, bent),
               expected = network_gradients(reference, squashed, bent);
    if (compute_alike(each, reference)) {
      EXPECT_EQ(got, expected) << each.name();
    }
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_THAT(got[i], testing::Pointwise(testing::FloatNear(1e-6F), expected[i])) << each.name();
  }
}

}  // namespace
}  // namespace tenon::test
