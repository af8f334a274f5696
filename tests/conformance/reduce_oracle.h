// What a reduction has to give: exact integers, long double with an error bound.
#pragma once

#include <vector>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {

/// One result, and how far a floating one may be off.
struct Reduced {
  Bits bits = 0;
  long double real = 0, bound = 0;
};

/// TENON_REDUCE_... as text.
const char* operator_name(std::uint8_t how);
/// The values, in logical order, to one of dtype `to`; what is summed is kept in `acc`.
Reduced reduce(std::uint8_t how, std::uint8_t acc, std::uint8_t to, std::uint8_t from,
               const std::vector<Bits>& values);
bool matches(std::uint8_t how, std::uint8_t dtype, Bits got, const Reduced& want);

}  // namespace tenon::conformance
