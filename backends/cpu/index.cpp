// GATHER and SCATTER whose indices choose whole rows: rows are copied, or added, as they lie in memory.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "kernel.h"
#include "steps.h"
#include "team.h"

namespace cpu {

namespace {

/// The first index out of range that a part met.
struct Bad {
  std::int64_t position = -1, value = 0;
  std::uint32_t operand = 0;
};

/// Rows along the last dimension: as long as the strides of a pack let them be.
class Rows final : public Kernel {
 public:
  explicit Rows(const TenonOp& op, Step combine)
      : op_(op), scatters_(op_.view().kind() == TENON_KIND_SCATTER), combine_(combine) {
    for (const TenonOperandDesc& desc : op_.view().operands().subspan(2)) {
      readers_.emplace_back(desc);
    }
    size_ = static_cast<std::int64_t>(sdk::size_of(op_.view().operands()[0].dtype));
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    TenonFault first{};
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const Bad bad = run(launch.packs[i]);
      if (bad.position < 0 || first.code != TENON_OK) continue;
      first = {.struct_size = sizeof first,
               .code = TENON_INDEX,
               .corr = launch.corr,
               .value = bad.value,
               .position = bad.position,
               .pack = i,
               .operand = bad.operand};
    }
    if (first.code == TENON_OK) return TENON_OK;
    sdk::host().fault(sdk::host().ctx, &first);
    return sdk::host().fail(sdk::host().ctx, first.code, "an index is out of range");
  }

 private:
  /// The iteration space of one pack: rows of `width` elements.
  struct Space {
    const TenonPack* given;
    sdk::Dims outer;
    std::int64_t rows = 1, width = 1;
    std::array<sdk::Strides, sdk::kMaxOperands> strides{};
  };

  Space space_of(const TenonPack& given) const {
    const sdk::PackView pack(op_.view(), given);
    Space space{.given = &given, .outer = pack.dims()};
    for (std::size_t i = 0; i < op_.view().operands().size(); ++i) space.strides[i] = pack.strides(i);
    if (!space.outer.empty() && are_rows(space, space.outer.size() - 1)) {
      space.width = space.outer.back();
      space.outer = space.outer.first(space.outer.size() - 1);
    }
    space.rows = sdk::element_count(space.outer);
    return space;
  }

  bool are_rows(const Space& space, std::size_t d) const {
    bool fit = space.strides[0][d] == 1 && space.strides[1][d] == 1;
    for (std::size_t i = 2; i < op_.view().operands().size(); ++i)
      fit = fit && space.strides[i][d] == 0;
    return fit;
  }

  /// Rows are shared out where each is written once; columns, where rows may meet, so that additions
  /// keep their order.
  Bad run(const TenonPack& given) const {
    const Space space = space_of(given);
    if (space.rows == 0 || space.width == 0) return {};
    std::array<Bad, 256> found;
    const auto keep = [&](std::int64_t begin, std::int64_t grain, const Bad& bad) {
      found[static_cast<std::size_t>(begin / grain)] = bad;
    };
    if (!scatters_) {
      const std::int64_t grain =
          std::max<std::int64_t>((space.rows + 255) / 256, 1 + 8192 / space.width);
      parallel(space.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        keep(begin, grain, walk(space, begin, end, 0, space.width));
      });
    } else {
      const std::int64_t grain =
          std::max<std::int64_t>((space.width + 255) / 256, 1 + (1 << 15) / space.rows);
      parallel(space.width, grain, [&](std::int64_t begin, std::int64_t end) {
        keep(begin, grain, walk(space, 0, space.rows, begin, end));
      });
    }
    Bad first;
    for (const Bad& bad : found) {
      if (bad.position >= 0 && (first.position < 0 || bad.position < first.position)) first = bad;
    }
    return first;
  }

  /// Rows begin .. end, their columns from .. to.
  Bad walk(const Space& space, std::int64_t begin, std::int64_t end, std::int64_t from,
           std::int64_t to) const {
    const std::size_t count = op_.view().operands().size(), rank = space.outer.size();
    std::array<std::int64_t, TENON_MAX_RANK> at{};
    std::array<std::int64_t, sdk::kMaxOperands> offsets{};
    std::int64_t rest = begin;
    for (std::size_t d = rank; d-- > 0; rest /= space.outer[d]) {
      at[d] = rest % space.outer[d];
      for (std::size_t i = 0; i < count; ++i) offsets[i] += at[d] * space.strides[i][d];
    }
    Bad first;
    for (std::int64_t row = begin; row < end; ++row) {
      run_row(space, offsets, row, from, to, first);
      for (std::size_t d = rank; d-- > 0;) {
        const bool carries = ++at[d] == space.outer[d];
        for (std::size_t i = 0; i < count; ++i) {
          const std::int64_t stride = space.strides[i][d];
          offsets[i] += carries ? stride * (1 - space.outer[d]) : stride;
        }
        if (!carries) break;
        at[d] = 0;
      }
    }
    return first;
  }

  void run_row(const Space& space, const std::array<std::int64_t, sdk::kMaxOperands>& offsets,
               std::int64_t row, std::int64_t from, std::int64_t to, Bad& first) const {
    std::int64_t moved = 0;
    bool inside = true;
    for (std::size_t i = 2; i < op_.view().operands().size(); ++i) {
      const auto [extent, stride] = sdk::index_axis(*space.given, op_.view().rank(), i);
      const std::int64_t value = readers_[i - 2](space.given->operands[i], offsets[i]);
      if (value >= 0 && value < extent) {
        moved += value * stride;
        continue;
      }
      inside = false;
      if (first.position < 0) first = {row * space.width, value, static_cast<std::uint32_t>(i)};
    }
    std::byte* const dst = sdk::host_address(space.given->operands[0]) +
                           (offsets[0] + (scatters_ ? moved : 0) + from) * size_;
    const std::byte* const src = sdk::host_address(space.given->operands[1]) +
                                 (offsets[1] + (scatters_ ? 0 : moved) + from) * size_;
    const auto bytes = static_cast<std::size_t>((to - from) * size_);
    if (!inside) {
      if (!scatters_) std::memset(dst, 0, bytes);
    } else if (combine_ == nullptr) {
      copy(dst, src, bytes);
    } else {
      const std::byte* const in[] = {dst, src};
      combine_(dst, in, static_cast<int>(to - from));
    }
  }

  static void copy(std::byte* dst, const std::byte* src, std::size_t bytes) {
    switch (bytes) {
      case 4:
        std::memcpy(dst, src, 4);
        return;
      case 8:
        std::memcpy(dst, src, 8);
        return;
      default:
        std::memcpy(dst, src, bytes);
    }
  }

  sdk::OpCopy op_;
  bool scatters_;
  Step combine_;  // nullptr: the row is copied
  std::vector<sdk::IndexReader> readers_;
  std::int64_t size_ = 0;
};

/// A bool is any byte that is not 0, which a copy would keep.
bool is_bool(const TenonOp& op) {
  return sdk::OpView(op).operands()[0].dtype == TENON_DTYPE_BOOL;
}

}  // namespace

std::unique_ptr<Kernel> make_gather(const TenonOp& op) {
  if (is_bool(op)) return nullptr;
  return std::make_unique<Rows>(op, nullptr);
}

std::unique_ptr<Kernel> make_scatter(const TenonOp& op) {
  const std::uint8_t dtype = sdk::OpView(op).operands()[0].dtype;
  const std::uint32_t how = sdk::OpView(op).attrs<TenonIndexAttrs>().how;
  // Sums of 16-bit floats are rounded once, which the plain kernel sees to.
  if (is_bool(op) || (how == TENON_SCATTER_ADD && sdk::size_of(dtype) == 2)) return nullptr;
  switch (how) {
    case TENON_SCATTER_ASSIGN:
      return std::make_unique<Rows>(op, nullptr);
    case TENON_SCATTER_ADD:
      return std::make_unique<Rows>(op, find_step(TENON_OP_ADD, dtype, dtype));
    case TENON_SCATTER_MAX:
      return std::make_unique<Rows>(op, find_step(TENON_OP_MAX, dtype, dtype));
    case TENON_SCATTER_MIN:
      return std::make_unique<Rows>(op, find_step(TENON_OP_MIN, dtype, dtype));
    default:
      return nullptr;
  }
}

}  // namespace cpu
