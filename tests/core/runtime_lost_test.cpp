// A lost device: everything on it fails with one sentence, nothing else does.
#include <atomic>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "core/runtime/kernel_cache.h"
#include "core/runtime/stream.h"
#include "tests/core/fake_device.h"
#include "tests/support/error_log.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr const char* kRemedy = "; restart the process, or use another device";

std::int32_t lost() {
  return fake_fail(TENON_DEVICE_LOST, "fell off the bus");
}

Thrown device_error(std::string text) {
  return {ErrorKind::DeviceError, std::move(text)};
}

class Lost : public testing::Test {
 protected:
  TensorOptions here() { return {.device = dev.device()}; }
  Thrown sentence(const std::string& middle = "") {
    return device_error("[" + dev.name() + "] the device is lost: fell off the bus" + middle + kRemedy);
  }
  Thrown synchronize() {
    return thrown([&] { dev.device().synchronize(); });
  }

  FakeDevice dev;
};

TEST_F(Lost, EachLaterCallFailsInTheCore) {
  const Tensor x = ones({3}, here()), y = x + x;
  dev.device().synchronize();
  dev->on_launch = [](const TenonLaunch&) { return lost(); };
  const Thrown told = thrown([&] { x + y; });
  EXPECT_EQ(told,
            sentence(", in add (launch 3); the last point that completed is 1, after add (launch 2)"));
  dev->on_launch = {};
  const int calls = dev->calls;
  const std::function<void()> later[] = {
      [&] { x + y; },
      [&] { x * 2; },
      [&] { x.to_vector<float>(); },
      [&] { x.to(device("reference")); },
      [&] { ones({3}, {.device = device("reference")}).to(dev.device()); },
      [&] { empty({1000}, here()); },
      [&] { dev.device().synchronize(); },
      [&] { dev.device().synchronize(std::chrono::seconds(1)); },
      [&] { dev.device().empty_cache(); },
      [&] {
        std::thread([&] { EXPECT_EQ(thrown([&] { x + y; }), told); }).join();
        throw Error(told.kind, told.text);
      },
  };
  for (const auto& call : later) EXPECT_EQ(thrown(call), told);
  EXPECT_EQ(dev->calls, calls) << "the plugin was asked";
  EXPECT_EQ(dev->frees, 0);
}

/// Each way to hear of it: `at` makes it happen, in a call of that name.
struct Way {
  const char* name;
  std::function<void(FakeDevice&)> prepare;
  std::function<void(FakeDevice&)> happen;
};

class LostBy : public testing::TestWithParam<int> {};

std::vector<Way> ways() {
  const auto on_new_thread = [](FakeDevice& dev) {
    std::exception_ptr error;
    std::thread([&] {
      try {
        dev.state().streams().current();
      } catch (...) {
        error = std::current_exception();
      }
    }).join();
    if (error != nullptr) std::rethrow_exception(error);
  };
  const auto read = [](FakeDevice& dev) { empty({3}, {.device = dev.device()}).to_vector<float>(); };
  const auto wait = [](FakeDevice& dev) {
    dev.launch("relu");
    dev.device().synchronize();
  };
  return {
      {"Launch", [](FakeDevice& d) { d->on_launch = [](const TenonLaunch&) { return lost(); }; },
       [](FakeDevice& d) { d.launch("relu"); }},
      {"Copy", [](FakeDevice& d) { d->on_copy = lost; }, read},
      {"Signal", [](FakeDevice& d) { d->on_signal = lost; }, wait},
      {"Sync", [](FakeDevice& d) { d->on_sync = [](std::int64_t) { return lost(); }; }, wait},
      {"Allocation", [](FakeDevice& d) { d->on_mem_alloc = lost; },
       [](FakeDevice& d) { empty({3}, {.device = d.device()}); }},
      {"Prepare", [](FakeDevice& d) { d->on_prepare = lost; },
       [](FakeDevice& d) { d.state().kernels().require("add", {.kind = TENON_KIND_MATMUL}); }},
      {"Stream", [](FakeDevice& d) { d->on_create = lost; }, on_new_thread},
      {"Query", [](FakeDevice& d) { d->on_query = lost; },
       [](FakeDevice& d) {
         d.launch("relu");
         EXPECT_FALSE(d.state().streams().current()->has_finished(1)) << "it has no one to tell";
         d.device().synchronize();
       }},
      {"Fault",
       [](FakeDevice& d) {
         d->on_sync = [](std::int64_t) {
           report({sizeof(TenonFault), TENON_DEVICE_LOST, 0, 0, 0, 0, 0});
           fake_fail(0, "fell off the bus");
           return TENON_OK;
         };
       },
       wait},
  };
}

TEST_P(LostBy, IsHeardOf) {
  const Way way = ways()[static_cast<std::size_t>(GetParam())];
  FakeDevice dev, other;
  way.prepare(dev);
  const Thrown first = thrown([&] { way.happen(dev); });
  EXPECT_EQ(first.kind, ErrorKind::DeviceError);
  EXPECT_THAT(first.text, HasSubstr("[" + dev.name() + "] the device is lost: fell off the bus"));
  const int calls = dev->calls;
  EXPECT_EQ(thrown([&] { empty({3}, {.device = dev.device()}); }), first);
  EXPECT_EQ(thrown([&] { dev.device().synchronize(); }), first);
  EXPECT_EQ(dev->calls, calls);
  EXPECT_EQ(full({3}, 2, {.device = other.device()}).shape(), Shape({3})) << "another of the plugin";
  other.device().synchronize();
}
INSTANTIATE_TEST_SUITE_P(Ways, LostBy, testing::Range(0, static_cast<int>(ways().size())),
                         [](const auto& test) {
                           return ways()[static_cast<std::size_t>(test.param)].name;
                         });

TEST_F(Lost, WithoutAReason) {
  dev->on_sync = [](std::int64_t) { return TENON_DEVICE_LOST; };
  dev.launch("relu");
  EXPECT_EQ(synchronize(),
            device_error("[" + dev.name() + "] the device is lost: it gives no reason" + kRemedy));
}

TEST_F(Lost, MemoryOfTensorsIsLeftToTheClose) {
  {
    const Tensor x = ones({3}, here()), y = x + x;
    dev->on_sync = [](std::int64_t) { return lost(); };
    EXPECT_EQ(synchronize(), sentence());
  }
  const int calls = dev->calls;
  ErrorLog log;
  dev.state().close();
  EXPECT_THAT(log.take(), testing::ElementsAre(sentence().text));
  EXPECT_EQ(dev->calls, calls);
  EXPECT_EQ(dev->frees, 0) << "device_close ends memory";
  EXPECT_EQ(dev->released, dev.device().stats().kernels);
  EXPECT_EQ(dev->destroyed, 1);
  EXPECT_EQ(dev->closed, 1);
  dev.state().close();
  EXPECT_EQ(dev->closed, 1);
}

TEST_F(Lost, AClosedDeviceStaysClosed) {
  const Tensor x = ones({3}, here());
  dev.state().close();
  const Thrown closed =
      device_error("[" + dev.name() + "] the device is closed: shutdown() was called");
  EXPECT_EQ(thrown([&] { x + x; }), closed);
  EXPECT_EQ(synchronize(), closed);
  FakeDevice never_opened;
  never_opened.state().close();
  EXPECT_EQ(never_opened->closed, 0);
  EXPECT_THAT(thrown([&] { empty({3}, {.device = never_opened.device()}); }).text,
              HasSubstr("is closed"));
}

// --- Plugin faulty plays dead where a handle is freed that it does not know ---

void lose_faulty() {
  runtime::DeviceState& state = device("faulty:0").state();
  state.api().mem_free(state.handle(), 999'999);
}

const char* const kFaultySentence =
    "[faulty:0] the device is lost: [faulty] faulty:0 is lost: mem_free: handle 999999 is not alive on "
    "faulty:0";

TEST(LostFaulty, IsContained) {
  in_new_process({}, [] {
    const Device lost = device("faulty:0"), sibling = device("faulty:1"), other = device("reference");
    const Tensor x = ones({3}, {.device = lost}), y = ones({3}, {.device = sibling}),
                 z = ones({3}, {.device = other});
    lost.synchronize();
    lose_faulty();
    const Thrown told = thrown([&] { x + x; });
    EXPECT_THAT(told.text, HasSubstr(kFaultySentence));
    EXPECT_THAT(told.text, HasSubstr("; the last point that completed is 1, after fill_ (launch 1)"));
    EXPECT_EQ(thrown([&] { x.to(sibling); }), told);
    EXPECT_EQ(thrown([&] { x.to(other); }), told);
    EXPECT_EQ(thrown([&] { y.to(lost); }), told);
    EXPECT_THAT((y + y.to(other).to(sibling)).to_vector<float>(), Each(2));
    EXPECT_THAT((z + y.to(other)).to_vector<float>(), Each(2));
    sibling.synchronize();
    shutdown();
  });
}

TEST(LostFaulty, ReachesEveryThreadAndNoneHangs) {
  in_new_process({"TENON_FAULTY_DELAY_US=100"}, [] {
    std::atomic<int> working{0};
    std::vector<Thrown> told(8);
    std::vector<std::thread> threads;
    for (Thrown& mine : told) {
      threads.emplace_back([&mine, &working] {
        mine = thrown([&] {
          Tensor x = ones({3}, {.device = device("faulty:0")});
          for (int i = 0;; ++i) {
            x = x + x;
            if (i % 4 == 0) x.to_vector<float>();
            if (i == 8) ++working;
          }
        });
      });
    }
    while (working < 8) std::this_thread::yield();
    lose_faulty();
    for (std::thread& thread : threads) thread.join();
    for (const Thrown& mine : told) EXPECT_THAT(mine.text, HasSubstr(kFaultySentence));
    EXPECT_THAT(told, Each(told.front()));
    shutdown();
  });
}

}  // namespace
}  // namespace tenon::test
