// GATHER and SCATTER, which a device may not have yet; where it does, bad indices touch nothing.
#include <optional>

#include "core/runtime/host.h"
#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;

class Index : public OnDevice {
 protected:
  // Rows of a table of `rows` x 7 that `picks` name: GATHER out of the table, SCATTER into it.
  struct Rows {
    Array *table, *rows, *index;
    OpSpec op;
    Pack pack;
    std::vector<Dims> strides;  ///< of each operand over the iteration space; none where it is dense
  };
  Rows rows(std::uint32_t kind, std::uint32_t how, std::int64_t height,
            const std::vector<std::int64_t>& picks, std::uint8_t index_dtype,
            std::uint8_t dtype = f32) {
    const auto n = static_cast<std::int64_t>(picks.size());
    const Dims dims{n, 7};
    Rows r{};
    r.table = rig.array(dtype, {height, 7});
    r.table->set(random_values(dtype, static_cast<std::size_t>(7 * height), 1));
    r.rows = rig.array(dtype, dims);
    r.rows->set(random_values(dtype, static_cast<std::size_t>(7 * n), 2));
    r.index = rig.array(index_dtype, {n});
    for (std::int64_t i = 0; i < n; ++i)
      r.index->set(i, from_integer(index_dtype, picks[static_cast<std::size_t>(i)]));
    r.op.kind = kind;
    r.op.rank = 2;
    const bool gather = kind == TENON_KIND_GATHER;
    const OperandSpec table{dtype, TENON_LAYOUT_STRIDED}, whole{dtype, TENON_LAYOUT_CONTIGUOUS};
    r.op.operands = {
        gather ? whole : table, gather ? table : whole, {index_dtype, TENON_LAYOUT_STRIDED}};
    r.op.attrs = as_block(TenonIndexAttrs{sizeof(TenonIndexAttrs), 1, how, 0});
    r.pack = {{gather ? r.rows : r.table, gather ? r.table : r.rows, r.index}, {}, {n, 7, height, 7}};
    r.strides = {{}, {0, 1}, {1, 0}};
    if (!gather) std::swap(r.strides[0], r.strides[1]);
    return r;
  }

  // As Rig::run, with strides that are not the arrays' own, and the fault that was reported.
  Outcome run(const Rows& r, std::optional<TenonFault>* fault) {
    rig.upload();
    Kernel kernel;
    const Outcome prepared = rig.prepare(r.op.block(), &kernel);
    if (!prepared.ok()) return prepared;
    std::vector<TenonOperand> operands;
    for (std::size_t i = 0; i < r.strides.size(); ++i) {
      const Array& each = *r.pack.operands[i];
      operands.push_back(
          {each.handle, each.offset, r.strides[i].empty() ? nullptr : r.strides[i].data()});
    }
    const TenonPack pack{operands.data(), nullptr, r.pack.dims.data()};
    TenonLaunch launch{};
    launch.struct_size = sizeof launch;
    launch.count = 1;
    launch.packs = &pack;
    launch.corr = 4711;
    if (kernel.info.workspace_bytes > 0) {
      launch.workspace = rig.allocate(kernel.info.workspace_bytes).handle;
      launch.workspace_bytes = kernel.info.workspace_bytes;
    }
    runtime::take_fault();
    Outcome outcome =
        rig.outcome("launch", rig.api().launch(rig.device(), rig.stream(), kernel.handle, &launch));
    const Outcome finished = rig.finish();
    if (outcome.ok()) outcome = finished;
    *fault = runtime::take_fault();
    rig.release(kernel);
    rig.download_and_check({r.pack}, 1);
    return outcome;
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Index, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Index, GatherTakesRows) {
  for (const std::uint8_t dtype : {TENON_DTYPE_I32, TENON_DTYPE_I64}) {
    if (!rig.stores(dtype)) continue;
    const std::vector<std::int64_t> picks = {3, 0, 64, 3, 17, 1, 2};
    std::optional<TenonFault> fault;
    const Rows r = rows(TENON_KIND_GATHER, 0, 65, picks, dtype);
    const Outcome outcome = run(r, &fault);
    if (outcome.refused()) {
      refused(outcome.text);
      continue;
    }
    ASSERT_TRUE(outcome.ok()) << outcome;
    EXPECT_FALSE(fault.has_value());
    for (std::int64_t i = 0; i < r.rows->count(); ++i) {
      ASSERT_EQ(r.rows->at(i), r.table->at(picks[static_cast<std::size_t>(i / 7)] * 7 + i % 7))
          << "element " << i;
    }
  }
}

TEST_P(Index, GatherReportsABadIndexAndReadsZero) {
  for (const std::int64_t bad : std::vector<std::int64_t>{70, 65, -1, INT32_MAX, INT32_MIN}) {
    std::optional<TenonFault> fault;
    const Rows r = rows(TENON_KIND_GATHER, 0, 65, {3, bad, 64}, TENON_DTYPE_I32);
    const Outcome outcome = run(r, &fault);
    if (outcome.refused()) return refused(outcome.text);
    EXPECT_EQ(outcome.code, TENON_INDEX) << outcome;
    ASSERT_TRUE(fault.has_value()) << "no fault was reported for index " << bad;
    EXPECT_EQ(fault->code, TENON_INDEX);
    EXPECT_EQ(fault->corr, 4711u);
    EXPECT_EQ(fault->value, bad);
    EXPECT_GE(fault->position, 7);
    EXPECT_LT(fault->position, 14);
    for (std::int64_t i = 0; i < 21; ++i) {
      const std::int64_t row = i / 7 == 0 ? 3 : 64;
      ASSERT_EQ(r.rows->at(i), i / 7 == 1 ? 0 : r.table->at(row * 7 + i % 7)) << "element " << i;
    }
    EXPECT_TRUE(rig.finish().ok()) << "INDEX is cleared by reporting it";
  }
}

// dst[i, j] = src[first[i], second[j]], and take-along: dst[i, j] = src[index[i, j], j].
TEST_P(Index, GatherByTwoIndicesAndAlongAnAxis) {
  const std::vector<std::int64_t> first = {3, 0, 64, 3}, second = {6, 6, 0, 5, 1, 2, 3};
  for (const bool along : {false, true}) {
    Rows r = rows(TENON_KIND_GATHER, 0, 65, first, TENON_DTYPE_I32);
    Array* other = rig.array(TENON_DTYPE_I32, along ? Dims{4, 7} : Dims{7});
    for (std::int64_t i = 0; i < other->count(); ++i) {
      other->set(i, along ? static_cast<Bits>(i * 11 % 65)
                          : static_cast<Bits>(second[static_cast<std::size_t>(i)]));
    }
    if (along) {
      r.pack.operands[2] = other;
      r.op.operands[2].layout = TENON_LAYOUT_CONTIGUOUS;
      r.strides[2] = {};
    } else {
      r.op.attrs = as_block(TenonIndexAttrs{sizeof(TenonIndexAttrs), 2, 0, 0});
      r.op.operands.push_back(r.op.operands[2]);
      r.pack.operands.push_back(other);
      r.strides = {{}, {0, 0}, {1, 0}, {0, 1}};
      r.pack.dims.insert(r.pack.dims.end(), {7, 1});
    }
    std::optional<TenonFault> fault;
    const Outcome outcome = run(r, &fault);
    if (outcome.refused()) {
      refused(outcome.text);
      continue;
    }
    ASSERT_TRUE(outcome.ok()) << outcome;
    for (std::int64_t i = 0; i < 28; ++i) {
      const std::int64_t row = along ? i * 11 % 65 : first[static_cast<std::size_t>(i / 7)];
      const std::int64_t column = along ? i % 7 : second[static_cast<std::size_t>(i % 7)];
      ASSERT_EQ(r.rows->at(i), r.table->at(row * 7 + column)) << "along " << along << " element " << i;
    }
  }
}

TEST_P(Index, ScatterAssignsAddsAndTakesExtremes) {
  const std::vector<std::int64_t> picks = {3, 0, 9, 3, 3};
  for (const std::uint32_t how :
       {TENON_SCATTER_ASSIGN, TENON_SCATTER_ADD, TENON_SCATTER_MAX, TENON_SCATTER_MIN}) {
    std::optional<TenonFault> fault;
    const Rows r = rows(TENON_KIND_SCATTER, how, 10, picks, TENON_DTYPE_I32);
    std::vector<Bits> want = r.table->values();
    const Outcome outcome = run(r, &fault);
    if (outcome.refused()) {
      refused(outcome.text);
      continue;
    }
    ASSERT_TRUE(outcome.ok()) << outcome;
    const std::uint8_t opcodes[] = {0, TENON_OP_ADD, TENON_OP_MAX, TENON_OP_MIN};
    for (std::int64_t i = 0; i < r.rows->count(); ++i) {
      Bits& place = want[static_cast<std::size_t>(picks[static_cast<std::size_t>(i / 7)] * 7 + i % 7)];
      place = how == TENON_SCATTER_ASSIGN
                  ? r.rows->at(i)
                  : expected({&opcode(opcodes[how]), f32, f32, place, r.rows->at(i)});
    }
    for (std::int64_t i = 0; i < r.table->count(); ++i) {
      const Bits got = r.table->at(i);
      ASSERT_EQ(got, want[static_cast<std::size_t>(i)])
          << rig.name() << " scatter " << how << " element " << i << ": got " << show(f32, got);
    }
  }
}

TEST_P(Index, ScatterSkipsABadIndex) {
  std::optional<TenonFault> fault;
  const Rows r = rows(TENON_KIND_SCATTER, TENON_SCATTER_ASSIGN, 10, {10, 2, -1}, TENON_DTYPE_I32);
  std::vector<Bits> want = r.table->values();
  const Outcome outcome = run(r, &fault);
  if (outcome.refused()) return refused(outcome.text);
  EXPECT_EQ(outcome.code, TENON_INDEX) << outcome;
  ASSERT_TRUE(fault.has_value());
  EXPECT_TRUE(fault->value == 10 || fault->value == -1) << fault->value;
  for (std::int64_t i = 0; i < 7; ++i) want[static_cast<std::size_t>(14 + i)] = r.rows->at(7 + i);
  EXPECT_EQ(r.table->values(), want);
}

}  // namespace
}  // namespace tenon::conformance
