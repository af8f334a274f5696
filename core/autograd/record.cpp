// Nodes, edges, and the thread's grad mode.
#include "core/autograd/record.h"

#include <algorithm>
#include <utility>

#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon {

namespace {
thread_local bool recording = true;
}

NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() {
  recording = before_;
}
bool grad_enabled() {
  return recording;
}

namespace autograd {

Node::~Node() {
  // What this node holds may be the last owner of other nodes: they queue up here instead of nesting.
  struct Remains {
    std::vector<Edge> inputs;
    Backward backward;
  };
  thread_local std::vector<Remains>* queue = nullptr;
  if (queue != nullptr) {
    queue->push_back({std::move(inputs), std::move(backward_)});
    return;
  }
  std::vector<Remains> own;
  queue = &own;
  own.push_back({std::move(inputs), std::move(backward_)});
  while (!own.empty()) {
    const Remains remains = std::move(own.back());
    own.pop_back();
  }
  queue = nullptr;
}

std::vector<Tensor> Node::run(std::span<const Tensor> dy, bool retain) {
  Backward own;
  {
    const std::lock_guard lock(mutex_);
    own = retain ? backward_ : std::exchange(backward_, nullptr);
  }
  require(own != nullptr,
          "[backward] the graph behind {} has been freed; keep it with backward({{}}, true)", name);
  return own(dy);
}

bool needs_record(std::span<const Tensor> inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(),
                                  [](const Tensor& x) { return x.defined() && x.requires_grad(); });
}

Edge edge_to(const Tensor& x) {
  if (!x.defined() || !x.requires_grad()) return {};
  const detail::TensorImpl& impl = *x.impl();
  if (impl.node == nullptr) return {nullptr, 0, x};
  require(impl.node_version == x.version(),
          "[{}] its result was changed in place through another tensor; clone() before the change",
          impl.node->name);
  return {impl.node, impl.output, {}};
}

std::vector<Edge> edges_to(std::span<const Tensor> tensors) {
  std::vector<Edge> edges;
  for (const Tensor& x : tensors) edges.push_back(edge_to(x));
  return edges;
}

void record(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
            Backward backward) {
  record(name, edges_to(inputs), outputs, std::move(backward));
}

void record(std::string_view name, std::vector<Edge> edges, std::span<const Tensor> outputs,
            Backward backward) {
  const auto node = std::make_shared<Node>(name, std::move(edges), outputs.size(), std::move(backward));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    detail::TensorImpl& impl = *outputs[i].impl();
    if (!is_floating(impl.dtype)) continue;
    impl.node = node;
    impl.output = static_cast<int>(i);
    impl.node_version = outputs[i].version();
  }
}

Tensor alias(const Tensor& x) {
  const detail::TensorImpl& from = *x.impl();
  Tensor other = make_view(x, from.shape, from.strides, from.offset);
  detail::TensorImpl& impl = *other.impl();
  impl.requires_grad = from.requires_grad;
  impl.node = from.node;
  impl.output = from.output;
  impl.node_version = from.node_version;
  return other;
}

Tensor replayed(std::string_view name, const Tensor& y, const std::vector<Edge>& edges,
                const Backward& backward) {
  if (!recording) return y;
  const Tensor again = alias(y);
  record(name, edges, {&again, 1}, backward);
  return again;
}

// A leaf stays itself, since gradients find it by identity. All else is kept apart from what an op in
// place may make of the tensor later: its new node would own this one, and this one the tensor.
Saved::Saved(const Tensor& x)
    : tensor_(x.is_leaf() && x.requires_grad() ? x : alias(x)),
      storage_(x.impl()->storage),
      version_(x.version()) {}

const Tensor& Saved::get(std::string_view op) const {
  require(tensor_.impl()->storage.get() == storage_.get(),
          "[{}] a tensor that backward needs was given other data since", op);
  require(tensor_.version() == version_,
          "[{}] a tensor that backward needs was changed in place: it is at version {}, {} was saved",
          op, tensor_.version(), version_);
  return tensor_;
}

void check_in_place(std::string_view op, const Tensor& x, bool recorded) {
  if (!recorded) return;
  require(!x.is_leaf() || !x.requires_grad(),
          "[{}] a leaf that requires a gradient can't be written in place; do it under NoGrad", op);
  if (x.impl()->is_view) {
    fail(ErrorKind::Unsupported,
         "[{}] writing in place to a view is not recorded yet; clone() it first", op);
  }
}

}  // namespace autograd

bool Tensor::requires_grad() const {
  const detail::TensorImpl& impl = impl_of(*this, "requires_grad");
  return impl.requires_grad || impl.node != nullptr;
}

bool Tensor::is_leaf() const {
  return impl_of(*this, "is_leaf").node == nullptr;
}

Tensor& Tensor::set_requires_grad(bool requires_grad) {
  detail::TensorImpl& impl = impl_of(*this, "set_requires_grad");
  require(impl.node == nullptr, "[set_requires_grad] this is the result of {}; only a leaf can be told",
          impl.node ? impl.node->name : "");
  require(!requires_grad || is_floating(impl.dtype),
          "[set_requires_grad] {} has no gradient; use a floating dtype", name(impl.dtype));
  impl.requires_grad = requires_grad;
  return *this;
}

const Tensor& Tensor::grad() const {
  return impl_of(*this, "grad").grad;
}

void Tensor::set_grad(Tensor grad) {
  detail::TensorImpl& impl = impl_of(*this, "set_grad");
  if (grad.defined()) {
    require(grad.dtype() == impl.dtype && grad.device() == device(),
            "[set_grad] the gradient is {} on {}, the tensor {} on {}", name(grad.dtype()),
            grad.device().name(), name(impl.dtype), device().name());
  }
  require(!grad.defined() || grad.shape() == impl.shape, "[set_grad] shapes differ: {} and {}",
          grad.defined() ? tenon::to_string(grad.shape()) : "", tenon::to_string(impl.shape));
  impl.grad = std::move(grad);
}

Tensor Tensor::detach() const {
  const detail::TensorImpl& impl = impl_of(*this, "detach");
  return make_view(*this, impl.shape, impl.strides, impl.offset);
}

}  // namespace tenon
