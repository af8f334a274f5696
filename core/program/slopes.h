// Derivatives by formulas of their own: where reverse mode through a program's instructions would lose
// digits, or go another way at a kink.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include <tenon/program.h>

namespace tenon::program {

/// The partial derivatives of a program's one output, of any floating dtype, one for each input; of
/// those that are not floating they may be undefined. Made of the program's inputs and scalars.
using Slopes =
    std::function<std::vector<Value>(std::span<const Value> inputs, std::span<const Value> scalars)>;

/// As derive(forward, wanted, {0}), by these slopes.
Derivative derive(const Program& forward, std::span<const int> wanted, const Slopes& slopes);

}  // namespace tenon::program
