// Plugins' tables from older, newer and careless headers.
#include <cstddef>
#include <cstring>

#include <gtest/gtest.h>

#include "core/runtime/table.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using runtime::adopt_table;

/// What no test calls, in whatever shape a slot has.
template <class R, class... A>
void set(R (*&slot)(A...)) {
  slot = [](A...) -> R { return R(); };
}

/// The mandatory entries and no more.
TenonPlugin smallest() {
  TenonPlugin t{};
  t.struct_size = sizeof t;
  t.abi = TENON_ABI;
  t.name = "small";
  t.version = "1.2";
  t.build = "test";
  set(t.device_count);
  set(t.device_info);
  set(t.device_open);
  set(t.device_close);
  set(t.mem_alloc);
  set(t.mem_free);
  set(t.copy);
  set(t.prepare);
  set(t.launch);
  set(t.release);
  return t;
}

TenonPlugin with_streams() {
  TenonPlugin t = smallest();
  set(t.stream_create);
  set(t.stream_destroy);
  set(t.stream_signal);
  set(t.stream_query);
  set(t.stream_wait);
  set(t.stream_sync);
  return t;
}

Thrown refusal(const TenonPlugin& table) {
  return thrown([&] { adopt_table("x.so", table); });
}
Thrown device_error(const std::string& text) {
  return {ErrorKind::DeviceError, "x.so: " + text};
}

TEST(Table, OptionalEntriesAnswerForThemselves) {
  const TenonPlugin t = adopt_table("x.so", smallest());
  EXPECT_STREQ(t.name, "small");
  EXPECT_STREQ(t.version, "1.2");
  EXPECT_EQ(t.score(), 0);
  t.shutdown();
  EXPECT_EQ(t.get_ext("anything"), nullptr);
  EXPECT_EQ(t.mem_import(nullptr, nullptr, nullptr), TENON_UNSUPPORTED);
  EXPECT_EQ(t.mem_info(nullptr, nullptr), TENON_UNSUPPORTED);
  EXPECT_EQ(t.fill(nullptr, nullptr, nullptr), TENON_UNSUPPORTED);
  EXPECT_EQ(t.stream_import(nullptr, nullptr, nullptr), TENON_UNSUPPORTED);
  EXPECT_EQ(t.stream_native(nullptr, nullptr, nullptr), TENON_UNSUPPORTED);
  EXPECT_EQ(t.workspace(nullptr, nullptr, nullptr, 0, nullptr), TENON_UNSUPPORTED);
  EXPECT_FALSE(runtime::has_streams(t));
}

TEST(Table, EntriesThatAreThereAreKept) {
  TenonPlugin t = with_streams();
  t.score = [] { return 42; };
  t.get_ext = [](const char* name) -> const void* { return name; };
  const TenonPlugin own = adopt_table("x.so", t);
  EXPECT_EQ(own.score(), 42);
  EXPECT_STREQ(static_cast<const char*>(own.get_ext("a")), "a");
  EXPECT_EQ(own.launch, t.launch);
  EXPECT_TRUE(runtime::has_streams(own));
}

// A newer header: its table goes on after what this one knows, and its minor is higher.
TEST(Table, ANewerMinorIsTaken) {
  struct Newer {
    TenonPlugin known;
    void (*more[4])();
  } newer{smallest(), {}};
  newer.known.struct_size = sizeof newer;
  newer.known.abi = TENON_ABI + 7;
  const TenonPlugin own = adopt_table("x.so", newer.known);
  EXPECT_EQ(own.release, newer.known.release);
  EXPECT_EQ(own.abi, TENON_ABI + 7);
}

// An older header: bytes after its end belong to somebody else.
TEST(Table, NothingIsReadBehindTheTablesEnd) {
  TenonPlugin t = smallest();
  t.struct_size = offsetof(TenonPlugin, release);
  EXPECT_EQ(refusal(t), device_error("the plugin's table lacks release"));
  t.struct_size = offsetof(TenonPlugin, device_count);
  EXPECT_EQ(refusal(t), device_error("the plugin's table lacks device_count"));

  alignas(TenonPlugin) std::byte bytes[sizeof(TenonPlugin)];
  std::memset(bytes, 0xEE, sizeof bytes);
  constexpr std::uint32_t kIdentity = offsetof(TenonPlugin, score);
  t.struct_size = kIdentity;
  std::memcpy(bytes, &t, kIdentity);
  EXPECT_EQ(refusal(*reinterpret_cast<const TenonPlugin*>(bytes)),
            device_error("the plugin's table lacks device_count"));
}

TEST(Table, ATableWithoutAnIdentityIsRefused) {
  TenonPlugin t = smallest();
  t.struct_size = offsetof(TenonPlugin, build);
  EXPECT_EQ(refusal(t), device_error("its table has 24 bytes, too few for an identity"));
}

TEST(Table, AnotherMajorIsRefused) {
  TenonPlugin t = smallest();
  t.abi = ((TENON_ABI_MAJOR + 1U) << 16) | 3;
  EXPECT_EQ(refusal(t), device_error("speaks plugin ABI 1.3, this Tenon speaks 0." +
                                     std::to_string(TENON_ABI_MINOR) +
                                     "; build the plugin against this Tenon's header"));
}

TEST(Table, EachMandatoryEntryIsNamed) {
  struct Row {
    const char* name;
    void (*remove)(TenonPlugin&);
  };
  const Row rows[] = {
#define ROW(entry) {#entry, [](TenonPlugin& t) { t.entry = nullptr; }}
      ROW(name),        ROW(version),      ROW(build),     ROW(device_count), ROW(device_info),
      ROW(device_open), ROW(device_close), ROW(mem_alloc), ROW(mem_free),     ROW(copy),
      ROW(prepare),     ROW(launch),       ROW(release)
#undef ROW
  };
  for (const Row& row : rows) {
    TenonPlugin t = with_streams();
    row.remove(t);
    EXPECT_EQ(refusal(t), device_error(std::string("the plugin's table lacks ") + row.name));
  }
  TenonPlugin t = smallest();
  t.name = "";
  EXPECT_EQ(refusal(t), device_error("the plugin's table lacks name"));
}

TEST(Table, StreamsComeAllOrNone) {
  void (*const remove[])(TenonPlugin&) = {[](TenonPlugin& t) { t.stream_create = nullptr; },
                                          [](TenonPlugin& t) { t.stream_destroy = nullptr; },
                                          [](TenonPlugin& t) { t.stream_signal = nullptr; },
                                          [](TenonPlugin& t) { t.stream_query = nullptr; },
                                          [](TenonPlugin& t) { t.stream_wait = nullptr; },
                                          [](TenonPlugin& t) { t.stream_sync = nullptr; }};
  for (const auto& one : remove) {
    TenonPlugin t = with_streams();
    one(t);
    EXPECT_EQ(refusal(t),
              device_error("the plugin's table has some of the stream entries, but not all six"));
    TenonPlugin alone = smallest();
    const TenonPlugin all = with_streams();
    alone.stream_sync = all.stream_sync;
    EXPECT_EQ(refusal(alone).kind, ErrorKind::DeviceError);
  }
}

}  // namespace
}  // namespace tenon::test
