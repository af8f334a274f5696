// What sdk::check finds wrong with descriptions of REDUCE, MATMUL, GATHER and SCATTER, each laid out by
// hand and then broken in one place.
#include <cstddef>
#include <cstring>

#include <gtest/gtest.h>
#include <tenon/sdk.h>

namespace {

namespace sdk = tenon::sdk;

/// y = f(x0, x1) in f32, without instructions: the first input is the result.
struct FirstInput {
  TenonProgram head{};
  uint16_t outputs[4] = {TENON_REF(TENON_REF_INPUT, 0)};
  uint8_t dtypes[8] = {TENON_DTYPE_F32, TENON_DTYPE_F32};

  FirstInput() {
    head.struct_size = sizeof head;
    head.total_size = sizeof(FirstInput);
    head.input_count = 2;
    head.output_count = 1;
    head.instructions_at = sizeof head;
    head.constants_at = sizeof head;
    head.outputs_at = offsetof(FirstInput, outputs);
    head.dtypes_at = offsetof(FirstInput, dtypes);
  }
};

/// Room for any kind: eight operands of rank 2, the first four with tables, attributes, two
/// attachments.
struct OpBlock {
  TenonOp op{};
  TenonOperandDesc operands[8] = {};
  TenonAttachment attachments[2] = {};
  union {
    TenonReduceAttrs reduce;
    TenonMatmulAttrs matmul;
    TenonIndexAttrs index;
    TenonCrossEntropyAttrs loss;
    uint64_t words[3];
  } attrs{.words = {}};
  int64_t tables[4][4] = {};  // extents, strides
  FirstInput program;

  explicit OpBlock(uint32_t kind, uint8_t operand_count, uint32_t attrs_size) {
    op.struct_size = sizeof op;
    op.total_size = sizeof(OpBlock);
    op.kind = kind;
    op.index_width = 64;
    op.rank = 2;
    op.output_count = 1;
    op.operand_count = operand_count;
    op.operands_at = offsetof(OpBlock, operands);
    op.attachments_at = offsetof(OpBlock, attachments);
    op.attrs_at = offsetof(OpBlock, attrs);
    attrs.reduce.struct_size = attrs_size;
    for (TenonOperandDesc& it : operands) it = {TENON_DTYPE_F32, TENON_LAYOUT_STRIDED, 2, 0, 0};
  }
  void attach(uint16_t slot, uint16_t operand) {
    attachments[op.attachment_count++] = {slot, operand, offsetof(OpBlock, program)};
  }
};
static_assert(sizeof(OpBlock) % 8 == 0);

/// One result of two inputs by a PROLOGUE.
struct ReduceBlock : OpBlock {
  ReduceBlock() : OpBlock(TENON_KIND_REDUCE, 3, sizeof(TenonReduceAttrs)) {
    op.acc_dtype = TENON_DTYPE_F32;
    attrs.reduce.axes = 2;
    attrs.reduce.operators[0] = TENON_REDUCE_SUM;
    attach(TENON_SLOT_PROLOGUE, 1);
  }
};

/// (2, 3) = (2, 5) x (5, 3), and a row for the EPILOGUE.
struct MatmulBlock : OpBlock {
  MatmulBlock() : OpBlock(TENON_KIND_MATMUL, 4, sizeof(TenonMatmulAttrs)) {
    op.acc_dtype = TENON_DTYPE_F32;
    const int64_t values[4][4] = {{2, 3, 3, 1}, {2, 5, 5, 1}, {5, 3, 3, 1}, {1, 3, 0, 1}};
    std::memcpy(tables, values, sizeof tables);
    for (uint32_t i = 0; i < 4; ++i) {
      operands[i].table_at = static_cast<uint32_t>(offsetof(OpBlock, tables) + i * sizeof tables[0]);
    }
    attach(TENON_SLOT_EPILOGUE, 3);
  }
};

struct GatherBlock : OpBlock {
  GatherBlock() : OpBlock(TENON_KIND_GATHER, 3, sizeof(TenonIndexAttrs)) {
    operands[2].dtype = TENON_DTYPE_I64;
    attrs.index.index_count = 1;
  }
};

struct ScatterBlock : GatherBlock {
  ScatterBlock() {
    op.kind = TENON_KIND_SCATTER;
    attrs.index.how = TENON_SCATTER_MIN;
  }
};

/// Each change breaks a well-made block: it throws Wrong.
template <class Wrong, class Block, size_t count>
void expect_thrown(void (*const (&changes)[count])(Block&)) {
  EXPECT_NO_THROW(sdk::check(Block().op));
  for (size_t i = 0; i < count; ++i) {
    Block block;
    changes[i](block);
    EXPECT_THROW(sdk::check(block.op), Wrong) << "change " << i;
  }
}

TEST(SdkCheckReduce, FindsContradictions) {
  using Block = ReduceBlock;
  void (*const broken[])(Block&) = {
      [](Block& b) { b.attrs.reduce.struct_size = 8; },
      [](Block& b) { b.op.attrs_at = 0; },
      [](Block& b) { b.attrs.reduce.axes = 4; },
      [](Block& b) { b.attrs.reduce.axes = 1u << 31; },
      [](Block& b) { b.op.acc_dtype = 0; },
      [](Block& b) { b.op.acc_dtype = TENON_DTYPE_BOOL; },
      [](Block& b) { b.op.output_count = 0; },
      [](Block& b) { b.op.attachment_count = 0; },
      [](Block& b) { b.op.index_width = 16; },
      [](Block& b) { b.attachments[0].operand = 2; },
      [](Block& b) { b.attach(TENON_SLOT_PROLOGUE, 1); },
      [](Block& b) { b.operands[0].layout = TENON_LAYOUT_SCALAR; },
      [](Block& b) { b.operands[0].layout = TENON_LAYOUT_INDEX; },
      [](Block& b) { b.operands[1].rank = 3; },
      [](Block& b) { b.operands[2].table_at = offsetof(OpBlock, tables); },
      [](Block& b) { b.attrs.reduce.operators[0] = TENON_REDUCE_ARGMAX; },
      [](Block& b) { b.attrs.reduce.operators[0] = TENON_REDUCE_ANY; },
      [](Block& b) { b.program.head.input_count = 1; },
      [](Block& b) { b.program.dtypes[1] = TENON_DTYPE_I32; },
      [](Block& b) { b.program.head.output_count = 2; },
  };
  expect_thrown<sdk::Failure>(broken);
  void (*const unknown[])(Block&) = {
      [](Block& b) { b.attrs.reduce.operators[0] = 9; },
      [](Block& b) { b.op.acc_dtype = 99; },
      [](Block& b) { b.operands[1].flags = 2; },
      [](Block& b) { b.attachments[0].slot = TENON_SLOT_BODY; },
      [](Block& b) { b.attachments[0].slot = TENON_SLOT_EPILOGUE; },
  };
  expect_thrown<sdk::Unsupported>(unknown);
}

TEST(SdkCheckMatmul, FindsContradictions) {
  using Block = MatmulBlock;
  void (*const broken[])(Block&) = {
      [](Block& b) { b.attrs.matmul.struct_size = 4; },
      [](Block& b) { b.op.output_count = 2; },
      [](Block& b) { b.op.operand_count = 2; },
      [](Block& b) { b.op.operand_count = 3; },
      [](Block& b) { b.op.attachment_count = 0; },
      [](Block& b) { b.op.rank = 3; },
      [](Block& b) { b.operands[1].rank = 1; },
      [](Block& b) { b.operands[3].rank = 3; },
      [](Block& b) { b.operands[3].rank = 9; },
      [](Block& b) { b.operands[1].table_at = 0; },
      [](Block& b) { b.operands[1].table_at = sizeof(OpBlock) - 8; },
      [](Block& b) { b.operands[1].layout = TENON_LAYOUT_SCALAR; },
      [](Block& b) { b.operands[2].layout = TENON_LAYOUT_INDEX; },
      [](Block& b) { b.tables[0][0] = 3; },
      [](Block& b) { b.tables[1][1] = 4; },
      [](Block& b) { b.tables[2][1] = 1; },
      [](Block& b) { b.tables[2][0] = -1; },
      [](Block& b) { b.tables[3][0] = 5; },
      [](Block& b) { b.op.acc_dtype = TENON_DTYPE_F64; },
      [](Block& b) { b.operands[0].dtype = TENON_DTYPE_F16; },
      [](Block& b) { b.operands[3].dtype = TENON_DTYPE_F16; },
      [](Block& b) { b.attach(TENON_SLOT_EPILOGUE, 3); },
  };
  expect_thrown<sdk::Failure>(broken);
  void (*const unknown[])(Block&) = {
      [](Block& b) { b.attrs.matmul.accumulate = 2; },
      [](Block& b) { b.op.acc_dtype = 0; },
      [](Block& b) { b.attach(TENON_SLOT_PROLOGUE, 1); },
      [](Block& b) { b.operands[0].flags = 4; },
  };
  expect_thrown<sdk::Unsupported>(unknown);
  MatmulBlock dynamic;
  for (auto& table : dynamic.tables) table[0] = table[2] = TENON_DYNAMIC;
  EXPECT_NO_THROW(sdk::check(dynamic.op));
}

TEST(SdkCheckGatherAndScatter, FindContradictions) {
  using Block = GatherBlock;
  void (*const broken[])(Block&) = {
      [](Block& b) { b.attrs.index.struct_size = 8; },
      [](Block& b) { b.attrs.index.index_count = 0; },
      [](Block& b) { b.attrs.index.index_count = 2; },
      [](Block& b) { b.attrs.index.index_count = UINT32_MAX; },
      [](Block& b) { b.op.output_count = 2; },
      [](Block& b) { b.operands[0].dtype = TENON_DTYPE_F64; },
      [](Block& b) { b.operands[2].dtype = TENON_DTYPE_F32; },
      [](Block& b) { b.operands[2].dtype = TENON_DTYPE_BOOL; },
      [](Block& b) { b.operands[0].layout = TENON_LAYOUT_INDEX; },
      [](Block& b) { b.operands[0].layout = TENON_LAYOUT_SCALAR; },
      [](Block& b) { b.operands[1].layout = TENON_LAYOUT_INDEX; },
      [](Block& b) { b.operands[2].layout = TENON_LAYOUT_ABSENT; },
      [](Block& b) { b.operands[2].rank = 1; },
  };
  expect_thrown<sdk::Failure>(broken);
  void (*const unknown[])(Block&) = {
      [](Block& b) { b.attrs.index.how = TENON_SCATTER_ADD; },
      [](Block& b) { b.attach(TENON_SLOT_PROLOGUE, 1); },
  };
  expect_thrown<sdk::Unsupported>(unknown);
  void (*const in_scatter[])(ScatterBlock&) = {
      [](ScatterBlock& b) { b.attrs.index.how = TENON_SCATTER_MIN + 1; }};
  expect_thrown<sdk::Unsupported>(in_scatter);
  ScatterBlock stretched;
  stretched.operands[0].layout = TENON_LAYOUT_SCALAR;
  EXPECT_NO_THROW(sdk::check(stretched.op)) << "only the indices move in dst";
}

/// CROSS_ENTROPY without weights, its logsumexp not kept.
struct LossBlock : OpBlock {
  LossBlock() : OpBlock(TENON_KIND_CROSS_ENTROPY, 6, sizeof(TenonCrossEntropyAttrs)) {
    op.output_count = 3;
    op.acc_dtype = TENON_DTYPE_F32;
    for (TenonOperandDesc& it : operands) it.layout = TENON_LAYOUT_CONTIGUOUS;
    operands[2].layout = operands[5].layout = TENON_LAYOUT_ABSENT;
    operands[3].dtype = operands[5].dtype = TENON_DTYPE_BF16;
    operands[4].dtype = TENON_DTYPE_I64;
  }
};

TEST(SdkCheckRows, FindsContradictions) {
  using Block = LossBlock;
  void (*const broken[])(Block&) = {
      [](Block& b) { b.attrs.loss.struct_size = 8; },
      [](Block& b) { b.op.rank = 1; },
      [](Block& b) { b.op.output_count = 2; },
      [](Block& b) { b.op.operand_count = 5; },
      [](Block& b) { b.op.acc_dtype = TENON_DTYPE_I32; },
      [](Block& b) { b.operands[0].layout = TENON_LAYOUT_ABSENT; },
      [](Block& b) { b.operands[0].dtype = TENON_DTYPE_BF16; },
      [](Block& b) { b.operands[1].layout = TENON_LAYOUT_SCALAR; },
      [](Block& b) { b.operands[3].layout = TENON_LAYOUT_STRIDED; },
      [](Block& b) { b.operands[3].dtype = TENON_DTYPE_I32; },
      [](Block& b) { b.operands[3].rank = 1; },
      [](Block& b) { b.operands[4].dtype = TENON_DTYPE_I8; },
      [](Block& b) { b.operands[4].table_at = offsetof(OpBlock, tables); },
      [](Block& b) {
        b.operands[5].layout = TENON_LAYOUT_CONTIGUOUS;
        b.operands[5].dtype = TENON_DTYPE_F32;
      },
      [](Block& b) { b.op.kind = TENON_KIND_NORM; },
      [](Block& b) { b.op.kind = TENON_KIND_SOFTMAX; },
  };
  expect_thrown<sdk::Failure>(broken);
  void (*const unknown[])(Block&) = {
      [](Block& b) { b.attrs.loss.ignores = 2; },
      [](Block& b) { b.attach(TENON_SLOT_EPILOGUE, 3); },
  };
  expect_thrown<sdk::Unsupported>(unknown);
}

}  // namespace
