// What a plugin may not say of its devices: named, and refused in one line.
#include <filesystem>

#include <gtest/gtest.h>

#include <tenon/device.h>

#include "core/runtime/check_info.h"
#include "tests/support/new_process.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

const std::string kFile =
    std::filesystem::path(TENON_TEST_REFUSED_DIR "/tenon_plugin_contradicts.so").string();

struct Row {
  const char* change;  // of what the plugin says, see refused/contradicts.cpp
  const char* reason;
};

constexpr Row kRows[] = {
    {"kind", "device 0: kind is missing"},
    {"kind=", "device 0: kind is empty"},
    {"kind=acme:0", "device 0: kind is \"acme:0\", must be letters, digits, _ and - only"},
    {"1.kind=ac me", "device 1: kind is \"ac me\", must be letters, digits, _ and - only"},
    {"kind=acmé", "device 0: kind is \"acmé\", must be letters, digits, _ and - only"},
    {"kind=\xff", "device 0: kind is no line of UTF-8 (byte 0xff)"},
    {"name", "device \"acme:0\": name is missing"},
    {"name=", "device \"acme:0\": name is empty"},
    {"1.name=caf\xe9", "device \"acme:1\": name is no line of UTF-8 (byte 0xe9)"},
    {"name=two\nlines", "device \"acme:0\": name is no line of UTF-8 (byte 0x0a)"},
    {"uid", "device \"acme:0\": uid is missing"},
    {"uid=", "device \"acme:0\": uid is empty"},
    {"uid=GPU-7", "devices acme:0 and acme:1 have one uid, \"GPU-7\""},
    {"driver", "device \"acme:0\": driver is missing"},
    {"memory_bytes=0", "device \"acme:0\": memory_bytes is 0, must be at least 1"},
    {"storage_dtypes=0", "device \"acme:0\": storage_dtypes lack bool, which every device has"},
    {"storage_dtypes=130", "device \"acme:0\": storage_dtypes lack f32, which every device has"},
    {"storage_dtypes=4098", "device \"acme:0\": storage_dtypes lack i32, which every device has"},
    {"compute_dtypes=4226", "device \"acme:0\": compute_dtypes lack u32, which every device has"},
    {"1.compute_dtypes=194", "device \"acme:1\": compute_dtypes lack f32, which every device has"},
    {"compute_dtypes=5314", "device \"acme:0\": compute_dtypes have f16, which storage_dtypes lack"},
    {"max_rank=0", "device \"acme:0\": max_rank is 0, must be at least 4"},
    {"1.max_rank=3", "device \"acme:1\": max_rank is 3, must be at least 4"},
    {"max_instructions=3", "device \"acme:0\": max_instructions is 3, must be at least 4"},
    {"max_inputs=1", "device \"acme:0\": max_inputs is 1, must be at least 2"},
    {"max_outputs=0", "device \"acme:0\": max_outputs is 0, must be at least 1"},
    {"max_scalars=2", "device \"acme:0\": max_scalars is 2, must be at least 3"},
    {"max_constants=0", "device \"acme:0\": max_constants is 0, must be at least 3"},
    {"mem_alignment=3", "device \"acme:0\": mem_alignment is 3, must be at least 256"},
    {"mem_alignment=128", "device \"acme:0\": mem_alignment is 128, must be at least 256"},
    {"mem_alignment=257", "device \"acme:0\": mem_alignment is 257, must be a power of two"},
    {"import_alignment=0", "device \"acme:0\": import_alignment is 0, must be a power of two"},
    {"import_alignment=3", "device \"acme:0\": import_alignment is 3, must be a power of two"},
    {"device_count=4000000000", "device_count is 4000000000, must be at most 1024"},
    {"1.device_info", "device_info(1) failed: it gives no reason"},
    {"device_info=", "device_info(0) failed: it fell off the bus"},
};

TEST(Contradictions, AreNamedAndRefused) {
  const std::size_t before = devices().size();
  for (const Row& row : kRows) {
    set_option("contradicts.change", row.change);
    EXPECT_EQ(thrown([] { load_plugin(kFile); }),
              (Thrown{ErrorKind::DeviceError, kFile + ": " + row.reason}));
  }
  EXPECT_EQ(devices().size(), before);
}

// The same plugin without a change, or with what only a newer minor version can tell, is taken.
TEST(Contradictions, NeedAContradiction) {
  in_new_process({"TENON_CONTRADICTS_CHANGE=storage_dtypes=3221229698"}, [] {
    load_plugin(kFile);
    EXPECT_EQ(device("acme:1").info().storage_dtypes, (std::vector<DType>{bool_, i32, f32}));
  });
}

TEST(Contradictions, AreNotWhatANewerVersionSays) {
  TenonDeviceInfo info{};
  info.kind = "acme";
  info.name = info.uid = "Größe 1";
  info.driver = "";
  info.memory_bytes = 1;
  info.opcodes = UINT64_MAX;
  info.storage_dtypes = info.compute_dtypes = UINT32_MAX;
  info.max_rank = info.max_instructions = info.max_inputs = info.max_outputs = UINT32_MAX;
  info.max_scalars = info.max_constants = UINT32_MAX;
  info.mem_alignment = info.import_alignment = 1u << 31;
  EXPECT_NO_THROW(runtime::check_info("x.so", 0, info));
  info.storage_dtypes = 1u << TENON_DTYPE_F32 | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_BOOL;
  info.compute_dtypes = info.storage_dtypes | 1u << TENON_DTYPE_U32 | 1u << 30;
  EXPECT_NO_THROW(runtime::check_info("x.so", 0, info)) << "u32 need not be stored";
}

}  // namespace
}  // namespace tenon::test
