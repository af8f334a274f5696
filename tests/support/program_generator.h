// Seeded random programs and values; the same seed gives the same ones everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include <tenon/program.h>

namespace tenon::test {

struct GeneratorOptions {
  /// Dtypes that are computed with: bits 1 << code.
  std::uint32_t dtypes = ~0u;
  /// Optional opcodes that may occur: bits 1 << opcode.
  std::uint64_t optional_opcodes = 0;
  /// Dtypes that inputs and outputs may have: bits 1 << code.
  std::uint32_t stored = ~0u;
};

struct RandomProgram {
  program::Program program;
  std::vector<std::uint64_t> scalars;  ///< raw bits, one for each of the program's
};

/// A well-typed program of up to 12 instructions, 1-4 inputs, 0-3 scalars and 1-3 outputs, whose
/// results are determined to within program_oracle.h's `tolerance`, which is never infinite here: an
/// inexact result feeds nothing, the sign of a min's or max's zero is not looked at, nor are the bits
/// of a computed NaN.
RandomProgram random_program(std::uint64_t seed, const GeneratorOptions& options = {});

/// Raw bits of one value: every other one is special (NaN, infinities, denormals, zeros, extremes), the
/// others are plain. NaNs are quiet and positive.
std::uint64_t random_bits(std::mt19937_64& random, DType dtype);
std::vector<std::uint64_t> random_values(std::uint64_t seed, DType dtype, std::size_t count);

/// An f64 program of 1-3 inputs, one scalar and any floating opcodes. Output 0 is the result, the
/// others are the values on the way, so that a test can tell where each is smooth: finite and not 0.
program::Program random_smooth_program(std::uint64_t seed);

/// How many whole divisors each rem of that program takes off, up to the last: where one changes the
/// program jumps, however small the jump. The same inputs and scalar.
program::Program teeth_of_smooth_program(std::uint64_t seed);

}  // namespace tenon::test
