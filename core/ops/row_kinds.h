// The optional op kinds, which go over rows (tenon/plugin.h): where the device has them, softmax,
// normalisation and cross entropy are one launch each way. Where not, their callers make them of other
// ops; that is no fallback, and counts as none. Nothing is recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/tensor.h>

namespace tenon::ops {

/// One op over a matrix of rows.
struct RowWork {
  std::uint32_t kind;                // TENON_KIND_SOFTMAX and so on
  std::span<const std::byte> attrs;  // the kind's
  std::int64_t rows, columns;
  DType dtype;  // of the matrices
  /// In the kind's order, row-major; undefined ones are absent, one of rank 0 is stretched.
  std::vector<Tensor> outputs, inputs;
  std::optional<double> scale = {};  // the kind's scalar
  int class_dim = -1;                // what errors call the dimension of the classes
};

/// Whether the device says that it has the kind, for tensors with elements.
bool has_row_kind(const Tensor& x, std::uint32_t kind);
/// False, and nothing is done, where the device refuses.
bool run(std::string_view op, const RowWork& work);

/// The attributes of a kind as RowWork has them.
template <class T>
std::span<const std::byte> attrs_of(const T& attrs) {
  return std::as_bytes(std::span(&attrs, 1));
}

/// The length of the rows along dimension `dim` of x; 0 where they do not lie one behind the other, and
/// of a 0-d x.
std::int64_t row_length(const Tensor& x, int dim);

}  // namespace tenon::ops
