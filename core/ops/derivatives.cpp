// Derivative programs, by the forward program and the inputs that want a gradient.
#include "core/ops/derivatives.h"

#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

#include <tenon/ops.h>

#include "core/ops/elementwise.h"

namespace tenon::ops {
namespace {

using program::Derivative;
using program::Program;

std::vector<int> floating_outputs(const Program& program) {
  std::vector<int> list;
  for (int i = 0; i < program.output_count(); ++i) {
    if (is_floating(program.output_dtype(i))) list.push_back(i);
  }
  return list;
}

/// What is known of programs; leaked, since programs may run while the process ends.
struct Known {
  using Key = std::tuple<std::uint64_t, std::vector<int>, std::vector<int>>;
  std::mutex mutex;
  std::map<Key, std::shared_ptr<const Derivative>> derivatives;
  std::map<std::uint64_t, program::Slopes> slopes;
};
Known& known() {
  static Known& leaked = *new Known;
  return leaked;
}

/// The derivative for these inputs and outputs, found once.
std::shared_ptr<const Derivative> derivative(const Program& program, const std::vector<int>& wanted,
                                             const std::vector<int>& given) {
  Known& all = known();
  const std::lock_guard lock(all.mutex);
  auto& entry = all.derivatives[{program.id(), wanted, given}];
  if (entry != nullptr) return entry;
  const auto slopes = all.slopes.find(program.id());
  entry = std::make_shared<const Derivative>(slopes != all.slopes.end()
                                                 ? program::derive(program, wanted, slopes->second)
                                                 : program::derive(program, wanted, given));
  return entry;
}

struct ElementwiseBackward {
  std::string_view op;
  Program program;
  std::map<int, autograd::Saved> saved;  // by input
  std::vector<std::uint64_t> scalars;
  std::vector<int> wanted;
  std::vector<Shape> shapes;  // of all inputs

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    std::vector<int> given;
    for (const int i : floating_outputs(program)) {
      if (dy[static_cast<std::size_t>(i)].defined()) given.push_back(i);
    }
    const auto rule = derivative(program, wanted, given);
    std::vector<Tensor> operands;
    for (const int i : rule->saved) operands.push_back(saved.at(i).get(op));
    for (const int i : given) operands.push_back(dy[static_cast<std::size_t>(i)]);
    const std::vector<Tensor> gradients = apply(op, rule->program, operands, scalars);
    std::vector<Tensor> dx(shapes.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto input = static_cast<std::size_t>(wanted[i]);
      dx[input] = sum_to(gradients[i], shapes[input]);
    }
    return dx;
  }
};

}  // namespace

autograd::Backward plan_backward(std::string_view op, const Program& program,
                                 std::span<const Tensor> inputs,
                                 std::span<const std::uint64_t> scalars) {
  ElementwiseBackward backward{.op = op,
                               .program = program,
                               .saved = {},
                               .scalars = {scalars.begin(), scalars.end()},
                               .wanted = {},
                               .shapes = {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    backward.shapes.push_back(inputs[i].shape());
    if (inputs[i].requires_grad()) backward.wanted.push_back(static_cast<int>(i));
  }
  const std::vector<int> given = floating_outputs(program);
  if (given.empty() || backward.wanted.empty()) return nullptr;
  // What a subset of the outputs needs is among what all of them need.
  for (const int i : derivative(program, backward.wanted, given)->saved) {
    backward.saved.emplace(i, inputs[static_cast<std::size_t>(i)]);
  }
  return backward;
}

void set_slopes(const Program& program, program::Slopes slopes) {
  Known& all = known();
  const std::lock_guard lock(all.mutex);
  all.slopes.insert_or_assign(program.id(), std::move(slopes));
}

}  // namespace tenon::ops
