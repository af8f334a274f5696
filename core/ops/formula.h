// A formula over tensors: a program in the making together with its operands.
//
//   Formula f(f32);
//   const auto x = f(logits), m = f(largest);
//   f.output(exp(x - m));
//   const Tensor total = f.sum("softmax", fold);
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/ops/fold.h"

namespace tenon::ops {

class Formula {
 public:
  /// Computed in `dtype`, which sums of 16-bit floats are not kept in.
  explicit Formula(DType dtype) : dtype_(accumulator(dtype)) {}

  /// x in the dtype of the formula.
  program::Value operator()(const Tensor& x) { return cast(raw(x), dtype_); }
  /// x as it is; one input however often it is named.
  program::Value raw(const Tensor& x);
  /// The coordinate along a dimension of `rank`: an input that needs no memory, and has no gradient.
  program::Value coordinate(int dim, int rank, DType dtype);
  /// A number that calls may differ in.
  program::Value scalar(double value);
  program::Value constant(double value) { return builder_.constant(dtype_, value); }

  void output(program::Value y) { builder_.output(y); }
  void output(program::Value y, DType dtype) { builder_.output(cast(y, dtype)); }

  /// The outputs over what the inputs broadcast to; recorded.
  std::vector<Tensor> apply_all(std::string_view op);
  Tensor apply(std::string_view op) { return apply_all(op).front(); }
  /// The one output into `out`, whose dtype it has; not recorded.
  Tensor& apply_out(std::string_view op, Tensor& out);
  /// The outputs over `shape`; not recorded, coordinates among the inputs.
  Tensor run(std::string_view op, const Shape& shape, Device device);
  /// Their sums, of `dtype` or the outputs' own; recorded unless there are coordinates.
  std::vector<Tensor> sum_all(std::string_view op, const Fold& fold, std::optional<DType> dtype = {}) {
    return sums(op, fold, builder_.build(), inputs_, scalars_, dtype);
  }
  Tensor sum(std::string_view op, const Fold& fold, std::optional<DType> dtype = {}) {
    return sum_all(op, fold, dtype).front();
  }
  /// The outputs folded by an operator (TENON_REDUCE_...), each in its own dtype; not recorded.
  std::vector<Tensor> fold_all(std::string_view op, const Fold& fold, std::uint8_t how);

 private:
  std::vector<Tensor> tensors() const;

  DType dtype_;
  program::Builder builder_;
  std::vector<Input> inputs_;
  std::vector<program::Value> values_;  // of the inputs
  std::vector<std::uint64_t> scalars_;
};

/// √x whose gradient at 0 is 0.
program::Value safe_sqrt(Formula& f, program::Value x);

}  // namespace tenon::ops
