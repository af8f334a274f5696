// The seam of kernel.h: what these kernels do, and the way from a description to one of them.
#include "kernel.h"

#include <cstring>
#include <string>

#include "arithmetic.h"
#include "kinds.h"
#include "program.h"

namespace reference {

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
    case TENON_KIND_SCATTER:
      return make_indexed(op);
    default:
      throw sdk::Unsupported("kind " + std::to_string(op.kind) + " is not known here");
  }
}

}  // namespace

void describe(TenonDeviceInfo& info) {
  info.storage_dtypes = sdk::Everything::mask;
  info.compute_dtypes = sdk::Everything::mask;
  info.opcodes = sdk::optional_opcodes();
  info.max_rank = TENON_MAX_RANK;
  info.max_instructions = TENON_MAX_INSTRUCTIONS;
  info.max_inputs = TENON_MAX_INPUTS;
  info.max_outputs = TENON_MAX_OUTPUTS;
  info.max_scalars = TENON_MAX_SCALARS;
  info.max_constants = TENON_MAX_CONSTANTS;
}

int32_t prepare(const TenonHost& host, const TenonOp& op, Kernel** kernel, TenonKernelInfo& info) {
  return sdk::guarded(host, [&] {
    sdk::check(op);
    for (const TenonOperandDesc& desc : sdk::OpView(op).operands()) require_dtype(desc.dtype);
    *kernel = make(op).release();
    info.flags = 0;
    info.workspace_bytes = 0;
    return TENON_OK;
  });
}

int32_t run(const TenonHost& host, const Kernel& kernel, const TenonLaunch& launch) {
  return sdk::guarded(host, [&] { return kernel.run(host, launch); });
}

void release(Kernel* kernel) {
  delete kernel;
}

void require_only_slot(const sdk::OpView& op, uint16_t slot) {
  for (const TenonAttachment& attachment : op.attachments()) {
    if (attachment.slot != slot) {
      throw sdk::Unsupported("attachment " + std::to_string(attachment.slot) + " on kind " +
                             std::to_string(op.kind()));
    }
  }
}

void Cursor::load(std::byte* out, int64_t n) {
  sdk::dispatch(sdk::Everything{}, dtype_, [&]<class T>() {
    T* to = reinterpret_cast<T*>(out);
    walker_.take(n, [&](int64_t offset, int64_t stride, int64_t count) {
      if (index_) {
        const int64_t first = meaning::add(operand_.offset, offset);
        for (int64_t i = 0; i < count; ++i) to[i] = meaning::cast<T>(meaning::add(first, i * stride));
      } else if (stride == 1) {
        const std::byte* const from = sdk::host_address(operand_);
        for (int64_t i = 0; i < count; ++i) to[i] = sdk::load<T>(from, offset + i);
      } else {
        const std::byte* const from = sdk::host_address(operand_);
        for (int64_t i = 0; i < count; ++i) to[i] = sdk::load<T>(from, offset + i * stride);
      }
      to += count;
    });
  });
}

void Cursor::store(const std::byte* from, int64_t n) {
  sdk::dispatch(sdk::Everything{}, dtype_, [&]<class T>() {
    const T* values = reinterpret_cast<const T*>(from);
    walker_.take(n, [&](int64_t offset, int64_t stride, int64_t count) {
      std::byte* const to = sdk::host_address(operand_);
      if (stride == 1) {
        std::memcpy(to + offset * static_cast<int64_t>(sizeof(T)), values,
                    static_cast<size_t>(count) * sizeof(T));
      } else {
        for (int64_t i = 0; i < count; ++i) sdk::store(to, values[i], offset + i * stride);
      }
      values += count;
    });
  });
}

}  // namespace reference
