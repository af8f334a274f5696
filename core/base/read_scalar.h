// Elements of any dtype as numbers, on the host.
#pragma once

#include <cstddef>

#include <tenon/scalar.h>

namespace tenon {

/// The element of `dtype` whose bytes start at `from`, at any alignment.
Scalar read_scalar(DType dtype, const std::byte* from);

}  // namespace tenon
