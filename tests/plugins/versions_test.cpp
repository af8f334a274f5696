// Plugins of an older and a newer minor version under today's core: they load, train to the numbers of
// plugin reference, and what they tell of a bad index is understood.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/tenon.h>

// Offsets of the older version, held to the header of today.
#include "tests/plugins/versions/abi_0_1/tenon/plugin_layout.h"

#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/tensor/impl.h"
#include "tests/plugins/blocks.h"
#include "tests/support/new_process.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;
using Losses = std::vector<double>;

template <class Step>
Losses repeat(int steps, Step&& step) {
  Losses losses;
  for (int i = 0; i < steps; ++i) losses.push_back(step());
  return losses;
}

Losses train_linear(const Device& device) {
  random::manual_seed(5);
  const TensorOptions here{.device = device};
  const Tensor x = random::uniform({23, 5}, {-1, 1}, here);
  const Tensor y = (x * x).sum({1}, true) + 0.5;
  nn::Linear model(5, 1, {.tensor = here});
  optim::SGD optimizer(model.parameters(), {.lr = 0.1});
  return repeat(12, [&] {
    optimizer.zero_grad();
    const Tensor loss = nn::MSELoss()(model(x), y);
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  });
}

Losses train_classifier(const Device& device) {
  random::manual_seed(6);
  const TensorOptions here{.device = device};
  const Tensor x = random::uniform({31, 2}, {-1, 1}, here);
  const Tensor y = ((x * x).sum({1}, true) < 0.5).to(f32);
  auto model = nn::Sequential(nn::Linear(2, 7, {.tensor = here}), nn::ReLU(),
                              nn::Linear(7, 1, {.tensor = here}));
  optim::Adam optimizer(model.parameters(), {.lr = 3e-2});
  return repeat(12, [&] {
    optimizer.zero_grad();
    const Tensor loss = nn::BCEWithLogitsLoss()(model(x), y);
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  });
}

void expect_same_training(Losses (*train)(const Device&), const Device& there) {
  const Losses found = train(there), expected = train(device("reference"));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-6 * expected[i]) << "step " << i;
  }
  EXPECT_LT(found.back(), 0.95 * found.front());
}

class Versions : public testing::TestWithParam<const char*> {
 protected:
  static std::string name() { return GetParam(); }
  static void load() { load_plugin(TENON_TEST_VERSIONS_DIR "/tenon_plugin_" + name() + ".so"); }
};

INSTANTIATE_TEST_SUITE_P(Minor, Versions, testing::Values("abi_0_1", "abi_0_3"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(Versions, Load) {
  in_new_process({}, [] {
    load();
    const PluginReport report = plugins().front();
    EXPECT_TRUE(report.loaded) << report.reason;
    EXPECT_EQ(report.name, name());
    EXPECT_NE(device(name()).state().api().abi, TENON_ABI) << "the frozen header is no other version";
    EXPECT_EQ(device(name()).info().kind, name());
    EXPECT_EQ(device(name()).info().storage_dtypes,
              (std::vector<DType>{bool_, u32, i32, u64, i64, f32, f64}));
  });
}

TEST_P(Versions, TrainALinearModel) {
  in_new_process({}, [] {
    load();
    expect_same_training(train_linear, device(name()));
  });
}

TEST_P(Versions, TrainAClassifier) {
  in_new_process({}, [] {
    load();
    expect_same_training(train_classifier, device(name()));
  });
}

TEST_P(Versions, TellOfABadIndex) {
  in_new_process({}, [] {
    load();
    const Tensor x = tensor({1.0F, 2.0F, 3.0F, 4.0F}, {.device = device(name())});
    const Tensor index = tensor({3, 0, 70, -1}, {.dtype = i32, .device = device(name())});
    const Tensor y = empty({4}, {.dtype = f32, .device = device(name())});
    const auto operand = [](const Tensor& of, const std::int64_t* strides) {
      const runtime::Storage& storage = *of.impl()->storage;
      return TenonOperand{storage.memory.handle, static_cast<std::int64_t>(storage.offset), strides};
    };
    runtime::DeviceState& state = x.device().state();
    const GatherOp op;
    TenonKernel* kernel = nullptr;
    TenonKernelInfo info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(state.api().prepare(state.handle(), &op.op, &kernel, &info), TENON_OK);
    const std::int64_t zero = 0, dims[] = {4, 4, 1};
    const TenonOperand operands[] = {operand(y, nullptr), operand(x, &zero), operand(index, nullptr)};
    const TenonPack pack{operands, nullptr, dims};
    const TenonLaunch launch{sizeof launch, 1, &pack, 0, 0, 0, 41};
    ASSERT_EQ(state.api().launch(state.handle(), nullptr, kernel, &launch), TENON_INDEX);
    const auto fault = runtime::take_fault();
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->code, TENON_INDEX);
    EXPECT_EQ(fault->corr, 41U);
    EXPECT_EQ(fault->value, 70);
    EXPECT_EQ(fault->position, 2);
    EXPECT_EQ(fault->pack, 0U);
    EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{4, 1, 0, 0}));
    state.api().release(state.handle(), kernel);
  });
}

// What the core asks for beyond what they know, they refuse, and say what it was.
TEST_P(Versions, RefuseWhatTheyDoNotKnow) {
  in_new_process({}, [] {
    load();
    EXPECT_THAT(thrown([] { ones({2}, {.dtype = u16, .device = device(name())}); }).text,
                HasSubstr(name() + " does not store u16"));
    runtime::DeviceState& state = device(name()).state();
    ScaleOp op;
    op.op.kind = 77;
    TenonKernel* kernel = nullptr;
    TenonKernelInfo info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(state.api().prepare(state.handle(), &op.op, &kernel, &info), TENON_UNSUPPORTED);
    EXPECT_EQ(runtime::take_note(), "kind 77 is not known here");
  });
}

}  // namespace
}  // namespace tenon::test
