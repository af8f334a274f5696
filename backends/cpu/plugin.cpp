// Plugin cpu: the host's processor, through oneDNN and own vector kernels.
#include <sys/mman.h>

#include <charconv>
#include <string>

#include <tenon/sdk.h>

#include "denormals.h"
#include "kernel.h"
#include "matmul.h"
#include "steps.h"
#include "team.h"

namespace {

namespace sdk = tenon::sdk;

/// The user's setting, or nothing.
std::string option(const char* key) {
  const char* value = sdk::host().option(sdk::host().ctx, key);
  return value != nullptr ? value : "";
}

bool flush_denormals() {
  const std::string value = option("flush_denormals");
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  throw sdk::Failure(TENON_INVALID, "cpu.flush_denormals is '" + value + "', not 0 or 1");
}

void apply_options() {
  const std::string isa = option("isa"), threads = option("num_threads");
  if (!isa.empty() && !cpu::limit_isa(isa)) {
    throw sdk::Failure(TENON_INVALID, "cpu.isa is '" + isa + "', not sse4, avx2 or avx512");
  }
  cpu::limit_onednn_isa(isa);
  cpu::set_flush_denormals(flush_denormals());
  if (threads.empty()) return;
  int count = 0;
  const char* const end = threads.data() + threads.size();
  if (std::from_chars(threads.data(), end, count).ptr != end || count < 1)
    throw sdk::Failure(TENON_INVALID, "cpu.num_threads is '" + threads + "', not a number from 1 on");
  cpu::set_team_size(count);
}

struct Cpu : sdk::SyncDevice {
  static constexpr const char* kName = "cpu";
  static constexpr const char* kVersion = "0.1.0";
  using Kernel = cpu::Kernel;

  static int32_t score() { return 100; }

  static void describe(uint32_t, TenonDeviceInfo& info) {
    sdk::kernels::describe(info);
    info.kind = "cpu";
    info.name = "the host's processor";
    info.uid = "cpu";
    info.memory_bytes = sdk::physical_memory();
    info.kinds = cpu::kOptionalKinds;
    if (option("flush_denormals") == "1") info.flags |= TENON_DEVICE_FLUSHES_DENORMALS;
  }

  explicit Cpu(uint32_t) { apply_options(); }

  /// From a megabyte on in huge pages, where the system has them: a first touch takes a fifteenth of
  /// the time. What begins a page gets all of it where that adds a quarter at most.
  TenonMem mem_alloc(uint32_t space, uint64_t bytes) {
    constexpr uint64_t kHuge = 2 << 20;
    if (bytes < kHuge / 2) return SyncDevice::mem_alloc(space, bytes);
    const uint64_t rest = (kHuge - bytes % kHuge) % kHuge;
    const uint64_t all = rest <= bytes / 4 && rest <= UINT64_MAX - bytes ? bytes + rest : bytes;
    TenonMem memory = SyncDevice::mem_alloc(space, all, kHuge);
    madvise(memory.host_ptr, all, MADV_HUGEPAGE);
    memory.bytes = bytes;
    return memory;
  }

  int32_t prepare(const TenonOp& op, Kernel** kernel, TenonKernelInfo& info) {
    sdk::check(op);
    std::unique_ptr<Kernel> made;
    const int32_t status = cpu::prepare(op, made);
    if (status != TENON_OK) return status;
    info.workspace_bytes = made->workspace_bytes;
    *kernel = made.release();
    return TENON_OK;
  }
  int32_t launch(const Kernel& kernel, const TenonLaunch& launch) {
    const cpu::DenormalMode mode;
    return kernel.launch(launch);
  }
  void release(Kernel* kernel) { delete kernel; }
};

}  // namespace

const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("sse4.2")) {
    *why = "the processor has no SSE4.2";
    return nullptr;
  }
#endif
  *why = cpu::onednn_refusal();
  return *why == nullptr ? sdk::enter<Cpu>(host, why) : nullptr;
}
