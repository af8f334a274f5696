// The tape: how ops record themselves for backward.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/tensor.h>

#include "core/runtime/storage.h"

namespace tenon::autograd {

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

/// One recorded op. Its destruction never recurses, however long the chain behind it.
class Node {
 public:
  Node(std::string_view op, std::vector<Edge> edges, std::size_t outputs, Backward how)
      : name(op), inputs(std::move(edges)), output_count(outputs), backward_(std::move(how)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  /// Runs backward; without `retain` for the last time, and what it saved is freed.
  std::vector<Tensor> run(std::span<const Tensor> dy, bool retain);

  const std::string_view name;
  std::vector<Edge> inputs;
  const std::size_t output_count;

 private:
  std::mutex mutex_;  // several threads may go backward through one node
  Backward backward_;
};

/// Whether an op over these inputs is to be recorded.
bool needs_record(std::span<const Tensor> inputs);

/// Makes `outputs` results of an op named `name` (a literal) over `inputs`. Call only if
/// needs_record(inputs).
void record(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
            Backward backward);
/// The same from edges: an op that writes in place asks for them before it writes.
void record(std::string_view name, std::vector<Edge> edges, std::span<const Tensor> outputs,
            Backward backward);

/// A tensor kept for backward, with the storage and version it had; written in place or given other
/// data since then, it is no use.
class Saved {
 public:
  explicit Saved(const Tensor& x);
  /// InvalidArgument, naming `op`, after such a change.
  const Tensor& get(std::string_view op) const;

 private:
  Tensor tensor_;
  runtime::StorageRef storage_;
  std::uint64_t version_;
};

/// The edge from a result or a leaf to its gradient's consumer.
Edge edge_to(const Tensor& x);
std::vector<Edge> edges_to(std::span<const Tensor> tensors);

/// Another handle on x's elements at x's place on the tape: what an in-place op saves instead of x,
/// which it is about to move on.
Tensor alias(const Tensor& x);

/// y, a result without a place on the tape, at that of an op over `edges`: where the op's own backward
/// finds its result when it is recorded itself, without keeping what the op ran on. y as it is where
/// nothing is recorded.
Tensor replayed(std::string_view name, const Tensor& y, const std::vector<Edge>& edges,
                const Backward& backward);

/// What an in-place op on x must check before it writes, if it would be recorded: `recorded` says so.
void check_in_place(std::string_view op, const Tensor& x, bool recorded);

}  // namespace tenon::autograd
