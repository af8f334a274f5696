// Long graphs and many threads.
#include <pthread.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/rounds.h"
#include "tests/support/threads.h"

namespace tenon::test {
namespace {

/// Runs f on a thread whose stack holds no recursion over thousands of nodes.
void on_a_small_stack(std::function<void()> f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 512 << 10), 0);
  pthread_t thread{};
  const auto run = [](void* call) -> void* {
    (*static_cast<std::function<void()>*>(call))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &f), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(GraphDepth, AChainOfOpsGoesBackwardAndDies) {
  on_a_small_stack([] {
    const int steps = full_run() ? 500'000 : 50'000;  // of two ops
    const Tensor x = ones({1}, {.dtype = f64, .device = device("reference"), .requires_grad = true});
    for (const bool backward : {true, false}) {
      Tensor y = x;
      for (int i = 0; i < steps; ++i) y = y * x + x;  // y is i + 2, dy/dx grows by that
      if (backward) y.backward();
    }
    EXPECT_EQ(x.grad().item<double>(), 1 + 2.0 * steps + (steps - 1.0) * steps / 2);
  });
}

TEST(GraphDepth, AChainOfWritesToViewsGoesBackwardAndDies) {
  on_a_small_stack([] {
    const int steps = full_run() ? 50'000 : 2'000;
    const Tensor x = ones({1}, {.device = device("reference"), .requires_grad = true});
    Tensor h = zeros({2}, {.device = device("reference")});
    for (int i = 0; i < steps; ++i) h.slice(0, {i % 2, i % 2 + 1}) += x;
    h.sum().backward();
    EXPECT_EQ(x.grad().item<float>(), static_cast<float>(steps));
  });
}

class GraphThreads : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, GraphThreads, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(GraphThreads, SixtyFourEachWithItsOwnGraph) {
  std::vector<float> found(64);
  on_threads(64, [&](int i) {
    const Tensor x = leaf({1, 2});
    for (int round = 0; round < 3; ++round) {
      Tensor y = x * (i + 1.0);
      y.slice(0, {0, 1}) += x.slice(0, {1, 2});
      (y * y).sum().backward();
    }
    found[static_cast<std::size_t>(i)] = x.grad().to_vector<float>()[0];
  });
  for (int i = 0; i < 64; ++i) {
    const float k = static_cast<float>(i) + 1;  // y = (k + 2, 2k)
    EXPECT_EQ(found[static_cast<std::size_t>(i)], 3 * 2 * (k + 2) * k) << i;
  }
}

TEST_P(GraphThreads, OneGraphUsedFromSeveral) {
  for (int round = 0; round < 5; ++round) {
    Tensor x = leaf({1, 2});
    Tensor h = x * x;
    const Tensor part = h.slice(0, {0, 1});
    h += 1;  // part is behind: whoever uses it first brings it up
    const Tensor y = autograd::checkpoint([](const Tensor& in) { return exp(in * 0.0) * in; }, h);
    std::atomic<int> seen = 0;
    x.register_hook([&](const Tensor&) { ++seen; });
    h.register_hook([](const Tensor& g) { return g * 2; });
    on_threads(4, [&](int i) { ((y.sum() + part.sum()) * (i + 1.0)).backward({}, true); });
    device_.synchronize();  // a reader waits for the last writer's stream alone
    // dh = weight · (1 + [first]), doubled; dx = 2x · dh
    EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{10 * 2 * 2 * 2, 10 * 2 * 4}));
    EXPECT_EQ(seen, 4);
    Tensor(x).set_grad({});
    on_threads(4, [&](int i) {
      (y * (i + 1.0)).sum().backward({}, true);
      const Tensor sum = part.sum();
      autograd::grad({&sum, 1}, {&h, 1}, {}, {.retain_graph = true});
    });
    device_.synchronize();
    EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{10 * 2 * 2, 10 * 2 * 4}));
  }
}

}  // namespace
}  // namespace tenon::test
