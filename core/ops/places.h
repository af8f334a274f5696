// Places in a tensor that indices name, to be read and written: a view of it, and index tensors for
// some of the view's dimensions. All ops that index are this, and so are their gradients.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/index.h>
#include <tenon/tensor.h>

#include "core/ops/kinds.h"

namespace tenon::ops {

struct Place {
  std::vector<std::function<Tensor(const Tensor&)>> steps = {};  // from the tensor to the view
  Shape shape;                                                   // of what is read or written
  std::vector<Pick> picks;                                       // none: the view itself
  std::vector<int> along;  // dimension d of `shape` is this one of the view; -1: of the index tensors
  bool distinct = false;   // certainly no element is met twice
};

/// InvalidArgument unless these are integers on x's device.
void check_index(std::string_view op, const Tensor& x, const Tensor& index);
/// Indices that counted from the end of their extent count from the front; those out of range stay.
void wrap(std::string_view op, std::span<Pick> picks, std::span<const std::int64_t> extents);

/// The coordinates of a mask's true elements in row-major order, a tensor (count) for each dimension
/// (of a 0-d mask as if it were 1-D); `dtype`, or without it i32 where that counts all elements, else
/// i64. The count is read from the device.
std::vector<Tensor> true_places(std::string_view op, const Tensor& mask,
                                std::optional<DType> dtype = {});

/// A step: all elements in row-major order; in place of a tensor that is row-major only.
inline Tensor flat(const Tensor& x) {
  return x.reshape({-1});
}

/// The steps, without picks.
Tensor view_at(const Tensor& x, const Place& place);
/// The elements at the places: a view where there are no picks, else a copy.
Tensor read_at(std::string_view op, const Tensor& x, const Place& place);
/// A copy of x in which the places take src, which broadcasts to them and has x's dtype; within
/// write_over x itself. Where max and min are recorded, x is saved.
Tensor write_at(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                Scatter how);

/// The place of an index tensor of x's rank along `dim`, and of rows `index` (1-D) along it.
Place place_of(std::string_view op, const Tensor& x, int dim, const Tensor& index);
Place place_of_rows(std::string_view op, const Tensor& x, int dim, const Tensor& index);
/// The same, with src to be written there: of the place's shape, x's dtype and device.
Place place_of_rows(std::string_view op, const Tensor& x, int dim, const Tensor& index,
                    const Tensor& src);
/// The part of src that an index tensor of `shape` takes.
Tensor covered(std::string_view op, const Tensor& src, const Shape& shape);
/// InvalidArgument unless src has x's dtype and device.
void check_source(std::string_view op, const Tensor& x, const Tensor& src);
/// A number to be written into x.
Tensor source_of(std::string_view op, const Tensor& x, Scalar value);

}  // namespace tenon::ops
