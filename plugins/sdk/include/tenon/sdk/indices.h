// The index operands of GATHER and SCATTER, whatever their dtype.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenon/plugin.h>
#include <tenon/sdk/arithmetic.h>
#include <tenon/sdk/dtype.h>
#include <tenon/sdk/view.h>

namespace tenon::sdk {

/// Reads one index operand.
class IndexReader {
 public:
  explicit IndexReader(const TenonOperandDesc& desc)
      : has_memory_(desc.layout != TENON_LAYOUT_INDEX),
        read_(dispatch(Integers{}, desc.dtype, []<class T>() -> Read {
          return
              [](const std::byte* from, int64_t i) { return static_cast<int64_t>(load<T>(from, i)); };
        })) {}

  /// The index `offset` elements behind the operand's first.
  int64_t operator()(const TenonOperand& operand, int64_t offset) const {
    if (has_memory_) return read_(host_address(operand), offset);
    // The value is one of the operand's dtype, as an element in memory would be.
    const int64_t value = meaning::add(operand.offset, offset);
    return read_(reinterpret_cast<const std::byte*>(&value), 0);
  }

 private:
  using Read = int64_t (*)(const std::byte* from, int64_t i);
  bool has_memory_;
  Read read_;
};

/// What an index operand counts in: how many places, and elements from one to the next.
struct IndexAxis {
  int64_t extent, stride;
};
/// Of operand i, 2 or more, of an op of this rank.
inline IndexAxis index_axis(const TenonPack& pack, size_t rank, size_t i) {
  const int64_t* const at = pack.dims + rank + 2 * (i - 2);
  return {at[0], at[1]};
}

}  // namespace tenon::sdk
