// What happens when memory runs out, or a limit says so, and what the error tells.
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "core/base/bytes.h"
#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "core/tensor/impl.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// CTest runs this folder with blocks that are allocations of their own.
const std::vector<std::string> kPooled = {"TENON_POOL="};

constexpr std::int64_t kMiB = 1 << 20;
const std::string kHint = " (take smaller batches, or drop tensors that are not needed)";

constexpr auto faulty = [] { return device("faulty:0"); };
constexpr auto on_faulty = [] { return TensorOptions{.device = faulty()}; };
constexpr auto stats = [] { return memory_stats(faulty()); };
/// A tensor of so many bytes.
Tensor block(std::int64_t bytes) {
  return empty({bytes}, {.dtype = bool_, .device = faulty()});
}

// Each block an allocation: the plugin refuses exactly the one that a test names.
TEST(OutOfMemory, TrimsAndAsksOnceMore) {
  in_new_process({"TENON_POOL=direct"}, [] {
    const Tensor live = ones({100000}, on_faulty());
    ones({1000}, on_faulty());  // stays in the pool
    set_option("faulty.oom_at", std::to_string(stats().allocations + 1));
    const Tensor x = ones({2000}, on_faulty());
    EXPECT_LT(stats().reserved, stats().live + 4000) << "nothing was given back";
    EXPECT_THAT(x.to_vector<float>(), Each(1));
    EXPECT_THAT(live.to_vector<float>(), Each(1));
  });
}

TEST(OutOfMemory, AsksForLessBeforeItGivesUp) {
  in_new_process(kPooled, [] {
    set_option("faulty.oom_at", "1");
    const Tensor x = block(400);
    EXPECT_EQ(stats().reserved, 512);
    const Tensor y = block(400);
    EXPECT_EQ(stats().reserved, 512 + 2 * kMiB);
  });
}

TEST(OutOfMemory, AfterASecondRefusalIsAnErrorThatChangesNothing) {
  in_new_process({"TENON_POOL=direct"}, [] {
    const Tensor x = ones({10}, on_faulty());
    const std::int64_t allocations = stats().allocations, live = stats().live;
    set_option("faulty.oom_every", "1");
    EXPECT_EQ(
        thrown([&] { empty({2000}, on_faulty()); }),
        (Thrown{ErrorKind::OutOfMemory,
                "[faulty:0] out of memory: 7.8 KiB asked for; 40 bytes in use by tensors, 0 bytes "
                "kept for reuse; largest: 40 bytes [tensors]; the plugin says: [faulty] allocation " +
                    std::to_string(allocations + 2) + " fails: option oom_every is 1" + kHint}));
    EXPECT_EQ(thrown([&] { x + 1; }).kind, ErrorKind::OutOfMemory);
    EXPECT_EQ(stats().allocations, allocations);
    EXPECT_EQ(stats().live, live);
    EXPECT_EQ(stats().reserved, live);
    set_option("faulty.oom_every", "0");
    EXPECT_THAT((x + 1).to_vector<float>(), Each(2));
  });
}

TEST(OutOfMemory, AStepThatFailedCanBeTriedAgain) {
  in_new_process({"TENON_POOL=direct"}, [] {
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

/// Fills a device of 100,000 bytes, which is smaller than a slab, and empties it again.
void fill_a_small_device() {
  EXPECT_EQ(faulty().info().memory, 100000U);
  EXPECT_THAT(
      thrown([] { block(120000); }).text,
      AllOf(StartsWith("[faulty:0] out of memory: 117.2 KiB asked for; 0 bytes in use by tensors, "
                       "0 bytes kept for reuse; the plugin says: [faulty] "),
            EndsWith(" bytes asked for, 100000 of 100000 are free on faulty:0" + kHint)));
  std::vector<Tensor> all;
  const Thrown full = thrown([&] {
    for (;;) all.push_back(block(400));
  });
  EXPECT_EQ(full.kind, ErrorKind::OutOfMemory);
  EXPECT_THAT(full.text, HasSubstr("largest: " + std::to_string(all.size()) + " x "));
  EXPECT_GE(all.size(), 100000 / 512U);
  all.clear();
  // All of it is in small blocks, which the pool must give back first.
  EXPECT_THAT(ones({24000}, on_faulty()).to_vector<float>(), Each(1));
}

TEST(OutOfMemory, OfASmallDevice) {
  in_new_process({"TENON_POOL=", "TENON_FAULTY_MEMORY_BYTES=100000"}, fill_a_small_device);
}

TEST(OutOfMemory, OfASmallDeviceWithoutSlabs) {
  in_new_process({"TENON_FAULTY_MEMORY_BYTES=100000", "TENON_POOL=direct"}, fill_a_small_device);
}

TEST(OutOfMemory, NamesTheLargestHolders) {
  in_new_process(kPooled, [] {
    std::vector<Tensor> all;
    const auto hold = [&](const char* tag, std::int64_t bytes, int count) {
      const MemoryTag tagged(tag);
      for (int i = 0; i < count; ++i) all.push_back(block(bytes));
    };
    hold("a", 3 * kMiB, 1);
    hold("b", 2 * kMiB, 4);
    hold("a", kMiB / 2, 2);
    hold("c", 1000, 1);
    hold("d", 300, 1);
    hold("e", 10, 1);
    set_memory_limit(faulty(), static_cast<std::uint64_t>(stats().reserved));
    EXPECT_EQ(thrown([] { block(64 * kMiB); }).text,
              "[faulty:0] out of memory: 64 MiB asked for; " +
                  bytes_text(static_cast<std::uint64_t>(stats().live)) + " in use by tensors, " +
                  bytes_text(static_cast<std::uint64_t>(stats().reserved - stats().live)) +
                  " kept for reuse, limit " + bytes_text(stats().limit) +
                  "; largest: 4 x 2 MiB [b], 3 MiB [a], 2 x 512 KiB [a], 1 KiB [c], 512 bytes [d]" +
                  kHint);
  });
}

// --- Sizes ---

TEST(PoolSizes, FromNothingToTooMuch) {
  in_new_process(kPooled, [] {
    const Tensor none = block(0), one = block(1);
    EXPECT_EQ(stats().live, 512);
    runtime::Pool& pool = faulty().state().pool();
    for (const std::uint64_t bytes :
         {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2 + 1, UINT64_MAX / 2, (std::uint64_t{1} << 62) + 1,
          std::uint64_t{1} << 62, (std::uint64_t{1} << 62) - 1}) {
      EXPECT_EQ(thrown([&] { pool.allocate(bytes); }).kind, ErrorKind::OutOfMemory) << bytes;
    }
    EXPECT_EQ(stats().live, 512);
  });
}

// Counted here by hand: multiples of 256 bytes up to 4 KiB, then eight sizes to a doubling.
TEST(PoolSizes, AreRoundedByAnEighthAtMost) {
  std::set<std::uint64_t> sizes;
  for (std::uint64_t bytes = 1; bytes <= 1 << 20; bytes += bytes < 10000 ? 1 : 97) {
    const std::uint64_t given = runtime::block_size(bytes, 8).bytes;
    ASSERT_GE(given, bytes);
    ASSERT_EQ(given % 256, 0U);
    ASSERT_LT(given - bytes, std::max<std::uint64_t>(256, bytes / 8 + 1)) << bytes;
    ASSERT_EQ(runtime::block_size(given, 8).bytes, given);
    sizes.insert(given);
  }
  EXPECT_EQ(sizes.size(), 16U + 8 * 8);
  EXPECT_EQ(runtime::block_size((1 << 20) + 1, 8).bytes, (1U << 20) + 4096);
  EXPECT_EQ(runtime::block_size(1, 16).bytes, 1U << 16) << "the device's own alignment is wider";
  EXPECT_EQ(runtime::block_size(3 << 20, 16).bytes % (1 << 16), 0U);
}

TEST(PoolSizes, HaveOneListEach) {
  std::map<int, std::uint64_t> lists;
  for (std::uint64_t bytes = 1; bytes <= 1 << 16; bytes += 100) {
    const runtime::BlockSize size = runtime::block_size(bytes, 8);
    ASSERT_GE(size.list, 0);
    ASSERT_LT(size.list, runtime::kThreadLists);
    ASSERT_EQ(lists.try_emplace(size.list, size.bytes).first->second, size.bytes);
  }
  EXPECT_EQ(lists.size(), static_cast<std::size_t>(runtime::kThreadLists));
  EXPECT_EQ(runtime::block_size((1 << 16) + 1, 8).list, runtime::kNoList);
}

// --- The limit ---

TEST(MemoryLimit, OfTheEnvironmentHoldsOnEveryDevice) {
  in_new_process({"TENON_POOL=", "TENON_MEMORY_LIMIT=8M"}, [] {
    for (const char* name : {"faulty:0", "faulty:1", "reference"}) {
      const auto hold = [&](std::int64_t mib) {
        return empty({mib * kMiB}, {.dtype = bool_, .device = device(name)});
      };
      EXPECT_EQ(memory_stats(device(name)).limit, 8U << 20);
      Tensor x = hold(6);
      EXPECT_EQ(
          thrown([&] { hold(4); }),
          (Thrown{ErrorKind::OutOfMemory,
                  "[" + std::string(name) +
                      "] out of memory: 4 MiB asked for; 6 MiB in use by tensors, 0 bytes kept for "
                      "reuse, limit 8 MiB (TENON_MEMORY_LIMIT); largest: 6 MiB [tensors]" +
                      kHint}));
      EXPECT_NO_THROW(hold(2));
      x = Tensor();
      EXPECT_EQ(hold(8).numel(), 8 * kMiB) << "what is kept is given back first";
    }
  });
}

TEST(MemoryLimit, CanBeSetAtAnyTime) {
  in_new_process({"TENON_POOL=", "TENON_MEMORY_LIMIT=1"}, [] {
    EXPECT_EQ(thrown([] { block(1); }).kind, ErrorKind::OutOfMemory);
    set_memory_limit(faulty(), 3 << 20);
    const Tensor x = block(3 * kMiB);
    EXPECT_EQ(memory_stats(device("faulty:1")).limit, 1U) << "a limit is of one device";
    set_memory_limit(faulty(), 1 << 20);
    EXPECT_THAT(thrown([] { block(1); }).text, HasSubstr(", limit 1 MiB; largest: 3 MiB [tensors]"));
    set_memory_limit(faulty(), UINT64_MAX);
    EXPECT_NO_THROW(block(20 * kMiB));
    EXPECT_EQ(x.numel(), 3 * kMiB);
  });
}

class BadMemoryText : public testing::TestWithParam<const char*> {};

TEST_P(BadMemoryText, IsShown) {
  in_new_process({"TENON_POOL=", std::string("TENON_MEMORY_LIMIT=") + GetParam()}, [] {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(thrown([] { block(1); }),
                (Thrown{ErrorKind::InvalidArgument, std::string("[memory] TENON_MEMORY_LIMIT is '") +
                                                        GetParam() + "' (bytes, or 512M, 2GiB)"}));
    }
  });
}
INSTANTIATE_TEST_SUITE_P(Texts, BadMemoryText,
                         testing::Values("lots", "-1", "2 GiB", "2GB", "GiB", "1.5G", "0x10", "1Ki",
                                         "99999999999999999999", "99999999T"));

TEST(MemoryLimit, BadPoolIsShown) {
  in_new_process({"TENON_POOL=none"}, [] {
    EXPECT_EQ(thrown([] { block(1); }), (Thrown{ErrorKind::InvalidArgument,
                                                "[memory] TENON_POOL is 'none' (direct, or nothing)"}));
  });
}

TEST(Bytes, AreReadAndWritten) {
  EXPECT_EQ(parse_bytes("0"), 0U);
  EXPECT_EQ(parse_bytes("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_bytes("3K"), 3072U);
  EXPECT_EQ(parse_bytes("512M"), 512U << 20);
  EXPECT_EQ(parse_bytes("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_bytes("16777215TiB"), std::uint64_t{16777215} << 40);
  EXPECT_EQ(parse_bytes("16777216TiB"), std::nullopt);
  EXPECT_EQ(parse_bytes(""), std::nullopt);
  EXPECT_EQ(bytes_text(0), "0 bytes");
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1024), "1 KiB");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(std::uint64_t{64} << 20), "64 MiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16.0 EiB");
}

// --- Figures ---

TEST(MemoryTags, CountWhatIsMadeWhileTheyLive) {
  in_new_process(kPooled, [] {
    Tensor plain = block(300), tagged;
    {
      const MemoryTag outer("outer");
      const Tensor first = block(100);
      {
        const MemoryTag inner("inner");
        tagged = block(2000);
      }
      const Tensor second = block(100);
      using Tags = std::map<std::string, std::int64_t>;
      EXPECT_EQ(stats().by_tag, (Tags{{"tensors", 512}, {"outer", 512}, {"inner", 2048}}));
    }
    const Tensor again = block(100);
    std::thread([&] { tagged = Tensor(); }).join();
    EXPECT_EQ(stats().by_tag, (std::map<std::string, std::int64_t>{{"tensors", 768}}))
        << "freed by another thread";
  });
}

TEST(MemoryTags, OfTheCoreItself) {
  in_new_process({"TENON_POOL=", "TENON_FAULTY_WORKSPACE_BYTES=5000"}, [] {
    const nn::Linear fc(300, 200, {.tensor = on_faulty()});
    optim::Adam adam(fc.parameters());
    fc(ones({4, 300}, on_faulty())).sum().backward();
    adam.step();
    const MemoryStats now = stats();
    const std::int64_t size = (300 * 200 + 200) * 4;
    for (const auto& [tag, copies] : {std::pair("parameters", 1), {"gradients", 1}, {"optimizer", 2}}) {
      ASSERT_TRUE(now.by_tag.contains(tag)) << tag;
      EXPECT_GE(now.by_tag.at(tag), copies * size) << tag;
      EXPECT_LT(now.by_tag.at(tag), copies * size * 9 / 8 + copies * 512) << tag;
    }
    EXPECT_FALSE(now.by_tag.contains("workspace")) << "it is over";
    fc.to(device("faulty:1"));
    const MemoryStats moved = memory_stats(device("faulty:1"));
    EXPECT_GE(moved.by_tag.at("parameters"), size);
    EXPECT_GE(moved.by_tag.at("gradients"), size);
  });
}

TEST(MemoryTags, AreLimited) {
  in_new_process(kPooled, [] {
    for (int i = 1; i < 32; ++i) const MemoryTag tag("tag " + std::to_string(i));
    EXPECT_EQ(thrown([] { const MemoryTag tag("more"); }),
              (Thrown{ErrorKind::InvalidArgument,
                      "[MemoryTag] more is one name too many: there are 32, the first is tensors"}));
    const MemoryTag known("tag 31");
    const Tensor x = block(1);
    EXPECT_EQ(stats().by_tag, (std::map<std::string, std::int64_t>{{"tag 31", 256}}));
  });
}

TEST(Peak, IsExactForOneThread) {
  in_new_process(kPooled, [] {
    std::int64_t live = 0, peak = 0;
    std::vector<Tensor> held;
    for (int i = 0; i < 500; ++i) {
      const std::int64_t bytes = i % 7 == 0 ? 3 * kMiB : (i % 50 + 1) * 1024 * (i % 3 * 5 + 1);
      if (i % 11 > 6 && !held.empty()) {
        held.erase(held.begin() + i % static_cast<std::int64_t>(held.size()));
      } else {
        held.push_back(block(bytes));
      }
      live = 0;
      for (const Tensor& x : held) {
        live += static_cast<std::int64_t>(x.impl()->storage->memory.bytes);
      }
      peak = std::max(peak, live);
      ASSERT_EQ(stats().live, live);
      ASSERT_EQ(stats().peak, peak);
      if (i % 100 == 99) {
        reset_peak(faulty());
        peak = live;
        ASSERT_EQ(stats().peak, peak);
        held.resize(held.size() / 2);
      }
    }
  });
}

}  // namespace
}  // namespace tenon::test
