// Plugin faulty keeps the contract, late, and catches who breaks it: memory, streams, points, copies.
#include <cstring>
#include <numeric>

#include <gmock/gmock.h>

#include "plugins/faulty/peek.h"
#include "tests/plugins/faulty_fixture.h"

namespace tenon::test {
namespace {

using testing::Each;
using testing::HasSubstr;

using Bytes = std::vector<std::uint8_t>;

TEST_F(Faulty, IsNeverTheDefaultAndHasTwoDevices) {
  EXPECT_LT(api->score(), 0);
  ASSERT_EQ(api->device_count(), 2U);
  TenonDeviceInfo info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(api->device_info(1, &info), TENON_OK);
  EXPECT_STREQ(info.kind, "faulty");
  EXPECT_EQ(info.flags & TENON_DEVICE_UNIFIED, 0U);
  EXPECT_EQ(info.memory_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(api->device_info(2, &info), TENON_INVALID);
}

TEST_F(Faulty, RefusesAnOptionThatIsNoNumber) {
  host.set("delay_us", "20ms");
  TenonDevice* device = nullptr;
  EXPECT_EQ(api->device_open(0, &device), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] option delay_us must be a whole number, not '20ms'");
}

TEST_F(Faulty, HidesItsMemoryFromTheHost) {
  open();
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  ASSERT_EQ(api->mem_alloc(device_, TENON_SPACE_DEVICE, 100, &mem), TENON_OK);
  EXPECT_EQ(mem.host_ptr, nullptr);
  EXPECT_EQ(mem.handle, 1U);
  EXPECT_EQ(mem.bytes, 100U);
  api->mem_free(device_, mem.handle);
  EXPECT_EQ(api->mem_alloc(device_, TENON_SPACE_HOST_VISIBLE, 100, &mem), TENON_UNSUPPORTED);
  EXPECT_THAT(host.error(), HasSubstr("the host can read none"));
}

TEST_F(Faulty, FreshMemoryIsPoison) {
  open();
  const std::uint64_t handle = allocate(1000);
  EXPECT_THAT(bytes_of(handle, 1000), Each(0xCB));
  api->mem_free(device_, handle);
}

TEST_F(Faulty, AStreamKeepsItsOrder) {
  host.set("delay_us", "300");
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(64), b = allocate(64);
  for (std::uint8_t i = 1; i < 20; ++i) {
    EXPECT_EQ(fill(s, a, 0, 64, i), TENON_OK);
    EXPECT_EQ(copy(s, {a, 0, b, 0, 64}), TENON_OK);
    EXPECT_EQ(fill(s, a, 0, 64, 0xFF), TENON_OK);
    Bytes got(64);
    EXPECT_EQ(download(s, got.data(), b, 64), TENON_OK);
    ASSERT_EQ(finish(s), TENON_OK) << host.error();
    EXPECT_THAT(got, Each(i));
  }
}

// Without the wait the reader is four long delays ahead of the writer.
TEST_F(Faulty, AWaitOrdersTwoStreams) {
  host.set("delay_min_us", "10000");
  open();
  TenonStream *const writer = stream(), *const reader = stream();
  const std::uint64_t a = allocate(64);
  for (std::uint8_t i = 1; i <= 5; ++i) EXPECT_EQ(fill(writer, a, 0, 64, i), TENON_OK);
  EXPECT_EQ(api->stream_wait(device_, reader, writer, signal(writer)), TENON_OK);
  Bytes got(64);
  EXPECT_EQ(download(reader, got.data(), a, 64), TENON_OK);
  ASSERT_EQ(finish(reader), TENON_OK) << host.error();
  EXPECT_THAT(got, Each(5));
}

TEST_F(Faulty, WaitsAndSyncsTakeSignalledPointsOnly) {
  open();
  TenonStream *const s = stream(), *const other = stream();
  const std::uint64_t point = signal(s);
  EXPECT_EQ(api->stream_sync(device_, s, point + 1, -1), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] stream_sync: point 2 was never signalled; the last is 1");
  EXPECT_EQ(api->stream_query(device_, s, 0), TENON_INVALID);
  EXPECT_EQ(api->stream_wait(device_, other, s, 7), TENON_INVALID);
  EXPECT_LT(point, signal(s));
}

TEST_F(Faulty, ASyncThatTakesTooLongTimesOut) {
  host.set("delay_min_us", "300000");
  open();
  TenonStream* const s = stream();
  const std::uint64_t point = signal(s);
  EXPECT_EQ(api->stream_query(device_, s, point), TENON_NOT_READY);
  EXPECT_EQ(api->stream_sync(device_, s, point, 1000), TENON_TIMEOUT);
  EXPECT_THAT(host.error(), HasSubstr("point 1 was not reached within 1000 ns"));
  EXPECT_EQ(api->stream_sync(device_, s, point, -1), TENON_OK);
  EXPECT_EQ(api->stream_query(device_, s, point), TENON_OK);
}

TEST_F(Faulty, AHostSourceIsReadDuringTheCall) {
  host.set("delay_min_us", "20000");
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(100);
  Bytes source(100);
  std::iota(source.begin(), source.end(), std::uint8_t{1});
  const Bytes sent = source;
  ASSERT_EQ(upload(s, a, source.data(), source.size()), TENON_OK);
  std::fill(source.begin(), source.end(), std::uint8_t{0});
  ASSERT_EQ(finish(s), TENON_OK);
  EXPECT_EQ(bytes_of(a, 100), sent);
}

TEST_F(Faulty, FillRepeatsAValue) {
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(12);
  const TenonFill pairs{sizeof pairs, 2, a, 2, 8, 0xFFFF1234};
  ASSERT_EQ(api->fill(device_, s, &pairs), TENON_OK) << host.error();
  ASSERT_EQ(finish(s), TENON_OK);
  EXPECT_EQ(bytes_of(a, 12),
            (Bytes{0xCB, 0xCB, 0x34, 0x12, 0x34, 0x12, 0x34, 0x12, 0x34, 0x12, 0xCB, 0xCB}));
}

TEST_F(Faulty, CopiesBetweenItsTwoDevices) {
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(16);
  TenonDevice* const first = device_;
  device_ = open(1);
  const std::uint64_t b = allocate(16);
  EXPECT_EQ(fill(s, b, 0, 16, 9), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] not a stream of faulty:1");
  device_ = first;
  ASSERT_EQ(fill(s, a, 0, 16, 9), TENON_OK);
  ASSERT_EQ(copy(s, {a, 0, b, 0, 16}), TENON_OK) << host.error();
  ASSERT_EQ(finish(s), TENON_OK);
  EXPECT_THAT(bytes_of(b, 16), Each(9));
}

TEST_F(Faulty, TheNthAllocationFailsAndTheDeviceGoesOn) {
  host.set("oom_at", "2");
  open();
  EXPECT_EQ(try_allocate(8), TENON_OK);
  EXPECT_EQ(try_allocate(8), TENON_OOM);
  EXPECT_EQ(host.error(), "[faulty] allocation 2 fails: option oom_at");
  const std::uint64_t handle = allocate(8);
  EXPECT_THAT(bytes_of(handle, 8), Each(0xCB));
  host.set("oom_every", "2");
  EXPECT_EQ(try_allocate(8), TENON_OOM);
  EXPECT_EQ(try_allocate(8), TENON_OK);
  EXPECT_EQ(try_allocate(8), TENON_OOM);
}

TEST_F(Faulty, MemoryHasALimit) {
  host.set("memory_bytes", "1000");
  open();
  const std::uint64_t handle = allocate(600);
  EXPECT_EQ(try_allocate(401), TENON_OOM);
  EXPECT_EQ(host.error(), "[faulty] 401 bytes asked for, 400 of 1000 are free on faulty:0");
  EXPECT_EQ(try_allocate(UINT64_MAX), TENON_OOM);
  TenonMemInfo info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(api->mem_info(device_, &info), TENON_OK);
  EXPECT_EQ(info.free_bytes, 400U);
  api->mem_free(device_, handle);
  EXPECT_EQ(try_allocate(1000), TENON_OK);
}

TEST_F(Faulty, AFreedHandleIsInvalid) {
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(64);
  api->mem_free(device_, a);
  EXPECT_EQ(fill(s, a, 8, 16, 0), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] fill: handle 1 has been freed (offset 8, 16 bytes)");
  EXPECT_EQ(fill(s, 99, 8, 16, 0), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] fill: handle 99 was never allocated (offset 8, 16 bytes)");
}

TEST_F(Faulty, ACopyStaysInsideItsMemory) {
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(64), b = allocate(65);
  EXPECT_EQ(copy(s, {b, 0, a, 0, 65}), TENON_INVALID);
  EXPECT_EQ(host.error(),
            "[faulty] copy: destination: offset 0 and 65 bytes leave handle 1 of 64 bytes");
  EXPECT_EQ(copy(s, {a, 60, b, 0, 5}), TENON_INVALID);
  EXPECT_EQ(copy(s, {a, UINT64_MAX, b, 0, 5}), TENON_INVALID);
  EXPECT_EQ(copy(s, {a, 0, a, 8, 16}), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] copy: 16 bytes overlap their source by 8");
  EXPECT_EQ(copy(s, {a, 60, b, 61, 4}), TENON_OK) << host.error();
}

TEST_F(Faulty, ABrokenGuardLosesTheDevice) {
  for (const int at : {-1, 64}) {
    device_ = open(0);
    TenonStream* const s = stream();
    const std::uint64_t point = signal(s), handle = allocate(64);
    const auto* peek = static_cast<const FaultyPeek*>(api->get_ext("faulty.peek"));
    ASSERT_NE(peek, nullptr);
    static_cast<std::uint8_t*>(peek->address(handle))[at] = 0;
    api->mem_free(device_, handle);
    EXPECT_THAT(host.errors_logged(),
                HasSubstr(at < 0 ? "the guard zone before handle" : "the guard zone after handle"));
    EXPECT_EQ(fill(s, handle, 0, 1, 0), TENON_DEVICE_LOST);
    EXPECT_EQ(api->stream_sync(device_, s, point, -1), TENON_DEVICE_LOST);
    const auto faults = host.faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].code, TENON_DEVICE_LOST);
    EXPECT_THAT(host.error(), HasSubstr("[faulty] faulty:0 is lost: the guard zone"));
  }
}

TEST_F(Faulty, FreeingWhatIsStillQueuedLosesTheDevice) {
  host.set("delay_min_us", "300000");
  open();
  TenonStream* const s = stream();
  const std::uint64_t a = allocate(64);
  ASSERT_EQ(fill(s, a, 0, 64, 1), TENON_OK);
  api->mem_free(device_, a);
  EXPECT_THAT(host.errors_logged(), HasSubstr("handle 1 of 64 bytes is still used by 1 queued"));
  EXPECT_EQ(try_allocate(8), TENON_DEVICE_LOST);
}

TEST_F(Faulty, ALostDeviceLeavesTheHostsMemoryAlone) {
  host.set("delay_min_us", "20000");
  open();
  TenonStream* const s = stream();
  Bytes got(64, 7);
  EXPECT_EQ(download(s, got.data(), allocate(64), 64), TENON_OK);
  api->mem_free(device_, 999);
  EXPECT_THAT(host.errors_logged(), HasSubstr("handle 999 is not alive"));
  std::uint64_t point = 0;
  EXPECT_EQ(api->stream_signal(device_, s, &point), TENON_DEVICE_LOST)
      << "nobody can wait for the copy";
  api->stream_destroy(device_, s);  // runs what is queued
  EXPECT_THAT(got, Each(7));
}

TEST_F(Faulty, FreeingTwiceLosesTheDevice) {
  open();
  const std::uint64_t a = allocate(64);
  api->mem_free(device_, a);
  api->mem_free(device_, a);
  EXPECT_THAT(host.errors_logged(), HasSubstr("mem_free: handle 1 is not alive"));
  EXPECT_EQ(try_allocate(8), TENON_DEVICE_LOST);
}

}  // namespace
}  // namespace tenon::test
