// The kinds of kernel, and what they share: a kernel's interface and an operand's way through memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <tenon/sdk.h>

#include "kernel.h"

namespace reference {

namespace sdk = tenon::sdk;
namespace meaning = tenon::sdk::meaning;

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

/// Reads or writes one operand along an iteration space, some elements at a time.
class Cursor {
 public:
  Cursor() = default;
  Cursor(const TenonOperandDesc& desc, const TenonOperand& operand, sdk::Dims dims,
         const sdk::Strides& strides)
      : dtype_(desc.dtype),
        index_(desc.layout == TENON_LAYOUT_INDEX),
        operand_(operand),
        walker_(dims, strides) {}

  /// The next n elements, packed.
  void load(std::byte* out, int64_t n);
  void store(const std::byte* from, int64_t n);

 private:
  uint8_t dtype_ = TENON_DTYPE_NONE;
  bool index_ = false;
  TenonOperand operand_{};
  sdk::Walker walker_;
};

}  // namespace reference
