// The seam of kernel.h: what these kernels do, and the way from a description to one of them.

#include <string>

#include "kinds.h"

namespace tenon::sdk::kernels {

namespace {

std::unique_ptr<Kernel> make(const TenonOp& op) {
  switch (op.kind) {
    case TENON_KIND_ELEMENTWISE:
      return make_elementwise(op);
    case TENON_KIND_REDUCE:
      return make_reduce(op);
    case TENON_KIND_MATMUL:
      return make_matmul(op);
    case TENON_KIND_GATHER:
      return make_gather(op);
    case TENON_KIND_SCATTER:
      return make_scatter(op);
    default:
      throw sdk::Unsupported("kind " + std::to_string(op.kind) + " is not known here");
  }
}

}  // namespace

void describe(TenonDeviceInfo& info) {
  info.storage_dtypes = sdk::Everything::mask;
  info.compute_dtypes = sdk::Everything::mask;
  info.opcodes = sdk::optional_opcodes();
  sdk::take_whole_programs(info);
}

int32_t prepare(const TenonHost& host, const TenonOp& op, Kernel** kernel, TenonKernelInfo& info) {
  return sdk::guarded(host, [&] {
    sdk::check(op);
    std::unique_ptr<Kernel> made = make(op);
    info.flags = 0;
    info.workspace_bytes = made->workspace_bytes;
    *kernel = made.release();
    return TENON_OK;
  });
}

int32_t run(const TenonHost& host, const Kernel& kernel, const TenonLaunch& launch) {
  return sdk::guarded(host, [&] {
    TenonFault first{};
    auto* const workspace = reinterpret_cast<std::byte*>(launch.workspace + launch.workspace_offset);
    for (uint32_t i = 0; i < launch.count; ++i) {
      Context context{.workspace = workspace};
      kernel.run(launch.packs[i], context);
      if (first.code != TENON_OK || context.fault.code == TENON_OK) continue;
      first = context.fault;
      first.pack = i;
    }
    if (first.code == TENON_OK) return int32_t{TENON_OK};
    first.struct_size = sizeof first;
    first.corr = launch.corr;
    host.fault(host.ctx, &first);
    return host.fail(host.ctx, first.code, "an index is out of range");
  });
}

void release(Kernel* kernel) {
  delete kernel;
}

}  // namespace tenon::sdk::kernels
