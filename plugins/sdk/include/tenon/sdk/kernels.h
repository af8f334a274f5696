// Kernels of all five kinds and every dtype, in plain loops: what each kind means. They run on the
// calling thread, on operands whose handles are host addresses. A plugin starts from them, and puts
// faster ones in their places, one kind at a time. Link tenon::kernels.
#pragma once

#include <tenon/plugin.h>

namespace tenon::sdk::kernels {

struct Kernel;

/// Fills in dtypes, opcodes and limits: all that these kernels do.
void describe(TenonDeviceInfo& info);

/// As TenonPlugin.prepare: a kernel that keeps no pointer into `op`, or TENON_UNSUPPORTED with a note.
int32_t prepare(const TenonHost& host, const TenonOp& op, Kernel** kernel, TenonKernelInfo& info);

/// As TenonPlugin.launch, on the calling thread. Index faults go to host.fault and give TENON_INDEX.
int32_t run(const TenonHost& host, const Kernel& kernel, const TenonLaunch& launch);

void release(Kernel* kernel);

}  // namespace tenon::sdk::kernels
