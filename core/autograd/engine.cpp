// Backward: each node after all that use its results, without recursion.
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/checks.h"
#include "core/autograd/modes.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {
namespace {

/// Whether a change of x's elements is seen by nobody but the one who holds this handle.
bool is_exclusive(const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  return impl.references == 1 && impl.storage->references == 1 && x.is_contiguous();
}

/// Adds to what has arrived, in its memory where that can be.
void add(Tensor& slot, const Tensor& gradient) {
  if (!slot.defined()) {
    slot = gradient;
  } else if (!grad_enabled() && is_exclusive(slot)) {
    slot += gradient;
  } else {
    slot = slot + gradient;
  }
}

Tensor hooked(Tensor gradient, const GradientHooks& hooks) {
  for (const auto& hook : hooks.all()) {
    const Tensor other = (*hook)(gradient);
    if (!other.defined()) continue;
    require(other.shape() == gradient.shape() && other.dtype() == gradient.dtype() &&
                other.device() == gradient.device(),
            "[register_hook] the hook gave {} {} on {}, the gradient is {} {} on {}",
            name(other.dtype()), to_string(other.shape()), other.device().name(),
            name(gradient.dtype()), to_string(gradient.shape()), gradient.device().name());
    gradient = other;
  }
  return gradient;
}

/// Adds to the leaf's grad: the first gradient is adopted, further ones are added in place, if nobody
/// else holds what is adopted or written.
void accumulate(Tensor leaf, Tensor gradient) {
  const std::lock_guard lock(mutex_of(leaf));
  Tensor& grad = leaf.impl()->grad;
  if (grad.defined()) {
    add(grad, gradient);
  } else {
    leaf.set_grad(is_exclusive(gradient) ? std::move(gradient) : gradient.clone());
  }
}

class Engine {
 public:
  explicit Engine(bool retain_graph) : retain_graph_(retain_graph) {}

  /// Gradients that arrive at these tensors are kept in `captured`, and leaves are left alone.
  void capture(std::span<const Tensor> tensors) {
    capturing_ = true;
    captured.resize(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Edge edge = edge_to(tensors[i]);
      captures_[key(edge)].push_back({edge.output, i});
    }
  }

  void run(std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
    const std::vector<Edge> roots = edges_to(outputs);
    for (const Edge& root : roots) discover(root);
    for (std::size_t i = 0; i < roots.size(); ++i) deliver(roots[i], gradients[i]);
    for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
      (*place)->node != nullptr ? run_node(**place) : finish_leaf(**place);
    }
  }

  std::vector<Tensor> captured;

 private:
  struct Capture {
    int output;
    std::size_t index;
  };
  /// Where gradients arrive: a node, or a leaf.
  struct Place {
    Node* node = nullptr;
    Tensor leaf;
    bool leads_to_capture = false;  // a node whose run gives a captured gradient
    std::span<const Capture> captures;
    std::vector<Tensor> gradients;  // one for each output
  };

  static const void* key(const Edge& edge) {
    return edge.node != nullptr ? static_cast<const void*>(edge.node.get()) : edge.leaf.impl();
  }

  /// The place at an edge's end, and whether it is new.
  std::pair<Place*, bool> place_of(const Edge& edge) {
    const void* const k = key(edge);
    if (k == nullptr) return {nullptr, false};
    const auto [entry, is_new] = places_.try_emplace(k);
    Place& place = entry->second;
    if (is_new) {
      place.node = edge.node.get();
      place.leaf = edge.leaf;
      place.gradients.resize(place.node == nullptr ? 1 : place.node->output_count);
      const auto captures = captures_.find(k);
      if (captures != captures_.end()) place.captures = captures->second;
    }
    return {&place, is_new};
  }

  bool is_wanted(const Place& place) const {
    return !capturing_ || place.leads_to_capture || !place.captures.empty();
  }

  /// Appends what an edge leads to, each place after all that its inputs lead to.
  void discover(const Edge& root) {
    struct Visit {
      Place* place;
      std::size_t next = 0;
    };
    std::vector<Visit> path;
    const auto enter = [&](const Edge& edge) {
      const auto [place, is_new] = place_of(edge);
      if (is_new) path.push_back({place});
    };
    enter(root);
    while (!path.empty()) {
      Visit& visit = path.back();
      Place& place = *visit.place;
      if (place.node != nullptr && visit.next < place.node->inputs().size()) {
        enter(place.node->inputs()[visit.next++]);
        continue;
      }
      if (place.node != nullptr && capturing_) {
        for (const Edge& edge : place.node->inputs()) {
          const Place* const input = place_of(edge).first;
          place.leads_to_capture |= input != nullptr && is_wanted(*input);
        }
      }
      order_.push_back(&place);
      path.pop_back();
    }
  }

  void deliver(const Edge& edge, const Tensor& gradient) {
    Place* const place = gradient.defined() ? place_of(edge).first : nullptr;
    if (place == nullptr || !is_wanted(*place)) return;
    add(place->gradients[static_cast<std::size_t>(edge.output)], gradient);
  }

  void keep_captured(const Place& place) {
    for (const Capture& capture : place.captures) {
      captured[capture.index] = place.gradients[static_cast<std::size_t>(capture.output)];
    }
  }

  /// The gradient of a node's output after its hooks, kept where the output retains it.
  void finish_gradient(const Node& node, int output, Tensor& gradient) const {
    const std::optional<OutputHooks> asked = node.hooks(output);
    if (!asked) return;
    gradient = hooked(std::move(gradient), asked->hooks);
    if (asked->retained == nullptr || capturing_) return;
    const std::lock_guard lock(asked->retained->mutex);
    Tensor& kept = asked->retained->gradient;
    kept = kept.defined() ? kept + gradient : gradient;
  }

  void run_node(Place& place) {
    Node& node = *place.node;
    bool any = false;
    for (std::size_t i = 0; i < place.gradients.size(); ++i) {
      if (!place.gradients[i].defined()) continue;
      any = true;
      finish_gradient(node, static_cast<int>(i), place.gradients[i]);
    }
    keep_captured(place);
    std::vector<Tensor> dx(node.inputs().size());
    if (any && (!capturing_ || place.leads_to_capture)) {
      dx = node.run(place.gradients, retain_graph_);
      if (anomaly_mode()) check_anomaly(node.name, node.module, place.gradients, dx);
    }
    place.gradients.clear();
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const Tensor gradient = std::move(dx[i]);  // held once, so that it can be adopted
      deliver(node.inputs()[i], gradient);
    }
  }

  void finish_leaf(Place& place) {
    Tensor& gradient = place.gradients[0];
    if (!gradient.defined()) return;
    const std::shared_ptr<LeafHooks> hooks = [&] {
      const std::lock_guard lock(mutex_of(place.leaf));
      return place.leaf.impl()->hooks;
    }();
    if (hooks != nullptr) gradient = hooked(std::move(gradient), hooks->gradient);
    keep_captured(place);
    if (capturing_) return;
    accumulate(place.leaf, std::move(gradient));
    if (hooks == nullptr) return;
    for (const auto& hook : hooks->accumulated.all()) (*hook)(place.leaf);
  }

  bool retain_graph_;
  bool capturing_ = false;
  std::unordered_map<const void*, std::vector<Capture>> captures_;
  std::unordered_map<const void*, Place> places_;
  std::vector<Place*> order_;  // inputs first
};

/// The gradient to begin with: what was given, or 1 for a single element.
Tensor first_gradient(std::string_view op, const Tensor& y, const Tensor& given) {
  impl_of(y, op);
  require(y.requires_grad(), "[{}] the tensor does not depend on anything that requires a gradient",
          op);
  if (given.defined()) {
    require(given.shape() == y.shape(), "[{}] the gradient's shape {} is not the tensor's {}", op,
            to_string(given.shape()), to_string(y.shape()));
    require(given.device() == y.device(), "[{}] the gradient is on {}, the tensor on {}", op,
            given.device().name(), y.device().name());
    return given.dtype() == y.dtype() ? given : given.to(y.dtype());
  }
  require(y.numel() == 1, "[{}] the tensor has shape {}: give a gradient, or reduce it to one element",
          op, to_string(y.shape()));
  return ones_like(y);
}

void run_backward(std::string_view op, Engine& engine, std::span<const Tensor> outputs,
                  std::span<const Tensor> gradients, bool create_graph) {
  const MemoryTag tag("gradients");
  const AutocastGuard autocast({.enabled = false});
  std::optional<NoGrad> guard;
  if (!create_graph) guard.emplace();
  std::vector<Tensor> first;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    first.push_back(first_gradient(op, outputs[i], i < gradients.size() ? gradients[i] : Tensor()));
  }
  engine.run(outputs, first);
}

}  // namespace

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, GradOptions options) {
  require(gradients.empty() || gradients.size() == outputs.size(), "[grad] {} outputs and {} gradients",
          outputs.size(), gradients.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    impl_of(inputs[i], "grad");
    require(inputs[i].requires_grad(), "[grad] input {} of shape {} does not require a gradient", i,
            to_string(inputs[i].shape()));
  }
  Engine engine(options.retain_graph.value_or(options.create_graph));
  engine.capture(inputs);
  run_backward("grad", engine, outputs, gradients, options.create_graph);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require(options.allow_unused || engine.captured[i].defined(),
            "[grad] the outputs don't depend on input {} of shape {}; allow_unused gives it an "
            "undefined gradient",
            i, to_string(inputs[i].shape()));
  }
  return std::move(engine.captured);
}

}  // namespace tenon::autograd

namespace tenon {

void Tensor::backward(const Tensor& gradient, bool retain_graph, bool create_graph) const {
  autograd::Engine engine(retain_graph || create_graph);
  autograd::run_backward("backward", engine, {this, 1}, {&gradient, 1}, create_graph);
}

}  // namespace tenon
