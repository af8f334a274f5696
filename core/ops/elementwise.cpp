// Programs over tensors: run, and recorded with the derivative of the program.
#include "core/ops/elementwise.h"

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/derivatives.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Program;

void check_dtypes(std::string_view op, const Program& program, std::span<const Tensor> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = impl_of(inputs[i], op).dtype,
                expected = program.input_dtype(static_cast<int>(i));
    require(dtype == expected, "[{}] input {} is {}, the program takes {}", op, i, name(dtype),
            name(expected));
  }
}

/// The program's one result, written over x.
void write(std::string_view op, const Program& program, const Tensor& x, TensorRefs inputs,
           std::span<const std::uint64_t> scalars) {
  Operands operands{{x}, {}, {scalars.begin(), scalars.end()}};
  for (const Tensor* y : inputs) operands.inputs.push_back({*y});
  run(op, program, {&operands, 1});
}

}  // namespace

void apply(std::string_view op, const Program& program, TensorRefs inputs,
           std::span<const std::uint64_t> scalars, std::span<Tensor> outputs) {
  const bool recorded = autograd::needs_record(inputs);
  const auto node = recorded ? plan_node(op, program, inputs, scalars) : nullptr;
  run(op, program, inputs, scalars, outputs);
  if (node != nullptr) autograd::attach(node, outputs);
}

std::vector<Tensor> apply(std::string_view op, const Program& program, std::span<const Tensor> inputs,
                          std::span<const std::uint64_t> scalars) {
  check_dtypes(op, program, inputs);
  std::vector<Tensor> outputs(static_cast<std::size_t>(program.output_count()));
  apply(op, program, Refs(inputs), scalars, outputs);
  return outputs;
}

void apply_in_place(std::string_view op, const Program& program, Tensor& x, TensorRefs inputs,
                    std::span<const std::uint64_t> scalars) {
  const bool recorded = autograd::needs_record(inputs);
  autograd::check_in_place(op, x, recorded);
  require_writable(op, x);
  common_device(op, inputs);
  for (const Tensor* y : inputs) {
    require(x.shape() == y->shape() || broadcast(op, x.shape(), y->shape()) == x.shape(),
            "[{}] {} does not broadcast to {} in place", op, y->shape(), x.shape());
  }
  const auto node = recorded ? plan_node(op, program, inputs, scalars, x) : nullptr;
  write(op, program, x, inputs, scalars);
  mark_written(x);
  if (node != nullptr) autograd::attach(node, {&x, 1});
}

void apply_out(std::string_view op, const Program& program, Tensor& out, TensorRefs inputs,
               std::span<const std::uint64_t> scalars) {
  check_out(op, out, inputs);
  Shape shape;
  for (const Tensor* x : inputs) shape = broadcast(op, shape, x->shape());
  check_shape(op, out, shape);
  write(op, program, out, inputs, scalars);
  mark_written(out);
}

void check_out(std::string_view op, const Tensor& out, TensorRefs operands) {
  impl_of(out, op);
  require(!autograd::needs_record(operands) && !autograd::needs_record({&out, 1}),
          "[{}] a result written into a tensor is not recorded; use NoGrad, or take a new one", op);
  require_writable(op, out);
  const Device device = common_device(op, operands);
  require(out.device() == device, "[{}] out is on {}, the operands are on {}", op, out.device().name(),
          device.name());
}

void check_shape(std::string_view op, const Tensor& out, const Shape& result) {
  require(out.shape() == result, "[{}] the result has shape {}, not that of out: {}", op, result,
          out.shape());
}

void check_holds(std::string_view op, DType holder, DType result) {
  const auto kind = [](DType d) { return is_floating(d) ? 2 : is_integer(d) ? 1 : 0; };
  require(kind(result) <= kind(holder), "[{}] the result is {}, which {} can't hold; convert first", op,
          name(result), name(holder));
}

Tensor convert(const Tensor& x, DType dtype) {
  program::Builder builder;
  builder.output(cast(builder.input(impl_of(x, "to").dtype), dtype));
  return apply("to", builder.build(), {&x, 1}).front();
}

}  // namespace ops

std::vector<Tensor> elementwise(const program::Program& program, std::span<const Tensor> inputs,
                                std::span<const std::uint64_t> scalars) {
  require(static_cast<int>(inputs.size()) == program.input_count(),
          "[elementwise] the program takes {} inputs, not {}", program.input_count(), inputs.size());
  require(static_cast<int>(scalars.size()) == program.scalar_count(),
          "[elementwise] the program takes {} scalars, not {}", program.scalar_count(), scalars.size());
  require(!inputs.empty() && program.output_count() > 0,
          "[elementwise] a program needs an input and an output");
  return ops::apply("elementwise", program, inputs, scalars);
}

}  // namespace tenon
