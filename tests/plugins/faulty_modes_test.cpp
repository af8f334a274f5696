// Plugin faulty's other modes: what it refuses when it offers the least, and how it fails on demand.
#include <array>

#include <gmock/gmock.h>

#include <tenon/program.h>

#include "core/runtime/op_block.h"
#include "plugins/faulty/peek.h"
#include "tests/plugins/blocks.h"
#include "tests/plugins/faulty_fixture.h"

namespace tenon::test {
namespace {

using program::Builder;
using program::Opcode;
using program::Program;
using program::Value;
using runtime::AttachmentDesc;
using runtime::OpDesc;
using runtime::OperandDesc;
using testing::HasSubstr;

/// An op of any kind, with what it points to.
struct Op {
  OpDesc desc;
  std::vector<OperandDesc> operands;
  std::optional<Program> program;
  std::uint16_t slot = TENON_SLOT_BODY;
  std::vector<std::byte> attrs = {};

  std::string block() const {
    std::vector<AttachmentDesc> attachments;
    if (program) {
      const auto first = slot == TENON_SLOT_EPILOGUE ? 3 : desc.output_count;
      attachments.push_back({slot, static_cast<std::uint16_t>(first), &*program});
    }
    OpDesc whole = desc;
    whole.operands = operands;
    whole.attachments = attachments;
    whole.attrs = attrs;
    return runtime::op_block(whole);
  }
};

template <class T>
std::vector<std::byte> raw(const T& attrs) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&attrs);
  return {bytes, bytes + sizeof attrs};
}

OperandDesc operand(DType dtype, std::uint8_t layout = TENON_LAYOUT_CONTIGUOUS) {
  return {.dtype = dtype, .layout = layout};
}

/// ELEMENTWISE over contiguous operands.
Op elementwise(const Program& program) {
  Op op{.desc = {.kind = TENON_KIND_ELEMENTWISE, .output_count = program.output_count()},
        .operands = {},
        .program = program};
  for (int i = 0; i < program.output_count(); ++i)
    op.operands.push_back(operand(program.output_dtype(i)));
  for (int i = 0; i < program.input_count(); ++i)
    op.operands.push_back(operand(program.input_dtype(i)));
  return op;
}

/// One instruction over inputs of one dtype.
Op single(Opcode opcode, DType result, DType from) {
  Builder b;
  std::array<Value, 3> x;
  for (int i = 0; i < arity(opcode); ++i) x[static_cast<std::size_t>(i)] = b.input(from);
  b.output(b.apply(opcode, result, x[0], x[1], x[2]));
  return elementwise(b.build());
}

/// `count` instructions one after the other.
Op chain(int count) {
  Builder b;
  Value x = b.input(f32);
  for (int i = 0; i < count; ++i) x = -x;
  b.output(x);
  return elementwise(b.build());
}

Op reduce(std::uint8_t how, DType to, DType from, DType acc) {
  TenonReduceAttrs attrs{sizeof attrs, 1, {how}};
  return {.desc = {.kind = TENON_KIND_REDUCE, .acc_dtype = static_cast<std::uint8_t>(acc)},
          .operands = {operand(to), operand(from)},
          .program = std::nullopt,
          .attrs = raw(attrs)};
}

Op matmul(DType dtype, DType acc, std::int64_t depth = 3, std::uint32_t accumulate = 0) {
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    return OperandDesc{.dtype = dtype,
                       .layout = TENON_LAYOUT_STRIDED,
                       .described = true,
                       .shape = {5, rows, columns},
                       .strides = {100, 10, 1}};
  };
  return {.desc = {.kind = TENON_KIND_MATMUL, .acc_dtype = static_cast<std::uint8_t>(acc), .rank = 3},
          .operands = {matrix(2, 4), matrix(2, depth), matrix(depth, 4)},
          .program = std::nullopt,
          .attrs = raw(TenonMatmulAttrs{sizeof(TenonMatmulAttrs), accumulate})};
}

Op indexed(std::uint32_t kind, DType dtype, std::uint32_t how, std::uint32_t indices = 1) {
  Op op{.desc = {.kind = kind},
        .operands = {operand(dtype, TENON_LAYOUT_STRIDED), operand(dtype, TENON_LAYOUT_STRIDED)},
        .program = std::nullopt,
        .attrs = raw(TenonIndexAttrs{sizeof(TenonIndexAttrs), indices, how, 0})};
  op.operands.resize(2 + indices, operand(i32));
  return op;
}

class FaultyModes : public Faulty {
 protected:
  std::int32_t prepare(const Op& op) {
    TenonKernel* kernel = nullptr;
    TenonKernelInfo info{};
    info.struct_size = sizeof info;
    const std::string block = op.block();
    const std::int32_t code =
        api->prepare(device_, reinterpret_cast<const TenonOp*>(block.data()), &kernel, &info);
    if (kernel != nullptr) api->release(device_, kernel);
    return code;
  }
  void expect_taken(const Op& op) {
    EXPECT_EQ(prepare(op), TENON_OK) << describe(op.desc) << ": " << host.error();
  }
  void expect_refused(const Op& op, const std::string& note) {
    EXPECT_EQ(prepare(op), TENON_UNSUPPORTED) << note;
    EXPECT_EQ(host.error(), "[faulty] not offered: " + note);
  }
  TenonDeviceInfo info() {
    TenonDeviceInfo info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(api->device_info(0, &info), TENON_OK) << host.error();
    return info;
  }
};

class FaultyMinimal : public FaultyModes {
 protected:
  FaultyMinimal() { host.set("minimal", "1"); }
};

constexpr std::uint32_t mask(std::initializer_list<DType> dtypes) {
  std::uint32_t mask = 0;
  for (const DType dtype : dtypes) mask |= 1u << static_cast<std::uint32_t>(dtype);
  return mask;
}

TEST_F(FaultyMinimal, DescribesTheLeast) {
  EXPECT_EQ(info().opcodes, 0U);
  EXPECT_EQ(info().storage_dtypes, mask({f32, i32, bool_}));
  EXPECT_EQ(info().compute_dtypes, mask({f32, i32, u32, bool_}));
  EXPECT_EQ(api->mem_import, nullptr);
  EXPECT_EQ(api->mem_info, nullptr);
  EXPECT_EQ(api->fill, nullptr);
  EXPECT_NE(api->stream_create, nullptr);
}

TEST_F(FaultyMinimal, RefusesWhatIsOptional) {
  open();
  expect_refused(single(Opcode::tanh, f32, f32), "opcode 40");
  expect_refused(single(Opcode::fma, f32, f32), "opcode 32");
  expect_refused(single(Opcode::add, f64, f64), "to store f64");
  expect_refused(single(Opcode::cast, i64, i32), "to store i64");
  expect_refused(single(Opcode::cast, u32, f32), "to store u32");
  Builder wide;
  wide.output(wide.apply(Opcode::cast, f32, wide.apply(Opcode::cast, f64, wide.input(f32))));
  expect_refused(elementwise(wide.build()), "to compute f64");

  Op mapped = reduce(TENON_REDUCE_SUM, f32, f32, f32);
  mapped.program = chain(1).program;
  mapped.slot = TENON_SLOT_PROLOGUE;
  expect_refused(mapped, "attachment 1");
  Op finished = matmul(f32, f32);
  finished.program = chain(1).program;
  finished.slot = TENON_SLOT_EPILOGUE;
  expect_refused(finished, "attachment 2");

  expect_refused(reduce(TENON_REDUCE_ARGMAX, i64, f32, f32), "to store i64");
  expect_refused(reduce(TENON_REDUCE_SUM, f32, f32, f64), "to accumulate in f64");
  expect_refused(matmul(f32, f64), "to accumulate in f64");
  EXPECT_EQ(prepare(matmul(i32, i32)), TENON_UNSUPPORTED);
  expect_refused(matmul(f32, f32, TENON_DYNAMIC), "dynamic extents or strides");
  expect_refused(indexed(TENON_KIND_GATHER, f32, 0, 2), "index operands: 2");
}

TEST_F(FaultyModes, BareRefusesChoicesButNoDtype) {
  host.set("bare", "1");
  EXPECT_EQ(info().opcodes, 0U);
  EXPECT_NE(info().storage_dtypes & mask({f64, f16, i64, u8}), 0U);
  open();
  expect_refused(single(Opcode::tanh, f32, f32), "opcode 40");
  expect_refused(matmul(f32, f32, TENON_DYNAMIC), "dynamic extents or strides");
  expect_refused(indexed(TENON_KIND_GATHER, f32, 0, 2), "index operands: 2");
  expect_taken(single(Opcode::add, f64, f64));
  expect_taken(single(Opcode::mul, i64, i64));
  expect_taken(reduce(TENON_REDUCE_ARGMAX, i64, f32, f32));
}

TEST_F(FaultyMinimal, TakesWhatIsMandatory) {
  open();
  for (const DType dtype : {f32, i32}) {
    expect_taken(single(Opcode::mul, dtype, dtype));
    expect_taken(single(Opcode::lt, bool_, dtype));
    for (std::uint8_t how = TENON_REDUCE_SUM; how <= TENON_REDUCE_MIN; ++how) {
      expect_taken(reduce(how, dtype, dtype, dtype));
    }
    expect_taken(reduce(TENON_REDUCE_ARGMIN, i32, dtype, dtype));
    expect_taken(indexed(TENON_KIND_GATHER, dtype, 0));
    for (std::uint32_t how = TENON_SCATTER_ASSIGN; how <= TENON_SCATTER_MIN; ++how) {
      expect_taken(indexed(TENON_KIND_SCATTER, dtype, how));
    }
  }
  expect_taken(matmul(f32, f32, 3, 1));
  expect_taken(single(Opcode::exp, f32, f32));
  expect_taken(single(Opcode::xor_, bool_, bool_));
  expect_taken(reduce(TENON_REDUCE_ANY, bool_, bool_, bool_));
  expect_taken(chain(64));
}

// The one use of u64 that every device has.
TEST_F(FaultyMinimal, TakesPhilox) {
  open();
  Builder b;
  const Value index = b.input(u64);
  const Value word = b.apply(Opcode::philox, u32, index, b.scalar(u64), b.scalar(u64));
  b.output(b.apply(Opcode::cast, f32, b.apply(Opcode::shr, u32, word, b.constant(u32, 8))));
  Op op = elementwise(b.build());
  op.operands[1].layout = TENON_LAYOUT_INDEX;
  expect_taken(op);
  op.operands[1].layout = TENON_LAYOUT_CONTIGUOUS;
  expect_refused(op, "to store u64");
  Builder more;
  const Value next = more.input(u64) + 1;
  more.output(more.apply(Opcode::philox, u32, next, next, next));
  op = elementwise(more.build());
  op.operands[0].dtype = u32;
  op.operands[1].layout = TENON_LAYOUT_INDEX;
  EXPECT_EQ(prepare(op), TENON_UNSUPPORTED);
}

TEST_F(FaultyModes, TinyLimitsAreKept) {
  host.set("limits", "tiny");
  open();
  EXPECT_EQ(info().max_instructions, 4U);
  EXPECT_EQ(info().max_inputs, 2U);
  EXPECT_EQ(info().max_rank, 4U);
  expect_taken(chain(4));
  expect_taken(single(Opcode::tanh, f64, f64));
  expect_refused(chain(5), "a program's instructions: 5");
  expect_refused(single(Opcode::fma, f32, f32), "a program's inputs: 3");
  Builder two;
  const Value x = two.input(f32);
  two.output(-x);
  two.output(x + 1);
  expect_refused(elementwise(two.build()), "a program's outputs: 2");
  Builder scalars;
  scalars.output((scalars.scalar(f32) + scalars.scalar(f32)) *
                 (scalars.scalar(f32) + scalars.scalar(f32)));
  expect_refused(elementwise(scalars.build()), "a program's scalars: 4");
  Builder constants;
  constants.output(((constants.input(f32) + 3) * 5 - 7) / 9);
  expect_refused(elementwise(constants.build()), "a program's constants: 4");
  Op deep = chain(1);
  deep.desc.rank = 5;
  expect_refused(deep, "rank 5");
}

/// y = x · 2 over four f32, launched as often as a test likes.
class FaultyFailures : public FaultyModes {
 protected:
  void start() {
    open();
    stream_ = stream();
    const ScaleOp op;
    TenonKernelInfo info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(api->prepare(device_, &op.op, &kernel_, &info), TENON_OK) << host.error();
    workspace_ = allocate(info.workspace_bytes);
    const float values[] = {1, 2, 3, 4};
    x_ = allocate(sizeof values);
    y_ = allocate(sizeof values);
    ASSERT_EQ(upload(stream_, x_, values, sizeof values), TENON_OK);
  }
  void TearDown() override {
    if (kernel_ != nullptr) api->release(device_, kernel_);
    Faulty::TearDown();
  }
  std::int32_t launch(std::uint64_t corr) {
    const std::int64_t stride = 1, dims = 4;
    const std::uint64_t two = 0x40000000;
    const TenonOperand operands[] = {{y_, 0, nullptr}, {x_, 0, &stride}};
    const TenonPack pack{operands, &two, &dims};
    const TenonLaunch launch{sizeof launch, 1, &pack, workspace_, 0, 256, corr};
    return api->launch(device_, stream_, kernel_, &launch);
  }
  void expect_late(const std::string& text, std::uint64_t corr) {
    EXPECT_EQ(finish(stream_), TENON_INTERNAL);
    EXPECT_EQ(host.error(), text);
    const auto faults = host.faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].code, TENON_INTERNAL);
    EXPECT_EQ(faults[0].corr, corr);
    EXPECT_EQ(finish(stream_), TENON_OK) << "a fault is told once";
  }

  TenonStream* stream_ = nullptr;
  TenonKernel* kernel_ = nullptr;
  std::uint64_t workspace_ = 0, x_ = 0, y_ = 0;
};

TEST_F(FaultyFailures, ALaunchFailsLate) {
  host.set("late_fault_at", "2");
  start();
  EXPECT_EQ(launch(11), TENON_OK);
  EXPECT_EQ(finish(stream_), TENON_OK);
  EXPECT_EQ(fill(stream_, y_, 0, 16, 0), TENON_OK);
  EXPECT_EQ(launch(12), TENON_OK) << "the call itself is fine";
  expect_late("[faulty] launch 2 of faulty:0 fails late: option late_fault_at", 12);
  EXPECT_THAT(bytes_of(y_, 16), testing::Each(0)) << "it did nothing";
  EXPECT_EQ(launch(13), TENON_OK);
  EXPECT_EQ(finish(stream_), TENON_OK);
}

TEST_F(FaultyFailures, EveryNthLaunchFailsLate) {
  host.set("late_fault_every", "3");
  start();
  for (std::uint64_t n = 1; n <= 5; ++n) EXPECT_EQ(launch(n), TENON_OK);
  expect_late("[faulty] launch 3 of faulty:0 fails late: option late_fault_every is 3", 3);
  EXPECT_EQ(launch(6), TENON_OK);
  expect_late("[faulty] launch 6 of faulty:0 fails late: option late_fault_every is 3", 6);
}

TEST_F(FaultyFailures, TheDeviceIsLostAtALaunch) {
  host.set("lost_at", "2");
  start();
  TenonDevice* const other = open(1);
  EXPECT_EQ(launch(1), TENON_OK);
  EXPECT_EQ(finish(stream_), TENON_OK);
  const std::uint64_t point = signal(stream_);
  EXPECT_EQ(launch(2), TENON_DEVICE_LOST);
  EXPECT_EQ(host.error(), "[faulty] faulty:0 is lost: launch 2: option lost_at");
  EXPECT_EQ(launch(3), TENON_DEVICE_LOST);
  EXPECT_EQ(try_allocate(8), TENON_DEVICE_LOST);
  EXPECT_EQ(api->stream_sync(device_, stream_, point, -1), TENON_DEVICE_LOST);
  EXPECT_EQ(host.faults().at(0).code, TENON_DEVICE_LOST);
  EXPECT_EQ(host.errors_logged(), "[faulty] faulty:0: launch 2: option lost_at\n");
  device_ = other;
  EXPECT_EQ(try_allocate(8), TENON_OK) << "the other one is alive";
}

TEST_F(FaultyFailures, AnswersAreNotReadyForNothing) {
  host.set("not_ready", "50");
  start();
  const std::uint64_t point = [&] {
    std::uint64_t signalled = 0;
    EXPECT_EQ(api->stream_signal(device_, stream_, &signalled), TENON_OK);
    return signalled;
  }();
  while (api->stream_sync(device_, stream_, point, -1) == TENON_NOT_READY) {
  }
  int spurious = 0;
  for (int i = 0; i < 400; ++i) {
    const std::int32_t code = i % 2 == 0 ? api->stream_sync(device_, stream_, point, -1)
                                         : api->stream_query(device_, stream_, point);
    ASSERT_TRUE(code == TENON_OK || code == TENON_NOT_READY) << code;
    spurious += code == TENON_NOT_READY;
  }
  EXPECT_GT(spurious, 150);
  EXPECT_LT(spurious, 250);
}

TEST_F(FaultyFailures, AddressesAreAlignedAndNoMore) {
  host.set("alignment", "minimal");
  start();
  const auto* peek = static_cast<const FaultyPeek*>(api->get_ext("faulty.peek"));
  for (const std::uint64_t bytes : {0u, 1u, 64u, 100u, 256u, 4096u, 100000u}) {
    const auto address = reinterpret_cast<std::uintptr_t>(peek->address(allocate(bytes)));
    EXPECT_EQ(address % 512, 256U) << bytes << " bytes";
  }
  EXPECT_EQ(info().mem_alignment, 256U);
  EXPECT_EQ(launch(1), TENON_OK);
  EXPECT_EQ(finish(stream_), TENON_OK);
}

TEST_F(FaultyModes, RefuseOptionsThatTheyDoNotKnow) {
  struct Row {
    const char *key, *value, *text;
  };
  const Row rows[] = {
      {"not_ready", "100", "[faulty] option not_ready must be below 100 percent, not 100"},
      {"alignment", "none", "[faulty] option alignment must be minimal, not 'none'"},
      {"lost_at", "-1", "[faulty] option lost_at must be a whole number, not '-1'"},
  };
  for (const Row& row : rows) {
    host.set(row.key, row.value);
    TenonDevice* device = nullptr;
    EXPECT_EQ(api->device_open(0, &device), TENON_INVALID);
    EXPECT_EQ(host.error(), row.text);
    host.set(row.key, "");
  }
  host.set("limits", "small");
  TenonDeviceInfo info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(api->device_info(0, &info), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] option limits must be tiny, not 'small'");
}

}  // namespace
}  // namespace tenon::test
