// The bits of f16 (IEEE 754 binary16) and bf16 (the upper half of an f32).
#pragma once

#include <cstdint>

namespace tenon {

/// Rounded once, to nearest, ties to even; beyond the largest finite value infinity.
std::uint16_t f16_bits(double x);
std::uint16_t bf16_bits(double x);

/// Exact.
float f16_value(std::uint16_t bits);
float bf16_value(std::uint16_t bits);

}  // namespace tenon
