// Descriptions of ops, laid out by hand after the plugin.h of the including file.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenon/plugin.h>

namespace tenon::test {

// ELEMENTWISE y = x · s over f32, with x strided.
struct ScaleOp {
  TenonOp op{sizeof(TenonOp),
             sizeof(ScaleOp),
             TENON_KIND_ELEMENTWISE,
             0,
             0,
             32,
             1,
             1,
             2,
             1,
             offsetof(ScaleOp, operands),
             offsetof(ScaleOp, attachment),
             0,
             0};
  TenonOperandDesc operands[2] = {{TENON_DTYPE_F32, TENON_LAYOUT_CONTIGUOUS, 1, 0, 0},
                                  {TENON_DTYPE_F32, TENON_LAYOUT_STRIDED, 1, 0, 0}};
  TenonAttachment attachment{TENON_SLOT_BODY, 1, offsetof(ScaleOp, program)};
  TenonProgram program{sizeof(TenonProgram),
                       sizeof(ScaleOp) - offsetof(ScaleOp, program),
                       1,
                       1,
                       1,
                       1,
                       0,
                       offsetof(ScaleOp, multiply) - offsetof(ScaleOp, program),
                       offsetof(ScaleOp, output) - offsetof(ScaleOp, program),
                       offsetof(ScaleOp, output) - offsetof(ScaleOp, program),
                       offsetof(ScaleOp, dtypes) - offsetof(ScaleOp, program),
                       0};
  TenonInstruction multiply{TENON_OP_MUL, TENON_DTYPE_F32, TENON_REF(TENON_REF_INPUT, 0),
                            TENON_REF(TENON_REF_SCALAR, 0), 0};
  std::uint16_t output = TENON_REF(TENON_REF_INSTRUCTION, 0);
  std::uint8_t dtypes[2] = {TENON_DTYPE_F32, TENON_DTYPE_F32};
  std::uint32_t pad = 0;
};
static_assert(sizeof(ScaleOp) % 8 == 0);

// GATHER y[i] = x[index[i]] over f32 and i32.
struct GatherOp {
  TenonOp op{sizeof(TenonOp),
             sizeof(GatherOp),
             TENON_KIND_GATHER,
             0,
             0,
             32,
             1,
             1,
             3,
             0,
             offsetof(GatherOp, operands),
             0,
             offsetof(GatherOp, attrs),
             0};
  TenonOperandDesc operands[3] = {{TENON_DTYPE_F32, TENON_LAYOUT_CONTIGUOUS, 1, 0, 0},
                                  {TENON_DTYPE_F32, TENON_LAYOUT_STRIDED, 1, 0, 0},
                                  {TENON_DTYPE_I32, TENON_LAYOUT_CONTIGUOUS, 1, 0, 0}};
  TenonIndexAttrs attrs{sizeof(TenonIndexAttrs), 1, 0, 0};
};
static_assert(sizeof(GatherOp) % 8 == 0);

}  // namespace tenon::test
