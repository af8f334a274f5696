// One entry for each dimension of each op: its key leaves that dimension out.
#include "core/runtime/varying.h"

#include <cstring>

namespace tenon::runtime {
namespace {

constexpr std::size_t kMostPatterns = 4096;

std::vector<std::int64_t> values_of(const OpDesc& op) {
  std::vector<std::int64_t> values;
  for (const OperandDesc& operand : op.operands) {
    values.insert(values.end(), operand.shape.begin(), operand.shape.end());
    values.insert(values.end(), operand.strides.begin(), operand.strides.end());
  }
  return values;
}

/// The op's operands with these extents and strides.
std::vector<OperandDesc> with_values(const OpDesc& op, const std::vector<std::int64_t>& values) {
  std::vector<OperandDesc> operands(op.operands.begin(), op.operands.end());
  auto from = values.begin();
  for (OperandDesc& operand : operands) {
    for (std::int64_t& extent : operand.shape) extent = *from++;
    for (std::int64_t& stride : operand.strides) stride = *from++;
  }
  return operands;
}

/// What a product iterates over: the extents of dst, then K.
std::vector<std::int64_t> dimensions(const OpDesc& matmul) {
  const Shape& dst = matmul.operands[0].shape;
  std::vector<std::int64_t> list(dst.begin(), dst.end());
  list.push_back(matmul.operands[1].shape.back());
  return list;
}

/// The description's bytes without any extent, stride or alignment.
std::string skeleton(const OpDesc& op) {
  std::vector<OperandDesc> operands(op.operands.begin(), op.operands.end());
  for (OperandDesc& operand : operands) {
    operand.flags = 0;
    operand.shape = Dims::filled(operand.shape.size(), 0);
    operand.strides = operand.shape;
  }
  OpDesc bare = op;
  bare.operands = operands;
  return op_block(bare);
}

/// For each dimension the key of all ops that are like this one in the others.
std::vector<std::string> keys_of(const OpDesc& matmul) {
  const std::string head = skeleton(matmul);
  std::vector<std::string> keys;
  const std::vector<std::int64_t> all = dimensions(matmul);
  for (std::size_t left_out = 0; left_out < all.size(); ++left_out) {
    std::vector<std::int64_t> others = all;
    others[left_out] = -1;
    keys.push_back(head);
    keys.back().append(reinterpret_cast<const char*>(others.data()), others.size() * sizeof others[0]);
  }
  return keys;
}

/// What differs from `pattern` becomes DYNAMIC in it; whether anything is.
bool merge(std::vector<std::int64_t>& pattern, const std::vector<std::int64_t>& values) {
  bool varies = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != values[i]) pattern[i] = TENON_DYNAMIC;
    varies |= pattern[i] == TENON_DYNAMIC;
  }
  return varies;
}

}  // namespace

std::vector<std::int64_t> VaryingShapes::match(const OpDesc& matmul,
                                               const std::vector<std::int64_t>& values,
                                               std::vector<std::string>& keys) {
  keys = keys_of(matmul);
  const std::lock_guard lock(mutex_);
  if (patterns_.size() > kMostPatterns) patterns_.clear();
  std::vector<std::int64_t> matched;
  for (const std::string& key : keys) {
    Pattern& pattern = patterns_.try_emplace(key, Pattern{values, false}).first->second;
    if (merge(pattern.values, values) && !pattern.refused && matched.empty()) matched = pattern.values;
  }
  return matched;
}

void VaryingShapes::mark_refused(const std::vector<std::string>& keys) {
  const std::lock_guard lock(mutex_);
  for (const std::string& key : keys) patterns_[key].refused = true;
}

VaryingShapes::Found VaryingShapes::find(const OpDesc& matmul) {
  if (auto kernel = kernels_.find_known(matmul)) return {std::move(kernel), {}};
  const std::vector<std::int64_t> values = values_of(matmul);
  std::vector<std::string> keys;
  if (const std::vector<std::int64_t> pattern = match(matmul, values, keys); !pattern.empty()) {
    const std::vector<OperandDesc> operands = with_values(matmul, pattern);
    OpDesc dynamic = matmul;
    dynamic.operands = operands;
    if (auto kernel = kernels_.find(dynamic)) {
      Found found{std::move(kernel), {}};
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (pattern[i] == TENON_DYNAMIC) found.dims.push_back(values[i]);
      }
      return found;
    }
    mark_refused(keys);
  }
  return {kernels_.find(matmul), {}};
}

}  // namespace tenon::runtime
