// What a device reports, and how it is told: by a device that answers as the test wants.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/tensor.h>

#include "core/runtime/pool.h"
#include "core/runtime/stream.h"
#include "tests/core/fake_device.h"
#include "tests/support/error_log.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

Thrown device_error(std::string text) {
  return {ErrorKind::DeviceError, std::move(text)};
}

/// Answers `codes` one after the other, then TENON_OK.
std::function<std::int32_t()> in_turn(std::vector<std::int32_t> codes) {
  auto next = std::make_shared<std::size_t>(0);
  return [codes, next] { return *next < codes.size() ? codes[(*next)++] : TENON_OK; };
}

class Faults : public testing::Test {
 protected:
  /// The next wait reports the fault, once.
  void report_late(const TenonFault& fault) {
    dev->on_sync = [fault, told = false](std::int64_t) mutable {
      if (std::exchange(told, true)) return std::int32_t{TENON_OK};
      report(fault);
      return fault.code;
    };
  }
  Thrown synchronize() {
    return thrown([&] { dev.device().synchronize(); });
  }

  FakeDevice dev;
  const std::string on = dev.name();
  const Thrown nothing{static_cast<ErrorKind>(-1), "nothing was thrown"};
};

// --- Indices ---

TEST_F(Faults, ALateIndexNamesItsOpAndValues) {
  dev.launch("matmul");
  const auto corr = dev.launch("embedding", {{65}});
  dev.launch("relu");
  report_late(bad_index(corr, 70, 3, 0, 2));
  EXPECT_EQ(synchronize(), invalid_argument("[embedding] index 70 is out of range for 65 rows "
                                            "(at position 3, on " +
                                            on + ")"));
  EXPECT_EQ(synchronize(), nothing) << "it is told once";
}

TEST_F(Faults, AnIndexAtOnceIsToldAtOnce) {
  FakeDevice sync(FakeDevice::Synchronous);
  sync->on_launch = [](const TenonLaunch& launch) {
    report(bad_index(launch.corr, -1, 0));
    return fake_fail(TENON_INDEX, "not read: the fault says more");
  };
  EXPECT_EQ(thrown([&] { sync.launch("index_select", {{9}}); }),
            invalid_argument("[index_select] index -1 is out of range for 9 rows (at position 0, on " +
                             sync.name() + ")"));
  sync->on_launch = {};
  sync.launch("index_select", {{9}});
}

TEST_F(Faults, OneOfSeveralIndicesIsNamed) {
  const std::vector<std::vector<std::int64_t>> extents = {{5, 6}, {7, 80}};
  const auto told = [&](const TenonFault& fault) {
    report_late(fault);
    return synchronize().text;
  };
  const auto at = [&](std::uint32_t pack, std::uint32_t operand) {
    return bad_index(dev.launch("gather", extents), 70, 3, pack, operand);
  };
  const std::string head = "[gather] index 70 is out of range for ";
  EXPECT_EQ(told(at(0, 3)), head + "6 rows (at position 3 of index 1 of pack 0, on " + on + ")");
  EXPECT_EQ(told(at(1, 2)), head + "7 rows (at position 3 of index 0 of pack 1, on " + on + ")");
  EXPECT_EQ(told(at(1, 0)), head + "7 rows (at position 3 of index 0 of pack 1, on " + on + ")")
      << "of an operand that is not named: the first that 70 is too large for";
  EXPECT_EQ(told(at(0, 99)), head + "5 rows (at position 3 of index 0 of pack 0, on " + on + ")");
  EXPECT_EQ(told(at(99, 3)), head + "6 rows (at position 3 of index 1 of pack 0, on " + on + ")");
}

TEST_F(Faults, ManyLaunchesLaterOnlyPlainOpsAreForgotten) {
  const auto plain = dev.launch("add"), gather = dev.launch("embedding", {{65}});
  for (int i = 0; i < 3000; ++i) dev.launch("relu");
  report_late(bad_index(gather, 70, 3));
  EXPECT_EQ(synchronize().text,
            "[embedding] index 70 is out of range for 65 rows (at position 3, on " + on + ")");
  dev.launch("relu");
  report_late(bad_index(plain, 70, 3));
  EXPECT_EQ(synchronize().text, "[launch 1] index 70 is out of range (at position 3, on " + on +
                                    "); TENON_SYNC=1 tells which op it was");
}

TEST_F(Faults, AnIndexOfAnUnknownLaunch) {
  dev.launch("embedding", {{65}});
  const std::string tail =
      "index 70 is out of range (at position 3, on " + on + "); TENON_SYNC=1 tells which op it was";
  report_late(bad_index(0, 70, 3));
  EXPECT_EQ(synchronize().text, "[" + on + "] " + tail);
  dev.launch("relu");
  report_late(bad_index(std::uint64_t{7} << 40 | 5, 70, 3));
  EXPECT_EQ(synchronize().text, "[launch 5 of stream 7] " + tail);
  dev->on_sync = [n = 0](std::int64_t) mutable { return n++ == 0 ? TENON_INDEX : TENON_OK; };
  dev.launch("embedding", {{65}});
  EXPECT_EQ(synchronize().text, "[" + on + "] an index is out of range (on " + on + ")");
}

TEST_F(Faults, AWaitGoesOnAfterAFailureIsTold) {
  for (const std::int32_t code : {TENON_INDEX, TENON_INTERNAL}) {
    dev.launch("embedding", {{65}});
    int syncs = 0;
    dev->on_sync = [&](std::int64_t) { return ++syncs == 1 ? code : TENON_OK; };
    EXPECT_NE(synchronize(), nothing);
    EXPECT_EQ(syncs, 2) << "the first told of the failure, not that the point was reached";
    EXPECT_EQ(synchronize(), nothing);
    EXPECT_EQ(syncs, 2) << "known to have finished";
  }
}

TEST_F(Faults, AWaitThatFailsForGoodEnds) {
  dev.launch("matmul");
  dev->on_sync = [](std::int64_t) { return TENON_INTERNAL; };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(synchronize(), device_error("[" + on + "] stream_sync failed: an internal error"));
  }
  zeros({3}, {.device = dev.device()});
  empty_cache(dev.device());
  EXPECT_EQ(dev->frees, 0) << "memory that may still be in use";
}

// --- Other faults, and faults in odd forms ---

TEST_F(Faults, ALateFailureNamesItsOp) {
  const auto corr = dev.launch("matmul");
  dev.launch("relu");
  report_late({sizeof(TenonFault), TENON_INTERNAL, corr, 0, 0, 0, 0});
  EXPECT_EQ(synchronize(), device_error("[matmul] failed on " + on + ": an internal error"));
}

TEST_F(Faults, AFaultCountsWhereTheCallAnswersOk) {
  dev->on_launch = [](const TenonLaunch& launch) {
    report(bad_index(launch.corr, 70, 3));
    return TENON_OK;
  };
  EXPECT_EQ(thrown([&] { dev.launch("embedding", {{65}}); }).text,
            "[embedding] index 70 is out of range for 65 rows (at position 3, on " + on + ")");
  dev->on_launch = {};
  int waited = 0;
  dev->on_sync = [&](std::int64_t) { return ++waited, TENON_OK; };
  dev.device().synchronize();
  EXPECT_EQ(waited, 1) << "the launch was given, so there is something to wait for";
}

TEST_F(Faults, TheFirstOfSeveralWins) {
  ErrorLog log;
  const auto first = dev.launch("embedding", {{65}}), second = dev.launch("gather", {{5}});
  dev->on_sync = [=](std::int64_t) {
    report(bad_index(first, 70, 3));
    report(bad_index(second, 6, 0));
    return TENON_INDEX;
  };
  EXPECT_THAT(synchronize().text, testing::HasSubstr("[embedding] index 70"));
}

TEST_F(Faults, AnEarlierLaunchIsNotMistakenForTheOneAtHand) {
  const auto earlier = dev.launch("embedding", {{65}});
  std::uint64_t named = earlier;
  dev->on_launch = [&](const TenonLaunch&) {
    report(bad_index(named, 70, 3));
    return TENON_INDEX;
  };
  EXPECT_THAT(thrown([&] { dev.launch("gather", {{5}}); }).text, testing::HasSubstr("[embedding]"));
  named = 4711;
  EXPECT_THAT(thrown([&] { dev.launch("gather", {{5}}); }).text, testing::HasSubstr("[launch 4711]"));
}

TEST_F(Faults, OfOtherVersionsAndUnknownCodes) {
  struct Newer {
    TenonFault fault;
    std::uint64_t more[8];
  } newer{bad_index(dev.launch("embedding", {{65}}), 70, 3), {}};
  newer.fault.struct_size = sizeof newer;
  report_late(newer.fault);
  EXPECT_THAT(synchronize().text, testing::HasSubstr("[embedding] index 70"));

  TenonFault older = bad_index(dev.launch("embedding", {{65}}), 70, 3, 99, 99);
  older.struct_size = offsetof(TenonFault, pack);
  report_late(older);
  EXPECT_THAT(synchronize().text, testing::HasSubstr("index 70 is out of range for 65 rows"));

  for (const std::uint32_t size : {0u, 4u, 8u, ~0u}) {
    TenonFault odd = bad_index(dev.launch("add"), 70, 3);
    odd.struct_size = size;
    odd.code = 99;
    report_late(odd);
    EXPECT_EQ(synchronize().kind, ErrorKind::DeviceError) << size;
  }
  fake_host().fault(fake_host().ctx, nullptr);
  EXPECT_EQ(synchronize(), nothing);
}

TEST_F(Faults, OnAThreadOfThePluginsOwnGoesToTheLog) {
  ErrorLog log;
  dev->on_launch = [](const TenonLaunch&) {
    std::thread([] { report(bad_index(17, 70, 3)); }).join();
    return TENON_OK;
  };
  dev.launch("embedding", {{65}});
  EXPECT_THAT(log.take(),
              ElementsAre("fake: a fault on a thread that is in no call: code -2, launch 17, "
                          "value 70, position 3"));
  EXPECT_EQ(synchronize(), nothing);
}

TEST_F(Faults, WhatAQueryMeetsIsToldByTheNextWait) {
  ErrorLog log;
  const auto first = dev.launch("embedding", {{65}}), second = dev.launch("gather", {{5}});
  runtime::Stream& stream = *dev.state().streams().current();
  dev->on_query = [&, n = 0]() mutable {
    report(bad_index(n++ == 0 ? first : second, 70, 3));
    return TENON_INDEX;
  };
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(stream.has_finished(2));
  dev->on_query = {};
  EXPECT_TRUE(stream.has_finished(2));
  EXPECT_THAT(log.take(), IsEmpty());
  EXPECT_THAT(synchronize().text, testing::HasSubstr("[embedding] index 70"));
  EXPECT_THAT(log.take(), ElementsAre(testing::HasSubstr("[gather] index 70")))
      << "the second, once: its repetitions say nothing new";
  EXPECT_EQ(synchronize(), nothing);
}

// A query of another thread's has the fault, but has not said so yet, when the wait finds nothing.
TEST_F(Faults, AQueryDoesNotTakeThemFromWhoWaits) {
  const auto corr = dev.launch("embedding", {{65}});
  runtime::Stream& stream = *dev.state().streams().current();
  std::atomic<bool> asked{false}, waited{false};
  dev->on_sync = [&](std::int64_t) { return waited = true, TENON_OK; };
  dev->on_query = [&] {
    asked = true;
    while (!waited) std::this_thread::yield();
    std::this_thread::sleep_for(20ms);
    report(bad_index(corr, 70, 3));
    return TENON_INDEX;
  };
  std::thread other([&] { stream.has_finished(1); });
  while (!asked) std::this_thread::yield();
  EXPECT_THAT(synchronize().text, testing::HasSubstr("[embedding] index 70"));
  other.join();
}

TEST_F(Faults, NobodyWasToldOfGoToTheLogWhenTheDeviceIsClosed) {
  ErrorLog log;
  report_late(bad_index(dev.launch("embedding", {{65}}), 70, 3));
  dev.state().close();
  EXPECT_THAT(
      log.take(),
      ElementsAre("[embedding] index 70 is out of range for 65 rows (at position 3, on " + on + ")"));
}

TEST_F(Faults, OfAThreadThatHasEndedAreToldToWhoWaits) {
  std::thread([&] { report_late(bad_index(dev.launch("embedding", {{65}}), 70, 3)); }).join();
  dev.launch("relu");
  EXPECT_EQ(synchronize().text,
            "[embedding] index 70 is out of range for 65 rows (at position 3, on " + on + ")");
}

TEST_F(Faults, OfSeveralStreamsAreAllTold) {
  ErrorLog log;
  const auto launch = [&](std::string_view op) { return dev.launch(op, {{65}}); };
  std::uint64_t other = 0;
  const auto own = launch("embedding");
  std::thread([&] { other = launch("gather"); }).join();
  EXPECT_NE(own, other) << "a corr is unique in its device";
  dev->on_sync = [&, n = 0](std::int64_t) mutable {
    if (n == 0 || n == 2) report(bad_index(n == 0 ? own : other, 70, 3));
    return n++ % 2 == 0 ? TENON_INDEX : TENON_OK;
  };
  EXPECT_THAT(synchronize().text, testing::HasSubstr("[embedding] index 70"));
  EXPECT_THAT(log.take(), ElementsAre(testing::HasSubstr("[gather] index 70")));
}

// --- Answers that break the contract ---

TEST_F(Faults, AKernelThatRefusesAfterOkIsNamed) {
  dev->on_launch = [](const TenonLaunch&) {
    fake_host().note(fake_host().ctx, "no f64 on Sundays");
    return TENON_UNSUPPORTED;
  };
  const std::string text = "[matmul] " + on + " refused a launch that its prepare had accepted";
  EXPECT_EQ(thrown([&] { dev.launch("matmul"); }),
            device_error(text + ": no f64 on Sundays; this is a defect of plugin fake"));
  dev->on_launch = [](const TenonLaunch&) { return TENON_UNSUPPORTED; };
  EXPECT_EQ(thrown([&] { dev.launch("matmul"); }),
            device_error(text + "; this is a defect of plugin fake"));
}

TEST_F(Faults, CodesThatMeanNothing) {
  std::int32_t code = TENON_NOT_READY;
  dev->on_launch = [&](const TenonLaunch&) { return code; };
  dev->on_copy = [&] { return code; };
  const std::string tail = ", which is no answer to that; this is a defect of plugin fake";
  const Tensor x = empty({3}, {.device = dev.device()});
  EXPECT_EQ(thrown([&] { dev.launch("matmul"); }),
            device_error("[matmul] launch was answered with NOT_READY on " + on + tail));
  for (const std::int32_t unknown : {3, 17, INT32_MAX, -8, INT32_MIN}) {
    code = unknown;
    const std::string number = "code " + std::to_string(unknown);
    EXPECT_EQ(thrown([&] { dev.launch("matmul"); }),
              device_error("[matmul] launch was answered with " + number + " on " + on + tail));
    EXPECT_EQ(thrown([&] { x.to_vector<float>(); }),
              device_error("[" + on + "] copy was answered with " + number + tail));
  }
}

TEST_F(Faults, FailuresKeepTheirKinds) {
  dev->on_launch = [](const TenonLaunch&) { return fake_fail(TENON_OOM, "no room"); };
  EXPECT_EQ(thrown([&] { dev.launch("sort"); }),
            (Thrown{ErrorKind::OutOfMemory, "[sort] failed on " + on + ": no room"}));
  dev->on_launch = [](const TenonLaunch&) { return TENON_INVALID; };
  EXPECT_EQ(thrown([&] { dev.launch("sort"); }),
            device_error("[sort] failed on " + on + ": a call that breaks the plugin contract"));
  dev->on_copy = [] { return TENON_INTERNAL; };
  const Tensor x = empty({3}, {.device = dev.device()});
  EXPECT_EQ(thrown([&] { x.to_vector<float>(); }),
            device_error("[" + on + "] copy failed: an internal error"));
}

// --- Time ---

TEST_F(Faults, AWaitThatEndsEarlyGoesOn) {
  dev.launch("matmul");
  const auto early = in_turn({TENON_NOT_READY, TENON_NOT_READY, TENON_NOT_READY});
  std::vector<std::int64_t> timeouts;
  dev->on_sync = [&](std::int64_t timeout_ns) {
    timeouts.push_back(timeout_ns);
    return early();
  };
  EXPECT_EQ(synchronize(), nothing);
  EXPECT_THAT(timeouts, ElementsAre(-1, -1, -1, -1));
}

TEST_F(Faults, AWaitRunsOutAndMayBeRepeated) {
  dev.launch("matmul");
  for (const std::int32_t code : {TENON_NOT_READY, TENON_TIMEOUT}) {
    int asked = 0;
    dev->on_sync = [&](std::int64_t timeout_ns) {
      EXPECT_GE(timeout_ns, 0);
      EXPECT_LE(timeout_ns, 20'000'000);
      ++asked;
      return code;
    };
    EXPECT_EQ(thrown([&] { dev.device().synchronize(20ms); }),
              device_error("[" + on +
                           "] timed out after 0.02 s waiting for matmul (launch 1); the device "
                           "is not lost: wait again, or allow it more time (TENON_TIMEOUT)"));
    EXPECT_LT(asked, 200) << "it spins";
    EXPECT_GE(asked, 2);
  }
  dev->on_sync = {};
  EXPECT_EQ(thrown([&] { dev.device().synchronize(0ns); }), nothing);
}

TEST_F(Faults, MemoryInUseStaysWhenAWaitRunsOut) {
  in_new_process({"TENON_TIMEOUT=0.01"}, [&] {
    {
      std::vector<Tensor> held;
      for (const std::int64_t size : {300'000, 600'000, 900'000}) {
        held.push_back(zeros({size}, {.device = dev.device()}));
      }
    }
    dev->on_sync = [](std::int64_t) { return TENON_NOT_READY; };
    EXPECT_THAT(thrown([&] { empty_cache(dev.device()); }).text,
                testing::HasSubstr("timed out after 0.01 s waiting for"));
    EXPECT_EQ(dev->frees, 0);
    dev->on_sync = {};
    empty_cache(dev.device());
    EXPECT_EQ(dev->frees, 3);
  });
}

TEST_F(Faults, AReadMayRunOut) {
  in_new_process({"TENON_TIMEOUT=0.01"}, [&] {
    const Tensor x = from_values<float>(std::vector<float>{1, 2, 3}, {3}, {.device = dev.device()});
    dev->on_sync = [](std::int64_t) { return TENON_NOT_READY; };
    EXPECT_THAT(thrown([&] { x.to_vector<float>(); }).text, testing::HasSubstr("timed out"));
    dev->on_sync = {};
    EXPECT_THAT(x.to_vector<float>(), ElementsAre(1, 2, 3));
  });
}

TEST_F(Faults, TheTimeoutMustBeANumber) {
  in_new_process({}, [&] {
    for (const char* bad : {"abc", "2s", "0", "-1", "nan", "1e999", " 1"}) {
      setenv("TENON_TIMEOUT", bad, 1);
      EXPECT_EQ(
          thrown([&] { zeros({3}, {.device = dev.device()}); }),
          invalid_argument(std::string("[tenon] TENON_TIMEOUT is a number of seconds above 0, not \"") +
                           bad + "\""));
    }
    setenv("TENON_TIMEOUT", "1e30", 1);
    zeros({3}, {.device = dev.device()});
    dev->on_sync = [](std::int64_t timeout_ns) {
      EXPECT_EQ(timeout_ns, -1);
      return TENON_OK;
    };
    dev.device().synchronize();
  });
  EXPECT_EQ(thrown([&] { dev.device().synchronize(-5ns); }),
            invalid_argument("[synchronize] a time-out of -5 ns"));
}

}  // namespace
}  // namespace tenon::test
