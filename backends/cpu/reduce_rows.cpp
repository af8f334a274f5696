// Rows: the reduced elements of one result follow each other.
#include <algorithm>
#include <cstring>

#include "reduce.h"
#include "source.h"
#include "team.h"

namespace cpu {

namespace {

/// Rows that are long are cut, always in the same places.
constexpr std::int64_t kPiece = 1 << 16;

/// What a part of a row has come to.
struct Partial {
  alignas(8) std::byte value[8];  // in `wide`; of a position the best value
  std::int64_t position;          // -1: nothing seen
};
using Partials = std::array<Partial, TENON_MAX_OUTPUTS>;

void combine(const Operator& it, Partial& to, const Partial& later) {
  if (!is_position(it.code)) {
    const std::byte* const in[] = {to.value, later.value};
    it.fold_wide(to.value, in, 1);
  } else if (to.position < 0 ||
             (later.position >= 0 && is_better(it.code, it.wide, later.value, to.value))) {
    to = later;
  }
}

/// Walks the inputs of rows, tile by tile.
class Walk {
 public:
  Walk(const Reduction& reduction, const Space& space, std::int64_t element)
      : reduction_(reduction),
        inputs_(sources()),
        room_{scratch(reduction.inputs + 1 + reduction.prologue_tiles())} {
    for (std::size_t i = 0; i < reduction.inputs; ++i) {
      const std::size_t k = reduction.results + i;
      inputs_[i] = Source(reduction.operand(k), space.given.operands[k], space.dims(), space.strides[k],
                          element);
    }
    if (!reduction.prologue) return;
    tile_.emplace(*reduction.prologue, space.given.scalars, room_.after(reduction.inputs + 1),
                  static_cast<int>(std::min<std::int64_t>(space.each, kTile)));
  }

  /// The next n elements; the first is the row's element `first`.
  void fold(std::int64_t first, std::int64_t n, Partials& found) {
    for (std::size_t i = 0; i < reduction_.results; ++i) {
      std::memcpy(found[i].value, &reduction_.operators[i].wide_start, 8);
      found[i].position = -1;
    }
    for (std::int64_t done = 0; done < n; done += kTile) {
      const int count = static_cast<int>(std::min<std::int64_t>(kTile, n - done));
      const std::byte* values = nullptr;
      for (std::size_t i = 0; i < reduction_.inputs; ++i) {
        values = inputs_[i].next(count, room_.tile(i));
        if (tile_) tile_->set_input(i, values);
      }
      if (tile_) tile_->run(count);
      for (std::size_t i = 0; i < reduction_.results; ++i) {
        fold_tile(reduction_.operators[i], tile_ ? tile_->result(i) : values, count, first + done,
                  found[i]);
      }
    }
  }

 private:
  void fold_tile(const Operator& it, const std::byte* values, int n, std::int64_t first,
                 Partial& found) const {
    Partial later;
    alignas(8) std::byte narrow[8];
    it.fold(values, n, room_.tile(reduction_.inputs), narrow);
    if (is_position(it.code)) {
      if (found.position >= 0 && !is_better(it.code, it.narrow, narrow, found.value)) return;
      found.position = first + it.find(values, n, narrow);
      std::memcpy(found.value, narrow, it.narrow_size());
      return;
    }
    const std::byte* const in[] = {narrow};
    if (it.to_wide != nullptr) {
      it.to_wide(later.value, in, 1);
    } else {
      std::memcpy(later.value, narrow, it.wide_size());
    }
    combine(it, found, later);
  }

  const Reduction& reduction_;
  Source* inputs_;
  Room room_;
  std::optional<Tile> tile_;
};

void finish_row(const Reduction& reduction, const Space& space, std::int64_t row,
                const Partials& found) {
  for (std::size_t i = 0; i < reduction.results; ++i) {
    const Operator& it = reduction.operators[i];
    alignas(8) std::byte first[8], second[8];
    const std::byte* from = found[i].value;
    if (is_position(it.code)) from = reinterpret_cast<const std::byte*>(&found[i].position);
    std::int64_t offset = 0, rest = row;
    for (std::size_t d = space.kept; d-- > 0; rest /= space.extents[d]) {
      offset += rest % space.extents[d] * space.strides[i][d];
    }
    const std::size_t size = sdk::size_of(reduction.operand(i).dtype);
    std::memcpy(sdk::host_address(space.given.operands[i]) + offset * static_cast<std::int64_t>(size),
                finish(it, from, first, second, 1), size);
  }
}

void reduce_long_row(const Reduction& reduction, const Space& space, std::int64_t row) {
  std::vector<Partials> found(static_cast<std::size_t>((space.each + kPiece - 1) / kPiece));
  parallel(static_cast<std::int64_t>(found.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      const std::int64_t first = begin * kPiece, n = std::min(kPiece, space.each - first);
      Walk(reduction, space, row * space.each + first)
          .fold(first, n, found[static_cast<std::size_t>(begin)]);
    }
  });
  for (std::size_t k = 1; k < found.size(); ++k) {
    for (std::size_t i = 0; i < reduction.results; ++i) {
      combine(reduction.operators[i], found[0][i], found[k][i]);
    }
  }
  finish_row(reduction, space, row, found[0]);
}

}  // namespace

void reduce_rows(const Reduction& reduction, const Space& space) {
  if (space.each > kPiece) {
    for (std::int64_t row = 0; row < space.rows; ++row) reduce_long_row(reduction, space, row);
    return;
  }
  const std::int64_t grain = std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(space.each, 1));
  parallel(space.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    Walk walk(reduction, space, begin * space.each);
    Partials found;
    for (; begin < end; ++begin) {
      walk.fold(0, space.each, found);
      finish_row(reduction, space, begin, found);
    }
  });
}

}  // namespace cpu
