// Devices by name, the default among them, what plugins are told, and the switches for debugging.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/log.h>
#include <tenon/ops.h>

#include "core/runtime/device_state.h"
#include "core/tensor/impl.h"
#include "plugins/faulty/peek.h"
#include "tests/support/devices.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;

std::string all_names() {
  std::string names;
  for (const Device& each : devices()) names += (names.empty() ? "" : ", ") + each.name();
  return names;
}

TEST(DeviceNames, AKindAloneIsItsFirst) {
  EXPECT_EQ(device("reference").name(), "reference");
  EXPECT_EQ(device("reference:0"), device("reference"));
  EXPECT_EQ(device("faulty").name(), "faulty:0");
  EXPECT_EQ(device("faulty"), device("faulty:0"));
  EXPECT_NE(device("faulty:1"), device("faulty:0"));
}

TEST(DeviceNames, AnUnknownOneListsThoseThereAre) {
  for (const std::string name : {"nowhere", "reference:1", "faulty:2", "faulty:", "Faulty", ""}) {
    EXPECT_EQ(thrown([&] { device(name); }),
              invalid_argument("[device] there is no device " + name + "; there are: " + all_names()));
  }
}

TEST(DeviceNames, EveryDeviceIsFoundByItsName) {
  for (const Device& each : devices()) {
    EXPECT_EQ(device(each.name()), each);
    EXPECT_FALSE(each.info().kind.empty());
    EXPECT_FALSE(each.info().description.empty());
    EXPECT_FALSE(each.info().uid.empty());
    EXPECT_GT(each.info().memory, 0U);
    EXPECT_THAT(each.info().storage_dtypes, testing::IsSupersetOf({f32, i32, bool_}));
    EXPECT_THAT(each.info().compute_dtypes, testing::IsSupersetOf({f32, i32, u32, bool_}));
  }
  EXPECT_TRUE(device("reference").info().synchronous);
  EXPECT_FALSE(device("faulty").info().synchronous);
  EXPECT_EQ(device("faulty").info().plugin, "faulty");
}

TEST(DefaultDevice, IsNeverOneOfNegativeScore) {
  in_new_process({"TENON_DEVICE="}, [] {
    EXPECT_LT(device("faulty").state().api().score(), 0);
    EXPECT_GE(default_device().state().api().score(), 0);
    EXPECT_EQ(zeros({1}).device(), default_device());
  });
}

TEST(DefaultDevice, IsWhatTheEnvironmentNames) {
  in_new_process({"TENON_DEVICE=faulty:1"}, [] {
    EXPECT_EQ(default_device().name(), "faulty:1");
    EXPECT_EQ(zeros({1}).device().name(), "faulty:1");
    set_default_device(device("faulty:0"));
    EXPECT_EQ(zeros({1}).device().name(), "faulty:0");
    EXPECT_EQ(zeros({1}, {.device = device("reference")}).device().name(), "reference");
  });
}

TEST(DefaultDevice, ThatTheEnvironmentMisspellsIsAnError) {
  in_new_process({"TENON_DEVICE=fautly:1"}, [] {
    EXPECT_EQ(thrown([] { zeros({1}); }),
              invalid_argument("[device] there is no device fautly:1; there are: " + all_names()));
    set_default_device(device("faulty:1"));
    EXPECT_EQ(zeros({1}).device().name(), "faulty:1");
  });
}

TEST(PluginOptions, OfTheEnvironmentReachThePlugin) {
  in_new_process({"TENON_FAULTY_MEMORY_BYTES=12345678"},
                 [] { EXPECT_EQ(device("faulty").info().memory, 12345678U); });
}

TEST(PluginOptions, SetByTheProgramWinOverTheEnvironment) {
  in_new_process({"TENON_FAULTY_OOM_EVERY=1"}, [] {
    const auto allocate = [] { empty({1}, {.device = device("faulty")}); };
    EXPECT_EQ(thrown(allocate).kind, ErrorKind::OutOfMemory);
    set_option("faulty.oom_every", "0");
    EXPECT_NO_THROW(allocate());
  });
}

TEST(PluginOptions, ThatThePluginRefusesAreItsError) {
  in_new_process({"TENON_FAULTY_DELAY_US=fast"}, [] {
    const auto allocate = [] { empty({1}, {.device = device("faulty")}); };
    EXPECT_EQ(thrown(allocate),
              (Thrown{ErrorKind::DeviceError,
                      "[faulty:0] device_open failed: [faulty] option delay_us must be a whole number, "
                      "not 'fast'"}));
    set_option("faulty.delay_us", "0");
    EXPECT_NO_THROW(allocate());
  });
}

// The device sleeps before each command: what is in its memory at once was waited for.
TEST(Debugging, SyncFinishesEveryLaunch) {
  in_new_process({"TENON_SYNC=1", "TENON_FAULTY_DELAY_MIN_US=50000"}, [] {
    const Tensor x = full({1}, 7, {.dtype = f32, .device = device("faulty")});
    const TenonPlugin& api = x.device().state().api();
    const auto* peek = static_cast<const FaultyPeek*>(api.get_ext("faulty.peek"));
    ASSERT_NE(peek, nullptr);
    const runtime::Storage& storage = *x.impl()->storage;
    const char* const memory = static_cast<char*>(peek->address(storage.memory.handle));
    EXPECT_EQ(*reinterpret_cast<const float*>(memory + storage.offset), 7);
  });
}

TEST(Debugging, ProgramsArePrintedOnce) {
  in_new_process({"TENON_DEBUG=programs"}, [] {
    const TensorOptions here{.device = device("reference")};
    const Tensor x = ones({3}, here);
    testing::internal::CaptureStderr();
    x* x;
    matmul(x, x);
    const std::string first = testing::internal::GetCapturedStderr();
    EXPECT_THAT(first, HasSubstr("tenon: reference: elementwise(f32 contiguous, f32 contiguous -> f32 "
                                 "contiguous)\nin0: f32, in1: f32\n%0: f32 = mul in0, in1\n"));
    EXPECT_THAT(first, HasSubstr("tenon: reference: matmul("));
    testing::internal::CaptureStderr();
    x* x;
    matmul(x, x);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  });
}

TEST(Debugging, NothingIsPrintedUnasked) {
  in_new_process({"TENON_DEBUG="}, [] {
    testing::internal::CaptureStderr();
    ones({3}) * 2;
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  });
}

TEST(Shutdown, EndsDevicesThatHoldNothing) {
  in_new_process({}, [] {
    {
      const Tensor x = ones({3}, {.device = device("faulty")}) + 1;
    }
    std::vector<std::string> messages;
    set_log_callback([&](LogLevel, std::string_view text) { messages.emplace_back(text); });
    shutdown();
    shutdown();
    set_log_callback({});
    EXPECT_THAT(messages, testing::IsEmpty());
  });
}

TEST(Shutdown, IsNotNeeded) {
  in_new_process({}, [] {
    static const Tensor kept = ones({3}, {.device = device("faulty")}) + 1;
    EXPECT_TRUE(kept.defined());
  });
}

// One of each kind, from the runtime.
TEST(ErrorKinds, OfTheRuntime) {
  const TensorOptions here{.device = device("faulty")};
  EXPECT_EQ(thrown([] { device("nowhere"); }).kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(thrown([&] { empty({std::int64_t{1} << 50}, here); }).kind, ErrorKind::OutOfMemory);
  EXPECT_EQ(thrown([] { load_plugin("nowhere.so"); }).kind, ErrorKind::IoError);
  EXPECT_EQ(thrown([] { load_plugin("/proc/self/exe"); }).kind, ErrorKind::DeviceError);
  EXPECT_EQ(thrown([&] { empty({1}, {.dtype = f16, .device = device("faulty")}); }),
            (Thrown{ErrorKind::Unsupported, "[empty] faulty:0 does not store f16"}));
}

}  // namespace
}  // namespace tenon::test
