// Folding dimensions: what reductions, and all that has one on its way, are made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/ops/run.h"

namespace tenon::ops {

/// Which dimensions of a shape go, and what is left.
struct Fold {
  Shape shape;             // what is folded
  std::uint32_t axes = 0;  // bit d: dimension d goes
  Shape kept;              // `shape` with extent 1 along the axes
  Shape result;            // the kept shape, or without the axes
  double count = 1;        // of the elements behind one result
};
Fold fold_over(const Shape& shape, std::uint32_t axes, bool keepdim);
/// Over the dimensions that a caller names, all where there are none.
Fold fold_of(std::string_view op, const Shape& shape, const Dims& dims, bool keepdim);
/// InvalidArgument where a fold has nothing to choose from.
void require_elements(std::string_view op, const Fold& fold);

/// How the folded values are formed, and what becomes of each result.
struct Folding {
  program::Program program;
  std::vector<Input> inputs;
  std::vector<std::uint64_t> scalars = {};
  std::vector<std::uint8_t> operators;  // TENON_REDUCE_...
  std::vector<DType> dtypes;
};
/// One result of fold.result for each output of the program; one launch, not recorded.
std::vector<Tensor> folded(std::string_view op, const Fold& fold, const Folding& how);
/// x cast to `from` and folded to `dtype`; not recorded.
Tensor folded(std::string_view op, const Fold& fold, std::uint8_t how, const Tensor& x, DType from,
              DType dtype);

/// The sums of the program's outputs, rounded to `dtype` or the output's own. Recorded, unless an input
/// is no tensor: backward is the program's derivative over the folded shape.
std::vector<Tensor> sums(std::string_view op, const Fold& fold, const program::Program& program,
                         const std::vector<Input>& inputs, std::span<const std::uint64_t> scalars,
                         std::optional<DType> dtype);

/// An input that is cast to one dtype after the other; the first is its own.
program::Program cast_program(std::initializer_list<DType> dtypes);

/// What sums of `dtype` are given in: i64 or u64 for integers.
DType sum_dtype(DType dtype);
/// What a mean of `dtype` is given in.
DType floating_dtype(DType dtype);

}  // namespace tenon::ops
