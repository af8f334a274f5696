// Elementwise programs over every way that operands lie: layouts, ranks, sizes, packs, aliases.
#include "tests/conformance/harness.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

const Lay kLays[] = {Lay::contiguous, Lay::transposed, Lay::slice,
                     Lay::negative,   Lay::broadcast,  Lay::scalar};

class ElementwiseLayouts : public OnDevice {
 protected:
  // dst = a + b: one program per dtype, or a copy of the only input.
  struct Op {
    Program program;
    std::uint8_t dtype;
    bool copies;
    Bits of(Bits a, Bits b) const {
      return copies ? a
                    : expected({&opcode(dtype == TENON_DTYPE_BOOL ? TENON_OP_XOR : TENON_OP_ADD), dtype,
                                dtype, a, b});
    }
  };
  Op sum(std::uint8_t dtype) {
    Op op{{}, dtype, false};
    const auto a = op.program.input(dtype), b = op.program.input(dtype);
    op.program.output(
        op.program.emit(dtype == TENON_DTYPE_BOOL ? TENON_OP_XOR : TENON_OP_ADD, dtype, a, b));
    return op;
  }
  Op copy(std::uint8_t dtype) {
    Op op{{}, dtype, true};
    op.program.output(op.program.input(dtype));
    return op;
  }

  void check(const Op& op, const Dims& dims, Lay out, Lay first, Lay second) {
    std::vector<Array*> arrays{rig.array(op.dtype, dims, out), rig.array(op.dtype, dims, first)};
    if (!op.copies) arrays.push_back(rig.array(op.dtype, dims, second));
    const auto n = static_cast<std::size_t>(element_count(dims));
    for (std::size_t k = 1; k < arrays.size(); ++k) arrays[k]->set(random_values(op.dtype, n, k + n));
    const std::string what = rig.name() + ": " + (op.copies ? "copy" : "add") + " " +
                             name_of(op.dtype) + " over " + show(dims) + ", " + name_of(out) + " = " +
                             name_of(first) + ", " + name_of(second);
    SCOPED_TRACE(what);
    const Outcome outcome = rig.run(elementwise(op.program, arrays), {arrays, {}, dims});
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(op, arrays);
    rig.clear();
  }

  void compare(const Op& op, const std::vector<Array*>& arrays) {
    for (std::int64_t i = 0; i < arrays[0]->count(); ++i) {
      const Bits want = op.of(arrays[1]->at(i), arrays.back()->at(i)), got = arrays[0]->at(i);
      ASSERT_TRUE(same(op.dtype, got, want)) << "element " << i << ": got " << show(op.dtype, got)
                                             << ", expected " << show(op.dtype, want);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, ElementwiseLayouts, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(ElementwiseLayouts, Combinations) {
  Dims high(rig.max_rank(), 2);
  high[0] = 3;
  const std::vector<Dims> shapes = {{0},    {1},     {3},       {255},        {257},
                                    {1000}, {3, 5},  {1, 257},  {255, 1},     {0, 3},
                                    {3, 0}, {7, 11}, {2, 3, 4}, {2, 3, 1, 5}, high};
  for (const test::Choice& pick : test::choices({all_dtypes().size(), 2, shapes.size(), 4, 6, 6})) {
    const std::uint8_t dtype = all_dtypes()[pick[0]];
    const bool copies = pick[1] == 0;
    if (!rig.stores(dtype) || !(copies || rig.computes(dtype))) continue;
    check(copies ? copy(dtype) : sum(dtype), shapes[pick[2]], kLays[pick[3]], kLays[pick[4]],
          kLays[pick[5]]);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ElementwiseLayouts, ACopyKeepsEveryBitOfANaN) {
  const std::vector<Bits> odd = {0x7fc12345, 0xffc00001, 0x7f800001, 0x80000000, 1};
  Array* dst = rig.array(TENON_DTYPE_F32, {5});
  Array* src = rig.array(TENON_DTYPE_F32, {5});
  src->set(odd);
  Program program;
  program.output(program.input(TENON_DTYPE_F32));
  const Outcome outcome = rig.run(elementwise(program, {dst, src}), {{dst, src}, {}, {5}});
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ(dst->values(), odd);
}

TEST_P(ElementwiseLayouts, TheOutputMayBeTheInput) {
  for (const Lay lay : {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative}) {
    const Op op = sum(TENON_DTYPE_F32);
    const Dims dims{13, 29};
    const Dims flat = lay == Lay::contiguous ? Dims{377} : dims;
    Array* x = rig.array(TENON_DTYPE_F32, flat, lay);
    Array* y = rig.array(TENON_DTYPE_F32, flat, Lay::contiguous);
    x->set(random_values(TENON_DTYPE_F32, 377, 1));
    y->set(random_values(TENON_DTYPE_F32, 377, 2));
    const std::vector<Bits> before = x->values();
    const Outcome outcome = rig.run(elementwise(op.program, {x, x, y}), {{x, x, y}, {}, flat});
    ASSERT_TRUE(outcome.ok()) << outcome;
    for (std::int64_t i = 0; i < 377; ++i) {
      const Bits want = op.of(before[static_cast<std::size_t>(i)], y->at(i));
      ASSERT_EQ(x->at(i), want) << rig.name() << " in place, " << name_of(lay) << ", element " << i
                                << ": got " << show(TENON_DTYPE_F32, x->at(i)) << ", expected "
                                << show(TENON_DTYPE_F32, want);
    }
  }
}

// An optimiser's step in small: several outputs in place, scalars, packs of different sizes.
TEST_P(ElementwiseLayouts, PacksWithSharedScalarsAndSeveralOutputs) {
  if (rig.info().max_inputs < 3 || rig.info().max_outputs < 2) GTEST_SKIP() << "it takes fewer";
  const std::uint8_t f32 = TENON_DTYPE_F32;
  Program program;
  const auto w = program.input(f32), m = program.input(f32), g = program.input(f32);
  const auto rate = program.scalar(f32), decay = program.scalar(f32);
  const auto moved = program.emit(TENON_OP_ADD, f32, program.emit(TENON_OP_MUL, f32, decay, m), g);
  program.output(program.emit(TENON_OP_SUB, f32, w, program.emit(TENON_OP_MUL, f32, rate, moved)));
  program.output(moved);

  const std::vector<std::int64_t> sizes = {1, 257, 0, 1000, 3};
  const std::vector<Bits> scalars = {from_real(f32, 0.1L), from_real(f32, 0.9L)};
  std::vector<Pack> packs;
  std::vector<std::vector<Bits>> old_w, old_m;
  for (const std::int64_t n : sizes) {
    std::vector<Array*> a;
    for (std::uint64_t k = 0; k < 3; ++k) {
      a.push_back(rig.array(f32, {n}));
      a.back()->set(random_values(f32, static_cast<std::size_t>(std::max<std::int64_t>(n, 1)), k + 1));
    }
    old_w.push_back(a[0]->values());
    old_m.push_back(a[1]->values());
    packs.push_back({{a[0], a[1], a[0], a[1], a[2]}, scalars, {n}});
  }
  const Outcome outcome = rig.run(elementwise(program, packs[0].operands), packs);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::size_t p = 0; p < packs.size(); ++p) {
    for (std::size_t i = 0; i < old_w[p].size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const auto real = [&](Bits bits) { return static_cast<float>(to_real(f32, bits)); };
      const float product = 0.9f * real(old_m[p][i]);
      const float momentum = product + real(packs[p].operands[4]->at(at));
      const float step = 0.1f * momentum;
      const float weight = real(old_w[p][i]) - step;
      ASSERT_EQ(real(packs[p].operands[1]->at(at)), momentum)
          << rig.name() << " pack " << p << " element " << i;
      ASSERT_EQ(real(packs[p].operands[0]->at(at)), weight)
          << rig.name() << " pack " << p << " element " << i;
    }
  }
}

TEST_P(ElementwiseLayouts, OutputsMayBeInputsScalarsAndConstants) {
  if (rig.info().max_outputs < 3) GTEST_SKIP() << "it takes fewer";
  const std::uint8_t i32 = TENON_DTYPE_I32;
  Program program;
  const auto x = program.input(i32);
  program.output(program.constant(i32, from_integer(i32, -7)));
  program.output(x);
  program.output(program.scalar(i32));
  std::vector<Array*> a{rig.array(i32, {100}), rig.array(i32, {100}), rig.array(i32, {100}),
                        rig.array(i32, {100})};
  a[3]->set(random_values(i32, 100, 4));
  const Outcome outcome = rig.run(elementwise(program, a), {a, {from_integer(i32, 1 << 30)}, {100}});
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::int64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(a[0]->at(i), from_integer(i32, -7));
    ASSERT_EQ(a[1]->at(i), a[3]->at(i));
    ASSERT_EQ(a[2]->at(i), Bits{1} << 30);
  }
}

// As large as the device says it takes: every instruction adds the next input, scalar or constant.
TEST_P(ElementwiseLayouts, TheLargestProgram) {
  const TenonDeviceInfo& info = rig.info();
  const std::uint8_t i32 = TENON_DTYPE_I32;
  const auto least = [](std::uint32_t a, std::uint32_t b) { return a < b ? a : b; };
  Program program;
  std::vector<std::uint16_t> sources;
  const std::uint32_t outputs = least(info.max_outputs, TENON_MAX_OUTPUTS);
  std::vector<Array*> a;
  for (std::uint32_t i = 0; i < outputs; ++i) a.push_back(rig.array(i32, {65}));
  std::vector<Bits> scalars;
  std::uint32_t total = 0;
  std::vector<std::uint32_t> values;
  for (std::uint32_t i = 0; i < least(info.max_inputs, TENON_MAX_INPUTS); ++i) {
    sources.push_back(program.input(i32));
    a.push_back(rig.array(i32, {65}));
    values.push_back(i * i + 1);
    a.back()->set({values.back()});
  }
  for (std::uint32_t i = 0; i < least(info.max_scalars, TENON_MAX_SCALARS); ++i) {
    sources.push_back(program.scalar(i32));
    values.push_back(1000 + i);
    scalars.push_back(values.back());
  }
  for (std::uint32_t i = 0; i < least(info.max_constants, TENON_MAX_CONSTANTS); ++i) {
    values.push_back(100000 * i);
    sources.push_back(program.constant(i32, values.back()));
  }
  std::uint16_t last = sources[0];
  total = values[0];
  std::vector<std::uint32_t> sums;
  for (std::uint32_t i = 1; i <= least(info.max_instructions, TENON_MAX_INSTRUCTIONS); ++i) {
    last = program.emit(TENON_OP_ADD, i32, last, sources[i % sources.size()]);
    total += values[i % values.size()];
    sums.push_back(total);
  }
  for (std::uint32_t i = 0; i < outputs; ++i) {
    const std::size_t which = program.code.size() - 1 - i;
    program.output(TENON_REF(TENON_REF_INSTRUCTION, which));
  }
  const Outcome outcome = rig.run(elementwise(program, a), {a, scalars, {65}});
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::uint32_t i = 0; i < outputs; ++i) {
    for (std::int64_t e = 0; e < 65; ++e)
      ASSERT_EQ(a[i]->at(e), sums[sums.size() - 1 - i]) << "output " << i;
  }
}

TEST_P(ElementwiseLayouts, TwoRunsGiveTheSameBits) {
  const std::uint8_t f32 = TENON_DTYPE_F32;
  Program program;
  const auto x = program.input(f32);
  program.output(program.emit(TENON_OP_LOG, f32, program.emit(TENON_OP_EXP, f32, x)));
  std::vector<Bits> first;
  for (int run = 0; run < 3; ++run) {
    Array* dst = rig.array(f32, {1000});
    Array* src = rig.array(f32, {1000});
    src->set(random_values(f32, 1000, 8));
    ASSERT_TRUE(rig.run(elementwise(program, {dst, src}), {{dst, src}, {}, {1000}}).ok());
    if (run == 0) first = dst->values();
    EXPECT_EQ(dst->values(), first);
  }
}

}  // namespace
}  // namespace tenon::conformance
