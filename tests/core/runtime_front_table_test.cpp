// Kernels by the way that most calls find them: whatever collides or is dropped, a thread gets the
// kernel that it asked for.
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/program.h>

#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/front_table.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"
#include "tests/support/devices.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using runtime::FrontTable;
using runtime::Kernel;

/// A pointer that can be told from others, to nothing.
std::shared_ptr<const Kernel> mark(std::uintptr_t number) {
  return {std::shared_ptr<const Kernel>(), reinterpret_cast<const Kernel*>(number)};
}

TEST(FrontTable, WhatSharesAPlaceIsNotTakenForAnother) {
  FrontTable<3, 1> table;
  const std::array<std::uint64_t, 3> a{1, 2, 3}, b{1, 2, 4};
  const std::span<const std::uint64_t> part(a.data(), 2);
  EXPECT_EQ(table.find(a), nullptr);
  table.put(a, mark(1));
  ASSERT_NE(table.find(a), nullptr);
  EXPECT_EQ(table.find(a)->get(), mark(1).get());
  EXPECT_EQ(table.find(b), nullptr);
  EXPECT_EQ(table.find(part), nullptr);
  table.put(b, mark(2));
  EXPECT_EQ(table.find(a), nullptr);
  EXPECT_EQ(table.find(b)->get(), mark(2).get());
}

TEST(FrontTable, AKeyThatIsTooLongIsNotKept) {
  FrontTable<2, 4> table;
  const std::array<std::uint64_t, 3> key{1, 2, 3};
  table.put(key, mark(1));
  EXPECT_EQ(table.find(key), nullptr);
}

/// x + number, of f64.
program::Program adding(int number) {
  program::Builder b;
  b.output(b.input(f64) + b.constant(f64, number));
  return b.build();
}

std::shared_ptr<const Kernel> find(runtime::KernelCache& cache, const program::Program& program) {
  const std::array<runtime::OperandDesc, 2> operands{{{.dtype = f64}, {.dtype = f64}}};
  const runtime::AttachmentDesc body{TENON_SLOT_BODY, 1, &program};
  return cache.find({.kind = TENON_KIND_ELEMENTWISE, .operands = operands, .attachments = {&body, 1}});
}

double run(Device device, const Kernel& kernel, const Tensor& x, const Tensor& y) {
  const TenonOperand operands[] = {ops::argument(y), ops::argument(x)};
  const std::int64_t one = 1;
  const TenonPack pack{operands, nullptr, &one};
  const runtime::Access accesses[] = {{y.impl()->storage.get(), true},
                                      {x.impl()->storage.get(), false}};
  runtime::launch("test", device.state(), kernel, {&pack, 1}, accesses);
  return y.item<double>();
}

class KernelCaches : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, KernelCaches, testing::ValuesIn(test_devices()), device_test_name);

/// Many more kernels than a thread's table has places or the cache keeps.
TEST_P(KernelCaches, EightThreadsGetWhatTheyAskForThoughItIsDropped) {
  const Device on = device(GetParam());
  if (on.info().compute_dtypes.size() < 13) GTEST_SKIP() << "computes no f64";
  runtime::KernelCache cache(on.state(), 16);
  std::vector<program::Program> programs;
  for (int i = 0; i < 300; ++i) programs.push_back(adding(i));
  const Tensor x = full({1}, 0.5, {.dtype = f64, .device = on});
  std::vector<std::string> wrong(8);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      const Tensor y = empty({1}, {.dtype = f64, .device = on});
      for (std::uint64_t round = 0; round < rounds(400) && wrong[t].empty(); ++round) {
        const std::size_t i = random() % (round % 2 == 0 ? 8 : programs.size());
        const auto kernel = find(cache, programs[i]);
        const double found = run(on, *kernel, x, y);
        if (found != static_cast<double>(i) + 0.5) wrong[t] = std::to_string(found);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : wrong) EXPECT_EQ(each, "");
  cache.clear();
}

}  // namespace
}  // namespace tenon::test
