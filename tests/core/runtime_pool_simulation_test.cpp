// The pool over many steps of training that is only allocation: where blocks lie, what the figures say,
// and how much more than needed is asked of the plugin.
//
// The device is a table of functions here: its addresses are real ones of nobody's memory.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/memory.h>

#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using runtime::DeviceState;
using runtime::StorageRef;

/// What the plugin has given, by address: to the end of each allocation.
std::map<std::uint64_t, std::uint64_t> allocations;
std::uint64_t reserved = 0, most_reserved = 0;

std::int32_t give(TenonDevice*, std::uint32_t, std::uint64_t bytes, TenonMem* memory) {
  static std::uint64_t next = std::uint64_t{1} << 32;
  memory->handle = memory->device_addr = next;
  memory->bytes = bytes;
  memory->host_ptr = reinterpret_cast<void*>(next);
  allocations[next] = next + bytes;
  next += (bytes + 4095) / 4096 * 4096 + 4096;
  reserved += bytes;
  most_reserved = std::max(most_reserved, reserved);
  return TENON_OK;
}

void take(TenonDevice*, std::uint64_t handle) {
  const auto found = allocations.find(handle);
  ASSERT_NE(found, allocations.end()) << "what is given back is an allocation, and alive";
  reserved -= found->second - found->first;
  allocations.erase(found);
}

/// Lives as long as the process, like every device.
DeviceState& simulated() {
  static DeviceState& leaked = [&]() -> DeviceState& {
    auto& table = *new TenonPlugin{};
    table.name = table.version = table.build = "simulated";
    table.device_open = [](std::uint32_t, TenonDevice** device) {
      static char something;
      *device = reinterpret_cast<TenonDevice*>(&something);
      return std::int32_t{TENON_OK};
    };
    table.mem_alloc = give;
    table.mem_free = take;
    TenonDeviceInfo info{};
    info.kind = info.name = info.uid = info.driver = "simulated";
    info.mem_alignment = 256;
    return *new DeviceState(table, 0, "simulated", info);
  }();
  return leaked;
}

class Simulation : public testing::Test {
 protected:
  // CTest runs this folder with blocks that are allocations of their own, and each test in a process.
  static void SetUpTestSuite() { unsetenv("TENON_POOL"); }

  struct Held {
    StorageRef storage;
    std::uint64_t asked = 0;
  };

  Held hold(std::uint64_t bytes) {
    Held held{simulated().pool().allocate(bytes), bytes};
    const TenonMem& memory = held.storage->memory;
    const auto first = reinterpret_cast<std::uint64_t>(memory.host_ptr);
    const std::uint64_t end = first + memory.bytes;
    EXPECT_GE(memory.bytes, bytes);
    EXPECT_EQ(first % 256, 0U);
    EXPECT_EQ(memory.device_addr, first);
    EXPECT_EQ(memory.handle + held.storage->offset, first);
    const auto home = allocations.find(memory.handle);
    EXPECT_TRUE(home != allocations.end() && end <= home->second) << "outside its allocation";
    const auto above = blocks_.lower_bound(first);
    EXPECT_TRUE(above == blocks_.end() || end <= above->first) << "overlaps the next block";
    EXPECT_TRUE(above == blocks_.begin() || std::prev(above)->second <= first) << "overlaps the last";
    blocks_[first] = end;
    live_ += memory.bytes;
    most_live_ = std::max(most_live_, live_);
    asked_ += bytes;
    most_asked_ = std::max(most_asked_, asked_);
    return held;
  }

  void drop(Held& held) {
    const TenonMem& memory = held.storage->memory;
    live_ -= memory.bytes;
    asked_ -= held.asked;
    blocks_.erase(reinterpret_cast<std::uint64_t>(memory.host_ptr));
    held.storage = {};
  }

  void expect_that_figures_add_up() {
    const MemoryStats stats = simulated().pool().stats();
    EXPECT_EQ(static_cast<std::uint64_t>(stats.live), live_);
    EXPECT_EQ(static_cast<std::uint64_t>(stats.peak), most_live_);
    EXPECT_EQ(static_cast<std::uint64_t>(stats.reserved), reserved);
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  /// Between low and high, as often small as large.
  std::uint64_t any_size(double low, double high) {
    std::uniform_real_distribution<double> exponent(std::log2(low), std::log2(high));
    return static_cast<std::uint64_t>(std::exp2(exponent(random_)));
  }

  /// Forward and backward: activations are kept until their gradient has gone by.
  void step(const std::vector<std::uint64_t>& widths, std::uint64_t batch,
            const std::vector<Held>& parameters) {
    std::vector<Held> activations, gradients;
    for (const std::uint64_t width : widths) {
      Held temporary = hold(any_size(4, 4096));
      activations.push_back(hold(batch * width));
      if (below(3) == 0) activations.push_back(hold(batch * width));
      drop(temporary);
    }
    Held dy = hold(4);
    while (!activations.empty()) {
      Held dx = hold(activations.back().asked);
      drop(dy);
      dy = std::move(dx);
      drop(activations.back());
      activations.pop_back();
    }
    drop(dy);
    for (const Held& parameter : parameters) gradients.push_back(hold(parameter.asked));
    std::shuffle(gradients.begin(), gradients.end(), random_);
    for (Held& gradient : gradients) drop(gradient);
  }

  /// Prints how much more is reserved than the most that was asked for.
  double overhead(const char* what) {
    const double ratio = static_cast<double>(most_reserved) / static_cast<double>(most_asked_);
    std::printf("%s: %.0f MiB asked for at the most, %.0f MiB reserved: %.3f\n", what,
                static_cast<double>(most_asked_) / (1 << 20),
                static_cast<double>(most_reserved) / (1 << 20), ratio);
    RecordProperty("reserved_over_asked_percent", static_cast<int>(ratio * 100));
    return ratio;
  }

  void TearDown() override {
    EXPECT_TRUE(blocks_.empty());
    simulated().pool().trim();
    EXPECT_EQ(reserved, 0U) << "all that is free goes back";
    EXPECT_TRUE(allocations.empty());
    simulated().pool().reset_peak();
    most_reserved = 0;
  }

  std::mt19937_64 random_{7};
  std::map<std::uint64_t, std::uint64_t> blocks_;
  std::uint64_t live_ = 0, most_live_ = 0, asked_ = 0, most_asked_ = 0;
};

/// A network of these layers, trained with batches that differ, and looked at with large ones.
TEST_F(Simulation, OfTraining) {
  std::vector<std::uint64_t> widths;
  std::vector<Held> parameters;
  for (int i = 0; i < 24; ++i) {
    widths.push_back(4 * any_size(64, 16384));
    parameters.push_back(hold(4 * any_size(64, 1 << 20)));
  }
  std::vector<Held> state;
  for (std::size_t i = 0; i < 2 * parameters.size(); ++i)
    state.push_back(hold(parameters[i / 2].asked));
  for (std::uint64_t i = 0; i < rounds(1500); ++i) {
    const std::uint64_t batch = i % 10 == 9 ? 1 + below(64) : 64;
    step(widths, i % 250 == 249 ? 300 : batch, parameters);
    if (i % 20 == 0) {
      Held& replaced = parameters[below(parameters.size())];
      const std::uint64_t bytes = replaced.asked;
      drop(replaced);
      replaced = hold(bytes);
    }
    if (i % 50 == 0) expect_that_figures_add_up();
  }
  EXPECT_LT(overhead("training"), 1.2);
  for (Held& held : parameters) drop(held);
  for (Held& held : state) drop(held);
}

/// Sequences of every length: no two steps have the same sizes.
TEST_F(Simulation, OfSizesThatNeverRepeat) {
  std::vector<std::uint64_t> widths(12);
  std::vector<Held> parameters;
  for (int i = 0; i < 30; ++i) parameters.push_back(hold(any_size(100, 4 << 20)));
  for (std::uint64_t i = 0; i < rounds(1500); ++i) {
    const std::uint64_t length = 1 + below(1024);
    for (std::uint64_t& width : widths) width = length * (1 + below(7));
    step(widths, 1 + below(512), parameters);
    if (i % 50 == 0) expect_that_figures_add_up();
  }
  EXPECT_LT(overhead("odd sizes"), 1.25);
  for (Held& held : parameters) drop(held);
}

/// No pattern at all: any size, any order, lifetimes from short to long.
TEST_F(Simulation, OfChance) {
  std::vector<Held> held;
  for (std::uint64_t i = 0; i < rounds(60000); ++i) {
    const bool grow = held.size() < 200 + 150 * (i / 5000 % 3);
    if (held.empty() || below(2) < (grow ? 2U : 1U)) {
      held.push_back(hold(below(200) == 0 ? any_size(1 << 20, 64 << 20) : any_size(1, 4 << 20)));
    }
    while (below(2) == 0 && held.size() > 150) {
      std::swap(held[below(held.size())], held.back());
      drop(held.back());
      held.pop_back();
    }
    if (i % 500 == 0) expect_that_figures_add_up();
  }
  EXPECT_LT(overhead("chance"), 1.5);
  for (Held& each : held) drop(each);
}

}  // namespace
}  // namespace tenon::test
