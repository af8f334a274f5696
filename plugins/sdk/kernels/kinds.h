// The kinds of kernel, and the interface of a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <tenon/sdk.h>

namespace tenon::sdk::kernels {

/// What a launch gives to a kernel beside its packs, and what it hears back.
struct Context {
  std::byte* workspace;
  TenonFault fault{};  // the first one of the pack that runs

  void bad_index(int64_t value, int64_t position, size_t operand) {
    if (fault.code != TENON_OK) return;
    fault.code = TENON_INDEX;
    fault.value = value;
    fault.position = position;
    fault.operand = static_cast<uint32_t>(operand);
  }
};

/// Immutable once made; any number of threads may run it.
struct Kernel {
  virtual ~Kernel() = default;
  virtual void run(const TenonPack& pack, Context& context) const = 0;

  uint64_t workspace_bytes = 0;
};

std::unique_ptr<Kernel> make_elementwise(const TenonOp& op);
std::unique_ptr<Kernel> make_reduce(const TenonOp& op);
std::unique_ptr<Kernel> make_matmul(const TenonOp& op);
std::unique_ptr<Kernel> make_gather(const TenonOp& op);
std::unique_ptr<Kernel> make_scatter(const TenonOp& op);

}  // namespace tenon::sdk::kernels
