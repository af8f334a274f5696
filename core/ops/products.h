// What products of matrices share.
#pragma once

#include <string_view>

#include <tenon/matmul.h>

namespace tenon::ops {

/// The shape of x · y, both of rank 2 or more; InvalidArgument, naming `op`, where they don't fit.
Shape product_shape(std::string_view op, const Tensor& x, const Tensor& y);

/// beta · c + alpha · x · y, all of one dtype: leading dimensions broadcast, c to the product, and an
/// undefined c is 0. One launch, recorded.
Tensor affine_product(std::string_view op, const Tensor& c, const Tensor& x, const Tensor& y,
                      const AddmmOptions& options);

}  // namespace tenon::ops
