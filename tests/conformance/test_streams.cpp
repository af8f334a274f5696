// Timelines of asynchronous devices: order within a stream, waits between streams, points.
#include <chrono>
#include <thread>

#include "core/runtime/host.h"
#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

class Streams : public OnDevice {
 protected:
  void SetUp() override {
    if (rig.synchronous()) GTEST_SKIP() << rig.name() << " is synchronous";
  }
  std::uint64_t signal(TenonStream* stream) {
    std::uint64_t point = 0;
    EXPECT_EQ(rig.api().stream_signal(rig.device(), stream, &point), TENON_OK) << runtime::take_error();
    return point;
  }
  std::int32_t sync(TenonStream* stream, std::uint64_t point, std::int64_t timeout = -1) {
    std::int32_t code = TENON_NOT_READY;
    while (code == TENON_NOT_READY) code = rig.api().stream_sync(rig.device(), stream, point, timeout);
    return code;
  }
  // An op that adds 1 to an i32 array in place.
  OpSpec increment(Array* x) {
    Program program;
    const auto in = program.input(TENON_DTYPE_I32);
    program.output(
        program.emit(TENON_OP_ADD, TENON_DTYPE_I32, in, program.constant(TENON_DTYPE_I32, 1)));
    return elementwise(program, {x, x});
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Streams, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Streams, WorkOfAStreamRunsInOrder) {
  Array* x = rig.array(TENON_DTYPE_I32, {1000});
  x->set({5});
  rig.upload();
  Kernel kernel;
  ASSERT_TRUE(rig.prepare(increment(x).block(), &kernel).ok());
  const Pack pack{{x, x}, {}, {1000}};
  std::vector<std::int32_t> halfway(1000);
  for (int i = 0; i < 50; ++i) {
    if (i == 25) {
      const TenonCopy copy{x->handle, static_cast<std::uint64_t>(x->offset), 0,
                           reinterpret_cast<std::uint64_t>(halfway.data()), 4000};
      ASSERT_EQ(rig.api().copy(rig.device(), rig.stream(), &copy, 1), TENON_OK);
    }
    ASSERT_TRUE(rig.launch(kernel, {pack}).ok());
  }
  EXPECT_TRUE(rig.finish().ok());
  rig.release(kernel);
  rig.download_and_check({pack}, 1);
  for (std::int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(x->at(i), 55u) << "element " << i;
    ASSERT_EQ(halfway[static_cast<std::size_t>(i)], 30) << "element " << i;
  }
}

TEST_P(Streams, AStreamWaitsForAnothersPoint) {
  Rig other(GetParam());
  Array* x = rig.array(TENON_DTYPE_I32, {2000});
  x->set({0});
  rig.upload();
  Kernel kernel;
  ASSERT_TRUE(rig.prepare(increment(x).block(), &kernel).ok());
  const Pack pack{{x, x}, {}, {2000}};
  for (int i = 0; i < 20; ++i) {
    Rig& from = i % 2 == 0 ? rig : other;
    Rig& to = i % 2 == 0 ? other : rig;
    ASSERT_TRUE(from.launch(kernel, {pack}).ok());
    const std::uint64_t point = signal(from.stream());
    ASSERT_EQ(rig.api().stream_wait(rig.device(), to.stream(), from.stream(), point), TENON_OK)
        << runtime::take_error();
  }
  EXPECT_TRUE(rig.finish().ok());
  rig.release(kernel);
  rig.download_and_check({pack}, 1);
  for (std::int64_t i = 0; i < 2000; ++i) ASSERT_EQ(x->at(i), 20u) << "element " << i;
}

TEST_P(Streams, PointsIncreaseAndCompleteByThemselves) {
  Array* x = rig.array(TENON_DTYPE_I32, {1000});
  x->set({0});
  rig.upload();
  Kernel kernel;
  ASSERT_TRUE(rig.prepare(increment(x).block(), &kernel).ok());
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(rig.launch(kernel, {{{x, x}, {}, {1000}}}).ok());
    const std::uint64_t point = signal(rig.stream());
    ASSERT_GT(point, last);
    last = point;
  }
  // Far longer than the work takes; only a device that never completes gets there.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::int32_t state = TENON_NOT_READY;
  while (state == TENON_NOT_READY && std::chrono::steady_clock::now() < end) {
    state = rig.api().stream_query(rig.device(), rig.stream(), last);
    std::this_thread::yield();
  }
  EXPECT_EQ(state, TENON_OK) << runtime::take_error();
  EXPECT_EQ(sync(rig.stream(), last), TENON_OK);
  EXPECT_EQ(sync(rig.stream(), last, 0), TENON_OK) << "a point that is reached needs no time";
  rig.release(kernel);
}

TEST_P(Streams, SyncGivesUpAfterItsTimeout) {
  Array* x = rig.array(TENON_DTYPE_I32, {100000});
  x->set({0});
  rig.upload();
  Kernel kernel;
  ASSERT_TRUE(rig.prepare(increment(x).block(), &kernel).ok());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(rig.launch(kernel, {{{x, x}, {}, {100000}}}).ok());
  const std::uint64_t point = signal(rig.stream());
  const std::int32_t code = sync(rig.stream(), point, 0);
  EXPECT_TRUE(code == TENON_OK || code == TENON_TIMEOUT) << "code " << code;
  EXPECT_EQ(sync(rig.stream(), point), TENON_OK);
  EXPECT_EQ(rig.api().stream_query(rig.device(), rig.stream(), point), TENON_OK);
  runtime::take_error();
  rig.release(kernel);
}

TEST_P(Streams, APageableSourceMayBeReusedAtOnce) {
  const TenonMem mem = rig.allocate(40 * 4096);
  std::vector<std::uint8_t> source(4096), back(40 * 4096);
  for (std::uint64_t i = 0; i < 40; ++i) {
    std::fill(source.begin(), source.end(), static_cast<std::uint8_t>(i));
    rig.write(mem.handle, i * 4096, source.data(), source.size());
  }
  std::fill(source.begin(), source.end(), std::uint8_t{255});
  rig.read(mem.handle, 0, back.data(), back.size());
  for (std::size_t i = 0; i < back.size(); ++i) ASSERT_EQ(back[i], i / 4096) << "byte " << i;
}

TEST_P(Streams, StreamsComeAndGo) {
  for (int i = 0; i < 30; ++i) {
    TenonStream* stream = nullptr;
    ASSERT_EQ(rig.api().stream_create(rig.device(), &stream), TENON_OK) << runtime::take_error();
    ASSERT_NE(stream, nullptr);
    const std::int32_t code = i % 3 == 0 ? TENON_OK : sync(stream, signal(stream));
    EXPECT_EQ(code, TENON_OK);
    rig.api().stream_destroy(rig.device(), stream);
  }
}

}  // namespace
}  // namespace tenon::conformance
