// Derivative programs, by the forward program and the inputs that want a gradient.
#include "core/ops/derivatives.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include <tenon/ops.h>

#include "core/base/permanent_table.h"
#include "core/base/recycle.h"
#include "core/ops/elementwise.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

using program::Derivative;
using program::Program;

/// Inputs or outputs of a program: bit i for the i-th.
using Set = std::uint32_t;

std::vector<int> list_of(Set set) {
  std::vector<int> list;
  for (int i = 0; set >> i != 0; ++i) {
    if ((set >> i & 1) != 0) list.push_back(i);
  }
  return list;
}

Set floating_outputs(const Program& program) {
  Set set = 0;
  for (int i = 0; i < program.output_count(); ++i) {
    if (is_floating(program.output_dtype(i))) set |= Set{1} << i;
  }
  return set;
}

/// Slopes by program; leaked, since programs may run while the process ends.
struct KnownSlopes {
  std::mutex mutex;
  std::map<std::uint64_t, program::Slopes> all;
};
KnownSlopes& known_slopes() {
  static auto& leaked = *new KnownSlopes;
  return leaked;
}

Derivative derive(const Program& program, Set wanted, Set given) {
  program::Slopes slopes;
  {
    KnownSlopes& known = known_slopes();
    const std::lock_guard lock(known.mutex);
    const auto found = known.all.find(program.id());
    if (found != known.all.end()) slopes = found->second;
  }
  return slopes ? program::derive(program, list_of(wanted), slopes)
                : program::derive(program, list_of(wanted), list_of(given));
}

/// The derivative for these inputs and outputs, found once.
const Derivative& derivative(const Program& program, Set wanted, Set given) {
  using Key = std::tuple<std::uint64_t, Set, Set>;
  static auto& table = *new PermanentTable<Key, Derivative, 1024>;
  return table.get({program.id(), wanted, given}, [&] { return derive(program, wanted, given); });
}

class ElementwiseNode final : public autograd::Node, public Recycled<ElementwiseNode> {
 public:
  ElementwiseNode(std::string_view op, const Program& program, TensorRefs inputs, Set wanted,
                  std::span<const std::uint64_t> scalars, const Tensor& overwritten, const Fold* fold)
      : Node(op, static_cast<std::size_t>(program.output_count())),
        program_(program),
        wanted_(wanted),
        all_given_(floating_outputs(program)),
        scalars_(scalars.begin(), scalars.end()) {
    if (fold != nullptr) fold_ = std::make_unique<const Fold>(*fold);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs_.push_back(autograd::edge_to(*inputs[i]));
      if ((wanted >> i & 1) != 0) shapes_.push_back(inputs[i]->shape());
    }
    // What a subset of the outputs needs is among what all of them need.
    for (const int i : derivative(program, wanted, all_given_).saved) {
      const Tensor& x = *inputs[static_cast<std::size_t>(i)];
      saved_.push_back({i, autograd::Saved(x.is_same(overwritten) ? x.clone() : x)});
    }
  }

 private:
  struct SavedInput {
    int input;
    autograd::Saved tensor;
  };

  Tensor saved(int input) const {
    const auto is_it = [&](const SavedInput& each) { return each.input == input; };
    return std::find_if(saved_.begin(), saved_.end(), is_it)->tensor.get(name);
  }

  /// The gradients of folded elements: each is that of its sum. They broadcast by themselves where
  /// another operand has all elements.
  Tensor spread(const Tensor& dy, DType dtype, bool broadcasts) const {
    const Tensor kept = dy.to(dtype).reshape(fold_->kept);
    return broadcasts ? kept : kept.expand(fold_->shape);
  }

  void backward(std::span<const Tensor> dy, std::span<Tensor> dx) const override {
    Set given = 0;
    for (std::size_t i = 0; i < dy.size(); ++i) {
      if (dy[i].defined() && (all_given_ >> i & 1) != 0) given |= Set{1} << i;
    }
    const Derivative& rule = derivative(program_, wanted_, given);
    Small<Tensor, 4> operands;
    for (const int i : rule.saved) operands.push_back(saved(i));
    const bool is_whole =
        fold_ != nullptr && std::any_of(operands.begin(), operands.end(),
                                        [&](const Tensor& x) { return x.shape() == fold_->shape; });
    for (std::size_t i = 0; i < dy.size(); ++i) {
      if ((given >> i & 1) == 0) continue;
      operands.push_back(fold_ == nullptr
                             ? dy[i]
                             : spread(dy[i], program_.output_dtype(static_cast<int>(i)), is_whole));
    }
    Small<Tensor, 4> gradients(shapes_.size());
    apply(name, rule.program, Refs(operands), scalars_, gradients);
    std::size_t next = 0;
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if ((wanted_ >> i & 1) == 0) continue;
      dx[i] = sum_to(gradients[next], shapes_[next]);
      ++next;
    }
  }
  void free_saved() override { saved_.clear(); }

  const Program program_;
  const Set wanted_, all_given_;  // inputs; all outputs that may have a gradient
  Small<SavedInput, 2> saved_;
  Small<std::uint64_t, 4> scalars_;
  Small<Shape, 2> shapes_;            // of the wanted inputs
  std::unique_ptr<const Fold> fold_;  // of the program's results, if any
};

}  // namespace

std::shared_ptr<autograd::Node> plan_node(std::string_view op, const Program& program,
                                          TensorRefs inputs, std::span<const std::uint64_t> scalars,
                                          const Tensor& overwritten, const Fold* fold) {
  Set wanted = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i]->requires_grad()) wanted |= Set{1} << i;
  }
  if (wanted == 0 || floating_outputs(program) == 0) return nullptr;
  return autograd::make_node<ElementwiseNode>(op, program, inputs, wanted, scalars, overwritten, fold);
}

void set_slopes(const Program& program, program::Slopes slopes) {
  KnownSlopes& known = known_slopes();
  const std::lock_guard lock(known.mutex);
  known.all.emplace(program.id(), std::move(slopes));
}

}  // namespace tenon::ops
