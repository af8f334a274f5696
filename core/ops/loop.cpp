// Dropping, merging, classifying.
#include "core/ops/loop.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include <tenon/plugin.h>

#include "core/base/fail.h"

namespace tenon::ops {
namespace {

void drop_dimension(Loop& loop, std::vector<int>& groups, int d) {
  loop.shape.erase(d);
  groups.erase(groups.begin() + d);
  for (LoopOperand& operand : loop.operands) operand.strides.erase(d);
}

bool mergeable(const Loop& loop, const std::vector<int>& groups, int d) {
  const auto inner = static_cast<std::size_t>(d) + 1;
  return groups[inner - 1] == groups[inner] &&
         std::all_of(loop.operands.begin(), loop.operands.end(), [&](const LoopOperand& operand) {
           return operand.strides[d] == operand.strides[d + 1] * loop.shape[d + 1];
         });
}

void merge(Loop& loop, std::vector<int>& groups, int d) {
  loop.shape[d + 1] *= loop.shape[d];
  drop_dimension(loop, groups, d);
}

/// The shortest dimension of group 0, -1 where there is none.
int shortest(const Loop& loop, const std::vector<int>& groups) {
  int found = -1;
  for (int d = 0; d < loop.shape.size(); ++d) {
    if (groups[static_cast<std::size_t>(d)] != 0) continue;
    if (found < 0 || loop.shape[d] < loop.shape[found]) found = d;
  }
  return found;
}

}  // namespace

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target) {
  Strides result = Dims::filled(target.size(), 0);
  const int lead = target.size() - shape.size();
  for (int d = 0; d < shape.size(); ++d) {
    result[lead + d] = shape[d] == 1 && target[lead + d] != 1 ? 0 : strides[d];
  }
  return result;
}

std::uint8_t layout_of(const Shape& shape, const Strides& strides) {
  std::int64_t expected = 1;
  bool contiguous = true, scalar = true;
  for (int d = shape.size() - 1; d >= 0; --d) {
    if (shape[d] != 1) {
      contiguous &= strides[d] == expected;
      scalar &= strides[d] == 0;
    }
    expected *= shape[d];
  }
  if (contiguous) return TENON_LAYOUT_CONTIGUOUS;  // with one element too
  return scalar ? TENON_LAYOUT_SCALAR : TENON_LAYOUT_STRIDED;
}

std::int64_t reach(const Shape& shape, const Strides& strides) {
  std::int64_t sum = 0;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] > 0) sum += (shape[d] - 1) * std::abs(strides[d]);
  }
  return sum;
}

void simplify(Loop& loop, std::vector<int>& groups) {
  groups.resize(static_cast<std::size_t>(loop.shape.size()), 0);
  for (int d = loop.shape.size() - 1; d >= 0; --d) {
    if (loop.shape[d] == 1) drop_dimension(loop, groups, d);
  }
  for (int d = loop.shape.size() - 2; d >= 0; --d) {
    if (mergeable(loop, groups, d)) merge(loop, groups, d);
  }
  if (loop.shape.empty()) {
    loop.shape.push_back(1);
    groups.push_back(1);
    for (LoopOperand& operand : loop.operands) operand.strides.push_back(1);
  }
  std::int64_t farthest = 0;
  for (LoopOperand& operand : loop.operands) {
    operand.layout = operand.is_index ? static_cast<std::uint8_t>(TENON_LAYOUT_INDEX)
                                      : layout_of(loop.shape, operand.strides);
    if (!operand.is_index) farthest = std::max(farthest, reach(loop.shape, operand.strides));
  }
  loop.index_width = farthest <= std::numeric_limits<std::int32_t>::max() ? 32 : 64;
}

std::vector<std::vector<std::int64_t>> peel(Loop& loop, std::vector<int>& groups, int most) {
  std::vector<std::vector<std::int64_t>> starts;
  while (loop.shape.size() > most) {
    const int d = shortest(loop, groups);
    if (d < 0) break;  // the kernel's refusal names the limit
    if (starts.empty()) starts.emplace_back(loop.operands.size());
    std::vector<std::vector<std::int64_t>> finer;
    for (const auto& start : starts) {
      for (std::int64_t i = 0; i < loop.shape[d]; ++i) {
        auto& moved = finer.emplace_back(start);
        for (std::size_t k = 0; k < moved.size(); ++k) moved[k] += i * loop.operands[k].strides[d];
      }
    }
    starts = std::move(finer);
    drop_dimension(loop, groups, d);
  }
  if (!starts.empty()) simplify(loop, groups);
  return starts;
}

}  // namespace tenon::ops
