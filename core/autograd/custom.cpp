// Custom functions: one node for a user's forward and backward.
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {

struct ContextState {
  /// A saved tensor; an output is put back at its place in the graph by number, since the node can't
  /// own what owns it.
  struct Entry {
    Saved saved;
    std::optional<int> output;
  };

  static ContextState& of(const Context& context) { return *context.state_; }

  std::string_view name;
  std::vector<Tensor> to_save, without_gradient;  // while forward runs
  std::vector<Entry> entries;
  std::vector<bool> needed;  // by input
  std::weak_ptr<Node> node;
};

namespace {

/// What a tensor is but for its elements.
struct Meta {
  Shape shape;
  DType dtype;
  Device device;
};
Meta meta_of(const Tensor& x) {
  return {x.shape(), x.dtype(), x.device()};
}

/// A name that lives as long as the process.
std::string_view interned(std::string_view name) {
  static std::mutex& mutex = *new std::mutex;
  static auto& names = *new std::set<std::string, std::less<>>;
  const std::lock_guard lock(mutex);
  return *names.emplace(name).first;
}

bool contains(std::span<const Tensor> tensors, const Tensor& x) {
  for (const Tensor& each : tensors) {
    if (each.is_same(x)) return true;
  }
  return false;
}

void check_gradients(std::string_view name, std::span<const Tensor> gradients,
                     std::span<const Meta> inputs, const std::vector<bool>& needed) {
  require(gradients.size() == inputs.size(), "[{}] backward gave {} gradients for {} inputs", name,
          gradients.size(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& dx = gradients[i];
    const Meta& x = inputs[i];
    if (!dx.defined() || !needed[i]) continue;
    require(dx.shape() == x.shape && dx.dtype() == x.dtype && dx.device() == x.device,
            "[{}] backward gave {} {} on {} as the gradient of input {}, which is {} {} on {}", name,
            tenon::name(dx.dtype()), dx.shape(), dx.device().name(), i, tenon::name(x.dtype), x.shape,
            x.device.name());
  }
}

/// The recorded backward: the user's between zeros for what is undefined and the check of its results.
struct CustomNode {
  std::string_view name;
  Context context;
  CustomBackward backward;
  std::vector<Meta> inputs;
  std::vector<std::optional<Meta>> outputs;  // of those with a gradient

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    std::vector<Tensor> given(dy.begin(), dy.end());
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (given[i].defined() || !outputs[i]) continue;
      given[i] = zeros(outputs[i]->shape, {.dtype = outputs[i]->dtype, .device = outputs[i]->device});
    }
    std::vector<Tensor> dx = backward(context, given);
    const std::vector<bool>& needed = ContextState::of(context).needed;
    check_gradients(name, dx, inputs, needed);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (!needed[i]) dx[i] = {};
    }
    return dx;
  }
};

std::vector<Tensor> run_forward(const CustomForward& forward, Context& context,
                                std::span<const Tensor> inputs) {
  std::vector<std::uint64_t> versions;
  for (const Tensor& x : inputs) versions.push_back(x.version());
  const NoGrad guard;
  std::vector<Tensor> outputs = forward(context, inputs);
  const std::string_view name = ContextState::of(context).name;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require(inputs[i].version() == versions[i],
            "[{}] forward changed its input {} in place; clone() it first", name, i);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    require(outputs[i].defined(), "[{}] output {} of forward is undefined", name, i);
  }
  return outputs;
}

/// Outputs that can be recorded: what is a result or a leaf already gets another handle.
void separate(std::vector<Tensor>& outputs, ContextState& state) {
  for (Tensor& y : outputs) {
    if (!y.requires_grad()) continue;
    const Tensor other = y.detach();
    if (contains(state.without_gradient, y)) state.without_gradient.push_back(other);
    y = other;
  }
}

void save(ContextState& state, std::span<const Tensor> outputs) {
  for (const Tensor& x : std::exchange(state.to_save, {})) {
    std::optional<int> output;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].is_same(x)) output = static_cast<int>(i);
    }
    state.entries.push_back({Saved(x), output});
  }
}

}  // namespace

Context::Context() : state_(std::make_shared<ContextState>()) {}

void Context::save_for_backward(std::vector<Tensor> tensors) {
  state_->to_save = std::move(tensors);
}

std::vector<Tensor> Context::saved() const {
  std::vector<Tensor> all;
  const std::shared_ptr<Node> node = state_->node.lock();
  for (const ContextState::Entry& entry : state_->entries) {
    Tensor x = entry.saved.get(state_->name);
    if (entry.output && node != nullptr && is_floating(x.dtype())) {
      x = alias(x);
      x.impl()->node = node;
      x.impl()->output = *entry.output;
      x.impl()->node_version = x.version();
    }
    all.push_back(x);
  }
  return all;
}

void Context::mark_non_differentiable(const Tensor& output) {
  state_->without_gradient.push_back(output);
}

bool Context::needs_input_grad(std::size_t i) const {
  require(i < state_->needed.size(), "[{}] there is no input {}", state_->name, i);
  return state_->needed[i];
}

std::vector<Tensor> custom(std::string_view name, const std::vector<Tensor>& inputs,
                           const CustomForward& forward, const CustomBackward& backward) {
  Context context;
  ContextState& state = ContextState::of(context);
  state.name = interned(name);
  const bool recorded = needs_record(inputs);
  for (const Tensor& x : inputs) {
    require(x.defined(), "[{}] an input is undefined", name);
    state.needed.push_back(recorded && x.requires_grad());
  }
  std::vector<Tensor> outputs = run_forward(forward, context, inputs);
  if (!recorded) return outputs;
  separate(outputs, state);
  CustomNode node{state.name, context, backward, {}, {}};
  for (const Tensor& x : inputs) node.inputs.push_back(meta_of(x));
  std::vector<Tensor> results = outputs;  // of the node; undefined where there is no gradient
  for (Tensor& y : results) {
    if (!is_floating(y.dtype()) || contains(state.without_gradient, y)) y = {};
    node.outputs.push_back(y.defined() ? std::optional(meta_of(y)) : std::nullopt);
  }
  save(state, results);
  state.without_gradient.clear();
  state.node = record(state.name, inputs, results, std::move(node));
  return outputs;
}

}  // namespace tenon::autograd
