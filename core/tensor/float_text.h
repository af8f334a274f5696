// Floating elements as text, digit for digit as NumPy writes them.
#pragma once

#include <string>
#include <vector>

#include <tenon/tensor.h>

namespace tenon {

/// One line up: points below each other, or exponents where magnitudes ask for them.
std::vector<std::string> float_texts(const std::vector<double>& values, DType dtype,
                                     const PrintOptions& options);
/// One alone: the fewest digits that give it back.
std::string float_text(double value, DType dtype, const PrintOptions& options);

}  // namespace tenon
