// New tensors: from numbers, from bytes, from other devices.
#include <cstring>
#include <limits>
#include <vector>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "core/base/fail.h"
#include "core/base/read_scalar.h"
#include "core/ops/run.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

Device device_of(const TensorOptions& options) {
  return options.device ? *options.device : default_device();
}

Tensor finished(Tensor x, const TensorOptions& options) {
  return options.requires_grad ? x.set_requires_grad() : x;
}

}  // namespace

Tensor empty(const Shape& shape, TensorOptions options) {
  return finished(allocate(shape, options.dtype.value_or(f32), device_of(options)), options);
}

Tensor full(const Shape& shape, Scalar value, TensorOptions options) {
  const DType dtype = options.dtype.value_or(value.is_bool() ? bool_ : value.is_floating() ? f32 : i64);
  Tensor x = allocate(shape, dtype, device_of(options));
  x.fill_(value);
  return finished(x, options);
}

Tensor zeros(const Shape& shape, TensorOptions options) {
  options.dtype = options.dtype.value_or(f32);
  return full(shape, 0, options);
}

Tensor ones(const Shape& shape, TensorOptions options) {
  options.dtype = options.dtype.value_or(f32);
  return full(shape, 1, options);
}

Tensor empty_like(const Tensor& x) {
  return allocate(x.shape(), x.dtype(), x.device());
}
Tensor zeros_like(const Tensor& x) {
  return zeros(x.shape(), {.dtype = x.dtype(), .device = x.device()});
}
Tensor ones_like(const Tensor& x) {
  return ones(x.shape(), {.dtype = x.dtype(), .device = x.device()});
}

Tensor arange(std::int64_t count, TensorOptions options) {
  require(count >= 0, "[arange] the count is {}", count);
  const DType dtype = options.dtype.value_or(i64);
  if (count > 0) require_fits("arange", count - 1, dtype);
  // Every device has i32.
  const DType index = count <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
  program::Builder b;
  b.output(cast(b.input(index), dtype));
  ops::Operands operands{{allocate({count}, dtype, device_of(options))}, {{Tensor(), 0, {1}}}};
  ops::run("arange", b.build(), {&operands, 1});
  return finished(operands.outputs.front(), options);
}

Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, TensorOptions options) {
  const DType dtype = options.dtype.value_or(f32);
  const std::int64_t expected = byte_count("from_bytes", shape, dtype);
  require(static_cast<std::int64_t>(bytes.size()) == expected,
          "[from_bytes] {} of {} takes {} bytes, not {}", to_string(shape), name(dtype), expected,
          bytes.size());
  Tensor x = allocate(shape, dtype, device_of(options));
  if (!bytes.empty()) runtime::copy_from_host(*x.impl()->storage, 0, bytes);
  return finished(x, options);
}

Tensor detail::from_elements(std::span<const std::byte> bytes, DType from, const Shape& shape,
                             const TensorOptions& options) {
  const DType to = options.dtype.value_or(f32);
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
  return full({}, value, options);
}

}  // namespace tenon
