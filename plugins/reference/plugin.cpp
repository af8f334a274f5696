// Plugin reference: the readable device, on which every other is checked. What a plugin has to say for
// itself stands here; memory, transfer and kernels are the SDK's.
#include <tenon/sdk.h>

#include <tenon/sdk/kernels.h>

namespace {

namespace sdk = tenon::sdk;
namespace kernels = sdk::kernels;

struct Reference : sdk::SyncDevice {
  static constexpr const char* kName = "reference";
  static constexpr const char* kVersion = "0.1.0";
  using Kernel = kernels::Kernel;

  static void describe(uint32_t, TenonDeviceInfo& info) {
    info.kind = "reference";
    info.name = "plain loops on the host";
    info.uid = "reference";
    info.memory_bytes = sdk::physical_memory();
    kernels::describe(info);
  }

  explicit Reference(uint32_t) {}

  int32_t prepare(const TenonOp& op, Kernel** kernel, TenonKernelInfo& info) {
    return kernels::prepare(sdk::host(), op, kernel, info);
  }
  int32_t launch(const Kernel& kernel, const TenonLaunch& launch) {
    return kernels::run(sdk::host(), kernel, launch);
  }
  void release(Kernel* kernel) { kernels::release(kernel); }
};

}  // namespace

const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
  return sdk::enter<Reference>(host, why);
}
