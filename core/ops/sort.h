// Sorting without gradients: what order statistics, searching and counting are made of.
#pragma once

#include <string_view>

#include <tenon/tensor.h>

namespace tenon::ops {

/// Where the elements of x, sorted along dim, stand in it: i32, or i64 for extents beyond it; not
/// contiguous. x has elements.
Tensor sorted_places(std::string_view op, const Tensor& x, int dim, bool descending);

/// x (n,), shaped to broadcast along dim of a tensor of that rank.
Tensor column(const Tensor& x, int dim, int rank);

}  // namespace tenon::ops
