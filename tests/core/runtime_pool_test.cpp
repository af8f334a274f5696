// The pool and the kernel cache as tensors meet them, by their figures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::Each;
using testing::StartsWith;

/// CTest runs this folder with blocks that are allocations of their own.
const std::vector<std::string> kPooled = {"TENON_POOL="};

class Pool : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.device = on()}; }
  MemoryStats memory() const { return memory_stats(on()); }
};

TEST_P(Pool, CountsWhatIsLiveAndKeepsWhatIsNot) {
  in_new_process(kPooled, [this] {
    EXPECT_EQ(memory().live, 0);
    EXPECT_EQ(memory().reserved, 0);
    Tensor x = empty({100}, here());
    const MemoryStats one = memory();
    EXPECT_GE(one.live, 400);
    EXPECT_LT(one.live, 400 + 256);
    EXPECT_EQ(one.allocations, 1);

    const Tensor view = x.slice(0, {.stop = 10}), copy = x;
    x = Tensor();
    EXPECT_EQ(memory().live, one.live) << "views and copies share the storage";
    const Tensor y = empty({50}, here());
    EXPECT_EQ(memory().allocations, 1) << "both fit in the plugin's first";
    EXPECT_EQ(memory().peak, memory().live);
    EXPECT_EQ(memory().reserved, one.reserved);
  });
}

TEST_P(Pool, HandsOutAgainWhatCameBack) {
  in_new_process(kPooled, [this] {
    const auto add = [this] {
      const Tensor x = ones({100}, here()), y = ones({100}, here());
      EXPECT_THAT((x + y).to_vector<float>(), Each(2));
    };
    add();
    const MemoryStats first = memory();
    for (int i = 0; i < 5; ++i) add();
    const MemoryStats after = memory();
    EXPECT_EQ(after.live, 0);
    EXPECT_EQ(after.allocations, first.allocations);
    EXPECT_EQ(after.reserved, first.reserved);
    EXPECT_EQ(after.peak, first.peak);
  });
}

TEST_P(Pool, EmptyCacheGivesBackWhatIsNotLive) {
  in_new_process(kPooled, [this] {
    const std::int64_t big = 1 << 20;  // elements: has an allocation of its own
    const Tensor live = ones({10}, here());
    const MemoryStats before = memory();
    ones({big}, here());
    EXPECT_GE(memory().reserved, before.reserved + 4 * big);
    empty_cache(on());
    const MemoryStats after = memory();
    EXPECT_EQ(after.reserved, before.reserved);
    EXPECT_EQ(after.live, before.live);
    EXPECT_GE(after.peak, 4 * big);
    EXPECT_THAT(live.to_vector<float>(), Each(1));
    ones({big}, here());
    EXPECT_GT(memory().allocations, after.allocations);
  });
}

// A warm step takes all its blocks from where the last one left them.
TEST_P(Pool, AWarmTrainingStepAsksThePluginForNothing) {
  in_new_process(kPooled, [this] {
    const nn::Sequential model(nn::Linear(5, 4, {.tensor = here()}), nn::ReLU(),
                               nn::Linear(4, 1, {.tensor = here()}));
    optim::Adam adam(model.parameters());
    const std::vector<float> rows(8 * 5, 0.5F);
    const auto step = [&] {
      adam.zero_grad();
      const Tensor x = from_values<float>(rows, {8, 5}, here());
      const Tensor loss = nn::MSELoss()(model(x), ones({8, 1}, here()));
      loss.backward();
      adam.step();
      return loss.item<float>();
    };
    for (int warm = 0; warm < 2; ++warm) step();
    const DeviceStats before = on().stats();
    const MemoryStats filled = memory();
    for (int i = 0; i < 5; ++i) step();
    const DeviceStats after = on().stats();
    EXPECT_EQ(memory().allocations, filled.allocations);
    EXPECT_EQ(memory().reserved, filled.reserved);
    EXPECT_EQ(memory().live, filled.live);
    EXPECT_EQ(after.kernels, before.kernels);
    EXPECT_GT(after.launches, before.launches);
    EXPECT_EQ(after.fallbacks, 0);
  });
}

TEST_P(Pool, ATensorLargerThanMemoryIsRefusedAndTheProcessGoesOn) {
  const Tensor x = ones({3}, here());
  const std::int64_t huge = std::int64_t{1} << 50;
  const Thrown refusal = thrown([&] { empty({huge}, here()); });
  EXPECT_EQ(refusal.kind, ErrorKind::OutOfMemory);
  EXPECT_THAT(refusal.text, StartsWith("[" + GetParam() + "] out of memory: 4 PiB asked for; "));
  EXPECT_EQ(thrown([&] { empty({huge, 1 << 12}, here()); }),
            (Thrown{ErrorKind::OutOfMemory,
                    "[" + GetParam() +
                        "] out of memory: (1125899906842624, 4096) of f32 has more bytes than 64 bits "
                        "can count"}));
  EXPECT_EQ(thrown([&] { empty({huge, huge}, here()); }).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { x.expand({huge / 4, 3}) + 1; }).kind, ErrorKind::OutOfMemory);
  EXPECT_THAT((x + 1).to_vector<float>(), Each(2));
}

TEST_P(Pool, KernelsArePreparedOnce) {
  in_new_process(kPooled, [this] {
    const Tensor x = ones({4}, here()), long_one = ones({1000}, here());
    const auto kernels = [this] { return on().stats().kernels; };
    x * 2;
    std::int64_t before = kernels();
    EXPECT_THAT((x * 2).to_vector<float>(), Each(2));
    EXPECT_THAT((x * 3).to_vector<float>(), Each(3)) << "another scalar";
    EXPECT_THAT((long_one * 2).to_vector<float>(), Each(2)) << "another shape";
    EXPECT_EQ(kernels(), before);
    x.to(f64) * 2;
    EXPECT_GT(kernels(), before) << "another dtype";
    before = kernels();
    x + 2;
    EXPECT_EQ(kernels(), before + 1) << "another program";
  });
}

INSTANTIATE_TEST_SUITE_P(Devices, Pool, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Pool);

}  // namespace
}  // namespace tenon::test
