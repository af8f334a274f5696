// REDUCE with a PROLOGUE: computed values, several results of one pass by different operators.
#include "tests/conformance/reductions.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;
constexpr std::uint8_t i32 = TENON_DTYPE_I32;
constexpr std::uint8_t boolean = TENON_DTYPE_BOOL;

class ReducePrologue : public ReduceOnDevice {
 protected:
  // A result of a prologue: an operator over computed values.
  struct Result {
    std::uint8_t how, value, to;  ///< dtypes of the values and of the result
    std::vector<Bits> values;     ///< for each element of the space
    std::uint16_t reference;      ///< in the program
  };

  // Runs all results in one op. `operands` are the inputs.
  void check(const Reduction& c, Program program, const std::vector<Result>& results,
             const std::vector<Array*>& inputs, const std::vector<Bits>& scalars = {}) {
    std::vector<Array*> operands;
    for (const Result& result : results) {
      Reduction each = c;
      each.to = result.to;
      operands.push_back(result_array(each));
      program.output(result.reference);
    }
    operands.insert(operands.end(), inputs.begin(), inputs.end());
    OpSpec op = op_of(c, operands, results.size());
    TenonReduceAttrs attrs{sizeof attrs, c.axes, {}};
    for (std::size_t i = 0; i < results.size(); ++i) attrs.operators[i] = results[i].how;
    op.attrs = as_block(attrs);
    op.attachments = {
        {TENON_SLOT_PROLOGUE, static_cast<std::uint16_t>(results.size()), program.block()}};
    const Outcome outcome = rig.run(op, {operands, scalars, c.dims});
    if (outcome.refused()) return refused(outcome.text);
    ASSERT_TRUE(outcome.ok()) << outcome;
    for (std::size_t i = 0; i < results.size(); ++i) {
      SCOPED_TRACE("result " + std::to_string(i) + ", " + operator_name(results[i].how));
      Reduction each = c;
      each.how = results[i].how;
      each.from = results[i].value;
      each.to = results[i].to;
      compare(each, *operands[i], groups(c.dims, c.axes, results[i].values));
    }
    rig.clear();
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, ReducePrologue, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

// sum and product of 2 x, arg and extreme of x + s, x > 0 anywhere and everywhere, in one pass. The
// values are small integers, so no order of summing rounds.
TEST_P(ReducePrologue, EightResultsOfOnePass) {
  const Lay lays[] = {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative, Lay::scalar};
  const std::vector<Dims> shapes = {{11}, {13, 29}, {3, 4, 5}};
  for (const test::Choice& pick : test::choices({shapes.size(), 7, 5, 3, 2})) {
    const Dims& dims = shapes[pick[0]];
    Reduction c{.dims = dims, .axes = 1 + static_cast<std::uint32_t>(pick[1]), .exact = true};
    if (c.axes >= 1u << dims.size()) continue;
    c.in = lays[pick[2]];
    c.out = lays[pick[3]];
    const std::uint8_t dtype = pick[4] == 0 ? f32 : i32;
    c.acc = dtype;
    SCOPED_TRACE(describe(c));
    Array* x = rig.array(dtype, dims, c.in);
    std::vector<Bits> small;
    for (const Bits bits : random_values(TENON_DTYPE_U64, 97, 3))
      small.push_back(from_integer(dtype, static_cast<std::int64_t>(bits % 5) - 2));
    x->set(small);
    const Bits shift = from_integer(dtype, -1), two = from_integer(dtype, 2);
    Program program;
    const auto in = program.input(dtype), s = program.scalar(dtype);
    const auto twice = program.emit(TENON_OP_MUL, dtype, in, program.constant(dtype, two));
    const auto shifted = program.emit(TENON_OP_ADD, dtype, in, s);
    const auto positive = program.emit(TENON_OP_LT, boolean, program.constant(dtype, 0), in);
    std::vector<Bits> doubles, sums, signs;
    for (const Bits bits : x->values()) {
      doubles.push_back(expected({&opcode(TENON_OP_MUL), dtype, dtype, bits, two}));
      sums.push_back(expected({&opcode(TENON_OP_ADD), dtype, dtype, bits, shift}));
      signs.push_back(expected({&opcode(TENON_OP_LT), boolean, dtype, 0, bits}));
    }
    check(c, program,
          {{TENON_REDUCE_SUM, dtype, dtype, doubles, twice},
           {TENON_REDUCE_MAX, dtype, dtype, sums, shifted},
           {TENON_REDUCE_MIN, dtype, dtype, sums, shifted},
           {TENON_REDUCE_ARGMAX, dtype, i32, sums, shifted},
           {TENON_REDUCE_ARGMIN, dtype, i32, doubles, twice},
           {TENON_REDUCE_ANY, boolean, boolean, signs, positive},
           {TENON_REDUCE_ALL, boolean, boolean, signs, positive},
           {TENON_REDUCE_SUM, dtype, dtype, x->values(), in}},
          {x}, {shift});
    if (HasFatalFailure()) return;
  }
}

// sum(x · y) and sum of x · x, with one y for all.
TEST_P(ReducePrologue, TwoInputs) {
  const Reduction c{.dims = {13, 29}, .axes = 2};
  Array* x = rig.array(f32, c.dims, Lay::transposed);
  Array* y = rig.array(f32, c.dims, Lay::scalar);
  x->set(random_values(f32, 377, 1));
  y->set({from_real(f32, 1.25L)});
  Program program;
  const auto in = program.input(f32), other = program.input(f32);
  const auto dot = program.emit(TENON_OP_MUL, f32, in, other);
  const auto square = program.emit(TENON_OP_MUL, f32, in, in);
  std::vector<Bits> products, powers;
  const Opcode& mul = opcode(TENON_OP_MUL);
  for (const Bits bits : x->values()) {
    products.push_back(expected({&mul, f32, f32, bits, y->at(0)}));
    powers.push_back(expected({&mul, f32, f32, bits, bits}));
  }
  check(c, program,
        {{TENON_REDUCE_SUM, f32, f32, products, dot}, {TENON_REDUCE_SUM, f32, f32, powers, square}},
        {x, y});
}

// The greatest coordinate where x is not zero: an INDEX operand beside one in memory.
TEST_P(ReducePrologue, CoordinatesAreInputs) {
  const Reduction c{.how = TENON_REDUCE_MAX, .acc = i32, .dims = {6, 35}, .axes = 2};
  Array* x = rig.array(boolean, c.dims, Lay::slice);
  Array* at = rig.index(i32, c.dims, 100, {-7, 2});
  x->set({0, 1, 0, 0, 1, 0, 0});
  Program program;
  const auto in = program.input(boolean), coordinate = program.input(i32);
  const auto chosen =
      program.emit(TENON_OP_SELECT, i32, in, coordinate, program.constant(i32, from_integer(i32, -1)));
  std::vector<Bits> values;
  for (std::int64_t i = 0; i < x->count(); ++i)
    values.push_back(x->at(i) != 0 ? at->at(i) : from_integer(i32, -1));
  check(c, program, {{TENON_REDUCE_MAX, i32, i32, values, chosen}}, {x, at});
}

}  // namespace
}  // namespace tenon::conformance
