// The kinds of kernel, and what they share: a kernel's interface and an operand's way through memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <tenon/sdk.h>

#include "kernel.h"

namespace reference {

namespace sdk = tenon::sdk;

/// Immutable once made; any number of threads may run it.
struct Kernel {
  virtual ~Kernel() = default;
  virtual int32_t run(const TenonHost& host, const TenonLaunch& launch) const = 0;
};

std::unique_ptr<Kernel> make_elementwise(const TenonOp& op);
std::unique_ptr<Kernel> make_reduce(const TenonOp& op);
std::unique_ptr<Kernel> make_matmul(const TenonOp& op);
/// GATHER and SCATTER.
std::unique_ptr<Kernel> make_indexed(const TenonOp& op);

/// Refuses attachments in any slot but this.
void require_only_slot(const sdk::OpView& op, uint16_t slot);

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
