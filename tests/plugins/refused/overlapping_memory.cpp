// A plugin whose device loads, and then gives memory that it may not give: as option "gives" says.
//
// Options: gives (sound, null, same, overlap_above, overlap_below, short, host_ptr, device_addr).
#include <string_view>

#include <tenon/sdk/sync_device.h>

namespace {

struct Device : tenon::sdk::SyncDevice {
  static constexpr const char* kName = "overlapping_memory";
  static constexpr const char* kVersion = "1.0";

  struct Kernel {};

  explicit Device(std::uint32_t) {}
  static std::int32_t score() { return -1; }
  static void describe(std::uint32_t, TenonDeviceInfo& info) {
    info.kind = "overlapping";
    info.name = "a device with one drawer";
    info.uid = "overlapping-0";
    info.memory_bytes = 1 << 30;
    info.storage_dtypes = info.compute_dtypes =
        1u << TENON_DTYPE_F32 | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_BOOL | 1u << TENON_DTYPE_U32;
  }

  TenonMem mem_alloc(std::uint32_t space, std::uint64_t bytes) {
    const char* option = tenon::sdk::host().option(tenon::sdk::host().ctx, "gives");
    const std::string_view gives = option != nullptr ? option : "sound";
    if (gives == "same") return last_;
    TenonMem memory{};
    memory.bytes = bytes;
    if (gives == "null") return memory;
    memory = SyncDevice::mem_alloc(space, bytes);
    const auto shift = [](void* address, std::int64_t by) { return static_cast<char*>(address) + by; };
    if (gives == "overlap_above") memory.host_ptr = shift(last_.host_ptr, 256);
    if (gives == "overlap_below") memory.host_ptr = shift(last_.host_ptr, -256);
    if (gives == "short") memory.bytes -= 1;
    if (gives == "host_ptr") memory.host_ptr = shift(memory.host_ptr, 64);
    if (gives == "device_addr") memory.device_addr += 128;
    if (gives == "sound") last_ = memory;
    return memory;
  }

  std::int32_t prepare(const TenonOp&, Kernel**, TenonKernelInfo&) { return TENON_UNSUPPORTED; }
  std::int32_t launch(const Kernel&, const TenonLaunch&) { return TENON_UNSUPPORTED; }
  void release(Kernel*) {}

 private:
  TenonMem last_{};
};

}  // namespace

extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
  return tenon::sdk::enter<Device>(host, why);
}
