#include "core/ops/formula.h"

#include "core/ops/elementwise.h"
#include "core/tensor/impl.h"

namespace tenon::ops {

using program::Value;

Value Formula::raw(const Tensor& x) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (x.is_same(inputs_[i].tensor)) return values_[i];
  }
  inputs_.push_back({x});
  return values_.emplace_back(builder_.input(x.dtype()));
}

Value Formula::coordinate(int dim, int rank, DType dtype) {
  Strides strides = Dims::filled(rank, 0);
  strides[dim] = 1;
  inputs_.push_back({Tensor(), 0, strides});
  return values_.emplace_back(builder_.input(dtype));
}

Value Formula::scalar(double value) {
  scalars_.push_back(Scalar(value).bits(dtype_));
  return builder_.scalar(dtype_);
}

std::vector<Tensor> Formula::apply_all(std::string_view op) {
  return ops::apply(op, builder_.build(), tensors(), scalars_);
}

Tensor& Formula::apply_out(std::string_view op, Tensor& out) {
  ops::apply_out(op, builder_.build(), out, Refs(tensors()), scalars_);
  return out;
}

std::vector<Tensor> Formula::tensors() const {
  std::vector<Tensor> tensors;
  for (const Input& input : inputs_) tensors.push_back(input.tensor);
  return tensors;
}

Tensor Formula::run(std::string_view op, const Shape& shape, Device device) {
  const program::Program program = builder_.build();
  const Tensor y = allocate(shape, program.output_dtype(0), device, op);
  const Operands operands{{y}, inputs_, scalars_};
  ops::run(op, program, {&operands, 1});
  return y;
}

std::vector<Tensor> Formula::fold_all(std::string_view op, const Fold& fold, std::uint8_t how) {
  Folding folding{builder_.build(), inputs_, scalars_, {}, {}};
  for (int i = 0; i < folding.program.output_count(); ++i) {
    folding.operators.push_back(how);
    folding.dtypes.push_back(folding.program.output_dtype(i));
  }
  return folded(op, fold, folding);
}

Value safe_sqrt(Formula& f, Value x) {
  const Value root = sqrt(select(x == 0.0, f.constant(1), x));
  return select(x == 0.0, f.constant(0), root);
}

}  // namespace tenon::ops
