// Temporaries live from the part that writes them to the last one that reads them.
#include "core/ops/parts.h"

#include <algorithm>

#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

using program::Place;

/// A pack of the whole program, with the temporaries of it that are alive.
struct Pack {
  const Operands* whole;
  std::vector<Tensor> temporaries;
};

Input& resolve(Input& input, const Place& place, const Pack& pack) {
  const auto index = static_cast<std::size_t>(place.index);
  switch (place.kind) {
    case Place::Kind::Input:
      return input = pack.whole->inputs[index];
    case Place::Kind::Output:
      return input = {pack.whole->outputs[index]};
    case Place::Kind::Temporary:
      return input = {pack.temporaries[index]};
  }
  return input;
}

/// The shape of a part's loop: the whole's where it writes outputs of the whole or counts through it,
/// else what its inputs broadcast to.
Shape loop_shape(std::string_view op, const program::Part& part, const Operands& operands,
                 const Shape& whole) {
  const bool is_whole =
      std::ranges::any_of(part.outputs,
                          [](const Place& place) { return place.kind == Place::Kind::Output; }) ||
      std::ranges::any_of(operands.inputs, [](const Input& x) { return !x.tensor.defined(); });
  if (is_whole) return whole;
  Shape shape;
  for (const Input& x : operands.inputs) shape = broadcast(op, shape, x.tensor.shape());
  return shape;
}

Operands operands_of(std::string_view op, const program::Plan& plan, const program::Part& part,
                     Pack& pack) {
  Operands operands;
  for (const Place& place : part.inputs) resolve(operands.inputs.emplace_back(), place, pack);
  for (const int s : part.scalars) {
    operands.scalars.push_back(pack.whole->scalars[static_cast<std::size_t>(s)]);
  }
  const Tensor& model = pack.whole->outputs.front();
  const Shape shape = loop_shape(op, part, operands, model.shape());
  for (const Place& place : part.outputs) {
    const auto index = static_cast<std::size_t>(place.index);
    if (place.kind == Place::Kind::Output) {
      operands.outputs.push_back(pack.whole->outputs[index]);
    } else {
      pack.temporaries[index] = allocate(shape, plan.temporaries[index], model.device());
      operands.outputs.push_back(pack.temporaries[index]);
    }
  }
  return operands;
}

}  // namespace

void run_parts(std::string_view op, const program::Plan& plan, std::span<const Operands* const> packs) {
  std::vector<Pack> all;
  for (const Operands* whole : packs) {
    all.push_back({whole, std::vector<Tensor>(plan.temporaries.size())});
  }
  for (const program::Part& part : plan.parts) {
    std::vector<Operands> operands;
    for (Pack& pack : all) operands.push_back(operands_of(op, plan, part, pack));
    if (const Refusal refusal = run_lowered(op, part.program, nullptr, operands)) {
      refuse(op, all.front().whole->outputs.front().device(), *refusal);
    }
    for (const int t : part.last_reads) {
      for (Pack& pack : all) pack.temporaries[static_cast<std::size_t>(t)] = Tensor();
    }
  }
}

}  // namespace tenon::ops
