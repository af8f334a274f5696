// The loops that instructions run as: vectorised for the machine's best instruction set where the dtype
// is one that matters, the SDK's plain ones else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <tenon/sdk/steps.h>

namespace cpu {

using Step = tenon::sdk::Step;

/// The loop for an opcode whose operands are (or end in) `operand`. Operands and result may be at any
/// address; the result may be one of the operands, of the same dtype.
Step find_step(std::uint8_t opcode, std::uint8_t operand, std::uint8_t result);
inline Step find_cast(std::uint8_t from, std::uint8_t to) {
  return find_step(TENON_OP_CAST, from, to);
}

/// ADD or SUB of f32 with a product, a · b and c, each rounded: a third less memory is touched than by
/// two loops.
Step find_product_step(std::uint8_t opcode, bool product_first);

// The vectorised ones by families, nullptr where there is none.
Step find_conversion(std::uint8_t from, std::uint8_t to);
/// Elementary functions.
Step find_function(std::uint8_t opcode, std::uint8_t dtype);
Step find_philox();

/// n copies of a value by its raw bits. Whole vectors are written: `out` is aligned to 64 bytes, and so
/// is its room.
using Fill = void (*)(std::byte* out, std::uint64_t bits, int n);
Fill find_fill(std::uint8_t dtype);

/// out[i] = first + i · stride, as the dtype.
using Sequence = void (*)(std::byte* out, std::int64_t first, std::int64_t stride, int n);
Sequence find_sequence(std::uint8_t dtype);

/// Copies past the caches.
void stream(std::byte* to, const std::byte* from, std::size_t bytes);

/// "sse4", "avx2" or "avx512": the most that is used from now on. False for any other name.
bool limit_isa(std::string_view name);
/// What is used: "AVX3" for example.
const char* isa_name();

}  // namespace cpu
