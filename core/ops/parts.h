// Runs a program in the parts that a plan cuts it into.
#pragma once

#include <span>
#include <string_view>

#include "core/ops/run.h"
#include "core/program/split.h"

namespace tenon::ops {

/// Part after part, each over all packs at once; no pack writes what another one uses. Temporaries are
/// no larger than what they are computed from.
void run_parts(std::string_view op, const program::Plan& plan, std::span<const Operands* const> packs);

}  // namespace tenon::ops
