// What the two ways to reduce share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fold.h"
#include "kernel.h"
#include "program.h"

namespace cpu {

/// A REDUCE as it was prepared.
struct Reduction {
  explicit Reduction(const TenonOp& op);

  sdk::OpCopy op;
  std::optional<Program> prologue;
  std::vector<Operator> operators;
  std::vector<std::size_t> order;  // dimensions: kept, then reduced
  std::size_t kept = 0, results = 0, inputs = 0;

  const TenonOperandDesc& operand(std::size_t i) const { return op.view().operands()[i]; }
  std::size_t prologue_tiles() const { return prologue ? prologue->tile_count() : 0; }
};

/// The iteration space of one pack, kept dimensions before the reduced ones. What lies beyond the rank
/// or the operands is not set.
struct Space {
  Space(const Reduction& reduction, const TenonPack& pack);

  sdk::Dims dims() const { return {extents.data(), rank}; }
  sdk::Dims kept_dims() const { return {extents.data(), kept}; }

  const TenonPack& given;
  std::size_t kept, rank;
  std::int64_t rows = 1, each = 1;  // elements kept, and reduced for each
  std::array<std::int64_t, TENON_MAX_RANK> extents;
  std::array<sdk::Strides, sdk::kMaxOperands> strides;
};

/// Rounds n values in `wide` (of a position: i64) to the result's dtype; gives where they are, perhaps
/// in one of the two buffers.
const std::byte* finish(const Operator& it, const std::byte* wide, std::byte* first, std::byte* second,
                        int n);

/// Each row of reduced elements by itself.
void reduce_rows(const Reduction& reduction, const Space& space);
/// Rows element by element, of a kept innermost dimension; no positions.
void reduce_columns(const Reduction& reduction, const Space& space);

}  // namespace cpu
