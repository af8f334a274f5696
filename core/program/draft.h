// A program before it is sealed, and the steps of sealing it: canonical form, encoding, interning.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/program.h>

namespace tenon::program {

struct Constant {
  DType dtype;
  std::uint64_t bits;
  auto operator<=>(const Constant&) const = default;
};

struct Draft {
  std::vector<DType> inputs, scalars;
  std::vector<Constant> constants;
  std::vector<TenonInstruction> instructions;
  std::vector<std::uint16_t> outputs;
};

/// Calls f with each reference that the instruction uses.
template <class Instruction, class F>
void each_operand(Instruction& instruction, F f) {
  const int count = arity(static_cast<Opcode>(instruction.opcode));
  f(instruction.a);
  if (count > 1) f(instruction.b);
  if (count > 2) f(instruction.c);
}

/// The same outputs from the same inputs and scalars, in the one form that equal computations share.
Draft canonical(const Draft& draft);

/// The program that a draft is, in the form that it has.
Program seal(const Draft& draft);

/// What a sealed program holds.
Draft decode(const Program& program);

/// The ABI's block, zero-padded to words; Unsupported beyond the ABI's limits.
std::vector<std::uint64_t> encode(const Draft& draft);

struct Program::Data {
  std::uint64_t id;
  std::vector<std::uint64_t> words;

  /// The one object for these words, for as long as the process lives.
  static const Data* intern(std::vector<std::uint64_t> words);
};

}  // namespace tenon::program
