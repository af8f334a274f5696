#include "tests/conformance/opcodes.h"

namespace tenon::conformance {
namespace {

Application application(const Typed& typed, const OperandValues& values, std::size_t i) {
  const bool select = typed.op->group == Opcode::SELECT;
  Application what{typed.op, typed.result, typed.operands[select ? 1 : 0]};
  what.a = values[0][i];
  if (typed.op->arity > 1) what.b = values[1][i];
  if (typed.op->arity > 2) what.c = values[2][i];
  return what;
}

}  // namespace

Typed typed(const Opcode& op, std::uint8_t dtype) {
  Typed typed{&op, dtype, std::vector<std::uint8_t>(static_cast<std::size_t>(op.arity), dtype)};
  if (op.group == Opcode::COMPARE) typed.result = TENON_DTYPE_BOOL;
  if (op.group == Opcode::SELECT) typed.operands[0] = TENON_DTYPE_BOOL;
  return typed;
}

void OpcodesOnDevice::check(const Typed& typed, const OperandValues& values) {
  if (typed.operands.size() > rig.info().max_inputs) return refused(describe(typed));
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

void OpcodesOnDevice::compare(const Typed& typed, const OperandValues& values, const Array& got) {
  int wrong = 0;
  for (std::int64_t i = 0; i < got.count(); ++i) {
    const Application what = application(typed, values, static_cast<std::size_t>(i));
    if (accepts(what, got.at(i), rig.flushes())) continue;
    std::string operands;
    for (std::size_t k = 0; k < values.size(); ++k) {
      operands += (k > 0 ? ", " : "") + show(typed.operands[k], values[k][static_cast<std::size_t>(i)]);
    }
    ADD_FAILURE() << describe(typed) << " of " << operands << " at " << i << ": got "
                  << show(typed.result, got.at(i)) << ", expected "
                  << show(typed.result, expected(what));
    if (++wrong == 5) return;
  }
}

std::string OpcodesOnDevice::describe(const Typed& typed) const {
  std::string text = rig.name() + ": " + typed.op->name + '(';
  for (const std::uint8_t dtype : typed.operands)
    text += std::string(text.back() == '(' ? "" : ", ") + name_of(dtype);
  return text + ") -> " + name_of(typed.result);
}

std::vector<std::uint8_t> OpcodesOnDevice::computed() const {
  std::vector<std::uint8_t> dtypes;
  for (const std::uint8_t dtype : all_dtypes()) {
    if (rig.computes(dtype) && stored_as(rig, dtype) != TENON_DTYPE_NONE) dtypes.push_back(dtype);
  }
  return dtypes;
}

}  // namespace tenon::conformance
