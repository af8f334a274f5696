// MATMUL with an EPILOGUE: a program over the sums and further operands, however these lie, with and
// without what dst held. All values are small integers: every result is exact.
#include <algorithm>

#include "tests/conformance/products.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;

enum class Bias { row, row_of_lower_rank, column, matrix, scalar, index, dst_itself, none };

class MatmulEpilogue : public ProductsOnDevice {
 protected:
  // An operand that stands over dst's elements.
  Array* bias_array(const Product& c, Bias bias, Array* dst) {
    Dims dims = dst->dims, strides(dims.size(), 0);
    const std::size_t last = dims.size() - 1;
    switch (bias) {
      case Bias::row:
        strides[last] = 1;
        break;
      case Bias::row_of_lower_rank:
        return rig.array(c.to, {c.n}, Dims{1}, TENON_LAYOUT_STRIDED);
      case Bias::column:
        dims[last] = 1;
        strides[last - 1] = 2;
        break;
      case Bias::matrix:
        return rig.array(c.to, dims, Lay::transposed);
      case Bias::scalar:
        return rig.array(c.to, dims, Lay::scalar);
      case Bias::index:
        strides[last] = 2;
        strides[last - 1] = -1;
        return rig.index(c.to, dims, 3, strides);
      case Bias::dst_itself:
        return dst;
      case Bias::none:
        return nullptr;
    }
    return rig.array(c.to, dims, strides, TENON_LAYOUT_STRIDED);
  }

  // The bias that element i of dst meets.
  static Bits bias_at(const Product& c, Bias bias, const Array* array, const std::vector<Bits>& dst,
                      std::int64_t i) {
    if (bias == Bias::dst_itself) return dst[static_cast<std::size_t>(i)];
    if (bias == Bias::row_of_lower_rank) return array->at(i % c.n);
    if (bias == Bias::column) return array->at(i / c.n);
    return array->at(i);
  }

  // max(sum · scale + bias, 0) in acc_dtype, cast to dst's dtype.
  struct Tail {
    Program program;
    Bits scale;
    Bits of(const Product& c, Bits sum, const Bits* bias) const {
      Bits value = expected({&opcode(TENON_OP_MUL), c.acc, c.acc, sum, scale});
      if (bias != nullptr) {
        value = expected({&opcode(TENON_OP_ADD), c.acc, c.acc, value, cast(c.acc, c.to, *bias)});
      }
      return cast(c.to, c.acc, expected({&opcode(TENON_OP_MAX), c.acc, c.acc, value, 0}));
    }
  };
  static Tail tail_of(const Product& c, bool has_bias) {
    Tail tail{{}, from_integer(c.acc, 2)};
    Program& p = tail.program;
    const auto sum = p.input(c.acc);
    auto value = p.emit(TENON_OP_MUL, c.acc, sum, p.scalar(c.acc));
    if (has_bias) {
      const auto bias = p.emit(TENON_OP_CAST, c.acc, p.input(c.to));
      value = p.emit(TENON_OP_ADD, c.acc, value, bias);
    }
    value = p.emit(TENON_OP_MAX, c.acc, value, p.constant(c.acc, 0));
    p.output(p.emit(TENON_OP_CAST, c.to, value));
    return tail;
  }

  void check(const Product& c, Bias bias) {
    SCOPED_TRACE(describe(c) + ", bias " + std::to_string(static_cast<int>(bias)));
    std::vector<Array*> operands = operands_of(c);
    operands[0]->set(values(c, c.to, 4));
    if (Array* array = bias_array(c, bias, operands[0])) {
      if (array->handle != 0 && array != operands[0]) array->set(values(c, c.to, 5));
      operands.push_back(array);
    }
    const std::vector<Bits> before = operands[0]->values();
    const Tail tail = tail_of(c, bias != Bias::none);
    OpSpec op = op_of(c, operands);
    op.attachments.push_back({TENON_SLOT_EPILOGUE, 3, tail.program.block()});
    if (bias == Bias::scalar) {  // whose strides nobody reads
      std::replace(op.operands[3].strides.begin(), op.operands[3].strides.end(), std::int64_t{0},
                   std::int64_t{1});
    }
    Pack pack = pack_of(c, operands);
    pack.scalars = {tail.scale};
    const Outcome outcome = rig.run(op, pack);
    if (outcome.refused()) return refused(outcome.text);
    ASSERT_TRUE(outcome.ok()) << outcome;
    for (std::int64_t i = 0; i < c.count(); ++i) {
      const Bits old = before[static_cast<std::size_t>(i)];
      const Bits sum = rounded(c, sum_of(c, operands, i, old));
      const Bits added = bias == Bias::none ? Bits{0} : bias_at(c, bias, operands.back(), before, i);
      const Bits want = tail.of(c, sum, bias == Bias::none ? nullptr : &added);
      ASSERT_TRUE(same(c.to, operands[0]->at(i), want))
          << "element " << i << ": got " << show(c.to, operands[0]->at(i)) << ", expected "
          << show(c.to, want);
    }
    rig.clear();
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, MatmulEpilogue, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(MatmulEpilogue, Combinations) {
  struct Dtypes {
    std::uint8_t from, to, acc;
  };
  const std::vector<Dtypes> dtypes = {{f32, f32, f32},
                                      {TENON_DTYPE_F16, TENON_DTYPE_F16, f32},
                                      {TENON_DTYPE_BF16, f32, f32},
                                      {TENON_DTYPE_F64, f32, TENON_DTYPE_F64},
                                      {TENON_DTYPE_I8, TENON_DTYPE_I32, TENON_DTYPE_I32},
                                      {TENON_DTYPE_I32, TENON_DTYPE_I16, TENON_DTYPE_I32}};
  const Lay lays[] = {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative};
  const std::vector<Dims> batches = {{}, {3}, {2, 2}};
  const std::vector<Dims> sizes = {{7, 9, 5}, {1, 4, 70}, {18, 66, 3}, {3, 0, 4}};
  for (const test::Choice& pick :
       test::choices({dtypes.size(), 8, batches.size(), sizes.size(), 4, 2, 3})) {
    const auto [from, to, acc] = dtypes[pick[0]];
    if (!rig.stores(from) || !rig.computes(from) || !rig.stores(to) || !rig.computes(acc)) continue;
    const Dims& size = sizes[pick[3]];
    Product c{.from = from, .to = to, .acc = acc, .batch = batches[pick[2]]};
    c.m = size[0];
    c.k = size[1];
    c.n = size[2];
    c.dst = lays[pick[4]];
    c.accumulate = pick[5] == 1;
    c.dynamic = static_cast<Dynamic>(pick[6]);
    c.exact = true;
    check(c, static_cast<Bias>(pick[1]));
    if (HasFatalFailure()) return;
  }
}

// The sum is rounded to acc_dtype before the program sees it, and to dst's dtype by the program only.
TEST_P(MatmulEpilogue, TheSumIsAValueOfAccDtype) {
  const Product c{.m = 1, .k = 3, .n = 1};
  const std::vector<Array*> operands = operands_of(c);
  operands[1]->set({from_real(f32, 16777216), from_real(f32, 1), from_real(f32, -16777216)});
  operands[2]->set({from_real(f32, 1), from_real(f32, 0.5L), from_real(f32, 0)});
  Program p;
  p.output(p.emit(TENON_OP_SUB, f32, p.input(f32), p.constant(f32, from_real(f32, 16777216))));
  OpSpec op = op_of(c, operands);
  op.attachments.push_back({TENON_SLOT_EPILOGUE, 3, p.block()});
  const Outcome outcome = rig.run(op, {operands, {}, {}});
  if (outcome.refused()) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ(operands[0]->at(0), 0u) << "2^24 + 1/2 is no f32";
}

}  // namespace
}  // namespace tenon::conformance
