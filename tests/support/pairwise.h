// Which combinations of parameters a test tries: so many that every pair of values of two parameters
// meets in one of them. Most bugs need no more than two values to show, and the number of combinations
// grows with the square of the largest parameter instead of with the product of all.
#pragma once

#include <cstddef>
#include <vector>

namespace tenon::test {

/// The index of a value for each parameter.
using Choice = std::vector<std::size_t>;

/// Choices in which all pairs meet; parameter p has sizes[p] values, at least one. Deterministic.
std::vector<Choice> pairwise(const std::vector<std::size_t>& sizes);
/// The whole product.
std::vector<Choice> every_choice(const std::vector<std::size_t>& sizes);

/// every_choice in a full run (rounds.h), else pairwise.
std::vector<Choice> choices(const std::vector<std::size_t>& sizes);

}  // namespace tenon::test
