// One REDUCE over the axes; sums get their gradient from the program that they fold.
#include "core/ops/fold.h"

#include <algorithm>

#include "core/base/fail.h"
#include "core/ops/derivatives.h"
#include "core/ops/destination.h"
#include "core/ops/kinds.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// The work over the fold's axes, with results of these dtypes.
std::vector<Tensor> run_folded(std::string_view op, const Fold& fold, std::span<const DType> dtypes,
                               Device device, Reduction work) {
  std::vector<Tensor> results;
  for (const DType dtype : dtypes) {
    results.push_back(result(op, fold.result, dtype, device));
    work.results.push_back(results.back().detach().view(fold.kept));
  }
  work.shape = fold.shape;
  work.axes = fold.axes;
  run(op, work);
  return results;
}

/// Nothing where an input is no tensor.
std::vector<Tensor> tensors_of(const std::vector<Input>& inputs) {
  std::vector<Tensor> tensors;
  for (const Input& input : inputs) {
    if (!input.tensor.defined()) return {};
    tensors.push_back(input.tensor);
  }
  return tensors;
}

}  // namespace

Fold fold_over(const Shape& shape, std::uint32_t axes, bool keepdim) {
  const std::uint32_t all = (1u << shape.size()) - 1;
  Fold fold{.shape = shape, .axes = axes & all, .kept = shape, .result = {}, .count = 1};
  for (int d = 0; d < shape.size(); ++d) {
    const bool goes = axes >> d & 1;
    if (goes) {
      fold.kept[d] = 1;
      fold.count *= static_cast<double>(shape[d]);
    }
    if (!goes || keepdim) fold.result.push_back(fold.kept[d]);
  }
  return fold;
}

Fold fold_of(std::string_view op, const Shape& shape, const Dims& dims, bool keepdim) {
  std::uint32_t axes = dims.empty() ? (1u << shape.size()) - 1 : 0;
  for (const std::int64_t dim : dims) {
    const int d = checked_dim(op, dim, std::max(shape.size(), 1));
    require((axes >> d & 1) == 0, "[{}] dimension {} is named twice in {}", op, d, dims);
    axes |= 1u << d;
  }
  return fold_over(shape, axes, keepdim);
}

void require_elements(std::string_view op, const Fold& fold) {
  for (int d = 0; d < fold.shape.size(); ++d) {
    require((fold.axes >> d & 1) == 0 || fold.shape[d] > 0,
            "[{}] {} has no elements along dimension {}", op, fold.shape, d);
  }
}

std::vector<Tensor> folded(std::string_view op, const Fold& fold, const Folding& how) {
  const std::vector<Tensor> tensors = [&] {
    std::vector<Tensor> found;
    for (const Input& input : how.inputs) {
      if (input.tensor.defined()) found.push_back(input.tensor);
    }
    return found;
  }();
  return run_folded(op, fold, how.dtypes, common_device(op, tensors),
                    {.shape = {},
                     .results = {},
                     .operators = how.operators,
                     .inputs = how.inputs,
                     .prologue = how.program,
                     .scalars = how.scalars});
}

Tensor folded(std::string_view op, const Fold& fold, std::uint8_t how, const Tensor& x, DType from,
              DType dtype) {
  Reduction work{.shape = {}, .results = {}, .operators = {how}, .inputs = {{x}}};
  if (x.dtype() != from) work.prologue = cast_program({x.dtype(), from});
  return run_folded(op, fold, {&dtype, 1}, x.device(), std::move(work)).front();
}

std::vector<Tensor> sums(std::string_view op, const Fold& fold, const program::Program& program,
                         const std::vector<Input>& inputs, std::span<const std::uint64_t> scalars,
                         std::optional<DType> dtype) {
  const std::vector<Tensor> tensors = tensors_of(inputs);
  std::shared_ptr<autograd::Node> node;
  if (autograd::needs_record(tensors)) {
    node = plan_node(op, program, Refs(tensors), scalars, {}, &fold);
  }
  Folding how{.program = program,
              .inputs = inputs,
              .scalars = {scalars.begin(), scalars.end()},
              .operators = {},
              .dtypes = {}};
  for (int i = 0; i < program.output_count(); ++i) {
    how.operators.push_back(TENON_REDUCE_SUM);
    how.dtypes.push_back(dtype.value_or(program.output_dtype(i)));
  }
  std::vector<Tensor> results = folded(op, fold, how);
  if (node != nullptr) autograd::attach(node, results);
  return results;
}

program::Program cast_program(std::initializer_list<DType> dtypes) {
  program::Builder builder;
  program::Value x = builder.input(*dtypes.begin());
  for (const DType dtype : dtypes) x = cast(x, dtype);
  builder.output(x);
  return builder.build();
}

DType sum_dtype(DType dtype) {
  if (is_floating(dtype)) return dtype;
  return is_unsigned_integer(dtype) ? u64 : i64;
}

DType floating_dtype(DType dtype) {
  return is_floating(dtype) ? dtype : default_dtype();
}

}  // namespace tenon::ops
