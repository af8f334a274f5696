// What dtypes hold, and what becomes of them beside others.
#pragma once

#include <cstdint>

#include <tenon/scalar.h>

#pragma GCC visibility push(default)
namespace tenon {

struct FloatInfo {
  int bits;
  double eps;              ///< from 1 to the next number
  double max;              ///< the greatest finite number; the least is -max
  double smallest_normal;  ///< the least that is above 0 and has all its digits
};
/// Of a floating dtype; InvalidArgument for others.
FloatInfo finfo(DType dtype);

struct IntegerInfo {
  int bits;
  std::int64_t min;
  std::uint64_t max;
};
/// Of an integer dtype; InvalidArgument for others.
IntegerInfo iinfo(DType dtype);

/// What a tensor's dtype becomes beside a number: the number's kind where that is a later one.
DType promote(DType dtype, Scalar number);

/// Whether `from` becomes `to` where both meet.
inline bool can_cast(DType from, DType to) {
  return promote(from, to) == to;
}

}  // namespace tenon
#pragma GCC visibility pop
