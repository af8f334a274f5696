// Sklansky's conditional-sum tree (1960): in blocks of twice the size at each step, the second half is
// combined with the last place of the first. Each step writes a buffer from the other one.
#include "core/ops/scan.h"

#include <bit>
#include <limits>
#include <utility>

#include "core/ops/destination.h"
#include "core/ops/halves.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// Inputs: the first halves, their last places, the second halves; outputs: both halves.
Program step_program(std::span<const DType> dtypes, Combine combine) {
  Builder b;
  std::vector<Value> first, last, second;
  for (const DType dtype : dtypes) first.push_back(b.input(dtype));
  for (const DType dtype : dtypes) last.push_back(b.input(dtype));
  for (const DType dtype : dtypes) second.push_back(b.input(dtype));
  for (const Value value : first) b.output(value);
  for (const Value value : combine(last, second)) b.output(value);
  return b.build();
}

Operands step_operands(std::span<const Tensor> from, std::span<const Tensor> to, int dim,
                       std::int64_t half) {
  Operands operands;
  std::vector<Input> last, second;
  for (const Tensor& x : from) {
    const Halves parts = halves(x, dim, half);
    operands.inputs.push_back({parts.first});
    last.push_back({parts.first.slice(2, {.start = half - 1})});
    second.push_back({parts.second});
  }
  operands.inputs.insert(operands.inputs.end(), last.begin(), last.end());
  operands.inputs.insert(operands.inputs.end(), second.begin(), second.end());
  std::vector<Tensor> combined;
  for (const Tensor& y : to) {
    const Halves parts = halves(y, dim, half);
    operands.outputs.push_back(parts.first);
    combined.push_back(parts.second);
  }
  operands.outputs.insert(operands.outputs.end(), combined.begin(), combined.end());
  return operands;
}

}  // namespace

Scan::Scan(std::string_view op, const Shape& shape, int dim, std::vector<DType> dtypes, Device device)
    : op_(op), shape_(shape), dim_(dim), dtypes_(std::move(dtypes)) {
  Shape padded = shape;
  padded[dim] = rounded_up(shape[dim]);
  for (const DType dtype : dtypes_) state_.push_back(allocate(padded, dtype, device));
}

Tensor Scan::places(std::size_t value, std::int64_t from) const {
  return state_[value].slice(dim_, {.start = from, .stop = shape_[dim_]});
}

void Scan::load(const Program& program, const std::vector<Input>& inputs, std::size_t first,
                std::int64_t from) {
  Operands operands{{}, inputs};
  for (int i = 0; i < program.output_count(); ++i) operands.outputs.push_back(places(first++, from));
  run(op_, program, {&operands, 1});
}

void Scan::combine(Combine how) {
  if (shape_[dim_] == 1) return;
  const Program step = step_program(dtypes_, how);
  std::vector<Tensor> next;
  for (const Tensor& x : state_) next.push_back(empty_like(x));
  for (std::int64_t half = 1; half < shape_[dim_]; half *= 2) {
    const Operands operands = step_operands(state_, next, dim_, half);
    run(op_, step, {&operands, 1});
    std::swap(state_, next);
  }
}

std::vector<Tensor> Scan::store(const Program& program, const Tensor& over) const {
  Operands operands;
  for (std::size_t i = 0; i < state_.size(); ++i) operands.inputs.push_back({places(i, 0)});
  for (int i = 0; i < program.output_count(); ++i) {
    operands.outputs.push_back(
        result(op_, shape_, program.output_dtype(i), state_.front().device(), over));
  }
  run(op_, program, {&operands, 1});
  return std::move(operands.outputs);
}

Input index_along(int dim, int rank, std::int64_t first) {
  Input index{Tensor(), first, Dims::filled(rank, 0)};
  index.strides[dim] = 1;
  return index;
}

DType place_dtype(std::int64_t extent) {
  return extent <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
}

std::int64_t rounded_up(std::int64_t extent) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(extent)));
}

}  // namespace tenon::ops
