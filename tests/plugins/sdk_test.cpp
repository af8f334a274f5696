// The SDK's helpers, on blocks written by hand.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <tenon/sdk.h>

namespace {

namespace sdk = tenon::sdk;

/// f32 out = in0 + in1, as an ELEMENTWISE description laid out by hand.
struct AddBlock {
  TenonOp op{};
  TenonOperandDesc operands[3] = {};
  TenonAttachment attachment{};
  TenonProgram program{};
  TenonInstruction instruction{};
  uint16_t outputs[4] = {};
  uint8_t dtypes[8] = {TENON_DTYPE_F32, TENON_DTYPE_F32};

  AddBlock() {
    op.struct_size = sizeof op;
    op.total_size = sizeof(AddBlock);
    op.kind = TENON_KIND_ELEMENTWISE;
    op.index_width = 32;
    op.rank = 1;
    op.output_count = 1;
    op.operand_count = 3;
    op.attachment_count = 1;
    op.operands_at = offsetof(AddBlock, operands);
    op.attachments_at = offsetof(AddBlock, attachment);
    for (TenonOperandDesc& it : operands) it = {TENON_DTYPE_F32, TENON_LAYOUT_CONTIGUOUS, 1, 0, 0};
    attachment = {TENON_SLOT_BODY, 1, offsetof(AddBlock, program)};
    program.struct_size = sizeof program;
    program.total_size = sizeof(AddBlock) - offsetof(AddBlock, program);
    program.instruction_count = 1;
    program.input_count = 2;
    program.output_count = 1;
    program.instructions_at = offsetof(AddBlock, instruction) - offsetof(AddBlock, program);
    program.outputs_at = offsetof(AddBlock, outputs) - offsetof(AddBlock, program);
    program.dtypes_at = offsetof(AddBlock, dtypes) - offsetof(AddBlock, program);
    instruction = {TENON_OP_ADD, TENON_DTYPE_F32, TENON_REF(TENON_REF_INPUT, 0),
                   TENON_REF(TENON_REF_INPUT, 1), 0};
    outputs[0] = TENON_REF(TENON_REF_INSTRUCTION, 0);
  }
};

TEST(SdkCheck, TakesAWellMadeDescription) {
  const AddBlock block;
  EXPECT_NO_THROW(sdk::check(block.op));
  const sdk::OpView op(block.op);
  const sdk::ProgramView body = op.program(*op.attachment(TENON_SLOT_BODY));
  EXPECT_EQ(body.input_count(), 2u);
  EXPECT_EQ(body.instructions()[0].opcode, TENON_OP_ADD);
  EXPECT_EQ(body.output_dtype(0), TENON_DTYPE_F32);
  EXPECT_EQ(op.attachment(TENON_SLOT_EPILOGUE), nullptr);
}

TEST(SdkCheck, RefusesWhatItDoesNotKnow) {
  using Change = void (*)(AddBlock&);
  const Change unknown[] = {
      [](AddBlock& b) { b.op.flags = 1; },           [](AddBlock& b) { b.instruction.opcode = 63; },
      [](AddBlock& b) { b.instruction.dtype = 77; }, [](AddBlock& b) { b.operands[1].layout = 9; },
      [](AddBlock& b) { b.operands[2].dtype = 0; },  [](AddBlock& b) { b.dtypes[1] = 99; },
      [](AddBlock& b) { b.attachment.slot = 3; },
  };
  for (const Change change : unknown) {
    AddBlock block;
    change(block);
    EXPECT_THROW(sdk::check(block.op), sdk::Unsupported) << "change " << &change - unknown;
  }
  AddBlock block;
  block.op.flags = TENON_FLAG_ALLOW_TF32 | 1u << 31;
  EXPECT_NO_THROW(sdk::check(block.op)) << "high flags may be ignored";
}

TEST(SdkCheck, FindsContradictions) {
  using Change = void (*)(AddBlock&);
  const Change broken[] = {
      [](AddBlock& b) { b.op.struct_size = 8; },
      [](AddBlock& b) { b.op.total_size = 12; },
      [](AddBlock& b) { b.op.operands_at = sizeof(AddBlock) - 8; },
      [](AddBlock& b) { b.op.operand_count = 200; },
      [](AddBlock& b) { b.op.rank = 9; },
      [](AddBlock& b) { b.op.output_count = 2; },
      [](AddBlock& b) { b.op.attachment_count = 0; },
      [](AddBlock& b) { b.attachment.program_at += 4; },
      [](AddBlock& b) { b.attachment.operand = 2; },
      [](AddBlock& b) { b.program.total_size += 8; },
      [](AddBlock& b) { b.program.dtypes_at = UINT16_MAX; },
      [](AddBlock& b) { b.program.instruction_count = 65; },
      [](AddBlock& b) { b.instruction.a = TENON_REF(TENON_REF_INSTRUCTION, 0); },
      [](AddBlock& b) { b.instruction.b = TENON_REF(TENON_REF_CONSTANT, 0); },
      [](AddBlock& b) { b.instruction.dtype = TENON_DTYPE_I32; },
      [](AddBlock& b) { b.outputs[0] = TENON_REF(TENON_REF_INSTRUCTION, 1); },
      [](AddBlock& b) { b.operands[0].dtype = TENON_DTYPE_F64; },
      [](AddBlock& b) { b.operands[0].layout = TENON_LAYOUT_INDEX; },
      [](AddBlock& b) { b.operands[1].layout = TENON_LAYOUT_ABSENT; },
  };
  for (const Change change : broken) {
    AddBlock block;
    change(block);
    EXPECT_THROW(sdk::check(block.op), sdk::Failure) << "change " << &change - broken;
  }
}

TEST(SdkStructs, GrowAndShrink) {
  TenonMem theirs{};
  theirs.struct_size = offsetof(TenonMem, host_ptr);
  int there = 0;
  theirs.host_ptr = &there;
  sdk::answer(theirs, TenonMem{sizeof(TenonMem), 1, 2, 3, nullptr, 4});
  EXPECT_EQ(theirs.bytes, 3u);
  EXPECT_EQ(theirs.host_ptr, &there) << "beyond what its owner knows";
  EXPECT_EQ(theirs.struct_size, offsetof(TenonMem, host_ptr));
  EXPECT_EQ(sdk::read(theirs).host_ptr, nullptr);
  EXPECT_EQ(sdk::read(theirs).handle, 2u);
}

TEST(SdkWalk, GoesInLogicalOrder) {
  const std::vector<int64_t> dims = {2, 3, 2};
  const sdk::Strides strides[] = {sdk::row_major(dims), {-1, 10, 0}};
  const int64_t second[] = {0, 0, 10, 10, 20, 20, -1, -1, 9, 9, 19, 19};
  std::vector<int64_t> order;
  sdk::for_each_offset(dims, strides, [&](const int64_t* offsets) {
    EXPECT_EQ(offsets[0], static_cast<int64_t>(order.size()));
    order.push_back(offsets[1]);
  });
  EXPECT_EQ(order, std::vector<int64_t>(std::begin(second), std::end(second)));

  for (const int64_t chunk : {1, 5, 12}) {
    sdk::Walker walker(dims, strides[1]);
    std::vector<int64_t> walked;
    for (int64_t left = 12; left > 0; left -= chunk) {
      walker.take(std::min(chunk, left), [&](int64_t offset, int64_t stride, int64_t n) {
        for (int64_t i = 0; i < n; ++i) walked.push_back(offset + i * stride);
      });
    }
    EXPECT_EQ(walked, order) << "chunks of " << chunk;
  }
}

TEST(SdkWalk, RankZeroIsOneElementAndAnExtentOfZeroIsNone) {
  int visits = 0;
  sdk::for_each_offset({}, {}, [&](const int64_t*) { ++visits; });
  EXPECT_EQ(visits, 1);
  const int64_t empty[] = {3, 0};
  sdk::for_each_offset(empty, {}, [&](const int64_t*) { ++visits; });
  EXPECT_EQ(visits, 1);
}

struct Told {
  std::string failed, noted;
};

TEST(SdkStatus, WhatIsThrownBecomesACode) {
  Told told;
  TenonHost host{};
  host.ctx = &told;
  host.fail = [](void* ctx, int32_t code, const char* text) {
    static_cast<Told*>(ctx)->failed = text;
    return code;
  };
  host.note = [](void* ctx, const char* text) { static_cast<Told*>(ctx)->noted = text; };
  EXPECT_EQ(sdk::guarded(host, [] { return 2; }), 2);
  EXPECT_EQ(sdk::guarded(host, []() -> int { throw sdk::Unsupported("no f16"); }), TENON_UNSUPPORTED);
  EXPECT_EQ(told.noted, "no f16");
  EXPECT_TRUE(told.failed.empty());
  EXPECT_EQ(sdk::guarded(host, []() -> int { throw std::bad_alloc(); }), TENON_OOM);
  EXPECT_EQ(sdk::guarded(host, []() -> int { throw sdk::Failure(TENON_INVALID, "rank 9"); }),
            TENON_INVALID);
  EXPECT_EQ(told.failed, "rank 9");
  EXPECT_EQ(sdk::guarded(host, []() -> int { throw std::runtime_error("odd"); }), TENON_INTERNAL);
  EXPECT_EQ(sdk::guarded(host, []() -> int { throw 7; }), TENON_INTERNAL);
}

TEST(SdkHostMemory, KeepsItsLimitAndAliasesImports) {
  sdk::HostMemory memory;
  memory.set_limit(1000);
  const TenonMem mem = memory.allocate(TENON_SPACE_DEVICE, 600);
  EXPECT_EQ(mem.handle % 256, 0u);
  EXPECT_THROW(memory.allocate(TENON_SPACE_DEVICE, 600), sdk::Failure);
  EXPECT_EQ(memory.info().free_bytes, 400u);

  TenonImport what{sizeof(TenonImport), TENON_IMPORT_HOST, 0, 0, mem.device_addr, 600};
  EXPECT_EQ(memory.import_memory(what).host_ptr, mem.host_ptr);
  memory.free(mem.handle);
  EXPECT_EQ(memory.info().free_bytes, 400u) << "the import still holds it";
  memory.free(mem.handle);
  EXPECT_EQ(memory.info().free_bytes, 1000u);
  what.source = TENON_IMPORT_FD;
  EXPECT_THROW(memory.import_memory(what), sdk::Unsupported);
}

TEST(SdkHostMemory, FillsWholeValues) {
  unsigned char bytes[14];
  std::memset(bytes, 0xee, sizeof bytes);
  const auto dst = reinterpret_cast<uint64_t>(bytes);
  sdk::HostMemory::fill({sizeof(TenonFill), 4, dst, 1, 12, 0x04030201});
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(bytes[1 + i], i % 4 + 1);
  EXPECT_EQ(bytes[0], 0xee);
  EXPECT_EQ(bytes[13], 0xee);
}

}  // namespace
