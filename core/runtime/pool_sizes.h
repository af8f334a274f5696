// Which sizes there are: eight to a doubling, so that little is wasted and much fits again.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace tenon::runtime {

inline constexpr std::uint64_t kSmall = 1 << 20;  // what shares a slab with others
inline constexpr std::uint64_t kSlab = 2 << 20;
inline constexpr int kThreadLists = 48;  // sizes that threads keep for themselves: up to 256 granules
inline constexpr int kNoList = -1;

/// A block's bytes, and the list it stands in when a thread keeps it.
struct BlockSize {
  std::uint64_t bytes = 0;
  int list = kNoList;
};

/// The size of block for `bytes`, at most 2^62. Blocks are multiples of 2^granule_log2, an eighth more
/// than `bytes` at most from 8 granules on; beyond kSmall, multiples of 4 KiB.
constexpr BlockSize block_size(std::uint64_t bytes, int granule_log2) {
  const auto round_up = [](std::uint64_t n, int log2) { return ((n - 1) >> log2) + 1; };
  bytes = std::max<std::uint64_t>(bytes, 1);
  if (bytes > kSmall) {
    const int page_log2 = std::max(granule_log2, 12);
    return {round_up(bytes, page_log2) << page_log2, kNoList};
  }
  const std::uint64_t granules = round_up(bytes, granule_log2);
  const int octave = std::max(static_cast<int>(std::bit_width(granules - 1)) - 4, 0);
  const std::uint64_t steps = round_up(granules, octave);  // 9 to 16 where the octave is not 0
  const auto list = static_cast<int>(steps) - 1 + 8 * octave;
  return {steps << octave << granule_log2, list < kThreadLists ? list : kNoList};
}

}  // namespace tenon::runtime
