// REDUCE: tiles of values, folded by the loops that elementwise work has. Where the innermost dimension
// is reduced, a tile is folded in halves to one value; where it is kept, tiles are folded element by
// element. The order of additions depends on the shape alone, never on the threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "fold.h"
#include "kernel.h"
#include "program.h"
#include "team.h"

namespace cpu {

namespace {

/// Values that are added in acc_dtype before what they come to is added in `wide`.
constexpr int kNarrow = 64;

/// The iteration space, kept dimensions before the reduced ones.
struct Space {
  std::array<std::int64_t, TENON_MAX_RANK> extents{};
  std::size_t kept = 0, rank = 0;
  std::array<sdk::Strides, sdk::kMaxOperands> strides{};  // of the inputs in this order
  std::int64_t rows = 1, each = 1;                        // elements kept, and reduced for each
};

/// What a part of a row has come to.
struct Partial {
  alignas(8) std::byte value[8];  // in `wide`; of a position the best value
  std::int64_t position = -1;     // -1: nothing seen
};

class Reduce final : public Kernel {
 public:
  explicit Reduce(const TenonOp& op) : op_(op), prologue_(prologue_of(op_.view())) {
    const sdk::OpView view = op_.view();
    const auto attrs = view.attrs<TenonReduceAttrs>();
    results_ = view.output_count();
    inputs_ = view.operands().size() - results_;
    for (std::size_t i = 0; i < results_; ++i) {
      const std::uint8_t value =
          prologue_ ? prologue_->output_dtype(i) : view.operands()[results_].dtype;
      operators_.push_back(
          make_operator(attrs.operators[i], value, view.acc_dtype(), view.operands()[i].dtype));
      has_positions_ = has_positions_ || is_position(attrs.operators[i]);
    }
    for (const bool reduced : {false, true}) {
      for (std::size_t d = 0; d < view.rank(); ++d) {
        if ((attrs.axes >> d & 1) == reduced) order_.push_back(d);
      }
      if (!reduced) kept_ = order_.size();
    }
    last_is_kept_ = view.rank() > 0 && (attrs.axes >> (view.rank() - 1) & 1) == 0;
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    for (std::uint32_t i = 0; i < launch.count; ++i) run(launch.packs[i]);
    return TENON_OK;
  }

 private:
  static std::optional<Program> prologue_of(const sdk::OpView& op) {
    const TenonAttachment* attachment = op.attachment(TENON_SLOT_PROLOGUE);
    if (attachment == nullptr) return {};
    return Program(op.program(*attachment));
  }

  Space space_of(const sdk::PackView& pack) const {
    Space space;
    space.kept = kept_;
    space.rank = order_.size();
    for (std::size_t d = 0; d < order_.size(); ++d) {
      space.extents[d] = pack.dims()[order_[d]];
      (d < kept_ ? space.rows : space.each) *= space.extents[d];
    }
    for (std::size_t i = 0; i < results_ + inputs_; ++i) {
      const bool is_result = i < results_;
      const bool contiguous = op_.view().operands()[i].layout == TENON_LAYOUT_CONTIGUOUS;
      if (is_result && contiguous) {
        space.strides[i] = sdk::row_major(sdk::Dims(space.extents.data(), kept_));
        continue;
      }
      const sdk::Strides own = pack.strides(i);
      for (std::size_t d = 0; d < order_.size(); ++d) space.strides[i][d] = own[order_[d]];
    }
    return space;
  }

  void run(const TenonPack& given) const {
    const sdk::PackView pack(op_.view(), given);
    const Space space = space_of(pack);
    const bool wide_enough = kept_ > 0 && space.extents[kept_ - 1] >= 8;
    if (last_is_kept_ && wide_enough && !has_positions_ && space.each > 0) {
      return run_columns(given, space);
    }
    run_rows(given, space);
  }

  // --- Rows: the reduced elements follow each other ---

  /// Rows that are long are cut, always in the same places.
  static constexpr std::int64_t kPiece = 1 << 16;

  void run_rows(const TenonPack& given, const Space& space) const {
    const std::int64_t pieces = std::max<std::int64_t>(1, (space.each + kPiece - 1) / kPiece);
    const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(space.each, 1));
    if (pieces == 1) {
      return parallel(space.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        RowWalk walk(*this, given, space, begin * space.each);
        for (; begin < end; ++begin) finish_row(given, space, begin, walk.fold(0, space.each).data());
      });
    }
    for (std::int64_t row = 0; row < space.rows; ++row) run_long_row(given, space, row, pieces);
  }

  using Partials = std::array<Partial, TENON_MAX_OUTPUTS>;

  void run_long_row(const TenonPack& given, const Space& space, std::int64_t row,
                    std::int64_t pieces) const {
    std::vector<Partials> found(static_cast<std::size_t>(pieces));
    parallel(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin) {
        const std::int64_t first = begin * kPiece, n = std::min(kPiece, space.each - first);
        RowWalk walk(*this, given, space, row * space.each + first);
        found[static_cast<std::size_t>(begin)] = walk.fold(first, n);
      }
    });
    for (std::size_t k = 1; k < found.size(); ++k) {
      for (std::size_t i = 0; i < results_; ++i) combine(operators_[i], found[0][i], found[k][i]);
    }
    finish_row(given, space, row, found[0].data());
  }

  static void combine(const Operator& it, Partial& to, const Partial& later) {
    if (is_position(it.code)) {
      if (to.position < 0 ||
          (later.position >= 0 && is_better(it.code, it.wide, later.value, to.value))) {
        to = later;
      }
      return;
    }
    const std::byte* const in[] = {to.value, later.value};
    it.fold_wide(to.value, in, 1);
  }

  /// Walks the inputs of rows, tile by tile.
  class RowWalk {
   public:
    RowWalk(const Reduce& owner, const TenonPack& given, const Space& space, std::int64_t element)
        : owner_(owner) {
      const auto operands = owner.op_.view().operands();
      const std::size_t tiles = owner.prologue_ ? owner.prologue_->tile_count() : 0;
      room_ = scratch(owner.inputs_ + tiles + 1);
      const sdk::Dims dims(space.extents.data(), space.rank);
      for (std::size_t i = 0; i < owner.inputs_; ++i) {
        const std::size_t k = owner.results_ + i;
        cursors_[i] = sdk::Cursor(operands[k], given.operands[k], dims, space.strides[k]);
        cursors_[i].seek(element);
      }
      if (owner.prologue_) {
        tile_.emplace(*owner.prologue_, given.scalars, room_ + (owner.inputs_ + 1) * kTileBytes,
                      static_cast<int>(std::min<std::int64_t>(space.each, kTile)));
        for (std::size_t i = 0; i < owner.inputs_; ++i) tile_->set_input(i, input(i));
      }
    }

    /// The next n elements; the first is the row's element `first`.
    Partials fold(std::int64_t first, std::int64_t n) {
      Partials found;
      for (std::size_t i = 0; i < owner_.results_; ++i) {
        std::memcpy(found[i].value, &owner_.operators_[i].wide_start, 8);
      }
      for (std::int64_t done = 0; done < n; done += kTile) {
        const int count = static_cast<int>(std::min<std::int64_t>(kTile, n - done));
        for (std::size_t i = 0; i < owner_.inputs_; ++i) cursors_[i].load(input(i), count);
        if (tile_) tile_->run(count);
        for (std::size_t i = 0; i < owner_.results_; ++i) {
          fold_one(owner_.operators_[i], tile_ ? tile_->result(i) : input(0), count, first + done,
                   found[i]);
        }
      }
      return found;
    }

   private:
    std::byte* input(std::size_t i) { return room_ + i * kTileBytes; }

    void fold_one(const Operator& it, const std::byte* values, int n, std::int64_t first,
                  Partial& found) {
      std::byte* const work = input(owner_.inputs_);  // the tile behind them
      const std::byte* const in[] = {values};
      if (it.to_narrow != nullptr) {
        it.to_narrow(work, in, n);
      } else {
        std::memcpy(work, values, static_cast<std::size_t>(n) * it.narrow_size());
      }
      fold_tile(it.fold_narrow, work, it.narrow_size(), n);
      if (is_position(it.code)) {
        if (found.position >= 0 && !is_better(it.code, it.narrow, work, found.value)) return;
        found.position = first + find_first(it.value, values, n, work);
        std::memcpy(found.value, work, it.narrow_size());
        return;
      }
      Partial later{};
      const std::byte* const narrow[] = {work};
      if (it.to_wide != nullptr) {
        it.to_wide(later.value, narrow, 1);
      } else {
        std::memcpy(later.value, work, it.wide_size());
      }
      combine(it, found, later);
    }

    const Reduce& owner_;
    std::byte* room_;
    std::array<sdk::Cursor, TENON_MAX_INPUTS> cursors_;
    std::optional<Tile> tile_;
  };

  /// Rounds a tile in `wide` to the result's dtype; gives where it is.
  static const std::byte* finish(const Operator& it, const std::byte* wide, std::byte* first,
                                 std::byte* second, int n) {
    const std::byte* at = wide;
    if (it.round != nullptr) {
      it.round(first, &at, n);
      at = first;
    }
    if (it.finish != nullptr) {
      it.finish(second, &at, n);
      at = second;
    }
    return at;
  }

  void finish_row(const TenonPack& given, const Space& space, std::int64_t row,
                  const Partial* found) const {
    for (std::size_t i = 0; i < results_; ++i) {
      const Operator& it = operators_[i];
      alignas(8) std::byte first[8], second[8];
      const std::byte* from = found[i].value;
      if (is_position(it.code)) from = reinterpret_cast<const std::byte*>(&found[i].position);
      sdk::Cursor to(op_.view().operands()[i], given.operands[i], {space.extents.data(), kept_},
                     space.strides[i]);
      to.seek(row);
      to.store(finish(it, from, first, second, 1), 1);
    }
  }

  // --- Columns: neighbours are kept ---

  void run_columns(const TenonPack& given, const Space& space) const {
    const std::int64_t width = space.extents[kept_ - 1],
                       outer = space.rows / std::max<std::int64_t>(width, 1);
    if (space.rows == 0) return;
    const std::int64_t strips = (width + kTile - 1) / kTile;
    // Narrow strips where there are few, so that both threads have some.
    const std::int64_t strip = strips * outer >= team_size()
                                   ? kTile
                                   : std::max<std::int64_t>(64, (width / team_size() + 63) / 64 * 64);
    const std::int64_t count = (width + strip - 1) / strip;
    parallel(outer * count, std::max<std::int64_t>(1, 16384 / (space.each * strip)),
             [&](std::int64_t begin, std::int64_t end) {
               for (; begin < end; ++begin) {
                 const std::int64_t column = begin % count * strip;
                 run_strip(given, space, begin / count * width + column,
                           static_cast<int>(std::min(strip, width - column)));
               }
             });
  }

  /// Columns from the kept element `first` on.
  void run_strip(const TenonPack& given, const Space& space, std::int64_t first, int n) const {
    const std::size_t tiles = prologue_ ? prologue_->tile_count() : 0;
    std::byte* const room = scratch(inputs_ + tiles + 2 + 2 * results_);
    const auto at = [&](std::size_t i) { return room + i * kTileBytes; };
    const auto narrow = [&](std::size_t i) { return at(inputs_ + 2 + i); };
    const auto wide = [&](std::size_t i) { return at(inputs_ + 2 + results_ + i); };
    std::optional<Tile> tile;
    if (prologue_) tile.emplace(*prologue_, given.scalars, at(inputs_ + 2 + 2 * results_), n);
    for (std::size_t i = 0; i < results_; ++i) {
      sdk::spread(wide(i), operators_[i].wide, operators_[i].wide_start, n);
    }
    Columns columns(*this, given, space, first);
    for (std::int64_t done = 0; done < space.each; done += kNarrow) {
      const std::int64_t rows = std::min<std::int64_t>(kNarrow, space.each - done);
      for (std::size_t i = 0; i < results_; ++i) {
        sdk::spread(narrow(i), operators_[i].narrow, operators_[i].narrow_start, n);
      }
      for (std::int64_t row = 0; row < rows; ++row, columns.next()) {
        for (std::size_t i = 0; i < inputs_; ++i) {
          const std::byte* values = columns.load(i, at(i), n);
          if (tile) {
            tile->set_input(i, values);
          } else {
            fold_into(operators_[0], narrow(0), values, at(inputs_), n);
          }
        }
        if (!tile) continue;
        tile->run(n);
        for (std::size_t i = 0; i < results_; ++i) {
          fold_into(operators_[i], narrow(i), tile->result(i), at(inputs_), n);
        }
      }
      for (std::size_t i = 0; i < results_; ++i)
        widen_into(operators_[i], wide(i), narrow(i), at(inputs_), n);
    }
    for (std::size_t i = 0; i < results_; ++i) {
      sdk::Cursor to(op_.view().operands()[i], given.operands[i], {space.extents.data(), kept_},
                     space.strides[i]);
      to.seek(first);
      to.store(finish(operators_[i], wide(i), at(inputs_), at(inputs_ + 1), n), n);
    }
  }

  static void fold_into(const Operator& it, std::byte* sums, const std::byte* values, std::byte* spare,
                        int n) {
    if (it.to_narrow != nullptr) {
      it.to_narrow(spare, &values, n);
      values = spare;
    }
    const std::byte* const in[] = {sums, values};
    it.fold_narrow(sums, in, n);
  }

  static void widen_into(const Operator& it, std::byte* sums, const std::byte* values, std::byte* spare,
                         int n) {
    if (it.to_wide != nullptr) {
      it.to_wide(spare, &values, n);
      values = spare;
    }
    const std::byte* const in[] = {sums, values};
    it.fold_wide(sums, in, n);
  }

  /// The inputs at one kept element, through the reduced ones in logical order.
  class Columns {
   public:
    Columns(const Reduce& owner, const TenonPack& given, const Space& space, std::int64_t first)
        : owner_(owner), given_(given), space_(space) {
      for (std::size_t i = 0; i < owner.inputs_; ++i) {
        const sdk::Strides& strides = space.strides[owner.results_ + i];
        std::int64_t rest = first;
        for (std::size_t d = space.kept; d-- > 0; rest /= space.extents[d]) {
          offsets_[i] += rest % space.extents[d] * strides[d];
        }
      }
    }

    const std::byte* load(std::size_t i, std::byte* buffer, int n) const {
      const std::size_t k = owner_.results_ + i;
      const TenonOperandDesc& desc = owner_.op_.view().operands()[k];
      const std::int64_t stride = space_.strides[k][space_.kept - 1];
      TenonOperand moved = given_.operands[k];
      const bool index = desc.layout == TENON_LAYOUT_INDEX;
      moved.offset += offsets_[i] * (index ? 1 : static_cast<std::int64_t>(sdk::size_of(desc.dtype)));
      if (!index && stride == 1) return sdk::host_address(moved);
      const std::int64_t count = n;
      sdk::Cursor(desc, moved, sdk::Dims(&count, 1), sdk::Strides{stride}).load(buffer, n);
      return buffer;
    }

    void next() {
      for (std::size_t d = space_.rank; d-- > space_.kept;) {
        const bool carries = ++at_[d] == space_.extents[d];
        for (std::size_t i = 0; i < owner_.inputs_; ++i) {
          const std::int64_t stride = space_.strides[owner_.results_ + i][d];
          offsets_[i] += carries ? stride * (1 - space_.extents[d]) : stride;
        }
        if (!carries) return;
        at_[d] = 0;
      }
    }

   private:
    const Reduce& owner_;
    const TenonPack& given_;
    const Space& space_;
    std::array<std::int64_t, TENON_MAX_RANK> at_{};
    std::array<std::int64_t, TENON_MAX_INPUTS> offsets_{};
  };

  sdk::OpCopy op_;
  std::optional<Program> prologue_;
  std::vector<Operator> operators_;
  std::vector<std::size_t> order_;  // dimensions: kept, then reduced
  std::size_t kept_ = 0, results_ = 0, inputs_ = 0;
  bool has_positions_ = false, last_is_kept_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce(const TenonOp& op) {
  return std::make_unique<Reduce>(op);
}

}  // namespace cpu
