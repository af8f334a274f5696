// The pool and the kernel cache, by their counters; and what happens when memory runs out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

class Pool : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.device = on()}; }
};

TEST_P(Pool, CountsWhatIsLiveAndKeepsWhatIsNot) {
  in_new_process({}, [this] {
    const DeviceStats before = on().stats();
    EXPECT_EQ(before.live, 0);
    EXPECT_EQ(before.reserved, 0);
    Tensor x = empty({100}, here());
    const DeviceStats one = on().stats();
    EXPECT_GE(one.live, 400);
    EXPECT_LT(one.live, 400 + 256);
    EXPECT_EQ(one.reserved, one.live);
    EXPECT_EQ(one.allocations, 1);

    const Tensor view = x.slice(0, {.stop = 10}), copy = x;
    x = Tensor();
    EXPECT_EQ(on().stats().live, one.live) << "views and copies share the storage";
    const Tensor y = empty({50}, here());
    EXPECT_EQ(on().stats().allocations, 2);
    EXPECT_EQ(on().stats().peak, on().stats().live);
  });
}

TEST_P(Pool, HandsOutAgainWhatCameBack) {
  in_new_process({}, [this] {
    const auto add = [this] {
      const Tensor x = ones({100}, here()), y = ones({100}, here());
      EXPECT_THAT((x + y).to_vector<float>(), Each(2));
    };
    add();
    const DeviceStats first = on().stats();
    for (int i = 0; i < 5; ++i) add();
    const DeviceStats after = on().stats();
    EXPECT_EQ(after.live, 0);
    EXPECT_EQ(after.allocations, first.allocations);
    EXPECT_EQ(after.reserved, first.reserved);
    EXPECT_EQ(after.peak, first.peak);
  });
}

TEST_P(Pool, EmptyCacheGivesBackWhatIsNotLive) {
  in_new_process({}, [this] {
    const Tensor live = ones({10}, here());
    ones({1000}, here());
    EXPECT_GT(on().stats().reserved, on().stats().live);
    on().empty_cache();
    const DeviceStats after = on().stats();
    EXPECT_EQ(after.reserved, after.live);
    EXPECT_GT(after.peak, after.live);
    EXPECT_THAT(live.to_vector<float>(), Each(1));
    ones({1000}, here());
    EXPECT_GT(on().stats().allocations, after.allocations);
  });
}

TEST_P(Pool, AWarmTrainingStepAsksThePluginForNothing) {
  in_new_process({}, [this] {
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
    for (int i = 0; i < 5; ++i) step();
    const DeviceStats after = on().stats();
    EXPECT_EQ(after.allocations, before.allocations);
    EXPECT_EQ(after.reserved, before.reserved);
    EXPECT_EQ(after.live, before.live);
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
  EXPECT_THAT(refusal.text,
              StartsWith("[" + GetParam() + "] out of memory: 4503599627370496 bytes asked for, "));
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
  in_new_process({}, [this] {
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

// --- A device whose memory ends when a test says so ---

constexpr auto on_faulty = [] { return TensorOptions{.device = device("faulty:0")}; };
constexpr auto stats = [] { return device("faulty:0").stats(); };

TEST(OutOfMemory, TrimsAndAsksOnceMore) {
  in_new_process({}, [] {
    const Tensor live = ones({10}, on_faulty());
    ones({1000}, on_faulty());  // stays in the pool
    set_option("faulty.oom_at", std::to_string(stats().allocations + 1));
    const Tensor x = ones({2000}, on_faulty());
    EXPECT_LT(stats().reserved, stats().live + 4000) << "nothing was given back";
    EXPECT_THAT(x.to_vector<float>(), Each(1));
    EXPECT_THAT(live.to_vector<float>(), Each(1));
  });
}

TEST(OutOfMemory, AfterASecondRefusalIsAnErrorThatChangesNothing) {
  in_new_process({}, [] {
    const Tensor x = ones({10}, on_faulty());
    const std::int64_t allocations = stats().allocations, live = stats().live;
    set_option("faulty.oom_every", "1");
    EXPECT_EQ(thrown([&] { empty({2000}, on_faulty()); }),
              (Thrown{ErrorKind::OutOfMemory,
                      "[faulty:0] out of memory: 8000 bytes asked for, " + std::to_string(live) +
                          " in use: [faulty] allocation " + std::to_string(allocations + 2) +
                          " fails: option oom_every is 1"}));
    EXPECT_EQ(thrown([&] { x + 1; }).kind, ErrorKind::OutOfMemory);
    EXPECT_EQ(stats().allocations, allocations);
    EXPECT_EQ(stats().live, live);
    set_option("faulty.oom_every", "0");
    EXPECT_THAT((x + 1).to_vector<float>(), Each(2));
  });
}

TEST(OutOfMemory, AStepThatFailedCanBeTriedAgain) {
  in_new_process({}, [] {
    const nn::Linear fc(3, 1, {.tensor = on_faulty()});
    const auto backward = [&] { fc(ones({4, 3}, on_faulty())).sum().backward(); };
    const std::vector<float> before = fc.weight.to_vector<float>();
    set_option("faulty.oom_every", "1");
    EXPECT_EQ(thrown(backward).kind, ErrorKind::OutOfMemory);
    set_option("faulty.oom_every", "0");
    fc.zero_grad();
    backward();
    EXPECT_THAT(fc.weight.grad().to_vector<float>(), Each(4));
    EXPECT_EQ(fc.weight.to_vector<float>(), before);
  });
}

TEST(OutOfMemory, OfALimitedDevice) {
  in_new_process({"TENON_FAULTY_MEMORY_BYTES=100000"}, [] {
    EXPECT_EQ(device("faulty:0").info().memory, 100000U);
    EXPECT_EQ(thrown([] { empty({30000}, on_faulty()); }),
              (Thrown{ErrorKind::OutOfMemory,
                      "[faulty:0] out of memory: 120000 bytes asked for, 0 in use: [faulty] 120000 "
                      "bytes asked for, 100000 of 100000 are free on faulty:0"}));
    std::vector<Tensor> all;
    const Thrown full = thrown([&] {
      for (;;) all.push_back(ones({100}, on_faulty()));
    });
    EXPECT_EQ(full.kind, ErrorKind::OutOfMemory);
    EXPECT_GT(all.size(), 200U);
    EXPECT_THAT(all.back().to_vector<float>(), Each(1));
    all.clear();
    // All of it is in blocks of 400 bytes, which the pool must give back first.
    EXPECT_THAT(ones({24000}, on_faulty()).to_vector<float>(), Each(1));
  });
}

}  // namespace
}  // namespace tenon::test
