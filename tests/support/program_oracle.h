// An evaluator of elementwise programs that shares no code with core or plugins: what the numerics of
// tenon/plugin.h say, one instruction and one element at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tenon/program.h>

namespace tenon::test {

/// The raw bits of each output, for one element's inputs and the scalars; `block` is Program::bytes().
std::vector<std::uint64_t> evaluate(std::span<const std::byte> block,
                                    std::span<const std::uint64_t> inputs,
                                    std::span<const std::uint64_t> scalars = {});

/// An output may be a zero of either sign, and is exact otherwise.
inline constexpr double kEitherZero = 0.25;

/// How many ULP a device's output may be off: 0 where only exactly rounded instructions lead to it,
/// kEitherZero where a floating min or max is among them, opcodes.def's bound where its own instruction
/// is inexact (1 for the 16-bit floats). Infinity where an inexact value feeds another instruction: no
/// bound in ULP then exists.
double tolerance(const program::Program& program, int output);

/// Whether `got` is within `ulp` of `expected`. Any NaN equals any NaN; with ulp 0 zeros differ by
/// sign. Integers and bools are equal or not.
bool close(DType dtype, std::uint64_t got, std::uint64_t expected, double ulp);

/// Philox4x32-10 (Salmon et al., SC'11).
std::array<std::uint32_t, 4> philox_block(std::array<std::uint32_t, 4> counter,
                                          std::array<std::uint32_t, 2> key);
/// One word of it, as the opcode PHILOX has it.
std::uint32_t philox_word(std::uint64_t index, std::uint64_t offset, std::uint64_t seed);

}  // namespace tenon::test
