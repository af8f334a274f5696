// An operand's elements along an iteration space, tile after tile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <tenon/sdk.h>

#include "steps.h"

namespace cpu {

namespace sdk = tenon::sdk;

/// Packs n elements that lie `stride` elements apart.
using Pack = void (*)(std::byte* out, const std::byte* from, std::int64_t stride, int n);
Pack find_pack(std::uint8_t dtype);

/// Gives the elements where they lie if they follow each other there, else packed.
class Source {
 public:
  Source() = default;
  /// From element `begin` of the iteration space on.
  Source(const TenonOperandDesc& desc, const TenonOperand& operand, sdk::Dims dims,
         const sdk::Strides& strides, std::int64_t begin);

  /// The next n elements; `buffer` has room for a tile, and is the same in every call.
  const std::byte* next(int n, std::byte* buffer);

 private:
  std::int64_t size_ = 0;
  const std::byte* memory_ = nullptr;
  Pack pack_ = nullptr;
  Fill fill_ = nullptr;          // of a SCALAR
  Sequence sequence_ = nullptr;  // of an INDEX, whose first value is first_
  std::int64_t first_ = 0;
  int filled_ = 0;
  bool is_bool_ = false;
  sdk::Walker walker_;
};

/// The calling thread's own, for the operands of one op.
Source* sources();

/// How many elements a tile has that begins at element `at`: a row's, as far as rows are long.
inline int tile_at(sdk::Dims dims, std::int64_t at, std::int64_t end, int most) {
  const std::int64_t row = dims.empty() ? 1 : dims.back();
  const std::int64_t left = row >= most / 4 ? row - at % row : most;
  return static_cast<int>(std::min({left, end - at, std::int64_t{most}}));
}

}  // namespace cpu
