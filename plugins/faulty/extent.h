// Which bytes of its memory an operand of a launch may touch, worked out from the description and the
// pack alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <tenon/plugin.h>
#include <tenon/sdk/view.h>

namespace faulty {

/// Bytes begin .. end, counted from the operand's offset; begin is negative under negative strides.
struct Extent {
  std::int64_t begin, end;
};

/// How many values a pack's dims and scalars hold.
std::size_t dim_count(tenon::sdk::OpView op);
std::size_t scalar_count(tenon::sdk::OpView op);

/// Nothing where no element is touched. The pack's dims and strides must be there.
std::optional<Extent> touched(tenon::sdk::OpView op, std::uint32_t operand, const TenonPack& pack);

/// Whether an operand that is said to be ALIGNED is so.
bool keeps_alignment(tenon::sdk::OpView op, std::uint32_t operand, const TenonPack& pack);

}  // namespace faulty
