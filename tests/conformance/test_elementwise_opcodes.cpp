// Every opcode that a device has, over every dtype it computes with: all pairs of edge values, and
// ordinary ones.
#include <algorithm>

#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

struct Typed {
  const Opcode* op;
  std::uint8_t result;
  std::vector<std::uint8_t> operands;  ///< dtypes

  Application on(const std::vector<std::vector<Bits>>& values, std::size_t i) const {
    const std::uint8_t from = op->group == Opcode::SELECT ? operands[1] : operands[0];
    Application what{op, result, from};
    what.a = values[0][i];
    if (op->arity > 1) what.b = values[1][i];
    if (op->arity > 2) what.c = values[2][i];
    return what;
  }
};

// All combinations of edge values, thinned out for three operands, then as many random ones as make
// an odd count above 1000.
std::vector<std::vector<Bits>> operand_values(const Typed& typed) {
  std::vector<std::vector<Bits>> edges, values(typed.operands.size());
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

class ElementwiseOpcodes : public OnDevice {
 protected:
  // Loads, applies, stores; values of a dtype that is not stored are bitcast at the edges.
  void check(const Typed& typed) {
    if (typed.operands.size() > rig.info().max_inputs) return refused(describe(typed));
    const std::vector<std::vector<Bits>> values = operand_values(typed);
    const auto n = static_cast<std::int64_t>(values[0].size());
    Program program;
    std::uint16_t refs[3] = {};
    std::vector<Array*> operands{rig.array(stored_as(rig, typed.result), {n})};
    for (std::size_t k = 0; k < typed.operands.size(); ++k) {
      const std::uint8_t dtype = typed.operands[k], stored = stored_as(rig, dtype);
      refs[k] = program.input(stored);
      if (stored != dtype) refs[k] = program.emit(TENON_OP_BITCAST, dtype, refs[k]);
      operands.push_back(rig.array(stored, {n}));
      operands.back()->set(values[k]);
    }
    std::uint16_t result = program.emit(typed.op->code, typed.result, refs[0], refs[1], refs[2]);
    if (operands[0]->dtype != typed.result)
      result = program.emit(TENON_OP_BITCAST, operands[0]->dtype, result);
    program.output(result);

    const Outcome outcome = rig.run(elementwise(program, operands), {operands, {}, {n}});
    ASSERT_TRUE(outcome.ok()) << describe(typed) << ": " << outcome;
    compare(typed, values, *operands[0]);
    rig.clear();
  }

  void compare(const Typed& typed, const std::vector<std::vector<Bits>>& values, const Array& got) {
    int wrong = 0;
    for (std::int64_t i = 0; i < got.count(); ++i) {
      const Application what = typed.on(values, static_cast<std::size_t>(i));
      if (accepts(what, got.at(i), rig.flushes())) continue;
      std::string operands;
      for (std::size_t k = 0; k < values.size(); ++k) {
        operands +=
            (k > 0 ? ", " : "") + show(typed.operands[k], values[k][static_cast<std::size_t>(i)]);
      }
      ADD_FAILURE() << describe(typed) << " of " << operands << " at " << i << ": got "
                    << show(typed.result, got.at(i)) << ", expected "
                    << show(typed.result, expected(what));
      if (++wrong == 5) return;
    }
  }

  std::string describe(const Typed& typed) {
    std::string text = rig.name() + ": " + typed.op->name + '(';
    for (const std::uint8_t dtype : typed.operands)
      text += std::string(text.back() == '(' ? "" : ", ") + name_of(dtype);
    return text + ") -> " + name_of(typed.result);
  }

  // The dtypes that the device computes with and has a way to load and store.
  std::vector<std::uint8_t> computed() {
    std::vector<std::uint8_t> dtypes;
    for (const std::uint8_t dtype : all_dtypes()) {
      if (rig.computes(dtype) && stored_as(rig, dtype) != TENON_DTYPE_NONE) dtypes.push_back(dtype);
    }
    return dtypes;
  }

  // All opcodes of the groups, over all dtypes that they take.
  void sweep(const std::vector<Opcode::Group>& groups) {
    for (const Opcode& op : all_opcodes()) {
      if (!rig.offers(op) || std::find(groups.begin(), groups.end(), op.group) == groups.end())
        continue;
      for (const std::uint8_t dtype : computed()) {
        if (!applies(op, dtype)) continue;
        Typed typed{&op, dtype, std::vector<std::uint8_t>(static_cast<std::size_t>(op.arity), dtype)};
        if (op.group == Opcode::COMPARE) typed.result = TENON_DTYPE_BOOL;
        if (op.group == Opcode::SELECT) typed.operands[0] = TENON_DTYPE_BOOL;
        check(typed);
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
      check({&opcode(TENON_OP_CAST), to, {from}});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ElementwiseOpcodes, Bitcasts) {
  for (const std::uint8_t from : computed()) {
    for (const std::uint8_t to : computed()) {
      const bool both =
          applies(opcode(TENON_OP_BITCAST), from) && applies(opcode(TENON_OP_BITCAST), to);
      if (!both || size_of(from) != size_of(to) || !rig.stores(from) || !rig.stores(to)) continue;
      check({&opcode(TENON_OP_BITCAST), to, {from}});
    }
  }
}

}  // namespace
}  // namespace tenon::conformance
