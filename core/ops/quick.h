// Elementwise launches as most of them are: every operand lies row-major without gaps or has one
// element, on a synchronous device that takes the program as it is. They need no loops and no lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::ops {

/// Several packs of operands, of each the outputs first, then the inputs, which broadcast to them.
struct QuickWork {
  std::string_view op;
  const program::Program& program;
  std::span<detail::TensorImpl* const> operands;  // of one pack after the other
  std::span<const std::uint64_t* const> scalars;  // raw bits, for each pack
  bool are_new = false;                           // the outputs: they share memory with nothing
};

/// One launch for all packs; false where they are not of this sort: then nothing was done.
bool run_at_once(const QuickWork& work);

/// Fills `outputs` with new tensors of the shape that the inputs broadcast to; false as above.
bool run_at_once(std::string_view op, const program::Program& program, TensorRefs inputs,
                 std::span<const std::uint64_t> scalars, std::span<Tensor> outputs);

}  // namespace tenon::ops
