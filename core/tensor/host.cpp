// The host's access to elements where they lie.
#include <tenon/tensor.h>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/hazard.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

void require_contiguous(std::string_view op, const Tensor& x) {
  require(x.is_contiguous(),
          "[{}] the elements of {} with strides {} are not contiguous; take contiguous()", op,
          x.shape(), x.strides());
}

void require_not_read_only(std::string_view op, const Tensor& x) {
  require(!impl_of(x, op).storage->read_only,
          "[{}] the tensor was imported read-only: read a const one, or clone() it", op);
}

void* first_element(const Tensor& x, DType dtype) {
  const detail::TensorImpl& impl = *x.impl();
  if (impl.dtype != dtype) detail::wrong_element(impl.dtype, dtype);
  return static_cast<std::byte*>(impl.storage->memory.host_ptr) + impl.offset * size_of(dtype);
}

}  // namespace

void detail::wrong_element(DType dtype, DType asked) {
  fail(ErrorKind::InvalidArgument, "[data] the tensor holds {}, not {}", name(dtype), name(asked));
}

void* Tensor::data_pointer(DType dtype) const {
  const detail::TensorImpl& impl = impl_of(*this, "data");
  if (impl.dtype != dtype) detail::wrong_element(impl.dtype, dtype);
  const runtime::Storage& storage = *impl.storage;
  const bool shared = storage.device->synchronous() && storage.memory.host_ptr != nullptr;
  require(shared, "[data] the host can't share memory of {}; copy with to_vector()", device().name());
  require_contiguous("data", *this);
  return first_element(*this, dtype);
}

void* Tensor::writable_pointer(DType dtype) {
  require_not_read_only("data", *this);
  return data_pointer(dtype);
}

HostView Tensor::host() const {
  return HostView(*this);
}

HostView::HostView(Tensor tensor) : tensor_(std::move(tensor)) {
  runtime::Storage& storage = *impl_of(tensor_, "host").storage;
  if (storage.memory.host_ptr == nullptr) {
    fail(ErrorKind::Unsupported,
         "[host] {} does not map its memory for the host; copy with to_vector()",
         tensor_.device().name());
  }
  require_contiguous("host", tensor_);
  storage.device->check_alive();
  runtime::wait_for_all(storage);
}

HostView::~HostView() {
  // Mapped memory is coherent: what is launched from now on sees it. The tape is told.
  if (writes_) tensor_.impl()->storage->version.fetch_add(1);
}

void* HostView::pointer(DType dtype) const {
  return first_element(tensor_, dtype);
}

void* HostView::writable_pointer(DType dtype) {
  require_not_read_only("host", tensor_);
  void* const first = pointer(dtype);
  writes_ = true;
  return first;
}

}  // namespace tenon
