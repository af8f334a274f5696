// Backward: nodes in an order in which each has all its gradients, without recursion.
#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {
namespace {

class Engine {
 public:
  explicit Engine(bool retain_graph) : retain_graph_(retain_graph) {}

  /// Gradients that arrive at these tensors are kept in `captured`, and leaves are left alone.
  void capture(std::span<const Tensor> tensors) {
    capturing_ = true;
    for (const Tensor& x : tensors) captures_.push_back(edge_to(x));
    captured.resize(tensors.size());
  }

  void run(std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
    std::vector<Edge> roots;
    for (const Tensor& y : outputs) roots.push_back(edge_to(y));
    count_dependencies(roots);
    for (std::size_t i = 0; i < roots.size(); ++i) deliver(roots[i], gradients[i]);
    for (const Edge& root : roots) {
      if (root.node != nullptr) enqueue_if_ready(root.node.get());
    }
    while (!ready_.empty()) {
      Node* node = ready_.front();
      ready_.pop_front();
      run_node(*node);
    }
  }

  std::vector<Tensor> captured;

 private:
  struct State {
    int waiting_for = 0;  // edges into this node that have not delivered
    bool queued = false;
    bool wanted = true;  // leads to a captured tensor, or nothing is captured
    std::vector<Tensor> gradients;
  };

  void count_dependencies(std::span<const Edge> roots) {
    std::vector<Node*> order;  // each node is found from one before it
    const auto visit = [&](const Edge& edge) {
      if (edge.node != nullptr && states_.try_emplace(edge.node.get()).second)
        order.push_back(edge.node.get());
    };
    for (const Edge& root : roots) visit(root);
    for (std::size_t i = 0; i < order.size(); ++i) {
      Node* const node = order[i];
      states_[node].gradients.resize(node->output_count);
      for (const Edge& edge : node->inputs) {
        visit(edge);
        if (edge.node != nullptr) ++states_[edge.node.get()].waiting_for;
      }
    }
    if (capturing_) mark_wanted(order);
  }

  /// A node is to run if one of its inputs is captured, or a node that is to run.
  void mark_wanted(std::span<Node* const> nodes) {
    std::unordered_map<Node*, std::vector<Node*>> users;
    std::vector<Node*> stack;
    for (Node* const node : nodes) {
      bool leads_to_capture = false;
      for (const Edge& edge : node->inputs) {
        leads_to_capture |= is_captured(edge);
        if (edge.node != nullptr) users[edge.node.get()].push_back(node);
      }
      states_[node].wanted = leads_to_capture;
      if (leads_to_capture) stack.push_back(node);
    }
    while (!stack.empty()) {
      Node* const node = stack.back();
      stack.pop_back();
      for (Node* const user : users[node]) {
        if (!std::exchange(states_[user].wanted, true)) stack.push_back(user);
      }
    }
  }

  bool is_captured(const Edge& edge) const {
    return std::any_of(captures_.begin(), captures_.end(), [&](const Edge& capture) {
      return edge.node != nullptr
                 ? capture.node == edge.node && capture.output == edge.output
                 : edge.leaf.defined() && capture.leaf.defined() && capture.leaf.is_same(edge.leaf);
    });
  }

  void enqueue_if_ready(Node* node) {
    State& state = states_[node];
    if (state.waiting_for == 0 && !std::exchange(state.queued, true)) ready_.push_back(node);
  }

  Tensor sum(const Tensor& a, const Tensor& b) const { return a.defined() ? a + b : b; }

  void deliver(const Edge& edge, const Tensor& gradient) {
    if (!gradient.defined()) return;
    if (edge.node != nullptr) {
      Tensor& slot = states_[edge.node.get()].gradients[static_cast<std::size_t>(edge.output)];
      slot = sum(slot, gradient);
    } else if (edge.leaf.defined()) {
      if (!capturing_) return accumulate(edge.leaf, gradient);
      for (std::size_t i = 0; i < captures_.size(); ++i) {
        if (edge.leaf.is_same(captures_[i].leaf)) captured[i] = sum(captured[i], gradient);
      }
    }
  }

  void accumulate(Tensor leaf, const Tensor& gradient) const {
    static std::mutex mutex;  // several threads may go backward into one leaf
    const std::lock_guard lock(mutex);
    if (leaf.grad().defined()) {
      Tensor grad = leaf.grad();
      grad += gradient;
      return;
    }
    const bool own = gradient.is_contiguous() && gradient.impl()->references == 1 &&
                     gradient.impl()->storage->references == 1;
    leaf.set_grad(own ? gradient : gradient.clone());
  }

  void keep_captured(Node& node, const State& state) {
    for (std::size_t i = 0; i < captures_.size(); ++i) {
      if (captures_[i].node.get() == &node) {
        captured[i] = state.gradients[static_cast<std::size_t>(captures_[i].output)];
      }
    }
  }

  void run_node(Node& node) {
    State& state = states_[&node];
    keep_captured(node, state);
    const bool any = std::any_of(state.gradients.begin(), state.gradients.end(),
                                 [](const Tensor& dy) { return dy.defined(); });
    std::vector<Tensor> dx(node.inputs.size());
    if (any && state.wanted) dx = node.run(state.gradients, retain_graph_);
    state.gradients.clear();
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor gradient = std::move(dx[i]);
      deliver(node.inputs[i], gradient);
    }
    for (const Edge& edge : node.inputs) {
      if (edge.node == nullptr) continue;
      --states_[edge.node.get()].waiting_for;
      enqueue_if_ready(edge.node.get());
    }
  }

  bool retain_graph_;
  bool capturing_ = false;
  std::vector<Edge> captures_;
  std::unordered_map<Node*, State> states_;
  std::deque<Node*> ready_;
};

/// The gradient to begin with: what was given, or 1 for a single element.
Tensor first_gradient(const Tensor& y, const Tensor& given) {
  require(y.requires_grad(),
          "[backward] the tensor does not depend on anything that requires a gradient");
  if (given.defined()) {
    require(given.shape() == y.shape(), "[backward] the gradient's shape {} is not the tensor's {}",
            to_string(given.shape()), to_string(y.shape()));
    require(given.device() == y.device(), "[backward] the gradient is on {}, the tensor on {}",
            given.device().name(), y.device().name());
    return given.dtype() == y.dtype() ? given : given.to(y.dtype());
  }
  require(y.numel() == 1,
          "[backward] the tensor has shape {}: give a gradient, or reduce it to one element",
          to_string(y.shape()));
  return ones_like(y);
}

void run_backward(Engine& engine, std::span<const Tensor> outputs, std::span<const Tensor> gradients,
                  bool create_graph) {
  const MemoryTag tag("gradients");
  std::optional<NoGrad> guard;
  if (!create_graph) guard.emplace();
  std::vector<Tensor> first;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    first.push_back(first_gradient(outputs[i], i < gradients.size() ? gradients[i] : Tensor()));
  }
  engine.run(outputs, first);
}

}  // namespace

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, bool create_graph) {
  for (const Tensor& x : inputs) {
    require(x.requires_grad(), "[grad] an input of shape {} does not require a gradient",
            to_string(x.shape()));
  }
  Engine engine(true);
  engine.capture(inputs);
  run_backward(engine, outputs, gradients, create_graph);
  return std::move(engine.captured);
}

}  // namespace tenon::autograd

namespace tenon {

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  autograd::Engine engine(retain_graph);
  autograd::run_backward(engine, {this, 1}, {&gradient, 1}, false);
}

}  // namespace tenon
