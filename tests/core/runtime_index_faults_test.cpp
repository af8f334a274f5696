// Indices out of range on every device: the same error, at once or late, from one thread or many.
#include <array>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"
#include "tests/support/devices.h"
#include "tests/support/error_log.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kRows = 65;

/// table[rows] of a table (n) by one GATHER that is called `op`.
Tensor gather(std::string_view op, const Tensor& table, const Tensor& rows) {
  const Tensor y = empty(rows.shape(), {.device = table.device()});
  const runtime::OperandDesc operands[] = {
      {.dtype = f32}, {.dtype = f32, .layout = TENON_LAYOUT_STRIDED}, {.dtype = i32}};
  const TenonIndexAttrs attrs{sizeof attrs, 1, 0, 0};
  runtime::DeviceState& device = table.device().state();
  const auto kernel = device.kernels().require(
      op,
      {.kind = TENON_KIND_GATHER, .operands = operands, .attrs = std::as_bytes(std::span(&attrs, 1))});
  const std::int64_t strides[] = {0}, dims[] = {rows.numel(), table.numel(), 1};
  TenonOperand arguments[] = {ops::argument(y), ops::argument(table), ops::argument(rows)};
  arguments[1].strides = strides;
  const TenonPack pack{arguments, nullptr, dims};
  const runtime::Access accesses[] = {{y.impl()->storage.get(), true},
                                      {table.impl()->storage.get(), false},
                                      {rows.impl()->storage.get(), false}};
  runtime::launch(op, device, *kernel, {&pack, 1}, accesses);
  return y;
}

std::string out_of_range(const std::string& op, std::int64_t index, int position, Device on) {
  return "[" + op + "] index " + std::to_string(index) + " is out of range for 65 rows (at position " +
         std::to_string(position) + ", on " + on.name() + ")";
}

class IndexFaults : public testing::TestWithParam<std::string> {
 protected:
  Tensor indices(const std::vector<std::int32_t>& values) const {
    return from_values<std::int32_t>(values, {static_cast<std::int64_t>(values.size())}, here);
  }
  const Device on = device(GetParam());
  const TensorOptions here{.device = on};
  const Tensor table = full({kRows}, 3, {.dtype = f32, .device = on});
};
INSTANTIATE_TEST_SUITE_P(Devices, IndexFaults, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(IndexFaults);

/// Where faults are told after the launch.
std::vector<std::string> asynchronous_devices() {
  std::vector<std::string> names = test_devices();
  std::erase_if(names, [](const std::string& name) { return device(name).info().synchronous; });
  return names;
}
class LateIndexFaults : public IndexFaults {};
INSTANTIATE_TEST_SUITE_P(Devices, LateIndexFaults, testing::ValuesIn(asynchronous_devices()),
                         device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LateIndexFaults);

TEST_P(IndexFaults, NameTheOpAndTheValues) {
  for (const std::int32_t bad : {70, 65, -1, INT32_MAX, INT32_MIN}) {
    const Tensor rows = indices({0, 64, 1, bad, 2});
    Tensor y;
    EXPECT_EQ(thrown([&] {
                y = gather("embedding", table, rows);
                (y + 1).to_vector<float>();
              }),
              invalid_argument(out_of_range("embedding", bad, 3, on)));
    if (!y.defined()) continue;  // told before there was a result
    EXPECT_THAT(y.to_vector<float>(), ElementsAre(3, 3, 3, 0, 3));
  }
}

TEST_P(IndexFaults, AreClearedByTheTelling) {
  EXPECT_EQ(thrown([&] {
              gather("embedding", table, indices({70}));
              on.synchronize();
            }),
            invalid_argument(out_of_range("embedding", 70, 0, on)));
  EXPECT_THAT(gather("embedding", table, indices({64, 0})).to_vector<float>(), ElementsAre(3, 3));
  EXPECT_THAT((ones({2}, here) + 1).to_vector<float>(), ElementsAre(2, 2));
  on.synchronize();
}

constexpr std::array<const char*, 8> kOps = {"take_0", "take_1", "take_2", "take_3",
                                             "take_4", "take_5", "take_6", "take_7"};

// Threads with faults and threads without, side by side: each hears of its own, by its own name.
TEST_P(IndexFaults, StayWithTheirThread) {
  std::array<std::string, kOps.size()> told;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kOps.size(); ++t) {
    threads.emplace_back([&, t] {
      const int n = static_cast<int>(t);
      for (int round = 0; round < 20; ++round) {
        const bool bad = t % 2 == 1 && round == 7;
        const Thrown heard = thrown([&] {
          Tensor x = gather(kOps[t], table, indices({n, bad ? 100 + n : 0}));
          x = x * 2;
          EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{6, 6})) << kOps[t];
        });
        if (heard.text != "nothing was thrown") told[t] += heard.text;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < kOps.size(); ++t) {
    const auto n = static_cast<std::int64_t>(t);
    EXPECT_EQ(told[t], t % 2 == 1 ? out_of_range(kOps[t], 100 + n, 1, on) : "");
  }
}

TEST_P(LateIndexFaults, OfAThreadThatEndedReachWhoSynchronizes) {
  const Tensor rows = indices({70});
  std::thread([&] { gather("embedding", table, rows); }).join();
  gather("index_select", table, indices({0}));
  EXPECT_EQ(thrown([&] { on.synchronize(); }), invalid_argument(out_of_range("embedding", 70, 0, on)));
  on.synchronize();
}

TEST_P(LateIndexFaults, OfAnotherThreadReachWhoReadsItsResult) {
  const Tensor rows = indices({1, 70});
  Tensor y;
  std::thread([&] { y = gather("embedding", table, rows) * 2; }).join();
  const auto own = gather("index_select", table, indices({0}));
  EXPECT_EQ(thrown([&] { y.to_vector<float>(); }),
            invalid_argument(out_of_range("embedding", 70, 1, on)));
  EXPECT_THAT(y.to_vector<float>(), ElementsAre(6, 0));
}

TEST_P(LateIndexFaults, NobodyWaitedForGoToTheLogAtTheEnd) {
  in_new_process({}, [&] {
    gather("embedding", table, indices({70}));
    ErrorLog log;
    shutdown();
    EXPECT_THAT(log.take(), ElementsAre(out_of_range("embedding", 70, 0, on)));
  });
}

TEST_P(IndexFaults, AreToldAtOnceWhereLaunchesAreSynchronous) {
  in_new_process({"TENON_SYNC=1"}, [&] {
    const Tensor rows = indices({70});
    EXPECT_EQ(thrown([&] { gather("embedding", table, rows); }),
              invalid_argument(out_of_range("embedding", 70, 0, on)));
    on.synchronize();
  });
}

}  // namespace
}  // namespace tenon::test
