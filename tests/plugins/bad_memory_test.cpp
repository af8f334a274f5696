// A device that gives memory which it may not give is told so, and the process goes on.
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/memory.h>
#include <tenon/tensor.h>

#include "tests/support/new_process.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr const char* kOption = "overlapping_memory.gives";

struct Lie {
  const char* gives;
  const char* text;  // of the error, from the handle on

  friend std::ostream& operator<<(std::ostream& out, const Lie& lie) { return out << lie.gives; }
};

class BadMemory : public testing::TestWithParam<Lie> {};

// Direct, so that every tensor is an allocation.
TEST_P(BadMemory, IsRefusedByName) {
  in_new_process({"TENON_POOL=direct"}, [] {
    load_plugin(TENON_TEST_REFUSED_DIR "/tenon_plugin_overlapping_memory.so");
    const Device on = device("overlapping");
    std::vector<float> values(1000);
    std::iota(values.begin(), values.end(), 0.0F);
    const Tensor x = from_values<float>(values, {1000}, {.device = on});
    const MemoryStats before = memory_stats(on);

    set_option(kOption, GetParam().gives);
    const Thrown error = thrown([&] { empty({1000}, {.dtype = f32, .device = on}); });
    EXPECT_EQ(error.kind, ErrorKind::DeviceError);
    EXPECT_THAT(error.text,
                testing::MatchesRegex("\\[overlapping\\] mem_alloc breaks the plugin contract: it gave "
                                      "handle " +
                                      std::string(GetParam().text)));
    EXPECT_EQ(memory_stats(on).reserved, before.reserved);
    EXPECT_EQ(memory_stats(on).live, before.live);

    set_option(kOption, "sound");
    const Tensor y = from_values<float>(values, {1000}, {.device = on});
    EXPECT_EQ(y.to_vector<float>(), values);
    EXPECT_EQ(x.to_vector<float>(), values);
    EXPECT_EQ(memory_stats(on).allocations, before.allocations + 1);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Lies, BadMemory,
    testing::Values(
        Lie{"null", "0 of 4000 bytes, for the 4000 asked for, which is the host's"},
        Lie{"same", "[0-9]+ of 4000 bytes, which is alive already, with 4000 bytes"},
        Lie{"overlap_above",
            "[0-9]+ of 4000 bytes, at host_ptr 0x[0-9a-f]+, which overlaps handle [0-9]+ "
            "of 4000 bytes at 0x[0-9a-f]+"},
        Lie{"overlap_below",
            "[0-9]+ of 4000 bytes, at host_ptr 0x[0-9a-f]+, which overlaps handle [0-9]+ "
            "of 4000 bytes at 0x[0-9a-f]+"},
        Lie{"short", "[0-9]+ of 3999 bytes, where 4000 were asked for"},
        Lie{"host_ptr",
            "[0-9]+ of 4000 bytes, whose host_ptr 0x[0-9a-f]+ is no multiple of mem_alignment "
            "256"},
        Lie{"device_addr",
            "[0-9]+ of 4000 bytes, whose device_addr 0x[0-9a-f]+ is no multiple of "
            "mem_alignment 256"}),
    [](const auto& test) { return std::string(test.param.gives); });

}  // namespace
}  // namespace tenon::test
