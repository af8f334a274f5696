// The handle, its properties, and allocation.
#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include <tenon/tensor.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/pool.h"
#include "core/tensor/impl.h"

namespace tenon {

namespace detail {

void retain(TensorImpl* impl) noexcept {
  if (impl != nullptr) impl->references.fetch_add(1, std::memory_order_relaxed);
}

void release(TensorImpl* impl) noexcept {
  if (impl == nullptr) return;
  // The last owner is alone: nobody can add a reference.
  if (impl->references.load(std::memory_order_acquire) == 1 ||
      impl->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete impl;
  }
}

void TensorImpl::lay_out(const Shape& new_shape, const Strides& new_strides) {
  shape = new_shape;
  strides = new_strides;
  numel = tenon::numel(new_shape);
  is_contiguous = tenon::is_contiguous(new_shape, new_strides);
}

}  // namespace detail

detail::TensorImpl& impl_of(const Tensor& x, std::string_view op) {
  require(x.defined(), "[{}] the tensor is undefined", op);
  return *x.impl();
}

void require_rank(std::string_view op, int rank) {
  require(rank <= kMaxRank, "[{}] {} dimensions, the most is {}", op, rank, kMaxRank);
}

int checked_dim(std::string_view op, std::int64_t dim, int rank) {
  require(dim >= -rank && dim < rank, "[{}] dimension {} is out of range for a tensor of {} dimensions",
          op, dim, rank);
  return static_cast<int>(dim < 0 ? dim + rank : dim);
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  std::int64_t expected = 1;
  for (int d = shape.size() - 1; d >= 0; --d) {
    if (shape[d] == 0) return true;
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

/// Of so many elements.
static std::int64_t byte_count(std::string_view who, const Shape& shape, std::int64_t elements,
                               DType dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, size_of(dtype), &bytes)) {
    fail(ErrorKind::OutOfMemory, "[{}] out of memory: {} of {} has more bytes than 64 bits can count",
         who, to_string(shape), name(dtype));
  }
  return bytes;
}

std::int64_t byte_count(std::string_view who, const Shape& shape, DType dtype) {
  return byte_count(who, shape, numel(shape, who), dtype);
}

void require_stored(std::string_view op, DType dtype, Device device) {
  const std::uint32_t stored = device.state().limits().storage_dtypes;
  if ((stored >> static_cast<int>(dtype) & 1u) == 0) {
    fail(ErrorKind::Unsupported, "[{}] {} does not store {}", op, device.name(), name(dtype));
  }
}

Tensor allocate(const Shape& shape, DType dtype, Device device, std::string_view op) {
  const std::int64_t count = numel(shape, op);
  const std::int64_t bytes = byte_count(device.name(), shape, count, dtype);
  require_stored(op, dtype, device);
  auto storage = device.state().pool().allocate(static_cast<std::uint64_t>(bytes));
  Tensor x(new detail::TensorImpl);
  detail::TensorImpl& impl = *x.impl();
  impl.storage = std::move(storage);
  impl.dtype = dtype;
  impl.shape = shape;
  impl.strides = contiguous_strides(shape);
  impl.numel = count;
  impl.is_inference = inference_mode();
  return x;
}

Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
  const detail::TensorImpl& from = *x.impl();
  Tensor view(new detail::TensorImpl);
  detail::TensorImpl& impl = *view.impl();
  impl.storage = from.storage;
  impl.dtype = from.dtype;
  impl.lay_out(shape, strides);
  impl.offset = offset;
  impl.is_view = true;
  impl.is_inference = from.is_inference;
  return view;
}

void require_fits(std::string_view op, Scalar value, DType dtype) {
  if (value.fits(dtype)) return;
  const std::string text = value.is_floating() ? fmt::to_string(value.to_double())
                           : value.fits(i64)   ? fmt::to_string(value.to_int64())
                                               : fmt::to_string(value.to<std::uint64_t>());
  fail(ErrorKind::InvalidArgument, "[{}] {} does not fit {}", op, text, name(dtype));
}

/// Whether no two elements lie in one place, as far as sorted strides tell: each is beyond all that the
/// smaller ones reach together.
static bool has_elements_apart(const Shape& shape, const Strides& strides) {
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;  // stride, extent
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return true;
    if (shape[d] > 1) steps.emplace_back(std::abs(strides[d]), shape[d]);
  }
  std::sort(steps.begin(), steps.end());
  std::int64_t reached = 0;
  for (const auto& [stride, extent] : steps) {
    if (stride <= reached) return false;
    reached += stride * (extent - 1);
  }
  return true;
}

void require_writable(std::string_view op, const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  require(!impl.storage->read_only,
          "[{}] the tensor was imported read-only, so it can't be written in place; clone() it first",
          op);
  require(has_elements_apart(impl.shape, impl.strides),
          "[{}] {} with strides {} shares elements, so it can't be written in place; clone() it first",
          op, impl.shape, impl.strides);
}

void mark_written(Tensor& x) {
  detail::TensorImpl& impl = *x.impl();
  if (impl.is_inference) return;  // backward keeps none of it
  impl.node_version = impl.storage->version.fetch_add(1) + 1;
}

const Shape& Tensor::shape() const {
  return impl_of(*this, "shape").shape;
}
const Strides& Tensor::strides() const {
  return impl_of(*this, "strides").strides;
}
std::int64_t Tensor::size(int dim) const {
  return shape()[checked_dim("size", dim, rank())];
}
std::int64_t Tensor::numel() const {
  return impl_of(*this, "numel").numel;
}
DType Tensor::dtype() const {
  return impl_of(*this, "dtype").dtype;
}
Device Tensor::device() const {
  return Device(impl_of(*this, "device").storage->device);
}
bool Tensor::is_contiguous() const {
  return impl_of(*this, "is_contiguous").is_contiguous;
}
std::uint64_t Tensor::version() const {
  return impl_of(*this, "version").storage->version;
}

bool Tensor::is_read_only() const {
  return impl_of(*this, "is_read_only").storage->read_only;
}

void Tensor::set_data(const Tensor& other) {
  detail::TensorImpl& impl = impl_of(*this, "set_data");
  const detail::TensorImpl& from = impl_of(other, "set_data");
  require(is_leaf(), "[set_data] only a leaf can take other data");
  require(impl.dtype == from.dtype, "[set_data] dtypes differ: {} and {}", name(impl.dtype),
          name(from.dtype));
  impl.storage = from.storage;
  impl.lay_out(from.shape, from.strides);
  impl.offset = from.offset;
  impl.is_view = from.is_view;
  impl.base = {};
  impl.is_inference = from.is_inference;
}

namespace detail {

void ragged(std::int64_t expected, std::int64_t found) {
  fail(ErrorKind::InvalidArgument, "[tensor] the lists are ragged: one has {} elements, another {}",
       expected, found);
}

}  // namespace detail
}  // namespace tenon
