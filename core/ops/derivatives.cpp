// Derivative programs, by the forward program and the inputs that want a gradient.
#include "core/ops/derivatives.h"

#include <map>
#include <memory>
#include <mutex>
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

std::shared_ptr<const Derivative> derivative(const Program& program, const std::vector<int>& wanted) {
  static std::mutex& mutex = *new std::mutex;
  static auto& known =
      *new std::map<std::pair<std::uint64_t, std::vector<int>>, std::shared_ptr<const Derivative>>;
  const std::lock_guard lock(mutex);
  auto& entry = known[{program.id(), wanted}];
  if (entry == nullptr) {
    entry =
        std::make_shared<const Derivative>(program::derive(program, wanted, floating_outputs(program)));
  }
  return entry;
}

struct ElementwiseBackward {
  std::string_view op;
  std::shared_ptr<const Derivative> derivative;
  std::vector<autograd::Saved> saved;
  std::vector<std::uint64_t> scalars;
  std::vector<int> wanted, given;
  std::vector<Shape> shapes;  // of all inputs

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    std::vector<Tensor> operands;
    for (const autograd::Saved& x : saved) operands.push_back(x.get(op));
    for (const int i : given) operands.push_back(dy[static_cast<std::size_t>(i)]);
    const std::vector<Tensor> gradients = apply(op, derivative->program, operands, scalars);
    std::vector<Tensor> dx(shapes.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto input = static_cast<std::size_t>(wanted[i]);
      dx[input] = sum_to(gradients[i], shapes[input]);
    }
    return dx;
  }
};

}  // namespace

Plan plan_backward(std::string_view op, const Program& program, std::span<const Tensor> inputs,
                   std::span<const std::uint64_t> scalars) {
  ElementwiseBackward backward{.op = op,
                               .derivative = nullptr,
                               .saved = {},
                               .scalars = {scalars.begin(), scalars.end()},
                               .wanted = {},
                               .given = floating_outputs(program),
                               .shapes = {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    backward.shapes.push_back(inputs[i].shape());
    if (inputs[i].requires_grad()) backward.wanted.push_back(static_cast<int>(i));
  }
  if (backward.given.empty() || backward.wanted.empty()) return {};
  backward.derivative = derivative(program, backward.wanted);
  for (const int i : backward.derivative->saved) {
    backward.saved.emplace_back(inputs[static_cast<std::size_t>(i)]);
  }
  return {std::move(backward)};
}

}  // namespace tenon::ops
