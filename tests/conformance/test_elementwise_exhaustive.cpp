// All values that there are: 16 bits through every opcode of one operand and every cast, pairs of 8
// bits through every opcode of two; and into the 16-bit floats all places where their rounding turns.
#include <cmath>
#include <numeric>

#include "tests/conformance/opcodes.h"

namespace tenon::conformance {
namespace {

std::vector<Bits> all_values(std::uint8_t dtype) {
  std::vector<Bits> values(std::size_t{1} << (8 * size_of(dtype)));
  std::iota(values.begin(), values.end(), Bits{0});
  return values;
}

// Every finite value of a 16-bit float, the middle between it and the next one, and what lies just
// beside that middle, as far as `from` can say it.
std::vector<Bits> turning_points(std::uint8_t from, std::uint8_t to) {
  std::vector<Bits> points;
  for (Bits bits = 0; bits < 0x10000; ++bits) {
    const long double value = to_real(to, bits), next = to_real(to, bits + 1);
    if (!std::isfinite(value)) continue;
    // Beyond the largest value the next one would be as far off as the one before.
    const long double gap = std::isfinite(next) ? next - value : value - to_real(to, bits - 1);
    if (is_integer(from) && std::fabs(value) < 64) continue;
    const Bits middle = from_real(from, value + gap / 2);
    points.push_back(from_real(from, value));
    points.insert(points.end(), {middle - 1, middle, middle + 1});
  }
  if (is_integer(from)) {
    for (Bits& point : points) point = cast(from, TENON_DTYPE_U64, point);
  }
  return points;
}

class ElementwiseExhaustive : public OpcodesOnDevice {
 protected:
  bool has(std::uint8_t dtype) const { return rig.stores(dtype); }

  void unary(std::uint8_t dtype) {
    if (!has(dtype)) return;
    const OperandValues values{all_values(dtype)};
    for (const Opcode& op : all_opcodes()) {
      const bool typed_by_group = op.group != Opcode::CAST && op.group != Opcode::BITCAST;
      if (op.arity == 1 && typed_by_group && rig.offers(op) && rig.computes(dtype) &&
          applies(op, dtype)) {
        check(typed(op, dtype), values);
      }
    }
    for (const std::uint8_t to : all_dtypes()) {
      if (has(to)) check({&opcode(TENON_OP_CAST), to, {dtype}}, values);
    }
  }

  void binary(std::uint8_t dtype) {
    if (!has(dtype) || !rig.computes(dtype)) return;
    OperandValues values(2);
    for (Bits pair = 0; pair < 0x10000; ++pair) {
      values[0].push_back(pair & 0xff);
      values[1].push_back(pair >> 8);
    }
    for (const Opcode& op : all_opcodes()) {
      if (op.arity == 2 && rig.offers(op) && applies(op, dtype)) check(typed(op, dtype), values);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, ElementwiseExhaustive, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(ElementwiseExhaustive, HalvesThroughOneOperand) {
  unary(TENON_DTYPE_F16);
}
TEST_P(ElementwiseExhaustive, BfloatsThroughOneOperand) {
  unary(TENON_DTYPE_BF16);
}
TEST_P(ElementwiseExhaustive, SmallIntegersThroughOneOperand) {
  for (const std::uint8_t dtype : {TENON_DTYPE_I8, TENON_DTYPE_U8, TENON_DTYPE_I16, TENON_DTYPE_U16})
    unary(dtype);
}
TEST_P(ElementwiseExhaustive, PairsOfBytes) {
  for (const std::uint8_t dtype : {TENON_DTYPE_I8, TENON_DTYPE_U8}) binary(dtype);
}

TEST_P(ElementwiseExhaustive, CastsToSmallFloats) {
  for (const std::uint8_t to : {TENON_DTYPE_F16, TENON_DTYPE_BF16}) {
    for (const std::uint8_t from : all_dtypes()) {
      if (has(to) && has(from) && size_of(from) >= 4)
        check({&opcode(TENON_OP_CAST), to, {from}}, {turning_points(from, to)});
    }
  }
}

}  // namespace
}  // namespace tenon::conformance
