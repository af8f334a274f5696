// Matrix products over dtypes, shapes, layouts, batches and dynamic extents: exact small integers, and
// ordinary values within the bounds of summation.
#include <limits>

#include "tests/conformance/products.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;

class Matmul : public ProductsOnDevice {
 protected:
  // Sums of a dtype are kept in it, or in f32 or i32 where it is small; the result has the dtype of
  // the sums or of the factors. Every device multiplies f32.
  bool choose_dtypes(Product& c, std::uint8_t dtype, bool wide) const {
    if (dtype == TENON_DTYPE_BOOL || !rig.stores(dtype) || !rig.computes(dtype)) return false;
    c.from = c.to = c.acc = dtype;
    if (size_of(dtype) < 4 && is_float(dtype)) c.acc = f32;
    if (size_of(dtype) < 4 && !is_float(dtype) && wide) c.acc = TENON_DTYPE_I32;
    if (wide) c.to = c.acc;
    c.optional = c.from != f32;
    return true;
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Matmul, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Matmul, Combinations) {
  const Lay lays[] = {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative, Lay::broadcast};
  const std::vector<Dims> batches = {{}, {3}, {2, 3}, {0}, {1, 2}};
  const std::vector<Dims> sizes = {{1, 1, 1}, {1, 7, 5},   {9, 5, 1},  {13, 31, 11},
                                   {3, 0, 4}, {17, 65, 9}, {5, 3, 70}, {0, 3, 2}};
  for (const test::Choice& pick :
       test::choices({all_dtypes().size(), 2, batches.size(), sizes.size(), 4, 5, 5, 2, 3, 3})) {
    const Dims& size = sizes[pick[3]];
    Product c{.batch = batches[pick[2]], .m = size[0], .k = size[1], .n = size[2]};
    if (!choose_dtypes(c, all_dtypes()[pick[0]], pick[1] == 1)) continue;
    c.dst = lays[pick[4]];
    c.a = lays[pick[5]];
    c.b = lays[pick[6]];
    c.accumulate = pick[7] == 1;
    c.dynamic = static_cast<Dynamic>(pick[8]);
    c.shared_a = pick[9] == 1;
    c.shared_b = pick[9] == 2;
    c.exact = true;
    check(c);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Matmul, Shapes) {
  for (const Dims& s : std::vector<Dims>{{1, 5, 9},
                                         {17, 33, 9},
                                         {64, 64, 64},
                                         {65, 127, 63},
                                         {3, 1000, 2},
                                         {128, 1, 128},
                                         {1, 300, 130}}) {
    check({.m = s[0], .k = s[1], .n = s[2]});
  }
}

TEST_P(Matmul, EveryDtypeWithinItsBound) {
  for (const std::uint8_t dtype : all_dtypes()) {
    for (const bool wide : {false, true}) {
      Product c{.batch = {2}, .m = 10, .k = 40, .n = 15, .b = Lay::transposed, .accumulate = wide};
      if (choose_dtypes(c, dtype, wide)) check(c);
    }
  }
}

// 0.7 summed in 16 bits stands still at 256; in f32 it doesn't.
TEST_P(Matmul, SmallFloatsAreSummedInF32) {
  for (const std::uint8_t small : {TENON_DTYPE_F16, TENON_DTYPE_BF16}) {
    Product c{.m = 2, .k = 3001, .n = 2};
    if (!choose_dtypes(c, small, false)) continue;
    const std::vector<Array*> operands = operands_of(c);
    operands[1]->set({from_real(small, 0.7L)});
    operands[2]->set({from_real(small, 1)});
    const Outcome outcome = rig.run(op_of(c, operands), pack_of(c, operands));
    if (outcome.refused()) return refused(outcome.text);
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(c, operands, {});
  }
}

TEST_P(Matmul, AnAlignedOperandMayBeSaidToBeSo) {
  const Product c{.m = 8, .k = 16, .n = 12};
  std::vector<Array*> operands;
  for (const Dims& dims : std::vector<Dims>{{8, 12}, {8, 16}, {16, 12}}) {
    rig.array(f32, {1});  // every other array begins on a boundary: the next one
    operands.push_back(rig.array(f32, dims));
    if (operands.back()->offset % 16 != 0) operands.back() = rig.array(f32, dims);
    operands.back()->set(random_values(f32, 997, operands.size()));
  }
  OpSpec op = op_of(c, operands);
  for (OperandSpec& each : op.operands) each.flags = TENON_OPERAND_ALIGNED;
  const Outcome outcome = rig.run(op, {operands, {}, {}});
  ASSERT_TRUE(outcome.ok()) << outcome;
  compare(c, operands, {});
}

TEST_P(Matmul, NaNAndInfinityGetThrough) {
  const Product c{.m = 2, .k = 3, .n = 2};
  const std::vector<Array*> operands = operands_of(c);
  operands[1]->set(0, 0x7fc00000);
  operands[1]->set(4, from_real(f32, std::numeric_limits<long double>::infinity()));
  operands[2]->set(std::vector<Bits>(6, from_real(f32, 2)));
  const Outcome outcome = rig.run(op_of(c, operands), pack_of(c, operands));
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::int64_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(is_nan(f32, operands[0]->at(i))) << show(f32, operands[0]->at(i));
    EXPECT_EQ(operands[0]->at(2 + i), 0x7f800000u) << show(f32, operands[0]->at(2 + i));
  }
}

// A grouped product: the packs of a launch differ in what is dynamic.
TEST_P(Matmul, PacksOfSeveralSizes) {
  std::vector<Product> cases;
  std::vector<Pack> packs;
  for (const Dims& s : std::vector<Dims>{{5, 6, 7}, {1, 1, 1}, {0, 3, 2}, {33, 65, 17}}) {
    cases.push_back({.m = s[0], .k = s[1], .n = s[2], .b = Lay::transposed, .dynamic = Dynamic::all});
    packs.push_back(pack_of(cases.back(), operands_of(cases.back())));
  }
  const Outcome outcome = rig.run(op_of(cases[0], packs[0].operands), packs);
  if (outcome.refused()) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::size_t i = 0; i < cases.size(); ++i) compare(cases[i], packs[i].operands, {});
}

TEST_P(Matmul, PacksAndSameBitsTwice) {
  const Product c{.m = 33, .k = 129, .n = 17};
  std::vector<Pack> packs;
  for (int i = 0; i < 4; ++i) packs.push_back(pack_of(c, operands_of(c)));
  const Outcome outcome = rig.run(op_of(c, packs[0].operands), packs);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (const Pack& pack : packs) {
    compare(c, pack.operands, {});
    EXPECT_EQ(pack.operands[0]->values(), packs[0].operands[0]->values());
  }
}

}  // namespace
}  // namespace tenon::conformance
