// A device for drafts of any length: every instruction over all elements at once, in plain C++ of its
// own. It computes f32, f64, the 32- and 64-bit integers and bool, casts all dtypes, has the mandatory
// opcodes only, and is as inexact as opcodes.def lets it be.
#pragma once

#include <cstdint>
#include <vector>

#include "core/program/draft.h"

namespace tenon::test {

using Raw = std::vector<std::uint64_t>;

/// What div, sqrt, exp and log make of their bounds, and whether denormal operands and results are
/// zeros.
enum class Slack { None, Above, Below, Random };
struct Quirks {
  Slack slack = Slack::None;
  bool flushes_denormals = false;
};

/// The raw bits of each output. `inputs` have one length, `scalars` one value each.
std::vector<Raw> run_draft(const program::Draft& draft, const std::vector<Raw>& inputs,
                           const Raw& scalars = {}, Quirks quirks = {});

/// A value of any dtype, exactly.
long double number_of(DType dtype, std::uint64_t bits);
/// x in a dtype as CAST converts it: rounded once, or truncated and saturated.
std::uint64_t bits_of_number(DType dtype, long double x);

/// How many units in the last place of a floating dtype lie between the bits and x; infinite where one
/// is NaN, or where a zero has the wrong sign.
double ulp_error(DType dtype, std::uint64_t bits, long double x);

}  // namespace tenon::test
