// Writes in place to views: the base becomes a result too, and its other views follow it when they are
// used next. A view is a window of its base's elements, described by strides.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {
namespace {

/// Where a view's elements are among those of a row-major base.
struct Window {
  Shape shape;
  Strides strides;
  std::int64_t offset;
  Shape base;
};

Window window_of(const Tensor& x) {
  const detail::TensorImpl &impl = *x.impl(), &base = *impl.base.impl();
  return {impl.shape, impl.strides, impl.offset - base.offset, base.shape};
}

Tensor at(const Tensor& base, const Window& window) {
  return make_view(base, window.shape, window.strides, base.impl()->offset + window.offset);
}

template <class F>
Tensor recorded(std::string_view op, const Tensor& x, const Tensor& y, F backward) {
  y.impl()->node_version = y.version();
  if (needs_record({&x, 1})) {
    record(op, {&x, 1}, {&y, 1},
           [backward](std::span<const Tensor> dy) { return std::vector<Tensor>{backward(dy[0])}; });
  }
  return y;
}

/// Whether elements of a window share memory.
bool overlaps(const Window& window) {
  std::vector<std::pair<std::int64_t, std::int64_t>> dims;  // stride, extent
  for (int d = 0; d < window.shape.size(); ++d) {
    if (window.shape[d] > 1) dims.emplace_back(std::abs(window.strides[d]), window.shape[d]);
  }
  std::sort(dims.begin(), dims.end());
  std::int64_t reach = 0;
  for (const auto& [stride, extent] : dims) {
    if (stride <= reach) return true;
    reach += stride * (extent - 1);
  }
  return false;
}

Tensor place(const Tensor& dy, const Window& window);

/// The elements in the window of a gradient of the base.
Tensor take(const Tensor& x, const Window& window) {
  return recorded("take", x, at(x.contiguous().detach(), window),
                  [window](const Tensor& dy) { return place(dy, window); });
}

/// Zeros of the base's shape with dy in the window; where elements share memory, their sum.
Tensor place(const Tensor& dy, const Window& window) {
  const TensorOptions like{.dtype = dy.dtype(), .device = dy.device()};
  if (overlaps(window)) {
    const Shape flat{numel(window.base)};
    const Tensor all = arange(flat[0], {.device = dy.device()});
    return scatter(zeros(flat, like), 0, at(all, window).reshape({-1}), dy.reshape({-1}), Scatter::add)
        .view(window.base);
  }
  const Tensor dx = zeros(window.base, like);
  {
    const NoGrad guard;
    at(dx, window).copy_(dy);
  }
  return recorded("place", dy, dx, [window](const Tensor& ddx) { return take(ddx, window); });
}

/// dy with zeros in the window.
Tensor cleared(const Tensor& dy, const Window& window) {
  const Tensor dx = dy.detach().clone();
  {
    const NoGrad guard;
    at(dx, window).fill_(0);
  }
  return recorded("cleared", dy, dx, [window](const Tensor& ddx) { return cleared(ddx, window); });
}

/// What threads that use one view for the first time since a write take turns by.
std::mutex& mutex_of(const detail::TensorImpl& impl) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[reinterpret_cast<std::uintptr_t>(&impl) / sizeof impl % mutexes.size()];
}

}  // namespace

void set_base(const Tensor& x, const Tensor& of) {
  detail::TensorImpl& impl = *x.impl();
  const detail::TensorImpl& from = *of.impl();
  if (!grad_enabled() || impl.storage.get() != from.storage.get()) return;
  if (from.base.defined()) {
    impl.base = from.base;
  } else if (!from.is_view) {
    impl.base = of;
  }
}

void follow_base(const Tensor& x) {
  detail::TensorImpl& impl = *x.impl();
  if (!impl.base.defined()) return;
  const std::lock_guard lock(mutex_of(impl));
  const detail::TensorImpl& base = *impl.base.impl();
  const std::uint64_t version = impl.storage->version;
  if (impl.node_version == version || base.node_version != version) return;
  impl.node = nullptr;
  impl.output = 0;
  impl.node_version = version;
  if (!impl.base.requires_grad()) return;
  impl.node = make_node("view", edges_to({&impl.base, 1}), 1,
                        [window = window_of(x)](std::span<const Tensor> dy) {
                          return std::vector<Tensor>{place(dy[0], window)};
                        });
  if (impl.retained != nullptr) impl.node->retain(0, impl.retained);
}

void check_in_place(std::string_view op, const Tensor& x, bool recorded) {
  if (!recorded) return;
  require(!x.is_inference(),
          "[{}] a tensor made in InferenceMode can't be written in place by a recorded op; clone() it",
          op);
  require(!x.is_leaf() || !x.requires_grad(),
          "[{}] a leaf that requires a gradient can't be written in place; do it under NoGrad", op);
  const Tensor& base = x.impl()->base;
  if (!base.defined()) {
    require(!x.impl()->is_view,
            "[{}] a view that was made by detach() or under NoGrad can't be written in place by a "
            "recorded op; clone() it",
            op);
    return;
  }
  require(
      !base.is_leaf() || !base.requires_grad(),
      "[{}] a view of a leaf that requires a gradient can't be written in place; do it under NoGrad",
      op);
  require(base.is_contiguous(), "[{}] the base of a view that is written in place must be contiguous",
          op);
  edge_to(base);
}

void rebase(const Tensor& x) {
  detail::TensorImpl &impl = *x.impl(), &base = *impl.base.impl();
  Edges edges{{base.node, base.output, {}}, {impl.node, impl.output, {}}};
  record("write_to_view", std::move(edges), {&impl.base, 1},
         [window = window_of(x)](std::span<const Tensor> dy) {
           return std::vector<Tensor>{cleared(dy[0], window), take(dy[0], window)};
         });
}

void forget(const Tensor& x) {
  detail::TensorImpl& impl = *x.impl();
  impl.node = nullptr;
  impl.retained = nullptr;
  if (impl.base.defined()) rebase(x);
}

}  // namespace tenon::autograd
