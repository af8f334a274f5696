// How views are recorded, and taken back.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/creation.h>

#include "core/autograd/record.h"
#include "core/tensor/impl.h"

namespace tenon {

/// Makes `view` the view of x in the graph; `backward` maps its gradient to x's.
template <class F>
Tensor recorded(std::string_view op, const Tensor& x, Tensor view, F backward) {
  view.impl()->node_version = view.version();
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&view, 1}, [backward](std::span<const Tensor> dy) {
      return std::vector<Tensor>{backward(dy[0])};
    });
  }
  autograd::set_base(view, x);
  return view;
}

/// Zeros of `shape` with dy where `view` (Tensor -> Tensor) looks, which sees no element twice: the
/// reverse of a view.
template <class View>
Tensor placed(std::string_view op, const Tensor& dy, const Shape& shape, View view) {
  const Tensor dx = zeros(shape, {.dtype = dy.dtype(), .device = dy.device()});
  {
    const NoGrad guard;
    view(dx).copy_(dy);
  }
  return recorded(op, dy, dx, view);
}

}  // namespace tenon
