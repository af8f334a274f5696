// Matrix products over shapes, layouts and batches, against long double sums and exact integers.
#include <cmath>
#include <limits>

#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;

class Matmul : public OnDevice {
 protected:
  struct Case {
    std::uint8_t dtype = f32;
    Dims batch = {};
    std::int64_t m = 1, k = 1, n = 1;
    Lay dst = Lay::contiguous, a = Lay::contiguous, b = Lay::contiguous;
    bool accumulate = false, dynamic = false, optional = false;
    bool shared_a = false, shared_b = false;  ///< one matrix for all batches: stride 0
  };

  std::string describe(const Case& c) {
    return rig.name() + ": matmul " + name_of(c.dtype) + " batch " + show(c.batch) + " M, K, N " +
           show({c.m, c.k, c.n}) + ", " + name_of(c.dst) + " = " + name_of(c.a) + " x " + name_of(c.b) +
           (c.accumulate ? " accumulated" : "") + (c.dynamic ? " dynamic" : "");
  }

  Array* matrix(const Case& c, std::int64_t rows, std::int64_t columns, Lay lay, bool shared) {
    Dims dims = c.batch;
    dims.insert(dims.end(), {rows, columns});
    Dims strides = strides_of(dims, lay);
    for (std::size_t d = 0; shared && d < c.batch.size(); ++d) strides[d] = 0;
    const bool dense = lay == Lay::contiguous && !shared;
    return rig.array(c.dtype, dims, strides, dense ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED);
  }

  // With `dynamic` all extents and strides stand in the pack.
  static OpSpec op_of(const Case& c, const std::vector<Array*>& operands) {
    OpSpec op;
    op.kind = TENON_KIND_MATMUL;
    op.acc_dtype = c.dtype;
    op.rank = static_cast<std::uint8_t>(operands[0]->dims.size());
    op.attrs = as_block(TenonMatmulAttrs{sizeof(TenonMatmulAttrs), c.accumulate ? 1u : 0u});
    for (const Array* each : operands) {
      OperandSpec spec{each->dtype, each->layout, 0, each->dims, each->strides};
      if (c.dynamic) {
        spec.extents.assign(spec.extents.size(), TENON_DYNAMIC);
        spec.strides.assign(spec.strides.size(), TENON_DYNAMIC);
      }
      op.operands.push_back(spec);
    }
    return op;
  }

  static Pack pack_of(const Case& c, const std::vector<Array*>& operands) {
    Pack pack{operands, {}, {}};
    for (const Array* each : operands) {
      if (!c.dynamic) continue;
      pack.dims.insert(pack.dims.end(), each->dims.begin(), each->dims.end());
      pack.dims.insert(pack.dims.end(), each->strides.begin(), each->strides.end());
    }
    return pack;
  }

  std::vector<Array*> operands_of(const Case& c) {
    std::vector<Array*> all{matrix(c, c.m, c.n, c.dst, false), matrix(c, c.m, c.k, c.a, c.shared_a),
                            matrix(c, c.k, c.n, c.b, c.shared_b)};
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0 || c.accumulate) all[i]->set(random_values(c.dtype, 997, i + 1));
    }
    return all;
  }

  void check(const Case& c) {
    SCOPED_TRACE(describe(c));
    const std::vector<Array*> operands = operands_of(c);
    const std::vector<Bits> before = operands[0]->values();
    const Outcome outcome = rig.run(op_of(c, operands), pack_of(c, operands));
    if (outcome.refused() && (c.optional || c.dynamic)) return refused(outcome.text);
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(c, operands, before);
    rig.clear();
  }

  // Any order of summing: |error| <= (K + 1) · eps · sum|a||b|, and the rounding of the result.
  static void compare(const Case& c, const std::vector<Array*>& operands,
                      const std::vector<Bits>& before) {
    const Array &dst = *operands[0], &a = *operands[1], &b = *operands[2];
    for (std::int64_t i = 0; i < dst.count(); ++i) {
      const std::int64_t batch = i / (c.m * c.n), row = i / c.n % c.m, column = i % c.n;
      const Bits old = c.accumulate ? before[static_cast<std::size_t>(i)] : 0;
      long double sum = to_real(c.dtype, old), magnitude = std::fabs(sum);
      Bits whole = old;
      for (std::int64_t k = 0; k < c.k; ++k) {
        const Bits x = a.at((batch * c.m + row) * c.k + k), y = b.at((batch * c.k + k) * c.n + column);
        sum += to_real(c.dtype, x) * to_real(c.dtype, y);
        magnitude += std::fabs(to_real(c.dtype, x) * to_real(c.dtype, y));
        whole += x * y;
      }
      const Bits got = dst.at(i);
      const Bits want = is_float(c.dtype) ? from_real(c.dtype, sum)
                                          : from_integer(c.dtype, static_cast<std::int64_t>(whole));
      if (same(c.dtype, got, want)) continue;
      const long double bound = (static_cast<long double>(c.k) + 1) * epsilon(c.dtype) * magnitude +
                                epsilon(c.dtype) * std::fabs(sum);
      ASSERT_TRUE(is_float(c.dtype) && std::fabs(to_real(c.dtype, got) - sum) <= bound)
          << "element (" << batch << ", " << row << ", " << column << "): got " << show(c.dtype, got)
          << ", expected " << show(c.dtype, want) << " within " << bound;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Matmul, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Matmul, Shapes) {
  for (const Dims& s : std::vector<Dims>{{1, 1, 1},
                                         {1, 7, 1},
                                         {1, 5, 9},
                                         {9, 5, 1},
                                         {2, 3, 4},
                                         {17, 33, 9},
                                         {64, 64, 64},
                                         {65, 127, 63},
                                         {3, 1000, 2},
                                         {128, 1, 128}}) {
    check({.m = s[0], .k = s[1], .n = s[2]});
  }
}

TEST_P(Matmul, EmptyExtents) {
  check({.m = 3, .k = 0, .n = 4});
  check({.m = 3, .k = 0, .n = 4, .accumulate = true});
  check({.m = 0, .k = 3, .n = 4});
  check({.m = 3, .k = 4, .n = 0});
  check({.batch = {0}, .m = 3, .k = 4, .n = 2});
}

TEST_P(Matmul, Layouts) {
  const Lay lays[] = {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative};
  for (const Lay a : lays) {
    for (const Lay b : lays) check({.m = 13, .k = 7, .n = 11, .a = a, .b = b});
  }
  for (const Lay dst : lays) check({.m = 13, .k = 7, .n = 11, .dst = dst, .a = Lay::transposed});
  check({.m = 13, .k = 7, .n = 11, .a = Lay::broadcast});
  check({.m = 13, .k = 7, .n = 11, .b = Lay::broadcast});
}

TEST_P(Matmul, Batches) {
  check({.batch = {3}, .m = 4, .k = 5, .n = 6});
  check({.batch = {2, 3}, .m = 4, .k = 5, .n = 6, .a = Lay::transposed});
  check({.batch = {3}, .m = 4, .k = 5, .n = 6, .shared_a = true});
  check({.batch = {2, 3}, .m = 4, .k = 5, .n = 6, .shared_b = true});
  check(
      {.batch = {3}, .m = 4, .k = 5, .n = 6, .dst = Lay::slice, .accumulate = true, .shared_b = true});
}

TEST_P(Matmul, Accumulates) {
  check({.m = 9, .k = 31, .n = 5, .accumulate = true});
  check({.m = 9, .k = 31, .n = 5, .dst = Lay::transposed, .accumulate = true});
}

TEST_P(Matmul, EveryDtype) {
  for (const std::uint8_t dtype : all_dtypes()) {
    if (!rig.computes(dtype) || !rig.stores(dtype) || size_of(dtype) < 4) continue;
    const bool optional = !is_float(dtype);
    check({.dtype = dtype, .m = 10, .k = 20, .n = 15, .optional = optional});
    check({.dtype = dtype,
           .batch = {2},
           .m = 5,
           .k = 3,
           .n = 7,
           .b = Lay::transposed,
           .accumulate = true,
           .optional = optional});
  }
}

TEST_P(Matmul, DynamicExtentsAreRefusedOrRight) {
  check({.m = 5, .k = 6, .n = 7, .dynamic = true});
  check({.batch = {2}, .m = 5, .k = 6, .n = 7, .b = Lay::transposed, .dynamic = true});
}

TEST_P(Matmul, AnAlignedOperandMayBeSaidToBeSo) {
  const Case c{.m = 8, .k = 16, .n = 12};
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
  const Case c{.m = 2, .k = 3, .n = 2};
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

// An epilogue: relu(sum + bias), its input 0 is the sum.
TEST_P(Matmul, AnEpilogueIsRefusedOrRight) {
  const Case c{.m = 7, .k = 9, .n = 5};
  std::vector<Array*> operands = operands_of(c);
  Program program;
  const auto sum = program.input(f32), bias = program.input(f32);
  const auto shifted = program.emit(TENON_OP_ADD, f32, sum, bias);
  program.output(program.emit(TENON_OP_MAX, f32, shifted, program.constant(f32, 0)));
  operands.push_back(rig.array(f32, {7, 5}, {0, 1}, TENON_LAYOUT_STRIDED));
  operands[3]->set(random_values(f32, 35, 9));
  OpSpec op = op_of(c, operands);
  op.attachments.push_back({TENON_SLOT_EPILOGUE, 3, program.block()});
  const Outcome outcome = rig.run(op, {operands, {}, {}});
  if (outcome.refused()) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::int64_t i = 0; i < 35; ++i) {
    long double want = to_real(f32, operands[3]->at(i)), magnitude = std::fabs(want);
    for (std::int64_t k = 0; k < 9; ++k) {
      const long double term =
          to_real(f32, operands[1]->at(i / 5 * 9 + k)) * to_real(f32, operands[2]->at(k * 5 + i % 5));
      want += term;
      magnitude += std::fabs(term);
    }
    const long double got = to_real(f32, operands[0]->at(i));
    ASSERT_LE(std::fabs(got - std::fmax(want, 0.0L)), 12 * epsilon(f32) * magnitude) << "element " << i;
  }
}

TEST_P(Matmul, PacksAndSameBitsTwice) {
  const Case c{.m = 33, .k = 129, .n = 17};
  std::vector<Pack> packs;
  for (int i = 0; i < 4; ++i) {
    const std::vector<Array*> operands = operands_of(c);
    packs.push_back(pack_of(c, operands));
  }
  const OpSpec op = op_of(c, packs[0].operands);
  const Outcome outcome = rig.run(op, packs);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (const Pack& pack : packs) {
    compare(c, pack.operands, {});
    EXPECT_EQ(pack.operands[0]->values(), packs[0].operands[0]->values());
  }
}

}  // namespace
}  // namespace tenon::conformance
