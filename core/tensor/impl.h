// What a tensor handle points to.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <tenon/tensor.h>

#include "core/base/recycle.h"
#include "core/runtime/storage.h"

namespace tenon {

namespace autograd {
class Node;
struct LeafHooks;
struct RetainedGrad;
}  // namespace autograd

namespace detail {

struct TensorImpl : Recycled<TensorImpl> {
  std::atomic<std::int64_t> references{1};
  runtime::StorageRef storage;
  DType dtype = f32;
  Shape shape;
  Strides strides;            // in elements
  std::int64_t offset = 0;    // in elements
  std::int64_t numel = 1;     // of the shape
  bool is_contiguous = true;  // row-major without gaps
  bool is_view = false;       // made from another tensor's storage
  Tensor base;                // of a view made while recording: what a write to the view changes too
  bool is_inference = false;

  bool requires_grad = false;  // a leaf that was told so; recorded results have a node
  Tensor grad;
  std::shared_ptr<autograd::Node> node;  // what this is a result of, and which
  int output = 0;
  std::uint64_t node_version = 0;  // of the storage when it was recorded
  std::shared_ptr<autograd::LeafHooks> hooks;
  std::shared_ptr<autograd::RetainedGrad> retained;  // of a result

  /// Sets the shape, whose elements can be counted, and the strides.
  void lay_out(const Shape& new_shape, const Strides& new_strides);
};

}  // namespace detail

/// The handle's target; InvalidArgument, naming `op`, for an undefined tensor.
detail::TensorImpl& impl_of(const Tensor& x, std::string_view op);

/// InvalidArgument, naming `op`, where an integer is out of dtype's range.
void require_fits(std::string_view op, Scalar value, DType dtype);

/// What so many elements take; OutOfMemory, naming `who`, where 64 bits cannot count it.
std::int64_t byte_count(std::string_view who, const Shape& shape, DType dtype);

/// Unsupported, naming `op`, where the device does not store the dtype.
void require_stored(std::string_view op, DType dtype, Device device);

/// A row-major tensor whose elements are not set; errors name `op`.
Tensor allocate(const Shape& shape, DType dtype, Device device, std::string_view op = "empty");
/// A tensor on x's storage, outside any graph.
Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset);

/// Converts and copies src, which broadcasts to dst's shape on dst's device, into dst's elements.
void assign(std::string_view op, const Tensor& dst, const Tensor& src);

/// A new tensor of offset + Σ coordinate · stride, of i32 where they fit it, else i64.
Tensor indices(const Shape& shape, std::int64_t offset, const Strides& strides, Device device);

/// InvalidArgument, naming `op`, for more dimensions than a tensor has.
void require_rank(std::string_view op, int rank);
/// A dimension counted from the front; InvalidArgument, naming `op`, out of range.
int checked_dim(std::string_view op, std::int64_t dim, int rank);

/// Whether the elements' bytes lie row-major without gaps.
bool is_contiguous(const Shape& shape, const Strides& strides);

/// InvalidArgument, naming `op`, where x is read-only, or elements of it may share memory, so that an
/// in-place write would write one more than once.
void require_writable(std::string_view op, const Tensor& x);

/// Counts one more in-place write; x itself stays valid on the tape.
void mark_written(Tensor& x);

}  // namespace tenon
