// Nodes, edges, and what of a tensor is the tape's.
#include "core/autograd/record.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/autograd/checkpoint.h"
#include "core/autograd/modes.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace autograd {

Node::Node(std::string_view op, std::size_t outputs)
    : name(op), module(recording_module()), output_count(outputs) {}

void Retire::operator()(Node* node) const noexcept {
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Node* waiting = nullptr;
  [[gnu::tls_model("initial-exec")]] static constinit thread_local bool is_busy = false;
  node->next_ = std::exchange(waiting, node);
  if (is_busy) return;  // what a node holds may be the last owner of others
  is_busy = true;
  while (Node* const each = waiting) {
    waiting = each->next_;
    delete each;
  }
  is_busy = false;
}

void Node::enter(bool retain) {
  const std::lock_guard lock(gate_);
  require(!is_freed(),
          "[backward] the graph behind {} has been freed; keep it with backward({{}}, true)", name);
  is_over_.store(!retain, std::memory_order_release);
  ++running_;
}

void Node::leave() {
  bool is_last = false;
  {
    const std::lock_guard lock(gate_);
    is_last = --running_ == 0 && is_freed();
  }
  if (is_last) free_saved();
}

void Node::run(std::span<const Tensor> dy, std::span<Tensor> dx, bool retain) {
  enter(retain);
  struct Leaving {
    Node& node;
    ~Leaving() { node.leave(); }
  } leaving{*this};
  backward(dy, dx);
}

HookHandle Node::add_hook(int output, std::function<Tensor(const Tensor&)> hook) {
  const std::lock_guard lock(gate_);
  is_hooked_.store(true, std::memory_order_release);
  return hooks_[output].hooks.add(std::move(hook));
}

void Node::retain(int output, std::shared_ptr<RetainedGrad> retained) {
  const std::lock_guard lock(gate_);
  is_hooked_.store(true, std::memory_order_release);
  hooks_[output].retained = std::move(retained);
}

std::optional<OutputHooks> Node::hooks(int output) const {
  if (!is_hooked_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(gate_);
  const auto found = hooks_.find(output);
  return found == hooks_.end() ? std::nullopt : std::optional(found->second);
}

namespace {

/// A node whose backward is a function.
class FunctionNode final : public Node, public Recycled<FunctionNode> {
 public:
  FunctionNode(std::string_view op, Edges edges, std::size_t outputs, Backward how)
      : Node(op, outputs), backward_(std::move(how)) {
    inputs_ = std::move(edges);
  }

 private:
  void backward(std::span<const Tensor> dy, std::span<Tensor> dx) const override {
    std::vector<Tensor> gradients = backward_(dy);
    std::move(gradients.begin(), gradients.end(), dx.begin());
  }
  void free_saved() override { backward_ = nullptr; }

  Backward backward_;
};

}  // namespace

std::mutex& mutex_of(const Tensor& leaf) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[reinterpret_cast<std::uintptr_t>(leaf.impl()) / sizeof(detail::TensorImpl) %
                 mutexes.size()];
}

bool needs_record(std::span<const Tensor> inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) {
           return x.defined() && x.requires_grad();
         });
}

bool needs_record(std::span<const Tensor* const> inputs) {
  return grad_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const Tensor* x) {
           return x->defined() && x->requires_grad();
         });
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

Edges edges_to(std::span<const Tensor> tensors) {
  Edges edges;
  for (const Tensor& x : tensors) edges.push_back(edge_to(x));
  return edges;
}

namespace {

LeafHooks& hooks_of(const Tensor& leaf) {
  const std::lock_guard lock(mutex_of(leaf));
  std::shared_ptr<LeafHooks>& hooks = leaf.impl()->hooks;
  if (hooks == nullptr) hooks = std::make_shared<LeafHooks>();
  return *hooks;
}

}  // namespace

std::shared_ptr<Node> record(std::string_view name, std::span<const Tensor> inputs,
                             std::span<const Tensor> outputs, Backward backward) {
  return record(name, edges_to(inputs), outputs, std::move(backward));
}

std::shared_ptr<Node> record(std::string_view name, Edges edges, std::span<const Tensor> outputs,
                             Backward backward) {
  auto node = make_node(name, std::move(edges), outputs.size(), std::move(backward));
  attach(node, outputs);
  return node;
}

std::shared_ptr<Node> make_node(std::string_view op, Edges edges, std::size_t outputs,
                                Backward backward) {
  return make_node<FunctionNode>(op, std::move(edges), outputs, std::move(backward));
}

void attach(const std::shared_ptr<Node>& node, std::span<const Tensor> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !is_floating(outputs[i].dtype())) continue;
    detail::TensorImpl& impl = *outputs[i].impl();
    if (impl.retained != nullptr) {
      impl.node->retain(impl.output, nullptr);
      node->retain(static_cast<int>(i), impl.retained);
    }
    impl.node = node;
    impl.output = static_cast<int>(i);
    impl.node_version = outputs[i].version();
    if (impl.base.defined()) rebase(outputs[i]);
  }
}

Tensor alias(const Tensor& x) {
  follow_base(x);
  const detail::TensorImpl& from = *x.impl();
  Tensor other = make_view(x, from.shape, from.strides, from.offset);
  detail::TensorImpl& impl = *other.impl();
  impl.requires_grad = from.requires_grad;
  impl.node = from.node;
  impl.output = from.output;
  impl.node_version = from.node_version;
  return other;
}

Tensor replayed(std::string_view name, const Tensor& y, const Edges& edges, const Backward& backward) {
  if (!grad_enabled()) return y;
  const Tensor again = alias(y);
  record(name, edges, {&again, 1}, backward);
  return again;
}

// A leaf stays itself, since gradients find it by identity. All else is kept apart from what an op in
// place may make of the tensor later: its new node would own this one, and this one the tensor.
Saved::Saved(const Tensor& x) {
  require(!x.is_inference(),
          "[backward] a tensor made in InferenceMode can't be saved for a gradient; clone() it first");
  const bool leaf = x.is_leaf() && x.requires_grad();
  tensor_ = leaf ? x : alias(x);
  storage_ = x.impl()->storage;
  version_ = x.version();
  if (leaf) return;
  if (const auto frame = Frame::packing()) {
    const std::size_t place = frame->pack(*this, x);
    *this = Saved(frame, place);
  } else {
    Frame::collect(*this, x);
  }
}

Tensor Saved::get(std::string_view op) const {
  if (frame_ != nullptr) return frame_->unpack(place_).get(op);
  require(tensor_.impl()->storage.get() == storage_.get(),
          "[{}] a tensor that backward needs was given other data since", op);
  require(tensor_.version() == version_,
          "[{}] a tensor that backward needs was changed in place: it is at version {}, {} was saved",
          op, tensor_.version(), version_);
  return tensor_;
}

}  // namespace autograd

bool Tensor::requires_grad() const {
  const detail::TensorImpl& impl = impl_of(*this, "requires_grad");
  if (impl.base.defined()) autograd::follow_base(*this);
  return impl.requires_grad || impl.node != nullptr;
}

bool Tensor::is_leaf() const {
  const detail::TensorImpl& impl = impl_of(*this, "is_leaf");
  if (impl.base.defined()) autograd::follow_base(*this);
  return impl.node == nullptr;
}

Tensor& Tensor::set_requires_grad(bool requires_grad) {
  detail::TensorImpl& impl = impl_of(*this, "set_requires_grad");
  require(is_leaf(), "[set_requires_grad] this is the result of {}; only a leaf can be told",
          impl.node ? impl.node->name : "");
  require(!requires_grad || is_floating(impl.dtype),
          "[set_requires_grad] {} has no gradient; use a floating dtype", name(impl.dtype));
  require(!requires_grad || !impl.is_inference || inference_mode(),
          "[set_requires_grad] the tensor was made in InferenceMode; clone() it first");
  impl.requires_grad = requires_grad;
  if (requires_grad) impl.base = {};  // a leaf stays one, whatever its base becomes
  return *this;
}

bool Tensor::is_inference() const {
  return impl_of(*this, "is_inference").is_inference;
}

const Tensor& Tensor::grad() const {
  const detail::TensorImpl& impl = impl_of(*this, "grad");
  return impl.retained != nullptr ? impl.retained->gradient : impl.grad;
}

void Tensor::set_grad(Tensor grad) {
  detail::TensorImpl& impl = impl_of(*this, "set_grad");
  if (grad.defined()) {
    require(grad.dtype() == impl.dtype && grad.device() == device(),
            "[set_grad] the gradient is {} on {}, the tensor {} on {}", name(grad.dtype()),
            grad.device().name(), name(impl.dtype), device().name());
  }
  require(!grad.defined() || grad.shape() == impl.shape, "[set_grad] shapes differ: {} and {}",
          grad.defined() ? tenon::to_string(grad.shape()) : "", impl.shape);
  (impl.retained != nullptr ? impl.retained->gradient : impl.grad) = std::move(grad);
}

HookHandle Tensor::add_hook(std::function<Tensor(const Tensor&)> f) {
  detail::TensorImpl& impl = impl_of(*this, "register_hook");
  require(requires_grad(), "[register_hook] the tensor requires no gradient");
  if (impl.node != nullptr) return impl.node->add_hook(impl.output, std::move(f));
  return autograd::hooks_of(*this).gradient.add(std::move(f));
}

HookHandle Tensor::register_post_accumulate_grad_hook(std::function<void(const Tensor&)> f) {
  impl_of(*this, "register_post_accumulate_grad_hook");
  require(requires_grad() && is_leaf(),
          "[register_post_accumulate_grad_hook] only a leaf that requires a gradient accumulates one");
  return autograd::hooks_of(*this).accumulated.add(std::move(f));
}

void Tensor::retain_grad() {
  detail::TensorImpl& impl = impl_of(*this, "retain_grad");
  require(requires_grad(), "[retain_grad] the tensor requires no gradient");
  if (impl.node == nullptr || impl.retained != nullptr) return;
  impl.retained = std::make_shared<autograd::RetainedGrad>();
  impl.node->retain(impl.output, impl.retained);
}

Tensor Tensor::detach() const {
  const detail::TensorImpl& impl = impl_of(*this, "detach");
  return make_view(*this, impl.shape, impl.strides, impl.offset);
}

}  // namespace tenon
