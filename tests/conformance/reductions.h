// One reduction of one operand on a device, and the values that meet in each of its results.
#pragma once

#include "tests/conformance/harness.h"
#include "tests/conformance/reduce_oracle.h"

namespace tenon::conformance {

struct Reduction {
  std::uint8_t how = TENON_REDUCE_SUM;
  std::uint8_t from = TENON_DTYPE_F32, to = TENON_DTYPE_F32, acc = TENON_DTYPE_F32;
  Dims dims = {};
  std::uint32_t axes = 1;
  Lay in = Lay::contiguous, out = Lay::contiguous;
  bool exact = false;     ///< no order of evaluation rounds before the end
  bool optional = false;  ///< a device may refuse it
};

/// For each element of the result: the values that meet there, in logical order. `values` are those of
/// all elements of a space of these dims.
std::vector<std::vector<Bits>> groups(const Dims& dims, std::uint32_t axes,
                                      const std::vector<Bits>& values);

class ReduceOnDevice : public OnDevice {
 protected:
  std::string describe(const Reduction& c) const;
  /// A result over the kept extents: 1 along reduced axes, where the stride is 0.
  Array* result_array(const Reduction& c);
  /// REDUCE of these operands (results first), each result by c.how.
  static OpSpec op_of(const Reduction& c, const std::vector<Array*>& operands, std::size_t results = 1);
  /// Reduces an operand that holds `values`, again and again where it is larger.
  void check(const Reduction& c, const std::vector<Bits>& values);
  void check(const Reduction& c) { check(c, random_values(c.from, 997, 5)); }
  void compare(const Reduction& c, const Array& out, const std::vector<std::vector<Bits>>& all);
};

}  // namespace tenon::conformance
