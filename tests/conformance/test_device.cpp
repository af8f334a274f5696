// What a device says of itself, what it refuses, and that it lives with structs of other versions.
#include <bit>
#include <cstring>

#include "core/runtime/host.h"
#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

TENON_DEVICE_SUITE(DeviceContract);

constexpr std::uint32_t bit(std::uint8_t dtype) {
  return 1u << dtype;
}

// dst = a + b in f32 over `n` elements.
struct Sum {
  Array *dst, *a, *b;
  Program program;
  OpSpec op;
  Pack pack;

  Sum(Rig& rig, std::int64_t n)
      : dst(rig.array(TENON_DTYPE_F32, {n})),
        a(rig.array(TENON_DTYPE_F32, {n})),
        b(rig.array(TENON_DTYPE_F32, {n})) {
    a->set(random_values(TENON_DTYPE_F32, static_cast<std::size_t>(n), 1));
    b->set(random_values(TENON_DTYPE_F32, static_cast<std::size_t>(n), 2));
    const auto x = program.input(TENON_DTYPE_F32), y = program.input(TENON_DTYPE_F32);
    program.output(program.emit(TENON_OP_ADD, TENON_DTYPE_F32, x, y));
    op = elementwise(program, {dst, a, b});
    pack = {{dst, a, b}, {}, {n}};
  }
  void check() const {
    for (std::int64_t i = 0; i < dst->count(); ++i) {
      const Bits want =
          expected({&opcode(TENON_OP_ADD), TENON_DTYPE_F32, TENON_DTYPE_F32, a->at(i), b->at(i)});
      ASSERT_EQ(dst->at(i), want) << "element " << i << ": got " << show(TENON_DTYPE_F32, dst->at(i))
                                  << ", expected " << show(TENON_DTYPE_F32, want);
    }
  }
};

TEST_P(DeviceContract, TableIsComplete) {
  const TenonPlugin& api = rig.api();
  EXPECT_EQ(api.abi >> 16, std::uint32_t{TENON_ABI_MAJOR});
  for (const char* text : {api.name, api.version, api.build}) {
    ASSERT_NE(text, nullptr);
    EXPECT_NE(*text, '\0');
  }
  EXPECT_TRUE(api.device_count && api.device_info && api.device_open && api.device_close);
  EXPECT_TRUE(api.mem_alloc && api.mem_free && api.copy && api.prepare && api.launch && api.release);
  const int streams = (api.stream_create != nullptr) + (api.stream_destroy != nullptr) +
                      (api.stream_signal != nullptr) + (api.stream_query != nullptr) +
                      (api.stream_wait != nullptr) + (api.stream_sync != nullptr);
  EXPECT_EQ(streams, rig.synchronous() ? 0 : 6);
}

TEST_P(DeviceContract, InfoIsSane) {
  const TenonDeviceInfo& info = rig.info();
  EXPECT_TRUE(info.kind != nullptr && *info.kind != '\0' && std::strchr(info.kind, ':') == nullptr);
  EXPECT_TRUE(info.name && info.uid && info.driver);
  const std::uint32_t stored = bit(TENON_DTYPE_F32) | bit(TENON_DTYPE_I32) | bit(TENON_DTYPE_BOOL);
  EXPECT_EQ(info.storage_dtypes & stored, stored);
  EXPECT_EQ(info.compute_dtypes & (stored | bit(TENON_DTYPE_U32)), stored | bit(TENON_DTYPE_U32));
  std::uint32_t known = 0;
  for (const std::uint8_t dtype : all_dtypes()) known |= bit(dtype);
  EXPECT_EQ((info.storage_dtypes | info.compute_dtypes) & ~known, 0u) << "unknown dtypes";
  EXPECT_GE(info.max_rank, 4u);
  EXPECT_TRUE(std::has_single_bit(info.mem_alignment)) << info.mem_alignment;
  EXPECT_GE(info.mem_alignment, 256u);
  EXPECT_TRUE(std::has_single_bit(info.import_alignment)) << info.import_alignment;
  EXPECT_GT(info.memory_bytes, 0u);
  for (const std::uint32_t limit : {info.max_instructions, info.max_inputs, info.max_outputs,
                                    info.max_scalars, info.max_constants}) {
    EXPECT_GT(limit, 0u);
  }
  for (int code = 0; code < 32; ++code)
    EXPECT_EQ(info.opcodes >> code & 1, 0u) << "opcode " << code << " is mandatory";
}

TEST_P(DeviceContract, InfoFillsNoMoreThanTheHostHasRoomFor) {
  struct {
    TenonDeviceInfo info;
    std::uint8_t guard[16];
  } room;
  std::memset(&room, 0x5a, sizeof room);
  room.info.struct_size = sizeof(TenonDeviceInfo);
  ASSERT_EQ(rig.api().device_info(0, &room.info), TENON_OK);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&room);
  for (std::size_t i = sizeof(TenonDeviceInfo); i < sizeof room; ++i) {
    ASSERT_EQ(bytes[i], 0x5a) << "byte " << i << " lies beyond the host's struct_size";
  }
}

TEST_P(DeviceContract, AddsTwoVectors) {
  Sum sum(rig, 1000);
  const Outcome outcome = rig.run(sum.op, sum.pack);
  ASSERT_TRUE(outcome.ok()) << outcome;
  sum.check();
}

class Refusals : public OnDevice {
 protected:
  void expect_refused(const OpSpec& op, const std::string& what) {
    runtime::take_note();
    for (int i = 0; i < 200; ++i) {
      Kernel kernel;
      const std::int32_t code = rig.prepare(op.block(), &kernel).code;
      ASSERT_EQ(code, TENON_UNSUPPORTED) << rig.name() << " must refuse " << what;
    }
    Kernel kernel;
    const Outcome outcome = rig.prepare(op.block(), &kernel);
    EXPECT_FALSE(outcome.text.ends_with(": ")) << "no note says why " << what << " is refused";
  }
  OpSpec program_of(std::uint8_t code, std::uint8_t dtype, std::uint8_t input) {
    Program program;
    const auto x = program.input(input);
    program.output(program.emit(code, dtype, x, x, x));
    OpSpec op;
    op.operands = {{dtype}, {input}};
    op.attachments = {{TENON_SLOT_BODY, 1, program.block()}};
    return op;
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Refusals, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Refusals, UnknownKind) {
  OpSpec op = program_of(TENON_OP_ADD, TENON_DTYPE_F32, TENON_DTYPE_F32);
  op.kind = 0x7fff;
  expect_refused(op, "an unknown kind");
}

TEST_P(Refusals, UnknownLowFlag) {
  OpSpec op = program_of(TENON_OP_ADD, TENON_DTYPE_F32, TENON_DTYPE_F32);
  op.flags = 1u << 13;
  expect_refused(op, "an unknown low flag");
}

TEST_P(Refusals, UnknownOpcode) {
  for (const std::uint8_t code : std::vector<std::uint8_t>{31, 63, 200}) {
    expect_refused(program_of(code, TENON_DTYPE_F32, TENON_DTYPE_F32),
                   "opcode " + std::to_string(code));
  }
}

TEST_P(Refusals, UnknownDtype) {
  for (const std::uint8_t dtype : std::vector<std::uint8_t>{0, 14, 31, 77}) {
    expect_refused(program_of(TENON_OP_ADD, dtype, dtype), "dtype " + std::to_string(dtype));
  }
}

TEST_P(Refusals, DtypesThatAreNotDeclared) {
  for (const std::uint8_t dtype : all_dtypes()) {
    if (rig.stores(dtype) || rig.computes(dtype)) continue;
    expect_refused(program_of(TENON_OP_CAST, dtype, TENON_DTYPE_F32), name_of(dtype));
    expect_refused(program_of(TENON_OP_CAST, TENON_DTYPE_F32, dtype), name_of(dtype));
  }
}

TEST_P(Refusals, OpcodesThatAreNotDeclared) {
  for (const Opcode& op : all_opcodes()) {
    const std::uint8_t dtype = op.group == Opcode::SHIFT ? TENON_DTYPE_U32 : TENON_DTYPE_F32;
    if (rig.offers(op) || !rig.stores(dtype)) continue;
    expect_refused(program_of(op.code, dtype, dtype), op.name);
  }
}

TEST_P(Refusals, AnUnknownLayout) {
  OpSpec op = program_of(TENON_OP_ADD, TENON_DTYPE_F32, TENON_DTYPE_F32);
  op.operands[1].layout = 9;
  expect_refused(op, "an unknown layout");
}

TENON_DEVICE_SUITE(OtherVersions);

TEST_P(OtherVersions, UnknownHighFlagIsIgnored) {
  Sum sum(rig, 17);
  sum.op.flags = 1u << 30;
  const Outcome outcome = rig.run(sum.op, sum.pack);
  ASSERT_TRUE(outcome.ok()) << outcome;
  sum.check();
}

TEST_P(OtherVersions, DescriptionsOfANewerMinorVersion) {
  Sum sum(rig, 33);
  sum.op.attachments[0].program = sum.program.block(24);
  rig.upload();
  Kernel kernel;
  const Outcome prepared = rig.prepare(sum.op.block(16), &kernel);
  ASSERT_TRUE(prepared.ok()) << prepared;
  const Outcome launched = rig.launch(kernel, {sum.pack}, 32);
  EXPECT_TRUE(launched.ok()) << launched;
  EXPECT_TRUE(rig.finish().ok());
  rig.release(kernel);
  rig.download_and_check({sum.pack}, 1);
  sum.check();
}

TEST_P(OtherVersions, AnswersIntoStructsOfANewerMinorVersion) {
  struct {
    TenonMem mem;
    std::uint64_t later[2];
  } grown{};
  grown.mem.struct_size = sizeof grown;
  ASSERT_EQ(rig.api().mem_alloc(rig.device(), TENON_SPACE_DEVICE, 4096, &grown.mem), TENON_OK);
  EXPECT_NE(grown.mem.handle, 0u);
  EXPECT_GE(grown.mem.bytes, 4096u);
  rig.api().mem_free(rig.device(), grown.mem.handle);
}

}  // namespace
}  // namespace tenon::conformance
