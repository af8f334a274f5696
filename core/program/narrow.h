// select for devices whose programs read two inputs.
#pragma once

#include "core/program/draft.h"

namespace tenon::program {

/// The same with each select of three values replaced by instructions that take two: the same bits, as
/// long as `computed` (bits 1 << code) has an integer dtype of the size of what is selected.
Draft narrow_selects(const Draft& draft, std::uint32_t computed);

}  // namespace tenon::program
