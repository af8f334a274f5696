// DLPack both ways. A wrong structure is refused before anything of it is used.
#include <tenon/dlpack.h>

#include <algorithm>
#include <memory>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/tensor/create.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

constexpr std::uint32_t kMajor = 1, kMinor = 0;

/// What an exported tensor's pointers point to.
struct Exported {
  Tensor tensor;
  Shape shape;
  Strides strides;
  DLManagedTensorVersioned managed{};
};

std::uint8_t code_of(DType dtype) {
  if (dtype == bool_) return kDLBool;
  if (dtype == bf16) return kDLBfloat;
  return is_floating(dtype) ? kDLFloat : is_signed_integer(dtype) ? kDLInt : kDLUInt;
}

DType dtype_from(const DLDataType& type) {
  require(type.lanes == 1, "[from_dlpack] elements of {} lanes are not supported, only of one",
          type.lanes);
#define TENON_DTYPE(name, NAME, code_, bytes) \
  if (type.code == code_of(DType::name) && type.bits == 8 * bytes) return DType::name;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  fail(ErrorKind::Unsupported, "[from_dlpack] no dtype has type code {} of {} bits", type.code,
       type.bits);
}

bool is_host(Device device) {
  return device.info().synchronous && device.state().limits().dlpack_type == kDLCPU;
}

/// Where the host's memory can be used.
Device host_device() {
  if (is_host(default_device())) return default_device();
  const std::vector<Device> all = devices();
  const auto found = std::find_if(all.begin(), all.end(), is_host);
  if (found == all.end()) {
    fail(ErrorKind::Unsupported, "[from_dlpack] no device uses the host's memory in place");
  }
  return *found;
}

void check(const DLManagedTensorVersioned* source) {
  require(source != nullptr, "[from_dlpack] the tensor is null");
  if (source->version.major != kMajor) {
    fail(ErrorKind::Unsupported, "[from_dlpack] the tensor is of DLPack {}.{}, not of {}.x",
         source->version.major, source->version.minor, kMajor);
  }
  const DLTensor& x = source->dl_tensor;
  if (x.device.device_type != kDLCPU) {
    fail(
        ErrorKind::Unsupported,
        "[from_dlpack] memory of DLPack device ({}, {}) can't be shared, only the host's ({}, 0); copy "
        "it there first",
        static_cast<int>(x.device.device_type), x.device.device_id, static_cast<int>(kDLCPU));
  }
  require(x.ndim >= 0 && x.ndim <= kMaxRank, "[from_dlpack] {} dimensions, the most is {}", x.ndim,
          kMaxRank);
  require(x.ndim == 0 || x.shape != nullptr, "[from_dlpack] the shape of {} dimensions is null",
          x.ndim);
}

}  // namespace

DLManagedTensorVersioned* to_dlpack(const Tensor& x) {
  const detail::TensorImpl& impl = impl_of(x, "to_dlpack");
  require(!x.requires_grad(), "[to_dlpack] the tensor requires a gradient, which is lost; detach() it");
  const runtime::Storage& storage = *impl.storage;
  if (!is_host(x.device()) || storage.memory.host_ptr == nullptr) {
    fail(ErrorKind::Unsupported,
         "[to_dlpack] memory of {} can't be shared; copy to a device of the host's with to()",
         x.device().name());
  }
  auto exported = std::make_unique<Exported>(Exported{x.detach(), impl.shape, impl.strides});
  DLManagedTensorVersioned& managed = exported->managed;
  managed.version = {kMajor, kMinor};
  managed.manager_ctx = exported.get();
  managed.deleter = [](DLManagedTensorVersioned* self) {
    delete static_cast<Exported*>(self->manager_ctx);
  };
  managed.flags = storage.read_only ? DLPACK_FLAG_BITMASK_READ_ONLY : 0;
  const std::int64_t size = size_of(impl.dtype);
  managed.dl_tensor = {.data = static_cast<std::byte*>(storage.memory.host_ptr) + impl.offset * size,
                       .device = {kDLCPU, 0},
                       .ndim = impl.shape.size(),
                       .dtype = {code_of(impl.dtype), static_cast<std::uint8_t>(8 * size), 1},
                       .shape = exported->shape.begin(),
                       .strides = exported->strides.begin(),
                       .byte_offset = 0};
  return &exported.release()->managed;
}

Tensor from_dlpack(DLManagedTensorVersioned* source, std::optional<Device> device) {
  check(source);
  const DLTensor& x = source->dl_tensor;
  const DType dtype = dtype_from(x.dtype);
  const auto count = static_cast<std::size_t>(x.ndim);
  const Shape shape(std::span<const std::int64_t>(x.shape, count));
  const Strides strides = x.strides == nullptr
                              ? contiguous_strides(shape)
                              : Strides(std::span<const std::int64_t>(x.strides, count));
  void* const first = x.data == nullptr ? nullptr : static_cast<std::byte*>(x.data) + x.byte_offset;
  const auto done = [source] {
    if (source->deleter != nullptr) source->deleter(source);
  };
  return from_blob("from_dlpack",
                   {.data = first,
                    .shape = shape,
                    .strides = strides,
                    .read_only = (source->flags & DLPACK_FLAG_BITMASK_READ_ONLY) != 0,
                    .done = done},
                   dtype, device ? *device : host_device());
}

}  // namespace tenon
