// Reads a program's block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tenon/plugin.h>
#include <tenon/program.h>

namespace tenon::program {

/// The parts of a block; valid as long as the block.
struct View {
  std::span<const TenonInstruction> instructions;
  std::span<const std::uint64_t> constants;
  std::span<const std::uint16_t> outputs;
  std::span<const std::uint8_t> inputs, scalars, constant_dtypes;

  explicit View(const void* block) {
    const auto& head = *static_cast<const TenonProgram*>(block);
    const auto* bytes = static_cast<const std::byte*>(block);
    instructions = {reinterpret_cast<const TenonInstruction*>(bytes + head.instructions_at),
                    head.instruction_count};
    constants = {reinterpret_cast<const std::uint64_t*>(bytes + head.constants_at),
                 head.constant_count};
    outputs = {reinterpret_cast<const std::uint16_t*>(bytes + head.outputs_at), head.output_count};
    const auto* dtypes = reinterpret_cast<const std::uint8_t*>(bytes + head.dtypes_at);
    inputs = {dtypes, head.input_count};
    scalars = {dtypes + head.input_count, head.scalar_count};
    constant_dtypes = {dtypes + head.input_count + head.scalar_count, head.constant_count};
  }
  explicit View(const Program& program) : View(program.bytes().data()) {}

  DType dtype(std::uint16_t ref) const {
    const std::uint32_t index = TENON_REF_INDEX(ref), kind = TENON_REF_CLASS(ref);
    if (kind == TENON_REF_INSTRUCTION) return static_cast<DType>(instructions[index].dtype);
    if (kind == TENON_REF_INPUT) return static_cast<DType>(inputs[index]);
    if (kind == TENON_REF_SCALAR) return static_cast<DType>(scalars[index]);
    return static_cast<DType>(constant_dtypes[index]);
  }
};

}  // namespace tenon::program
