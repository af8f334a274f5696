// Plugin reference: the readable device, on which every other is checked. What a plugin has to say for
// itself stands here; memory and transfer are the SDK's, kernels are kernel.h's.
#include <unistd.h>

#include <tenon/sdk.h>

#include "kernel.h"

namespace {

namespace sdk = tenon::sdk;

uint64_t physical_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

struct Reference : sdk::SyncDevice {
  static constexpr const char* kName = "reference";
  static constexpr const char* kVersion = "0.1.0";
  using Kernel = reference::Kernel;

  static void describe(uint32_t, TenonDeviceInfo& info) {
    info.kind = "reference";
    info.name = "plain loops on the host";
    info.uid = "reference";
    info.memory_bytes = physical_memory();
    reference::describe(info);
  }

  explicit Reference(uint32_t) {}

  int32_t prepare(const TenonOp& op, Kernel** kernel, TenonKernelInfo& info) {
    return reference::prepare(sdk::host(), op, kernel, info);
  }
  int32_t launch(const Kernel& kernel, const TenonLaunch& launch) {
    return reference::run(sdk::host(), kernel, launch);
  }
  void release(Kernel* kernel) { reference::release(kernel); }
};

}  // namespace

const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
  return sdk::enter<Reference>(host, why);
}
