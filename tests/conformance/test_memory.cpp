// Allocation, copies, fills and imported host memory.
#include <cstring>
#include <numeric>
#include <set>

#include "core/runtime/host.h"
#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

TENON_DEVICE_SUITE(Memory);

using Bytes = std::vector<std::uint8_t>;

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes;
  for (const Bits bits : random_values(TENON_DTYPE_U8, size, seed))
    bytes.push_back(static_cast<std::uint8_t>(bits));
  return bytes;
}

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

TEST_P(Memory, AllocationsAreAlignedDistinctAndLargeEnough) {
  std::set<std::uint64_t> handles;
  for (const std::uint64_t bytes :
       std::vector<std::uint64_t>{1, 2, 255, 256, 257, 4096, 100001, 1 << 20}) {
    const TenonMem mem = rig.allocate(bytes);
    EXPECT_NE(mem.handle, 0u);
    EXPECT_GE(mem.bytes, bytes);
    EXPECT_EQ(mem.space, std::uint32_t{TENON_SPACE_DEVICE});
    EXPECT_EQ(address(mem.host_ptr) % rig.info().mem_alignment, 0u) << bytes << " bytes";
    EXPECT_EQ(mem.device_addr % rig.info().mem_alignment, 0u) << bytes << " bytes";
    EXPECT_TRUE(handles.insert(mem.handle).second) << "handle " << mem.handle << " is in use already";
  }
}

TEST_P(Memory, HostVisibleMemoryIsSeenByTheHost) {
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  const std::int32_t code = rig.api().mem_alloc(rig.device(), TENON_SPACE_HOST_VISIBLE, 1000, &mem);
  if (code == TENON_UNSUPPORTED) GTEST_SKIP() << "no host-visible memory: " << runtime::take_note();
  ASSERT_EQ(code, TENON_OK) << runtime::take_error();
  ASSERT_NE(mem.host_ptr, nullptr);
  const Bytes sent = noise(1000, 3);
  rig.write(mem.handle, 0, sent.data(), sent.size());
  EXPECT_TRUE(rig.finish().ok());
  EXPECT_EQ(std::memcmp(mem.host_ptr, sent.data(), sent.size()), 0);
  rig.api().mem_free(rig.device(), mem.handle);
}

TEST_P(Memory, FreedMemoryCanBeHadAgain) {
  for (int i = 0; i < 300; ++i) {
    TenonMem mem{};
    mem.struct_size = sizeof mem;
    const auto bytes = std::uint64_t{1} << (i % 22);
    ASSERT_EQ(rig.api().mem_alloc(rig.device(), TENON_SPACE_DEVICE, bytes, &mem), TENON_OK)
        << "allocation " << i << " of " << bytes << " bytes: " << runtime::take_error();
    rig.api().mem_free(rig.device(), mem.handle);
  }
}

TEST_P(Memory, TooMuchIsOutOfMemoryAndTheDeviceLives) {
  for (const std::uint64_t bytes : {std::uint64_t{1} << 60, UINT64_MAX - 1, UINT64_MAX}) {
    TenonMem mem{};
    mem.struct_size = sizeof mem;
    runtime::take_error();
    EXPECT_EQ(rig.api().mem_alloc(rig.device(), TENON_SPACE_DEVICE, bytes, &mem), TENON_OOM)
        << bytes << " bytes";
    EXPECT_FALSE(runtime::take_error().empty()) << "no error text";
  }
  const TenonMem mem = rig.allocate(256);
  const Bytes sent = noise(256, 1);
  Bytes back(256);
  rig.write(mem.handle, 0, sent.data(), sent.size());
  rig.read(mem.handle, 0, back.data(), back.size());
  EXPECT_EQ(sent, back);
}

TEST_P(Memory, InfoCountsBytes) {
  TenonMemInfo info{};
  info.struct_size = sizeof info;
  const std::int32_t code = rig.api().mem_info(rig.device(), &info);
  if (code == TENON_UNSUPPORTED) GTEST_SKIP() << "not offered";
  ASSERT_EQ(code, TENON_OK) << runtime::take_error();
  EXPECT_GT(info.total_bytes, 0u);
  EXPECT_LE(info.free_bytes, info.total_bytes);
}

TEST_P(Memory, BytesComeBackThroughTwoBuffers) {
  const TenonMem a = rig.allocate(5000), b = rig.allocate(5000);
  for (const std::size_t size : std::vector<std::size_t>{1, 3, 255, 256, 257, 1000, 4001}) {
    for (const std::size_t at : std::vector<std::size_t>{0, 1, 7, 64, 999}) {
      const Bytes sent = noise(size, size + at);
      Bytes whole(5000, 0xEE), picture = whole;
      std::memcpy(picture.data() + at / 2, sent.data(), size);
      rig.write(b.handle, 0, whole.data(), whole.size());
      rig.write(a.handle, at, sent.data(), size);
      const TenonCopy between{a.handle, at, b.handle, at / 2, size};
      ASSERT_EQ(rig.api().copy(rig.device(), rig.stream(), &between, 1), TENON_OK)
          << runtime::take_error();
      rig.read(b.handle, 0, whole.data(), whole.size());
      ASSERT_EQ(whole, picture) << rig.name() << ": " << size << " bytes at " << at;
    }
  }
}

TEST_P(Memory, ManyCopiesInOneCall) {
  const TenonMem mem = rig.allocate(4096);
  const Bytes sent = noise(4096, 9);
  Bytes back(4096);
  std::vector<TenonCopy> there, home;
  for (std::uint64_t at = 0, size = 1; at < 4096; at += size, size = size % 97 + 5) {
    size = std::min(size, 4096 - at);
    there.push_back({0, address(sent.data() + at), mem.handle, at, size});
    home.push_back({mem.handle, at, 0, address(back.data() + at), size});
  }
  there.push_back({0, address(sent.data()), mem.handle, 4096, 0});
  const auto count = static_cast<std::uint32_t>(home.size());
  ASSERT_EQ(rig.api().copy(rig.device(), rig.stream(), there.data(), count + 1), TENON_OK);
  ASSERT_EQ(rig.api().copy(rig.device(), rig.stream(), home.data(), count), TENON_OK);
  ASSERT_EQ(rig.api().copy(rig.device(), rig.stream(), home.data(), 0), TENON_OK) << "no copies at all";
  ASSERT_TRUE(rig.finish().ok());
  EXPECT_EQ(sent, back);
}

TEST_P(Memory, FillRepeatsAValue) {
  const TenonMem mem = rig.allocate(512);
  for (const std::uint32_t width : {1u, 2u, 4u, 8u}) {
    Bytes picture = noise(512, width), got(512);
    rig.write(mem.handle, 0, picture.data(), picture.size());
    TenonFill fill{sizeof(TenonFill), width, mem.handle, 5 * width, 37 * width, 0xF1E2D3C4B5A69788};
    const std::int32_t code = rig.api().fill(rig.device(), rig.stream(), &fill);
    if (code == TENON_UNSUPPORTED) GTEST_SKIP() << "not offered";
    ASSERT_EQ(code, TENON_OK) << runtime::take_error();
    for (std::uint32_t i = 0; i < 37; ++i) std::memcpy(&picture[(5 + i) * width], &fill.value, width);
    rig.read(mem.handle, 0, got.data(), got.size());
    EXPECT_EQ(got, picture) << "values of " << width << " bytes";
    fill.bytes = 0;
    EXPECT_EQ(rig.api().fill(rig.device(), rig.stream(), &fill), TENON_OK) << "zero bytes";
  }
}

TEST_P(Memory, ImportedHostMemoryIsShared) {
  const std::size_t size = 1 << 16;
  const std::size_t alignment = std::max<std::size_t>(rig.info().import_alignment, 4);
  Bytes room(size + alignment, 0x11);
  auto* host = room.data() + (alignment - address(room.data()) % alignment) % alignment;
  TenonImport import{sizeof(TenonImport), TENON_IMPORT_HOST, 0, 0, address(host), size};
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  const std::int32_t code = rig.api().mem_import(rig.device(), &import, &mem);
  if (code == TENON_UNSUPPORTED) GTEST_SKIP() << "not offered";
  ASSERT_EQ(code, TENON_OK) << runtime::take_error();
  EXPECT_NE(mem.handle, 0u);

  Bytes seen(size);
  std::iota(host, host + size, std::uint8_t{7});
  rig.read(mem.handle, 0, seen.data(), size);
  EXPECT_EQ(std::memcmp(seen.data(), host, size), 0) << "the device does not see the host's writes";
  const Bytes sent = noise(1000, 5);
  rig.write(mem.handle, 300, sent.data(), sent.size());
  EXPECT_TRUE(rig.finish().ok());
  EXPECT_EQ(std::memcmp(host + 300, sent.data(), sent.size()), 0)
      << "the host does not see the device's";
  rig.api().mem_free(rig.device(), mem.handle);
  EXPECT_EQ(host[0], 7) << "memory of the host survives its import";
}

TEST_P(Memory, UnknownImportsAreRefused) {
  TenonImport import{sizeof(TenonImport), 77, 0, 0, 4096, 4096};
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  EXPECT_EQ(rig.api().mem_import(rig.device(), &import, &mem), TENON_UNSUPPORTED);
}

}  // namespace
}  // namespace tenon::conformance
