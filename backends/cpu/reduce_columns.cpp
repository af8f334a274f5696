// Columns: the innermost dimension is kept, and rows are folded element by element.
#include <algorithm>

#include "reduce.h"
#include "source.h"
#include "team.h"

namespace cpu {

namespace {

/// Rows that are folded in `narrow` before what they come to is folded in `wide`.
constexpr int kNarrow = 64;

/// The inputs at one kept element and those after it, through the reduced ones in logical order.
class Columns {
 public:
  Columns(const Reduction& reduction, const Space& space, std::int64_t first)
      : reduction_(reduction), space_(space) {
    for (std::size_t i = 0; i < reduction.inputs; ++i) {
      const std::size_t k = reduction.results + i;
      offsets_[i] = 0;
      std::int64_t rest = first;
      for (std::size_t d = space.kept; d-- > 0; rest /= space.extents[d]) {
        offsets_[i] += rest % space.extents[d] * space.strides[k][d];
      }
      sizes_[i] = static_cast<std::int64_t>(sdk::size_of(reduction.operand(k).dtype));
    }
    for (std::size_t d = space.kept; d < space.rank; ++d) at_[d] = 0;
  }

  /// n elements of input i, in place if they lie so.
  const std::byte* load(std::size_t i, std::byte* buffer, int n) const {
    const std::size_t k = reduction_.results + i;
    const TenonOperandDesc& desc = reduction_.operand(k);
    const std::int64_t stride = space_.strides[k][space_.kept - 1];
    if (desc.layout == TENON_LAYOUT_INDEX) {
      find_sequence(desc.dtype)(buffer, sdk::meaning::add(space_.given.operands[k].offset, offsets_[i]),
                                stride, n);
      return buffer;
    }
    const std::byte* const from = row(i);
    if (stride == 1 && desc.dtype != TENON_DTYPE_BOOL) return from;
    find_pack(desc.dtype)(buffer, from, stride, n);
    return buffer;
  }

  const std::byte* row(std::size_t i) const {
    return sdk::host_address(space_.given.operands[reduction_.results + i]) + offsets_[i] * sizes_[i];
  }

  /// Goes `rows` rows of the last dimension on, at most to its end.
  void next(std::int64_t rows = 1) {
    for (std::size_t d = space_.rank; d-- > space_.kept; rows = 1) {
      at_[d] += rows;
      const bool carries = at_[d] == space_.extents[d];
      for (std::size_t i = 0; i < reduction_.inputs; ++i) {
        const std::int64_t stride = space_.strides[reduction_.results + i][d];
        offsets_[i] += stride * (carries ? rows - space_.extents[d] : rows);
      }
      if (!carries) return;
      at_[d] = 0;
    }
  }

 private:
  const Reduction& reduction_;
  const Space& space_;
  std::array<std::int64_t, TENON_MAX_RANK> at_;
  std::array<std::int64_t, TENON_MAX_INPUTS> offsets_, sizes_;
};

void fold_into(Step cast, Step fold, std::byte* sums, const std::byte* values, std::byte* spare,
               int n) {
  if (cast != nullptr) {
    cast(spare, &values, n);
    values = spare;
  }
  const std::byte* const in[] = {sums, values};
  fold(sums, in, n);
}

/// Some columns, from the kept element `first` on.
class Strip {
 public:
  Strip(const Reduction& reduction, const Space& space, std::int64_t first, int n)
      : reduction_(reduction),
        space_(space),
        columns_(reduction, space, first),
        first_(first),
        n_(n),
        room_{scratch(reduction.inputs + reduction.prologue_tiles() + 2 + 2 * reduction.results)} {
    const std::size_t k = reduction.results;
    is_plain_ = !reduction.prologue && space.rank == space.kept + 1 &&
                reduction.operators[0].folds.columns != nullptr &&
                reduction.operand(k).layout != TENON_LAYOUT_INDEX &&
                space.strides[k][space.kept - 1] == 1;
    if (!reduction.prologue) return;
    tile_.emplace(*reduction.prologue, space.given.scalars, room_.after(tiles_before_prologue()), n);
  }

  void run() {
    if (is_plain_ && space_.each <= kNarrow && finish_at_once()) return;
    for (std::size_t i = 0; i < reduction_.results; ++i) {
      start(wide(i), reduction_.operators[i].wide, reduction_.operators[i].wide_start);
    }
    for (std::int64_t done = 0; done < space_.each; done += kNarrow) {
      fold_rows(static_cast<int>(std::min<std::int64_t>(kNarrow, space_.each - done)));
      for (std::size_t i = 0; i < reduction_.results; ++i) {
        const Operator& it = reduction_.operators[i];
        fold_into(it.to_wide, it.fold_wide, wide(i), narrow(i), spare(0), n_);
      }
    }
    for (std::size_t i = 0; i < reduction_.results; ++i) finish_result(i);
  }

 private:
  std::byte* spare(std::size_t i) const { return room_.tile(reduction_.inputs + i); }
  std::byte* narrow(std::size_t i) const { return spare(2 + i); }
  std::byte* wide(std::size_t i) const { return narrow(reduction_.results + i); }
  std::size_t tiles_before_prologue() const { return reduction_.inputs + 2 + 2 * reduction_.results; }

  void start(std::byte* at, std::uint8_t dtype, std::uint64_t bits) const {
    find_fill(dtype)(at, bits, n_);
  }

  /// Few rows need not be widened, and go where the result is if that has their dtype.
  bool finish_at_once() {
    const Operator& it = reduction_.operators[0];
    if (!it.is_direct || reduction_.operand(0).layout != TENON_LAYOUT_CONTIGUOUS) return false;
    const auto size = static_cast<std::int64_t>(sdk::size_of(reduction_.operand(0).dtype));
    it.folds.columns(columns_.row(0), space_.strides[1][space_.kept], static_cast<int>(space_.each), n_,
                     sdk::host_address(space_.given.operands[0]) + first_ * size);
    return true;
  }

  /// The next rows, to `narrow`.
  void fold_rows(int rows) {
    if (is_plain_) {
      reduction_.operators[0].folds.columns(columns_.row(0), space_.strides[1][space_.kept], rows, n_,
                                            narrow(0));
      return columns_.next(rows);
    }
    for (std::size_t i = 0; i < reduction_.results; ++i) {
      start(narrow(i), reduction_.operators[i].narrow, reduction_.operators[i].narrow_start);
    }
    for (int row = 0; row < rows; ++row, columns_.next()) fold_row();
  }

  void fold_row() {
    const std::byte* values = nullptr;
    for (std::size_t i = 0; i < reduction_.inputs; ++i) {
      values = columns_.load(i, room_.tile(i), n_);
      if (tile_) tile_->set_input(i, values);
    }
    if (tile_) tile_->run(n_);
    for (std::size_t i = 0; i < reduction_.results; ++i) {
      const Operator& it = reduction_.operators[i];
      fold_into(it.to_narrow, it.fold_narrow, narrow(i), tile_ ? tile_->result(i) : values, spare(0),
                n_);
    }
  }

  void finish_result(std::size_t i) const {
    sdk::Cursor to(reduction_.operand(i), space_.given.operands[i], space_.kept_dims(),
                   space_.strides[i]);
    to.seek(first_);
    to.store(finish(reduction_.operators[i], wide(i), spare(0), spare(1), n_), n_);
  }

  const Reduction& reduction_;
  const Space& space_;
  Columns columns_;
  std::int64_t first_;
  int n_;
  Room room_;
  std::optional<Tile> tile_;
  bool is_plain_ = false;  // one operator over rows without gaps, of one distance
};

}  // namespace

void reduce_columns(const Reduction& reduction, const Space& space) {
  if (space.rows == 0) return;
  const std::int64_t width = space.extents[space.kept - 1], outer = space.rows / width;
  const std::int64_t strips = (width + kTile - 1) / kTile;
  // Narrow strips where there are few, so that both threads have some.
  const bool is_small = space.rows * space.each <= 32768;
  const std::int64_t strip = is_small || strips * outer >= team_size()
                                 ? kTile
                                 : std::max<std::int64_t>(64, (width / team_size() + 63) / 64 * 64);
  const std::int64_t count = (width + strip - 1) / strip;
  parallel(outer * count, std::max<std::int64_t>(1, 32768 / (space.each * strip)),
           [&](std::int64_t begin, std::int64_t end) {
             for (; begin < end; ++begin) {
               const std::int64_t column = begin % count * strip;
               Strip(reduction, space, begin / count * width + column,
                     static_cast<int>(std::min(strip, width - column)))
                   .run();
             }
           });
}

}  // namespace cpu
