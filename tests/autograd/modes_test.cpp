// What is recorded under which guard, and what autograd::grad makes of the record.
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using autograd::grad;

class Modes : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Modes, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Modes, EnableGradRecordsWithinNoGrad) {
  const Tensor x = leaf({1, 2});
  const NoGrad outer;
  {
    const EnableGrad inner;
    EXPECT_TRUE(grad_enabled());
    (x * x).sum().backward();
    const NoGrad innermost;
    EXPECT_FALSE((x * x).requires_grad());
  }
  EXPECT_FALSE(grad_enabled());
  EXPECT_FALSE((x * x).requires_grad());
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 4}));
}

TEST_P(Modes, InferenceModeRecordsNothing) {
  const Tensor x = leaf({1, 2});
  EXPECT_FALSE(inference_mode());
  {
    const InferenceMode guard;
    const EnableGrad no_use;
    EXPECT_TRUE(inference_mode());
    EXPECT_FALSE(grad_enabled());
    const Tensor y = x * x;
    EXPECT_FALSE(y.requires_grad());
    EXPECT_TRUE(y.is_inference());
    EXPECT_FALSE(x.slice(0, {0, 1}).is_inference()) << "a view of what was made outside";
    bool elsewhere = true;
    std::thread([&] { elsewhere = inference_mode(); }).join();
    EXPECT_FALSE(elsewhere) << "the mode is the thread's own";
  }
  EXPECT_TRUE((x * x).requires_grad());
  EXPECT_FALSE((x * x).is_inference());
}

TEST_P(Modes, InferenceTensorsTakePartButAreNotSaved) {
  const Tensor x = leaf({1, 2});
  Tensor w;
  {
    const InferenceMode guard;
    w = tensor({3.0f, 4.0f}, here_) * 2;
  }
  EXPECT_TRUE(w.slice(0, {0, 1}).is_inference());
  EXPECT_TRUE(w.detach().is_inference());
  EXPECT_FALSE(w.clone().is_inference());
  (x + w).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_EQ(thrown([&] { x* w; }),
            invalid_argument("[backward] a tensor made in InferenceMode can't be saved for a gradient; "
                             "clone() it first"));
  (x * w.clone()).sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{7, 9}));
  EXPECT_EQ(thrown([&] { w += x; }),
            invalid_argument("[add] a tensor made in InferenceMode can't be written in place by a "
                             "recorded op; clone() it"));
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{6, 8}));
  EXPECT_EQ(thrown([&] { w.set_requires_grad(); }),
            invalid_argument("[set_requires_grad] the tensor was made in InferenceMode; clone() it "
                             "first"));
}

TEST_P(Modes, OnlyWritesToOtherTensorsAreCounted) {
  Tensor outside = zeros({2}, here_);
  const std::uint64_t before = outside.version();
  const InferenceMode guard;
  Tensor inside = zeros({2}, here_), part = outside.slice(0, {0, 1});
  const std::uint64_t none = inside.version();
  inside += 1;
  inside.fill_(3);
  inside.slice(0, {0, 1}).copy_(outside.slice(0, {0, 1}));
  EXPECT_EQ(inside.version(), none);
  EXPECT_EQ(inside.to_vector<float>(), (std::vector<float>{0, 3}));
  part += 1;
  outside *= 2;
  EXPECT_EQ(outside.version(), before + 2) << "backward may keep it";
}

TEST_P(Modes, AWriteInInferenceModeToASavedTensorIsNoticed) {
  const Tensor x = leaf({1, 2});
  Tensor constant = tensor({3.0f, 4.0f}, here_);
  const Tensor y = (x * constant).sum();
  {
    const InferenceMode guard;
    constant *= 2;
  }
  EXPECT_EQ(thrown([&] { y.backward(); }).text,
            "[mul] a tensor that backward needs was changed in place: it is at version 1, 0 was saved");
}

TEST_P(Modes, GradSaysWhichInputIsUnused) {
  const Tensor x = leaf({1, 2}), other = leaf({5}), y = (x * x).sum();
  const Tensor inputs[] = {x, other};
  EXPECT_EQ(thrown([&] { grad({&y, 1}, inputs, {}, {.retain_graph = true}); }),
            invalid_argument("[grad] the outputs don't depend on input 1 of shape (1,); allow_unused "
                             "gives it an undefined gradient"));
  const auto gradients = grad({&y, 1}, inputs, {}, {.allow_unused = true});
  EXPECT_EQ(gradients[0].to_vector<float>(), (std::vector<float>{2, 4}));
  EXPECT_FALSE(gradients[1].defined());
}

TEST_P(Modes, GradFreesTheGraphUnlessToldOtherwise) {
  const Tensor x = leaf({1, 2}), y = (x * x).sum();
  const std::string freed =
      "[backward] the graph behind sum has been freed; keep it with backward({}, true)";
  grad({&y, 1}, {&x, 1}, {}, {.retain_graph = true});
  grad({&y, 1}, {&x, 1}, {}, {.create_graph = true});
  grad({&y, 1}, {&x, 1});
  EXPECT_EQ(thrown([&] { grad({&y, 1}, {&x, 1}); }).text, freed);
  const Tensor z = (x * x).sum();
  const Tensor slope = grad({&z, 1}, {&x, 1}, {}, {.create_graph = true, .retain_graph = false})[0];
  EXPECT_TRUE(slope.requires_grad());
  EXPECT_EQ(thrown([&] { z.backward(); }).text, freed);
  EXPECT_EQ(thrown([&] { grad({&y, 1}, {&x, 1}, std::vector<Tensor>(2)); }),
            invalid_argument("[grad] 1 outputs and 2 gradients"));
}

TEST_P(Modes, BackwardWithAGraphGivesDifferentiableGradients) {
  const Tensor x = leaf({3});
  struct Parting {  // x and the graph of its gradient hold each other
    Tensor x;
    ~Parting() { x.set_grad({}); }
  } parting{x};
  (x * x * x).backward({}, false, true);
  EXPECT_EQ(x.grad().item<float>(), 27);
  (x * x).backward({}, false, true);
  const Tensor sum = x.grad();  // 3x² + 2x
  EXPECT_EQ(sum.item<float>(), 33);
  EXPECT_EQ(grad({&sum, 1}, {&x, 1})[0].item<float>(), 6 * 3 + 2);
}

// --- Who holds a gradient ---

TEST_P(Modes, AKeptGradientKeepsItsValues) {
  Tensor x = leaf({1, 2});
  (x * 2).sum().backward();
  const Tensor kept = x.grad();
  (x * 3).sum().backward();
  EXPECT_EQ(kept.to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{5, 5}));
  const Tensor view = x.grad().slice(0, {0, 1});
  (x * 4).sum().backward();
  EXPECT_EQ(view.to_vector<float>(), (std::vector<float>{5}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{9, 9}));
}

TEST_P(Modes, AGradientThatNobodyHoldsIsAddedToInPlace) {
  const Tensor x = leaf({1, 2});
  (x * 2).sum().backward();
  const auto* const first = x.grad().impl();
  const std::uint64_t version = x.grad().version();
  (x * 3).sum().backward();
  EXPECT_EQ(x.grad().impl(), first);
  EXPECT_EQ(x.grad().version(), version + 1);
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{5, 5}));
}

TEST_P(Modes, GradientsOfSeveralLeavesAreNotShared) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4}), z = leaf({5, 6});
  const Tensor w = x + y;
  (w + z + w).sum().backward();
  Tensor of_x = x.grad();
  of_x.fill_(9);
  EXPECT_EQ(y.grad().to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(z.grad().to_vector<float>(), (std::vector<float>{1, 1}));
}

}  // namespace
}  // namespace tenon::test
