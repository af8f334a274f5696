// Tensors on memory of somebody else's.
#include <algorithm>

#include <tenon/autograd.h>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/import.h"
#include "core/tensor/create.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// From the lowest element to the highest, counted from the first.
struct Span {
  std::int64_t low = 0, high = 0;
};

Span span_of(std::string_view op, const Blob& blob, DType dtype) {
  Span span;
  bool countable = true;
  for (int d = 0; d < blob.shape.size(); ++d) {
    std::int64_t reach = 0;
    countable &= !__builtin_mul_overflow(blob.shape[d] - 1, blob.strides[d], &reach);
    std::int64_t& end = reach < 0 ? span.low : span.high;
    countable &= !__builtin_add_overflow(end, reach, &end);
  }
  std::int64_t bytes = 0;
  countable &= !__builtin_sub_overflow(span.high, span.low, &bytes);
  countable &= bytes < (std::int64_t{1} << 62) / size_of(dtype);
  require(countable, "[{}] {} with strides {} reaches farther than 62 bits can count", op, blob.shape,
          blob.strides);
  return span;
}

}  // namespace

Tensor from_blob(std::string_view op, Blob blob, DType dtype, Device device) {
  require(blob.strides.size() == blob.shape.size(), "[{}] {} has not as many dimensions as strides {}",
          op, blob.shape, blob.strides);
  if (numel(blob.shape, op) == 0) {
    const Tensor x = allocate(blob.shape, dtype, device, op);
    x.impl()->strides = blob.strides;
    blob.done();
    return x;
  }
  const std::int64_t size = size_of(dtype);
  require(blob.data != nullptr, "[{}] the address of {} is null", op, blob.shape);
  require(reinterpret_cast<std::uintptr_t>(blob.data) % static_cast<std::uintptr_t>(size) == 0,
          "[{}] {} is no address of {}, which take {} bytes", op, blob.data, name(dtype), size);
  const Span span = span_of(op, blob, dtype);
  require_stored(op, dtype, device);
  Tensor x(new detail::TensorImpl);
  detail::TensorImpl& impl = *x.impl();
  impl.storage =
      runtime::import_host(op, device.state(),
                           {.data = static_cast<std::byte*>(blob.data) + span.low * size,
                            .bytes = static_cast<std::uint64_t>((span.high - span.low + 1) * size),
                            .read_only = blob.read_only,
                            .done = std::move(blob.done)});
  impl.dtype = dtype;
  impl.lay_out(blob.shape, blob.strides);
  impl.offset = -span.low;
  impl.is_inference = inference_mode();
  return x;
}

Tensor from_blob(void* data, const Shape& shape, const Strides& strides, TensorOptions options,
                 std::function<void(void*)> done) {
  const auto end = [data, done = std::move(done)] {
    if (done) done(data);
  };
  const Blob blob{.data = data, .shape = shape, .strides = strides, .done = end};
  const DType dtype = options.dtype.value_or(default_dtype());
  return finished(from_blob("from_blob", blob, dtype, device_of(options)), options);
}

Tensor from_blob(void* data, const Shape& shape, TensorOptions options,
                 std::function<void(void*)> done) {
  return from_blob(data, shape, contiguous_strides(shape), options, std::move(done));
}

}  // namespace tenon
