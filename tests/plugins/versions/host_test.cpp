// Today's plugins under a host of another minor version: the one whose plugin.h this file is compiled
// with. Structs are as long as that host knows them, or shorter still, and what lies behind them is
// somebody else's.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tenon/plugin.h>

#include "tests/plugins/blocks.h"
#include "tests/support/paths.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;

/// A struct of which `size` bytes belong to it, with others' bytes behind.
template <class T>
class Room {
 public:
  explicit Room(std::size_t size = sizeof(T)) : size_(size) {
    std::memset(bytes_, 0x5A, sizeof bytes_);
    std::memset(bytes_, 0, size);
    const auto written = static_cast<std::uint32_t>(size);
    std::memcpy(bytes_, &written, sizeof written);
  }
  T* get() { return reinterpret_cast<T*>(bytes_); }
  T* operator->() { return get(); }
  /// Nothing behind the struct was written to.
  bool whole() const {
    return std::all_of(bytes_ + size_, bytes_ + sizeof bytes_,
                       [](std::byte b) { return b == std::byte{0x5A}; });
  }

 private:
  std::size_t size_;
  alignas(T) std::byte bytes_[sizeof(T) + 64];
};

/// How much of the structs a host knows.
struct Sizes {
  const char* name;
  std::size_t info, mem, kernel, launch;
};

const Sizes kSizes[] = {
    {"Whole", sizeof(TenonDeviceInfo), sizeof(TenonMem), sizeof(TenonKernelInfo), sizeof(TenonLaunch)},
    {"Short", offsetof(TenonDeviceInfo, mem_alignment), offsetof(TenonMem, host_ptr),
     offsetof(TenonKernelInfo, workspace_bytes), offsetof(TenonLaunch, corr)},
};

using Case = std::tuple<const char*, Sizes>;

class OtherHost : public testing::TestWithParam<Case> {
 protected:
  OtherHost() {
    table_.struct_size = sizeof table_;
    table_.abi = TENON_ABI;
    table_.ctx = this;
    table_.fail = [](void* self, std::int32_t code, const char* text) {
      static_cast<OtherHost*>(self)->text_ = text;
      return code;
    };
    table_.note = [](void* self, const char* text) { static_cast<OtherHost*>(self)->text_ = text; };
    table_.fault = [](void* self, const TenonFault* fault) {
      std::memcpy(&static_cast<OtherHost*>(self)->fault_, fault,
                  std::min<std::size_t>(fault->struct_size, sizeof *fault));
    };
    table_.log = [](void*, std::int32_t, const char*) {};
    table_.option = [](void*, const char* key) -> const char* {
      return std::string_view(key) == "workspace_bytes" ? "0" : nullptr;
    };
  }

  void SetUp() override {
    const std::string name = std::get<0>(GetParam());
    const std::string folder = name == "faulty" ? TENON_TEST_FAULTY_DIR : TENON_TEST_PLUGIN_DIR;
    void* library = dlopen((folder + "/tenon_plugin_" + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto main =
        reinterpret_cast<decltype(&tenon_plugin_main)>(dlsym(library, "tenon_plugin_main"));
    ASSERT_NE(main, nullptr);
    const char* why = "";
    const TenonPlugin* theirs = main(&table_, &why);
    ASSERT_NE(theirs, nullptr) << why;
    ASSERT_EQ(theirs->abi >> 16, std::uint32_t{TENON_ABI_MAJOR});
    ASSERT_NE(theirs->abi, TENON_ABI) << "the frozen header is no other version";
    std::memcpy(&api_, theirs, std::min<std::size_t>(theirs->struct_size, sizeof api_));
    ASSERT_EQ(api_.device_open(0, &device_), TENON_OK) << text_;
    if (api_.stream_create != nullptr) {
      ASSERT_EQ(api_.stream_create(device_, &stream_), TENON_OK) << text_;
    }
  }
  void TearDown() override {
    if (stream_ != nullptr) api_.stream_destroy(device_, stream_);
    if (device_ != nullptr) api_.device_close(device_);
  }

  const Sizes& sizes() const { return std::get<1>(GetParam()); }

  std::uint64_t allocate(std::uint64_t bytes) {
    Room<TenonMem> mem(sizes().mem);
    EXPECT_EQ(api_.mem_alloc(device_, TENON_SPACE_DEVICE, bytes, mem.get()), TENON_OK) << text_;
    EXPECT_TRUE(mem.whole());
    EXPECT_EQ(mem->struct_size, sizes().mem);
    EXPECT_GE(mem->bytes, bytes);
    return mem->handle;
  }
  template <class T>
  std::uint64_t upload(const std::vector<T>& values) {
    const std::uint64_t bytes = values.size() * sizeof(T), handle = allocate(bytes);
    copy({0, reinterpret_cast<std::uintptr_t>(values.data()), handle, 0, bytes});
    return handle;
  }
  std::vector<float> download(std::uint64_t handle) {
    std::vector<float> values(4);
    copy({handle, 0, 0, reinterpret_cast<std::uintptr_t>(values.data()), 4 * sizeof(float)});
    EXPECT_EQ(finish(), TENON_OK) << text_;
    return values;
  }
  void copy(TenonCopy copy) { EXPECT_EQ(api_.copy(device_, stream_, &copy, 1), TENON_OK) << text_; }
  std::int32_t finish() {
    std::uint64_t point = 0;
    if (stream_ == nullptr) return TENON_OK;
    EXPECT_EQ(api_.stream_signal(device_, stream_, &point), TENON_OK);
    return api_.stream_sync(device_, stream_, point, -1);
  }
  std::int32_t prepare(const TenonOp& op, TenonKernel** kernel) {
    Room<TenonKernelInfo> info(sizes().kernel);
    const std::int32_t code = api_.prepare(device_, &op, kernel, info.get());
    EXPECT_TRUE(info.whole());
    return code;
  }
  /// Of the launch, or of the sync after it.
  std::int32_t launch(TenonKernel* kernel, const TenonPack& pack, std::uint64_t corr) {
    Room<TenonLaunch> launch(sizes().launch);
    launch->count = 1;
    launch->packs = &pack;
    if (sizes().launch == sizeof(TenonLaunch)) launch->corr = corr;
#if TENON_ABI_MINOR >= 3
    if (sizes().launch == sizeof(TenonLaunch)) launch->priority = 7;
#endif
    const std::int32_t code = api_.launch(device_, stream_, kernel, launch.get());
    EXPECT_TRUE(launch.whole());
    return code == TENON_OK ? finish() : code;
  }

  TenonHost table_{};
  TenonPlugin api_{};
  TenonDevice* device_ = nullptr;
  TenonStream* stream_ = nullptr;
  std::string text_;
  TenonFault fault_{};
};

INSTANTIATE_TEST_SUITE_P(Plugins, OtherHost,
                         testing::Combine(testing::Values("reference", "faulty"),
                                          testing::ValuesIn(kSizes)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + std::get<1>(test.param).name;
                         });

TEST_P(OtherHost, IsToldOfTheDevice) {
  Room<TenonDeviceInfo> info(sizes().info);
  ASSERT_EQ(api_.device_info(0, info.get()), TENON_OK) << text_;
  EXPECT_TRUE(info.whole());
  EXPECT_EQ(info->struct_size, sizes().info);
  EXPECT_STREQ(info->kind, std::get<0>(GetParam()));
  EXPECT_EQ(info->max_rank, std::uint32_t{TENON_MAX_RANK});
#if TENON_ABI_MINOR >= 3
  if (sizes().info == sizeof(TenonDeviceInfo)) {
    EXPECT_EQ(info->kinds, 0U);
    EXPECT_EQ(info->location, nullptr);
  }
  EXPECT_EQ(api_.profile_start, nullptr);
#endif
}

TEST_P(OtherHost, Launches) {
  const std::uint64_t x = upload<float>({1, 2, 3, 4}), y = allocate(16);
  const ScaleOp op;
  TenonKernel* kernel = nullptr;
  ASSERT_EQ(prepare(op.op, &kernel), TENON_OK) << text_;
  const std::int64_t stride = 1, dims = 4;
  const std::uint64_t two = 0x40000000;
  const TenonOperand operands[] = {{y, 0, nullptr}, {x, 0, &stride}};
  ASSERT_EQ(launch(kernel, {operands, &two, &dims}, 41), TENON_OK) << text_;
  EXPECT_EQ(download(y), (std::vector<float>{2, 4, 6, 8}));
  api_.release(device_, kernel);
}

TEST_P(OtherHost, HearsOfABadIndex) {
  const std::uint64_t x = upload<float>({1, 2, 3, 4}), index = upload<std::int32_t>({3, 0, 70, -1});
  const std::uint64_t y = allocate(16);
  const GatherOp op;
  TenonKernel* kernel = nullptr;
  ASSERT_EQ(prepare(op.op, &kernel), TENON_OK) << text_;
  const std::int64_t zero = 0, dims[] = {4, 4, 1};
  const TenonOperand operands[] = {{y, 0, nullptr}, {x, 0, &zero}, {index, 0, nullptr}};
  EXPECT_EQ(launch(kernel, {operands, nullptr, dims}, 41), TENON_INDEX);
  EXPECT_EQ(fault_.code, TENON_INDEX);
  EXPECT_EQ(fault_.corr, sizes().launch == sizeof(TenonLaunch) ? 41U : 0U);
  EXPECT_EQ(fault_.value, 70);
  EXPECT_EQ(fault_.position, 2);
  EXPECT_EQ(download(y), (std::vector<float>{4, 1, 0, 0}));
  api_.release(device_, kernel);
}

#if TENON_ABI_MINOR >= 3
TEST_P(OtherHost, IsToldWhatIsNotKnown) {
  struct Row {
    const char* note;
    void (*change)(ScaleOp&);
  };
  const Row rows[] = {
      {"kind 6", [](ScaleOp& it) { it.op.kind = TENON_KIND_SOFTMAX; }},
      {"flag 1", [](ScaleOp& it) { it.op.flags = TENON_FLAG_SATURATE; }},
      {"layout 5", [](ScaleOp& it) { it.operands[1].layout = TENON_LAYOUT_BLOCKED; }},
      {"dtype 14", [](ScaleOp& it) { it.operands[1].dtype = it.dtypes[0] = TENON_DTYPE_F8; }},
      {"dtype 14", [](ScaleOp& it) { it.multiply.dtype = TENON_DTYPE_F8; }},
      {"opcode 48", [](ScaleOp& it) { it.multiply.opcode = TENON_OP_ATAN; }},
      {"attachment 3", [](ScaleOp& it) { it.attachment.slot = TENON_SLOT_FINISH; }},
  };
  for (const Row& row : rows) {
    ScaleOp op;
    row.change(op);
    TenonKernel* kernel = nullptr;
    EXPECT_EQ(prepare(op.op, &kernel), TENON_UNSUPPORTED) << row.note << ": " << text_;
    EXPECT_EQ(kernel, nullptr);
    EXPECT_THAT(text_, HasSubstr(row.note));
  }
}

TEST_P(OtherHost, MayGiveHints) {
  ScaleOp op;
  op.op.flags = TENON_FLAG_EXPECT_REUSE;
  TenonKernel* kernel = nullptr;
  ASSERT_EQ(prepare(op.op, &kernel), TENON_OK) << text_;
  api_.release(device_, kernel);
}
#endif

}  // namespace
}  // namespace tenon::test
