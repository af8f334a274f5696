// New tensors: of one value, and from the host.
#include <cstring>
#include <vector>

#include <tenon/creation.h>

#include "core/base/fail.h"
#include "core/base/read_scalar.h"
#include "core/runtime/launch.h"
#include "core/tensor/create.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// `options` with x's dtype and device where they say none.
TensorOptions like(std::string_view op, const Tensor& x, TensorOptions options) {
  options.dtype = options.dtype.value_or(impl_of(x, op).dtype);
  options.device = options.device.value_or(x.device());
  return options;
}

Tensor filled(std::string_view op, const Shape& shape, Scalar value, DType dtype,
              const TensorOptions& options) {
  require_fits(op, value, dtype);
  Tensor x = allocate(shape, dtype, device_of(options), op);
  x.fill_(value);
  return finished(x, options);
}

}  // namespace

Device device_of(const TensorOptions& options) {
  return options.device ? *options.device : default_device();
}

Tensor finished(Tensor x, const TensorOptions& options) {
  return options.requires_grad ? x.set_requires_grad() : x;
}

Tensor empty(const Shape& shape, TensorOptions options) {
  const DType dtype = options.dtype.value_or(default_dtype());
  return finished(allocate(shape, dtype, device_of(options), "empty"), options);
}

Tensor full(const Shape& shape, Scalar value, TensorOptions options) {
  const DType literal = value.is_bool() ? bool_ : value.is_floating() ? default_dtype() : i64;
  return filled("full", shape, value, options.dtype.value_or(literal), options);
}
Tensor zeros(const Shape& shape, TensorOptions options) {
  return filled("zeros", shape, 0, options.dtype.value_or(default_dtype()), options);
}
Tensor ones(const Shape& shape, TensorOptions options) {
  return filled("ones", shape, 1, options.dtype.value_or(default_dtype()), options);
}

Tensor empty_like(const Tensor& x, TensorOptions options) {
  return empty(x.shape(), like("empty_like", x, options));
}
Tensor full_like(const Tensor& x, Scalar value, TensorOptions options) {
  return full(x.shape(), value, like("full_like", x, options));
}
Tensor zeros_like(const Tensor& x, TensorOptions options) {
  return zeros(x.shape(), like("zeros_like", x, options));
}
Tensor ones_like(const Tensor& x, TensorOptions options) {
  return ones(x.shape(), like("ones_like", x, options));
}

Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, TensorOptions options) {
  const DType dtype = options.dtype.value_or(default_dtype());
  const std::int64_t expected = byte_count("from_bytes", shape, dtype);
  require(static_cast<std::int64_t>(bytes.size()) == expected,
          "[from_bytes] {} of {} takes {} bytes, not {}", to_string(shape), name(dtype), expected,
          bytes.size());
  Tensor x = allocate(shape, dtype, device_of(options), "from_bytes");
  if (!bytes.empty()) runtime::copy_from_host(*x.impl()->storage, 0, bytes);
  return finished(x, options);
}

Tensor detail::from_elements(std::span<const std::byte> bytes, DType from, const Shape& shape,
                             const TensorOptions& options) {
  const DType to = options.dtype.value_or(default_dtype());
  if (from == to) return from_bytes(bytes, shape, options);
  const auto step = static_cast<std::size_t>(size_of(from)),
             size = static_cast<std::size_t>(size_of(to));
  std::vector<std::byte> converted(bytes.size() / step * size);
  for (std::size_t i = 0; i * step < bytes.size(); ++i) {
    const std::uint64_t bits = read_scalar(from, bytes.data() + i * step).bits(to);
    std::memcpy(converted.data() + i * size, &bits, size);
  }
  return from_bytes(converted, shape, options);
}

Tensor tensor(Scalar value, TensorOptions options) {
  const DType literal = value.is_bool() ? bool_ : value.is_floating() ? default_dtype() : i64;
  return filled("tensor", {}, value, options.dtype.value_or(literal), options);
}

}  // namespace tenon
