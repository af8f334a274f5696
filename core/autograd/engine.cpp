// Backward: each node after all that use its results, without recursion.
#include <algorithm>
#include <bit>
#include <cstdint>
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
#include "core/base/small.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {
namespace {

/// Whether a change of x's elements is seen by nobody but the one who holds this handle.
bool is_exclusive(const Tensor& x) {
  const detail::TensorImpl& impl = *x.impl();
  return impl.references == 1 && impl.storage->references == 1 && x.is_contiguous();
}

/// Adds to what has arrived, in its memory where that can be.
void add(Tensor& slot, Tensor gradient) {
  if (!slot.defined()) {
    slot = std::move(gradient);
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
            name(other.dtype()), other.shape(), other.device().name(), name(gradient.dtype()),
            gradient.shape(), gradient.device().name());
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
    add(grad, std::move(gradient));
  } else {
    leaf.set_grad(is_exclusive(gradient) ? std::move(gradient) : gradient.clone());
  }
}

/// Numbers by pointer: a hash table with open addressing, at most half full.
class Numbering {
 public:
  /// The number of `key`, and whether it is new: the next one.
  std::pair<std::uint32_t, bool> of(const void* key) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = find(key);
    if (slot.key != nullptr) return {slot.number, false};
    slot = {key, count_};
    return {count_++, true};
  }

 private:
  struct Slot {
    const void* key = nullptr;
    std::uint32_t number = 0;
  };

  Slot& find(const void* key) {
    const std::uint64_t hash = reinterpret_cast<std::uintptr_t>(key) * 0x9e3779b97f4a7c15u;
    std::size_t i = hash >> shift_;
    while (slots_[i].key != nullptr && slots_[i].key != key) i = (i + 1) % slots_.size();
    return slots_[i];
  }
  void grow() {
    const Small<Slot, 32> before = std::move(slots_);
    slots_.assign(std::max<std::size_t>(2 * before.size(), 32), Slot());
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const Slot& slot : before) {
      if (slot.key != nullptr) find(slot.key) = slot;
    }
  }

  Small<Slot, 32> slots_;
  int shift_ = 64;
  std::uint32_t count_ = 0;
};

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
    const Edges roots = edges_to(outputs);
    Small<std::uint32_t, 2> places;
    for (const Edge& root : roots) places.push_back(discover(root));
    for (std::size_t i = 0; i < roots.size(); ++i) deliver(places[i], roots[i].output, gradients[i]);
    for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
      places_[*place].node != nullptr ? run_node(places_[*place]) : finish_leaf(places_[*place]);
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
    Small<Tensor, 1> gradients;    // one for each output
    std::size_t first_target = 0;  // of a node: where its edges lead, in targets_
  };
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

  static const void* key(const Edge& edge) {
    return edge.node != nullptr ? static_cast<const void*>(edge.node.get()) : edge.leaf.impl();
  }

  /// The place at an edge's end, and whether it is new.
  std::pair<std::uint32_t, bool> place_of(const Edge& edge) {
    const void* const k = key(edge);
    if (k == nullptr) return {kNowhere, false};
    const auto [number, is_new] = numbers_.of(k);
    if (is_new) {
      Place& place = places_.emplace_back();
      place.node = edge.node.get();
      place.leaf = edge.leaf;
      place.gradients.resize(place.node == nullptr ? 1 : place.node->output_count);
      if (capturing_) {
        const auto captures = captures_.find(k);
        if (captures != captures_.end()) place.captures = captures->second;
      }
    }
    return {number, is_new};
  }

  bool is_wanted(const Place& place) const {
    return !capturing_ || place.leads_to_capture || !place.captures.empty();
  }

  /// Appends what an edge leads to, each place after all that its inputs lead to; the edge's own place.
  std::uint32_t discover(const Edge& root) {
    struct Visit {
      std::uint32_t place;
      std::size_t next = 0;
    };
    Small<Visit, 16> path;
    const auto enter = [&](const Edge& edge) {
      const auto [number, is_new] = place_of(edge);
      if (is_new) path.push_back({number});
      if (is_new && edge.node != nullptr) {
        places_[number].first_target = targets_.size();
        targets_.resize(targets_.size() + edge.node->inputs().size());
      }
      return number;
    };
    const std::uint32_t place = enter(root);
    while (!path.empty()) {
      const auto [number, next] = path.back();
      const Node* const node = places_[number].node;
      if (node != nullptr && next < node->inputs().size()) {
        ++path.back().next;
        const std::uint32_t target = enter(node->inputs()[next]);
        targets_[places_[number].first_target + next] = target;
        continue;
      }
      if (node != nullptr && capturing_) note_captures(places_[number]);
      order_.push_back(number);
      path.pop_back();
    }
    return place;
  }

  /// Once it is known of all that the place leads to.
  void note_captures(Place& place) const {
    for (std::size_t i = 0; i < place.node->inputs().size(); ++i) {
      const std::uint32_t target = targets_[place.first_target + i];
      place.leads_to_capture |= target != kNowhere && is_wanted(places_[target]);
    }
  }

  void deliver(std::uint32_t target, int output, Tensor gradient) {
    if (!gradient.defined() || target == kNowhere || !is_wanted(places_[target])) return;
    add(places_[target].gradients[static_cast<std::size_t>(output)], std::move(gradient));
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
    Small<Tensor, 4> dx(node.inputs().size());
    if (any && (!capturing_ || place.leads_to_capture)) {
      node.run(place.gradients, dx, retain_graph_);
      if (anomaly_mode()) check_anomaly(node.name, node.module, place.gradients, dx);
    }
    place.gradients.clear();
    for (std::size_t i = 0; i < dx.size(); ++i) {
      deliver(targets_[place.first_target + i], node.inputs()[i].output, std::move(dx[i]));
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
  Numbering numbers_;
  Small<Place, 8> places_;
  Small<std::uint32_t, 16> targets_;
  Small<std::uint32_t, 8> order_;  // inputs first
};

/// The gradient to begin with: what was given, or 1 for a single element.
Tensor first_gradient(std::string_view op, const Tensor& y, const Tensor& given) {
  impl_of(y, op);
  require(y.requires_grad(), "[{}] the tensor does not depend on anything that requires a gradient",
          op);
  if (given.defined()) {
    require(given.shape() == y.shape(), "[{}] the gradient's shape {} is not the tensor's {}", op,
            given.shape(), y.shape());
    require(given.device() == y.device(), "[{}] the gradient is on {}, the tensor on {}", op,
            given.device().name(), y.device().name());
    return given.dtype() == y.dtype() ? given : given.to(y.dtype());
  }
  require(y.numel() == 1, "[{}] the tensor has shape {}: give a gradient, or reduce it to one element",
          op, y.shape());
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
            inputs[i].shape());
  }
  Engine engine(options.retain_graph.value_or(options.create_graph));
  engine.capture(inputs);
  run_backward("grad", engine, outputs, gradients, options.create_graph);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require(options.allow_unused || engine.captured[i].defined(),
            "[grad] the outputs don't depend on input {} of shape {}; allow_unused gives it an "
            "undefined gradient",
            i, inputs[i].shape());
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
