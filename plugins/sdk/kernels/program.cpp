// Programs: their instructions resolved to the SDK's loops, and run.
#include "program.h"

#include <algorithm>

namespace tenon::sdk::kernels {

Program::Program(const sdk::ProgramView& view) : input_count_(view.input_count()) {
  const size_t scalars_at = input_count_;
  const size_t constants_at = scalars_at + view.scalar_count();
  const size_t instructions_at = constants_at + view.constant_count();
  // In the order of TENON_REF_INSTRUCTION, _INPUT, _SCALAR, _CONSTANT.
  const size_t starts[] = {instructions_at, 0, scalars_at, constants_at};
  const auto register_of = [&](uint16_t reference) {
    return starts[TENON_REF_CLASS(reference)] + TENON_REF_INDEX(reference);
  };

  for (size_t i = 0; i < view.scalar_count(); ++i) {
    scalars_.push_back({scalars_at + i, view.scalar_dtype(i), 0});
  }
  for (size_t i = 0; i < view.constant_count(); ++i) {
    constants_.push_back({constants_at + i, view.constant_dtype(i), view.constants()[i]});
  }
  for (const TenonInstruction& it : view.instructions()) {
    const uint16_t references[] = {it.a, it.b, it.c};
    Instruction made{nullptr, instructions_at + instructions_.size(), {}};
    const int arity = sdk::opcode_info(it.opcode).arity;
    for (int i = 0; i < arity; ++i) made.in[i] = register_of(references[i]);
    made.step = sdk::step_for(it.opcode, view.dtype_of(references[arity - 1]), it.dtype);
    instructions_.push_back(made);
  }
  for (size_t i = 0; i < view.outputs().size(); ++i) {
    outputs_.push_back(register_of(view.outputs()[i]));
    output_dtypes_.push_back(view.output_dtype(i));
  }
}

Program::Program(uint8_t from, uint8_t to)
    : input_count_(1),
      instructions_{{sdk::cast_step(from, to), 1, {0, 0, 0}}},
      outputs_{1},
      output_dtypes_{to} {}

Block::Block(const Program& program, const uint64_t* scalars, int64_t n) : program_(program) {
  const int used = static_cast<int>(std::min<int64_t>(n, kBlock));
  for (const auto& it : program.constants_) spread(registers_[it.at], it.dtype, it.bits, used);
  for (const auto& it : program.scalars_) {
    spread(registers_[it.at], it.dtype, *scalars++, used);
  }
}

void Block::run(int n) {
  for (const auto& it : program_.instructions_) {
    const std::byte* in[3] = {registers_[it.in[0]], registers_[it.in[1]], registers_[it.in[2]]};
    it.step(registers_[it.out], in, n);
  }
}

}  // namespace tenon::sdk::kernels
