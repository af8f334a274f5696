// NumPy's index expressions by loops over coordinates: which element of an array each element of the
// result is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <tenon/index.h>

#include "tests/support/arrays.h"

namespace tenon::test {

/// One index, with its elements on the host.
struct HostIndex {
  enum Kind { Integer, Range, Whole, New, Places, Mask } kind;
  std::int64_t integer = 0;
  Slice range = {};
  Array<std::int64_t> places = {};  // of Mask: 0 or 1

  /// The same for the product.
  Index on(Device device) const;
};

/// For each element of x[indices] the number of x's element, row-major; the values may be negative in
/// `indices`, here they are not.
Array<std::int64_t> elements_of(const Shape& x, const std::vector<HostIndex>& indices);

}  // namespace tenon::test
