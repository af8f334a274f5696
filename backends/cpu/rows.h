// What the optional kinds share: operands over rows, and rows shared out to the team.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <tenon/sdk.h>

#include "team.h"

namespace cpu {

namespace sdk = tenon::sdk;

/// A pack: where each operand starts (nullptr: it is absent).
struct RowTask {
  RowTask(const sdk::OpView& op, const TenonPack& pack) : rows(pack.dims[0]), columns(pack.dims[1]) {
    for (std::size_t i = 0; i < op.operands().size(); ++i) {
      if (op.operands()[i].layout != TENON_LAYOUT_ABSENT) at[i] = sdk::host_address(pack.operands[i]);
    }
  }

  /// Element `index` of operand i.
  template <class T>
  T* of(std::size_t i, std::int64_t index = 0) const {
    return at[i] == nullptr ? nullptr : reinterpret_cast<T*>(at[i]) + index;
  }
  template <class T>
  T* row(std::size_t i, std::int64_t index) const {
    return of<T>(i, index * columns);
  }

  std::array<std::byte*, 8> at{};
  std::int64_t rows, columns;
};

/// Rows begin .. end of a task, in the way that the kind's attributes say.
using RowStep = void (*)(const RowTask& task, std::uint32_t how, std::int64_t begin, std::int64_t end);

/// How many elements each sum over rows has room for: whole vectors of any instruction set.
inline std::int64_t sum_width(std::int64_t columns) {
  return (columns + 15) / 16 * 16;
}

/// NORM for one dtype; its gradients of weight and bias by blocks of rows.
struct NormSteps {
  void (*forward)(const RowTask& task, bool centered, double eps, std::int64_t begin, std::int64_t end);
  /// `sums` (or nullptr) takes what the rows come to.
  void (*backward)(const RowTask& task, bool centered, std::byte* sums, std::int64_t begin,
                   std::int64_t end);
  /// Columns begin .. end of all blocks' sums to their results.
  void (*finish)(const RowTask& task, const std::byte* sums, std::int64_t blocks, std::int64_t begin,
                 std::int64_t end);
  std::size_t size;  // of an element of the sums
};

/// The classes of CROSS_ENTROPY, and what its attributes and a pack say beside.
struct ClassTask {
  const std::byte* targets;
  bool is_long, ignores;
  std::int64_t ignored;
  double smoothing;
  mutable std::atomic<std::int64_t> first_bad;  // the first row whose class is out of range
  // BACKWARD: dloss is one element, is of acc_dtype; and what it is multiplied by
  bool one_gradient = false, wide_gradient = false;
  double scale = 1;

  std::int64_t target(std::int64_t row) const {
    return is_long ? sdk::load<std::int64_t>(targets, row) : sdk::load<std::int32_t>(targets, row);
  }
  /// -1 for a row that counts as none.
  std::int64_t class_of(std::int64_t row, std::int64_t classes) const {
    const std::int64_t at = target(row);
    if (ignores && at == ignored) return -1;
    if (at >= 0 && at < classes) return at;
    std::int64_t first = first_bad.load(std::memory_order_relaxed);
    while (row < first && !first_bad.compare_exchange_weak(first, row, std::memory_order_relaxed)) {
    }
    return -1;
  }
};
using LossStep = void (*)(const RowTask& task, const ClassTask& classes, std::int64_t begin,
                          std::int64_t end);

/// Refuses another acc_dtype than what matrices of `dtype` are computed in.
inline void check_lanes(std::uint8_t acc_dtype, std::uint8_t dtype) {
  if (acc_dtype == (dtype == TENON_DTYPE_F64 ? TENON_DTYPE_F64 : TENON_DTYPE_F32)) return;
  throw sdk::Unsupported("rows of " + sdk::name_of(dtype) + " in " + sdk::name_of(acc_dtype));
}
/// The steps that were found; refuses the dtype where there are none.
template <class Step>
Step found(Step step, std::uint8_t dtype) {
  if (step != nullptr) return step;
  throw sdk::Unsupported("rows of " + sdk::name_of(dtype) + " with this instruction set");
}

/// body(begin, end) for parts of the rows.
template <class Body>
void each_part(const RowTask& task, Body&& body) {
  parallel(task.rows, std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(task.columns, 1)), body);
}

}  // namespace cpu
