// Every opcode that a device has, over every dtype it computes with: all pairs of edge values, and
// ordinary ones.
#include <algorithm>

#include "tests/conformance/opcodes.h"

namespace tenon::conformance {
namespace {

// All combinations of edge values, thinned out for three operands, then as many random ones as make
// an odd count above 1000.
OperandValues operand_values(const Typed& typed) {
  OperandValues edges, values(typed.operands.size());
  for (const std::uint8_t dtype : typed.operands) edges.push_back(edge_values(dtype));
  std::size_t total = 1;
  for (const auto& list : edges) total *= list.size();
  const std::size_t stride = total > 20000 ? 7 : 1;
  for (std::size_t i = 0; i < total; i += stride) {
    std::size_t rest = i;
    for (std::size_t k = 0; k < edges.size(); ++k) {
      values[k].push_back(edges[k][rest % edges[k].size()]);
      rest /= edges[k].size();
    }
  }
  const std::size_t more = values[0].size() < 1001 ? 1001 - values[0].size() : 256;
  for (std::size_t k = 0; k < edges.size(); ++k) {
    const std::vector<Bits> random = random_values(typed.operands[k], more, k + 1);
    values[k].insert(values[k].end(), random.begin(), random.end());
  }
  return values;
}

class ElementwiseOpcodes : public OpcodesOnDevice {
 protected:
  // All opcodes of the groups, over all dtypes that they take.
  void sweep(const std::vector<Opcode::Group>& groups) {
    for (const Opcode& op : all_opcodes()) {
      if (!rig.offers(op) || std::find(groups.begin(), groups.end(), op.group) == groups.end())
        continue;
      for (const std::uint8_t dtype : computed()) {
        if (!applies(op, dtype)) continue;
        check(typed(op, dtype), operand_values(typed(op, dtype)));
        if (HasFatalFailure()) return;
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, ElementwiseOpcodes, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(ElementwiseOpcodes, Arithmetic) {
  sweep({Opcode::ARITH});
}
TEST_P(ElementwiseOpcodes, Floating) {
  sweep({Opcode::FLOAT});
}
TEST_P(ElementwiseOpcodes, BitsAndShifts) {
  sweep({Opcode::BITS, Opcode::SHIFT});
}
TEST_P(ElementwiseOpcodes, Comparisons) {
  sweep({Opcode::COMPARE});
}
TEST_P(ElementwiseOpcodes, Select) {
  sweep({Opcode::SELECT});
}

// Loading, storing and casting is asked of every storage dtype, computed with or not.
TEST_P(ElementwiseOpcodes, Casts) {
  for (const std::uint8_t from : all_dtypes()) {
    for (const std::uint8_t to : all_dtypes()) {
      const bool source = rig.stores(from) || rig.computes(from),
                 result = rig.stores(to) || rig.computes(to);
      if (!source || !result || !stored_as(rig, from) || !stored_as(rig, to)) continue;
      const Typed cast{&opcode(TENON_OP_CAST), to, {from}};
      check(cast, operand_values(cast));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ElementwiseOpcodes, Bitcasts) {
  const Opcode& op = opcode(TENON_OP_BITCAST);
  for (const std::uint8_t from : computed()) {
    for (const std::uint8_t to : computed()) {
      const bool both = applies(op, from) && applies(op, to);
      if (!both || size_of(from) != size_of(to) || !rig.stores(from) || !rig.stores(to)) continue;
      const Typed bitcast{&op, to, {from}};
      check(bitcast, operand_values(bitcast));
    }
  }
}

}  // namespace
}  // namespace tenon::conformance
