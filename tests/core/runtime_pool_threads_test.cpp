// One pool and many threads: what one allocates another frees, while a third empties the cache.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/ops.h>

#include "core/tensor/impl.h"
#include "tests/support/devices.h"
#include "tests/support/new_process.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using testing::Each;

/// CTest runs this folder with blocks that are allocations of their own.
const std::vector<std::string> kPooled = {"TENON_POOL="};

constexpr int kThreads = 8;
constexpr std::int64_t kMiB = 1 << 20;

class PoolThreads : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.dtype = f32, .device = on()}; }
  MemoryStats stats() const { return memory_stats(on()); }

  template <class F>
  static void on_each(F&& f) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) threads.emplace_back([&f, t] { f(t); });
    for (std::thread& thread : threads) thread.join();
  }
};

/// Where threads leave tensors for each other; no two that are there share memory.
class Market {
 public:
  void put(Tensor x) {
    const std::lock_guard lock(mutex_);
    stalls_.push_back(std::move(x));
  }
  /// An undefined tensor where there is none.
  Tensor take(std::uint64_t which) {
    const std::lock_guard lock(mutex_);
    if (stalls_.empty()) return {};
    std::swap(stalls_[which % stalls_.size()], stalls_.back());
    Tensor x = std::move(stalls_.back());
    stalls_.pop_back();
    return x;
  }
  std::deque<Tensor> all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(stalls_, {});
  }

 private:
  std::mutex mutex_;
  std::deque<Tensor> stalls_;
};

void expect_apart(const std::deque<Tensor>& tensors) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> ends;
  for (const Tensor& x : tensors) {
    const runtime::Storage& storage = *x.impl()->storage;
    ends[{storage.memory.handle, storage.offset}] = storage.offset + storage.memory.bytes;
  }
  EXPECT_EQ(ends.size(), tensors.size());
  for (auto it = ends.begin(); it != ends.end() && std::next(it) != ends.end(); ++it) {
    const auto& [place, end] = *it;
    if (std::next(it)->first.first != place.first) continue;
    EXPECT_LE(end, std::next(it)->first.second);
  }
}

TEST_P(PoolThreads, FreeWhatOthersMadeWhileOneTrims) {
  in_new_process(kPooled, [this] {
    Market market;
    std::atomic<bool> over{false};
    std::thread trimmer([&] {
      while (!over) {
        empty_cache(on());
        const MemoryStats now = stats();
        EXPECT_GE(now.peak, now.live);
        EXPECT_GE(now.reserved, 0);
        std::this_thread::yield();
      }
    });
    on_each([&](int t) {
      std::mt19937_64 random(static_cast<std::uint64_t>(t));
      for (std::uint64_t i = 0; i < rounds(60); ++i) {
        const auto count = static_cast<std::int64_t>(random() % 40 == 0 ? 400000 : random() % 3000 + 1);
        const float value = static_cast<float>(random() % 1000);
        market.put(full({count}, value, here()));
        const Tensor x = random() % 2 == 0 ? market.take(random()) : Tensor();
        if (!x.defined()) continue;
        const Tensor first = x.slice(0, {.stop = 1});
        EXPECT_EQ((x - first).sum().item<float>(), 0) << "is all one value";
      }
    });
    over = true;
    trimmer.join();
    std::deque<Tensor> left = market.all();
    expect_apart(left);
    for (const Tensor& x : left) {
      const std::vector<float> values = x.to_vector<float>();
      EXPECT_THAT(values, Each(values.front()));
    }
    left.clear();
    EXPECT_EQ(stats().live, 0);
    empty_cache(on());
    EXPECT_EQ(stats().reserved, 0) << "the lists of threads that ended too";
  });
}

TEST_P(PoolThreads, EndWhileTheirBlocksLive) {
  in_new_process(kPooled, [this] {
    std::vector<Tensor> kept(kThreads);
    on_each([&](int t) {
      const MemoryTag tag("thread");
      Tensor gone = full({200}, 7, here());
      kept[static_cast<std::size_t>(t)] = full({100}, t, here());
    });
    EXPECT_EQ(stats().live, kThreads * 512);
    EXPECT_EQ(stats().by_tag, (std::map<std::string, std::int64_t>{{"thread", kThreads * 512}}));
    for (int t = 0; t < kThreads; ++t) {
      EXPECT_THAT(kept[static_cast<std::size_t>(t)].to_vector<float>(), Each(t));
    }
    kept.clear();
    EXPECT_EQ(stats().live, 0);
    EXPECT_TRUE(stats().by_tag.empty());
  });
}

// What a thread that waits keeps in its lists is within reach of others.
TEST_P(PoolThreads, GiveUpWhatTheyKeepWhenMemoryIsShort) {
  in_new_process(kPooled, [this] {
    set_memory_limit(on(), 2 * kMiB);
    std::mutex mutex;
    std::condition_variable changed;
    bool filled = false, over = false;
    std::thread hoarder([&] {
      std::vector<Tensor> all;
      for (int i = 0; i < 30; ++i) all.push_back(empty({16384}, here()));
      all.clear();
      std::unique_lock lock(mutex);
      filled = true;
      changed.notify_all();
      changed.wait(lock, [&] { return over; });
    });
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return filled; });
      EXPECT_EQ(stats().live, 0);
      EXPECT_NO_THROW(empty({2 * kMiB / 4}, here()));
      over = true;
      changed.notify_all();
    }
    hoarder.join();
  });
}

// Thread t makes 1 MiB · t of small blocks and lets them go; all meet at their most.
TEST_P(PoolThreads, HaveAPeakWithinAMegabyteEach) {
  in_new_process(kPooled, [this] {
    std::mutex mutex;
    std::condition_variable changed;
    int at_their_most = 0;
    on_each([&](int t) {
      std::vector<Tensor> all;
      for (int i = 0; i < t * 32; ++i) all.push_back(empty({32 << 8}, here()));
      std::unique_lock lock(mutex);
      ++at_their_most;
      changed.notify_all();
      changed.wait(lock, [&] { return at_their_most == kThreads; });
    });
    const std::int64_t most = 28 * 32 * (32 << 10);
    EXPECT_EQ(stats().live, 0);
    EXPECT_GE(stats().peak, most - kThreads * kMiB);
    EXPECT_LE(stats().peak, most + kThreads * kMiB);
    reset_peak(on());
    EXPECT_EQ(stats().peak, 0);
  });
}

// A tensor in a static variable, and one of a thread's own, are freed after the thread's lists are
// gone.
TEST_P(PoolThreads, FreeInDestructorsThatRunLate) {
  in_new_process(kPooled, [this] {
    static Tensor until_exit;
    until_exit = ones({10}, here());
    std::thread([this] {
      thread_local Tensor until_the_thread_ends;
      until_the_thread_ends = ones({10}, here());
    }).join();
    EXPECT_EQ(stats().live, 256);
  });
}

INSTANTIATE_TEST_SUITE_P(Devices, PoolThreads, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PoolThreads);

}  // namespace
}  // namespace tenon::test
