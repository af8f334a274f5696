#include "tests/plugins/faulty_fixture.h"

#include <dlfcn.h>
#include <unistd.h>

#include <utility>

#include "tests/support/paths.h"

namespace tenon::test {

RecordingHost::RecordingHost() {
  using Self = RecordingHost;
  table_.struct_size = sizeof table_;
  table_.abi = TENON_ABI;
  table_.ctx = this;
  table_.fail = [](void* self, std::int32_t code, const char* msg) {
    const std::lock_guard lock(static_cast<Self*>(self)->mutex_);
    static_cast<Self*>(self)->error_ = msg;
    return code;
  };
  table_.note = [](void* self, const char* msg) {
    const std::lock_guard lock(static_cast<Self*>(self)->mutex_);
    static_cast<Self*>(self)->error_ = msg;
  };
  table_.fault = [](void* self, const TenonFault* fault) {
    const std::lock_guard lock(static_cast<Self*>(self)->mutex_);
    static_cast<Self*>(self)->faults_.push_back(*fault);
  };
  table_.log = [](void* self, std::int32_t level, const char* msg) {
    const std::lock_guard lock(static_cast<Self*>(self)->mutex_);
    if (level == TENON_LOG_ERROR) static_cast<Self*>(self)->log_ += std::string(msg) + '\n';
  };
  table_.option = [](void* self, const char* key) -> const char* {
    const std::lock_guard lock(static_cast<Self*>(self)->mutex_);
    const auto& options = static_cast<Self*>(self)->options_;
    const auto found = options.find(key);
    return found == options.end() ? nullptr : found->second;
  };
  table_.blob_get = [](void*, const char*, void*, std::uint64_t) -> std::int64_t { return -1; };
  table_.blob_put = [](void*, const char*, const void*, std::uint64_t) -> std::int32_t {
    return TENON_UNSUPPORTED;
  };
  table_.trace = [](void*, const char*, std::uint64_t, std::uint64_t) {};
}

void RecordingHost::set(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  options_[key] = values_.emplace_back(value).c_str();
}

std::string RecordingHost::error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, "");
}

std::vector<TenonFault> RecordingHost::faults() {
  const std::lock_guard lock(mutex_);
  return std::exchange(faults_, {});
}

std::string RecordingHost::errors_logged() {
  const std::lock_guard lock(mutex_);
  return std::exchange(log_, "");
}

// The copy stays loaded when the file goes: plugins are never unloaded.
void Faulty::SetUp() {
  namespace fs = std::filesystem;
  const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
  const fs::path copy =
      fs::path(testing::TempDir()) / ("faulty_" + test + "_" + std::to_string(getpid()) + ".so");
  fs::copy_file(fs::path(TENON_TEST_FAULTY_DIR) / "tenon_plugin_faulty.so", copy,
                fs::copy_options::overwrite_existing);
  void* library = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  const std::string why = library == nullptr ? dlerror() : "";
  fs::remove(copy);
  ASSERT_NE(library, nullptr) << why;
  const auto entry =
      reinterpret_cast<decltype(&tenon_plugin_main)>(dlsym(library, "tenon_plugin_main"));
  ASSERT_NE(entry, nullptr);
  const char* reason = "";
  api = entry(host.table(), &reason);
  ASSERT_NE(api, nullptr) << reason;
}

void Faulty::TearDown() {
  for (TenonDevice* device : devices_) api->device_close(device);
  EXPECT_EQ(host.errors_logged(), "");
}

TenonDevice* Faulty::open(std::uint32_t index) {
  TenonDevice* device = nullptr;
  EXPECT_EQ(api->device_open(index, &device), TENON_OK) << host.error();
  if (device != nullptr) devices_.push_back(device);
  return device;
}

TenonStream* Faulty::stream(TenonDevice* device) {
  TenonStream* stream = nullptr;
  EXPECT_EQ(api->stream_create(device != nullptr ? device : device_, &stream), TENON_OK)
      << host.error();
  return stream;
}

std::int32_t Faulty::try_allocate(std::uint64_t bytes, std::uint64_t* handle) {
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  const std::int32_t code = api->mem_alloc(device_, TENON_SPACE_DEVICE, bytes, &mem);
  if (handle != nullptr) *handle = mem.handle;
  return code;
}

std::uint64_t Faulty::allocate(std::uint64_t bytes) {
  std::uint64_t handle = 0;
  EXPECT_EQ(try_allocate(bytes, &handle), TENON_OK) << host.error();
  return handle;
}

std::int32_t Faulty::fill(TenonStream* stream, std::uint64_t handle, std::uint64_t offset,
                          std::uint64_t bytes, std::uint8_t value) {
  const TenonFill fill{sizeof fill, 1, handle, offset, bytes, value};
  return api->fill(device_, stream, &fill);
}

std::int32_t Faulty::copy(TenonStream* stream, TenonCopy copy) {
  return api->copy(device_, stream, &copy, 1);
}

std::int32_t Faulty::upload(TenonStream* stream, std::uint64_t handle, const void* from,
                            std::uint64_t bytes) {
  return copy(stream, {0, reinterpret_cast<std::uintptr_t>(from), handle, 0, bytes});
}

std::int32_t Faulty::download(TenonStream* stream, void* to, std::uint64_t handle,
                              std::uint64_t bytes) {
  return copy(stream, {handle, 0, 0, reinterpret_cast<std::uintptr_t>(to), bytes});
}

std::uint64_t Faulty::signal(TenonStream* stream) {
  std::uint64_t point = 0;
  EXPECT_EQ(api->stream_signal(device_, stream, &point), TENON_OK) << host.error();
  return point;
}

std::int32_t Faulty::finish(TenonStream* stream) {
  return api->stream_sync(device_, stream, signal(stream), -1);
}

std::vector<std::uint8_t> Faulty::bytes_of(std::uint64_t handle, std::uint64_t bytes) {
  std::vector<std::uint8_t> read(bytes);
  TenonStream* const own = stream();
  EXPECT_EQ(download(own, read.data(), handle, bytes), TENON_OK) << host.error();
  EXPECT_EQ(finish(own), TENON_OK) << host.error();
  api->stream_destroy(device_, own);
  return read;
}

}  // namespace tenon::test
