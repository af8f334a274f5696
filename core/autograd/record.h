// The tape: how ops record themselves for backward.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/tensor.h>

#include "core/base/gate.h"
#include "core/base/hook_list.h"
#include "core/base/recycle.h"
#include "core/base/small.h"
#include "core/runtime/storage.h"

namespace tenon::autograd {

class Frame;
class Node;

/// Where a gradient goes: an output of a node, or a leaf, or (neither) nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
  Tensor leaf;
};

/// From the gradients of a node's outputs to those of its inputs; an undefined one means zero. Of the
/// outputs' at least one is defined.
using Backward = std::function<std::vector<Tensor>(std::span<const Tensor> dy)>;

using GradientHooks = HookList<std::function<Tensor(const Tensor&)>>;

/// The hooks of a leaf.
struct LeafHooks {
  GradientHooks gradient;
  HookList<std::function<void(const Tensor&)>> accumulated;
};

/// The gradient of a result that retains it: shared by the result and the node it came from.
struct RetainedGrad {
  std::mutex mutex;  // of threads that go backward through the node
  Tensor gradient;
};

/// What is asked of the gradient of one of a node's outputs.
struct OutputHooks {
  GradientHooks hooks;
  std::shared_ptr<RetainedGrad> retained;
};

using Edges = Small<Edge, 2>;

/// One recorded op; made by make_node.
class Node {
 public:
  Node(std::string_view op, std::size_t outputs);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  /// Runs backward: dx takes the gradients of the inputs, undefined ones mean zero. Without `retain`
  /// for the last time, and what it saved is freed.
  void run(std::span<const Tensor> dy, std::span<Tensor> dx, bool retain);
  /// Whether it ran for the last time.
  bool is_freed() const { return is_over_.load(std::memory_order_acquire); }

  HookHandle add_hook(int output, std::function<Tensor(const Tensor&)> hook);
  void retain(int output, std::shared_ptr<RetainedGrad> retained);
  /// What is asked of an output's gradient, as it is now, if anything.
  std::optional<OutputHooks> hooks(int output) const;

  const std::string_view name;
  const std::string module;  // the path of the module it was recorded in, under AnomalyMode
  const Edges& inputs() const { return inputs_; }
  const std::size_t output_count;

 protected:
  Edges inputs_;

 private:
  friend struct Retire;
  /// Backward itself; several threads may be in it. Of `dy` at least one is defined.
  virtual void backward(std::span<const Tensor> dy, std::span<Tensor> dx) const = 0;
  /// Frees what is saved; nobody is in backward.
  virtual void free_saved() = 0;
  void enter(bool retain);
  void leave();

  mutable Gate gate_;  // guards what follows
  int running_ = 0;
  std::atomic<bool> is_over_{false};  // told under the gate
  std::atomic<bool> is_hooked_{false};
  std::map<int, OutputHooks> hooks_;
  Node* next_ = nullptr;  // of those that wait for their end
};

/// Ends nodes one after the other, however long the chain behind them.
struct Retire {
  void operator()(Node* node) const noexcept;
};

/// A T of these arguments, which is a Node and Recycled.
template <class T, class... Arguments>
std::shared_ptr<T> make_node(Arguments&&... arguments) {
  return {new T(std::forward<Arguments>(arguments)...), Retire{}, RecyclingAllocator<T>{}};
}

/// What threads take turns by that change what a leaf has beside its elements.
std::mutex& mutex_of(const Tensor& leaf);

/// Whether an op over these inputs is to be recorded.
bool needs_record(std::span<const Tensor> inputs);
bool needs_record(std::span<const Tensor* const> inputs);

/// A node without results, whose backward is a function.
std::shared_ptr<Node> make_node(std::string_view op, Edges edges, std::size_t outputs,
                                Backward backward);

/// Makes `outputs` the node's results; an undefined one, or one of integers, is none. Where an output
/// is a view, its base becomes a result too.
void attach(const std::shared_ptr<Node>& node, std::span<const Tensor> outputs);

/// Makes `outputs` results of an op named `name` (a literal) over `inputs`. Call only if
/// needs_record(inputs).
std::shared_ptr<Node> record(std::string_view name, std::span<const Tensor> inputs,
                             std::span<const Tensor> outputs, Backward backward);
/// The same from edges: an op that writes in place asks for them before it writes.
std::shared_ptr<Node> record(std::string_view name, Edges edges, std::span<const Tensor> outputs,
                             Backward backward);

/// A tensor kept for backward, with the storage and version it had; written in place or given other
/// data since then, it is no use. Within a checkpoint it keeps the place in what is computed again.
class Saved {
 public:
  explicit Saved(const Tensor& x);
  /// InvalidArgument, naming `op`, after such a change.
  Tensor get(std::string_view op) const;

 private:
  Saved(std::shared_ptr<Frame> frame, std::size_t place) : frame_(std::move(frame)), place_(place) {}

  Tensor tensor_;
  runtime::StorageRef storage_;
  std::uint64_t version_ = 0;
  std::shared_ptr<Frame> frame_;
  std::size_t place_ = 0;
};

/// The edge from a result or a leaf to its gradient's consumer.
Edge edge_to(const Tensor& x);
Edges edges_to(std::span<const Tensor> tensors);

/// Another handle on x's elements at x's place on the tape, where it stays when an op in place moves x
/// on.
Tensor alias(const Tensor& x);

/// y, a result without a place on the tape, at that of an op over `edges`: where the op's own backward
/// finds its result when it is recorded itself, without keeping what the op ran on. y as it is where
/// nothing is recorded.
Tensor replayed(std::string_view name, const Tensor& y, const Edges& edges, const Backward& backward);

/// What an in-place op on x must check before it writes, if it would be recorded: `recorded` says so.
void check_in_place(std::string_view op, const Tensor& x, bool recorded);

/// After a write that leaves nothing of what x was: x is no result any more, of its base the rest is.
void forget(const Tensor& x);

/// Makes x a view of what `of` is a view of, or of `of` itself, for writes in place.
void set_base(const Tensor& x, const Tensor& of);

/// A view that was left behind by a write to its base becomes a result of the base as it is now.
void follow_base(const Tensor& x);

/// Makes x's base a result of what it was, with x's elements in it.
void rebase(const Tensor& x);

}  // namespace tenon::autograd
