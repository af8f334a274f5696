// What GATHER and SCATTER have to do, said of whole tables and lists of places.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {

/// Element i of the iteration space meets element places[i] of the table; -1 where an index is bad.
using Places = std::vector<std::int64_t>;

/// The results of GATHER.
std::vector<Bits> gathered(const std::vector<Bits>& table, const Places& places);
/// The table after SCATTER of `values`, in logical order.
std::vector<Bits> scattered(std::uint32_t how, std::uint8_t dtype, std::vector<Bits> table,
                            const Places& places, const std::vector<Bits>& values);

}  // namespace tenon::conformance
