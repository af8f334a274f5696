// The reference kernels: what each op kind means, in plain loops. They run where they are called, on
// operands whose handles are host addresses.
#pragma once

#include <tenon/plugin.h>

namespace reference {

struct Kernel;

/// Fills in dtypes, opcodes and limits: all that these kernels do.
void describe(TenonDeviceInfo& info);

/// As TenonPlugin.prepare: a kernel that keeps no pointer into `op`, or TENON_UNSUPPORTED with a note.
int32_t prepare(const TenonHost& host, const TenonOp& op, Kernel** kernel, TenonKernelInfo& info);

/// As TenonPlugin.launch, on the calling thread. Index faults go to host.fault and give TENON_INDEX.
int32_t run(const TenonHost& host, const Kernel& kernel, const TenonLaunch& launch);

void release(Kernel* kernel);

}  // namespace reference
