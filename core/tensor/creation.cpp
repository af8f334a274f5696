// New tensors: of one value, and from the host.
#include <algorithm>
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

/// What numbers are held in that come without a dtype.
DType literal_dtype(std::span<const Scalar> values) {
  const auto is_floating = [](Scalar value) { return value.is_floating(); };
  const auto is_bool = [](Scalar value) { return value.is_bool(); };
  if (values.empty() || std::any_of(values.begin(), values.end(), is_floating)) return default_dtype();
  return std::all_of(values.begin(), values.end(), is_bool) ? bool_ : i64;
}

Tensor uploaded(std::string_view op, std::span<const std::byte> bytes, const Shape& shape, DType dtype,
                const TensorOptions& options) {
  Tensor x = allocate(shape, dtype, device_of(options), op);
  if (!bytes.empty()) runtime::copy_from_host(*x.impl()->storage, 0, bytes);
  return finished(x, options);
}

/// The bytes of value(0), value(1) .. in `dtype`.
template <class F>
std::vector<std::byte> packed(std::string_view op, std::int64_t count, DType dtype, F value) {
  const auto size = static_cast<std::size_t>(size_of(dtype));
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  for (std::int64_t i = 0; i < count; ++i) {
    const Scalar number = value(i);
    require_fits(op, number, dtype);
    const std::uint64_t bits = number.bits(dtype);
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size, &bits, size);
  }
  return bytes;
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
  return filled("full", shape, value, options.dtype.value_or(literal_dtype({&value, 1})), options);
}
Tensor zeros(const Shape& shape, TensorOptions options) {
  return filled("zeros", shape, 0, options.dtype.value_or(default_dtype()), options);
}
Tensor ones(const Shape& shape, TensorOptions options) {
  return filled("ones", shape, 1, options.dtype.value_or(default_dtype()), options);
}

Tensor empty_like(const Tensor& x, TensorOptions options) {
  return empty(impl_of(x, "empty_like").shape, like("empty_like", x, options));
}
Tensor full_like(const Tensor& x, Scalar value, TensorOptions options) {
  return full(impl_of(x, "full_like").shape, value, like("full_like", x, options));
}
Tensor zeros_like(const Tensor& x, TensorOptions options) {
  return zeros(impl_of(x, "zeros_like").shape, like("zeros_like", x, options));
}
Tensor ones_like(const Tensor& x, TensorOptions options) {
  return ones(impl_of(x, "ones_like").shape, like("ones_like", x, options));
}

Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, TensorOptions options) {
  const DType dtype = options.dtype.value_or(default_dtype());
  const std::int64_t expected = byte_count("from_bytes", shape, dtype);
  require(static_cast<std::int64_t>(bytes.size()) == expected,
          "[from_bytes] {} of {} takes {} bytes, not {}", shape, name(dtype), expected, bytes.size());
  return uploaded("from_bytes", bytes, shape, dtype, options);
}

Tensor detail::from_elements(std::string_view op, std::span<const std::byte> bytes, DType from,
                             const Shape& shape, const TensorOptions& options) {
  const auto step = static_cast<std::size_t>(size_of(from));
  const std::int64_t expected = byte_count(op, shape, from) / size_of(from);
  const auto count = static_cast<std::int64_t>(bytes.size() / step);
  require(count == expected, "[{}] {} takes {} values, not {}", op, shape, expected, count);
  const DType to = options.dtype.value_or(from);
  if (from == to) return uploaded(op, bytes, shape, to, options);
  return uploaded(op,
                  packed(op, count, to,
                         [&](std::int64_t i) {
                           return read_scalar(from, bytes.data() + static_cast<std::size_t>(i) * step);
                         }),
                  shape, to, options);
}

Tensor detail::from_scalars(const std::vector<Scalar>& values, const Shape& shape,
                            const TensorOptions& options) {
  const DType dtype = options.dtype.value_or(literal_dtype(values));
  return uploaded("tensor",
                  packed("tensor", static_cast<std::int64_t>(values.size()), dtype,
                         [&](std::int64_t i) { return values[static_cast<std::size_t>(i)]; }),
                  shape, dtype, options);
}

Tensor tensor(Scalar value, TensorOptions options) {
  return filled("tensor", {}, value, options.dtype.value_or(literal_dtype({&value, 1})), options);
}

}  // namespace tenon
