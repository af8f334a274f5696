// The loop that a program or a reduction runs over, in the form that plugins get: dimensions of
// extent 1 dropped, neighbours merged where all operands allow it, each operand's layout classified.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tenon/shape.h>

namespace tenon::ops {

/// Strides (in elements) of one operand over the loop, 0 where it is stretched. An INDEX operand has
/// no memory: its value is offset + Σ coordinate · stride.
struct LoopOperand {
  Strides strides;
  bool is_index = false;
  std::uint8_t layout = 0;  // TENON_LAYOUT_...: set by simplify
};

struct Loop {
  Shape shape;
  std::vector<LoopOperand> operands;
  std::uint8_t index_width = 32;
};

/// `groups` gives dimensions that must stay apart (a reduced one from a kept one): neighbours merge
/// only where their groups are equal; empty: all may merge. It is shortened along with the shape.
void simplify(Loop& loop, std::vector<int>& groups);

/// Takes dimensions of group 0, the shortest first, out of a simplified loop of more than `most`
/// dimensions, to be walked on the host. Gives, for each of their coordinates, what to add to each
/// operand's offset (in elements); nothing where the loop stays as it is.
std::vector<std::vector<std::int64_t>> peel(Loop& loop, std::vector<int>& groups, int most);

/// Strides of a tensor over `target`, to which its shape broadcasts.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target);

/// The layout class of strides over a shape that is simplified.
std::uint8_t layout_of(const Shape& shape, const Strides& strides);

/// The farthest element from the first that strides reach, in either direction.
std::int64_t reach(const Shape& shape, const Strides& strides);

}  // namespace tenon::ops
