// The tape: how ops record themselves for backward.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/tensor.h>

namespace tenon::autograd {

struct Node;

/// Where a gradient goes: an output of a node, or a leaf, or (neither) nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
  Tensor leaf;
};

/// From the gradients of a node's outputs to those of its inputs; an undefined one means zero.
using Backward = std::function<std::vector<Tensor>(std::span<const Tensor> dy)>;

/// What a missing gradient of an output is made from.
struct OutputMeta {
  Shape shape;
  DType dtype;
  Device device;
};

/// One recorded op. Its destruction never recurses, however long the chain behind it.
struct Node {
  std::string_view name;
  std::vector<Edge> inputs;
  std::vector<OutputMeta> outputs;
  Backward backward;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();
};

/// Whether an op over these inputs is to be recorded.
bool needs_record(std::span<const Tensor> inputs);

/// Makes `outputs` results of an op named `name` (a literal) over `inputs`. Call only if
/// needs_record(inputs).
void record(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
            Backward backward);

/// A tensor kept for backward, with the version it had; written in place since then, it is no use.
class Saved {
 public:
  explicit Saved(const Tensor& x) : tensor_(x), version_(x.version()) {}
  /// InvalidArgument, naming `op`, after an in-place write.
  const Tensor& get(std::string_view op) const;

 private:
  Tensor tensor_;
  std::uint64_t version_;
};

/// The edge from a result or a leaf to its gradient's consumer.
Edge edge_to(const Tensor& x);

/// What an in-place op on x must check before it writes, if it would be recorded: `recorded` says so.
void check_in_place(std::string_view op, const Tensor& x, bool recorded);

}  // namespace tenon::autograd
