// Strided iteration: odometers over an iteration space in logical (row-major) order.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include <tenon/plugin.h>

namespace tenon::sdk {

/// The most operands that any core kind takes.
inline constexpr size_t kMaxOperands = TENON_MAX_OUTPUTS + TENON_MAX_INPUTS;

using Dims = std::span<const int64_t>;
/// In elements, one for each dimension; what lies beyond the rank is not read.
using Strides = std::array<int64_t, TENON_MAX_RANK>;

/// The product; 1 for rank 0.
inline int64_t element_count(Dims dims) {
  int64_t count = 1;
  for (const int64_t extent : dims) count *= extent;
  return count;
}

inline Strides row_major(Dims dims) {
  Strides strides{};
  int64_t step = 1;
  for (size_t d = dims.size(); d-- > 0; step *= dims[d]) strides[d] = step;
  return strides;
}

/// One operand's way through an iteration space, in runs along its last dimension. For an INDEX
/// operand an "offset" is what its value exceeds the operand's own offset by.
class Walker {
 public:
  Walker() = default;
  Walker(Dims dims, const Strides& strides) : rank_(std::max<size_t>(dims.size(), 1)) {
    dims_[0] = 1;
    std::copy(dims.begin(), dims.end(), dims_.begin());
    if (!dims.empty()) std::copy_n(strides.begin(), dims.size(), strides_.begin());
  }

  /// Goes to an element, counted from the first in logical order.
  void seek(int64_t element) {
    offset_ = 0;
    for (size_t d = rank_; d-- > 0; element /= std::max<int64_t>(dims_[d], 1)) {
      at_[d] = d > 0 ? element % std::max<int64_t>(dims_[d], 1) : element;
      advance(at_[d], strides_[d]);
    }
  }

  /// Goes `count` elements on; calls run(offset, stride, n) for each run of n elements on the way.
  template <class Run>
  void take(int64_t count, Run&& run) {
    const size_t last = rank_ - 1;
    while (count > 0) {
      const int64_t n = std::min(count, dims_[last] - at_[last]);
      run(offset_, strides_[last], n);
      at_[last] += n;
      advance(n, strides_[last]);
      carry();
      count -= n;
    }
  }

 private:
  /// Wraps: behind the last element an INDEX operand may be beyond all numbers.
  void advance(int64_t steps, int64_t stride) {
    offset_ = static_cast<int64_t>(static_cast<uint64_t>(offset_) +
                                   static_cast<uint64_t>(steps) * static_cast<uint64_t>(stride));
  }
  void carry() {
    for (size_t d = rank_ - 1; d > 0 && at_[d] == dims_[d]; --d) {
      advance(-dims_[d], strides_[d]);
      advance(1, strides_[d - 1]);
      at_[d] = 0;
      ++at_[d - 1];
    }
  }

  size_t rank_ = 1;
  int64_t offset_ = 0;
  std::array<int64_t, TENON_MAX_RANK> dims_{}, at_{};
  Strides strides_{};
};

/// Calls body(offsets) for every coordinate in logical order; offsets[i] = sum of coordinate · stride
/// of strides[i], for at most kMaxOperands operands.
template <class Body>
void for_each_offset(Dims dims, std::span<const Strides> strides, Body&& body) {
  std::array<int64_t, kMaxOperands> offsets{};
  std::array<int64_t, TENON_MAX_RANK> at{};
  const auto shift = [&](size_t d, int64_t steps) {
    for (size_t i = 0; i < strides.size(); ++i) offsets[i] += steps * strides[i][d];
  };
  for (int64_t left = element_count(dims); left > 0; --left) {
    body(static_cast<const int64_t*>(offsets.data()));
    for (size_t d = dims.size(); d-- > 0;) {
      shift(d, 1);
      if (++at[d] < dims[d]) break;
      shift(d, -dims[d]);
      at[d] = 0;
    }
  }
}

}  // namespace tenon::sdk
