// What functions that make tensors share.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <tenon/creation.h>

namespace tenon {

Device device_of(const TensorOptions& options);
/// x, as a leaf that requires a gradient where options say so.
Tensor finished(Tensor x, const TensorOptions& options);

/// Somebody else's elements.
struct Blob {
  void* data = nullptr;  // the first element
  Shape shape;
  Strides strides;  // in elements
  bool read_only = false;
  std::function<void()> done;
};
/// See from_blob.
Tensor from_blob(std::string_view op, Blob blob, DType dtype, Device device);

}  // namespace tenon
