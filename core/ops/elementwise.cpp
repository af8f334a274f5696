// Elementwise ops: one program for each op and combination of dtypes, built at first use.
#include "core/ops/elementwise.h"

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/derivatives.h"
#include "core/ops/program_table.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// What decides the result's dtype.
enum class Result { Arithmetic, Quotient, Comparison };

struct BinaryRule {
  std::string_view name;
  Result result;
  Value (*formula)(Value, Value);
};

#define TENON_RULE(name, result, formula) \
  {name, Result::result, [](Value a, Value b) { return formula; }}
const BinaryRule& rule(Binary op) {
  static const BinaryRule rules[] = {
      TENON_RULE("add", Arithmetic, a + b),         TENON_RULE("sub", Arithmetic, a - b),
      TENON_RULE("mul", Arithmetic, a * b),         TENON_RULE("div", Quotient, a / b),
      TENON_RULE("minimum", Arithmetic, min(a, b)), TENON_RULE("maximum", Arithmetic, max(a, b)),
      TENON_RULE("lt", Comparison, a < b),          TENON_RULE("le", Comparison, a <= b),
      TENON_RULE("gt", Comparison, a > b),          TENON_RULE("ge", Comparison, a >= b),
      TENON_RULE("eq", Comparison, a == b),         TENON_RULE("ne", Comparison, a != b),
  };
  return rules[static_cast<int>(op)];
}
#undef TENON_RULE

/// The dtype that both operands are converted to before the formula.
DType compute_dtype(const BinaryRule& rule, DType common) {
  if (rule.result == Result::Quotient && !is_floating(common)) return f32;
  if (rule.result == Result::Arithmetic && common == bool_) return i64;
  return common;
}

/// Which operands are scalars of the program.
enum class Form { TensorTensor, TensorScalar, ScalarTensor, InPlaceTensor, InPlaceScalar };

using Key = std::tuple<int, Form, DType, DType, DType>;

using Table = ProgramTable<Key>;

Table& binary_programs() {
  static Table& leaked = *new Table;
  return leaked;
}
Table& unary_programs() {
  static Table& leaked = *new Table;
  return leaked;
}

/// `common` is what the operands promote to; in place the result has a's dtype.
const Program& binary_program(Binary op, Form form, DType a, DType b, DType common) {
  return binary_programs().get({static_cast<int>(op), form, a, b, common}, [&] {
    Builder builder;
    const BinaryRule& r = rule(op);
    const DType dtype = compute_dtype(r, common);
    const bool first_is_scalar = form == Form::ScalarTensor;
    const bool second_is_scalar = form == Form::TensorScalar || form == Form::InPlaceScalar;
    // A scalar arrives in the dtype it is computed in.
    const Value x = first_is_scalar ? builder.scalar(dtype) : cast(builder.input(a), dtype);
    const Value y = second_is_scalar ? builder.scalar(dtype) : cast(builder.input(b), dtype);
    const Value result = r.formula(x, y);
    const bool in_place = form == Form::InPlaceTensor || form == Form::InPlaceScalar;
    builder.output(in_place ? cast(result, a) : result);
    return builder.build();
  });
}

/// A number takes the tensor's dtype within its kind.
DType promote_scalar(DType tensor, Scalar scalar) {
  if (scalar.is_floating()) return is_floating(tensor) ? tensor : f32;
  if (scalar.is_bool()) return tensor;
  return tensor == bool_ ? i64 : tensor;
}

std::uint64_t scalar_bits(Binary op, Scalar scalar, DType common) {
  const DType dtype = compute_dtype(rule(op), common);
  require_fits(rule(op).name, scalar, dtype);
  return scalar.bits(dtype);
}

/// The result of an in-place op stays within x's kind: x (integer) += 1.5 would lose it silently.
void check_in_place_dtype(std::string_view op, DType x, DType result) {
  const auto kind = [](DType d) { return is_floating(d) ? 2 : is_integer(d) ? 1 : 0; };
  require(kind(result) <= kind(x), "[{}] the result is {}, which {} can't hold in place; convert first",
          op, name(result), name(x));
}

/// Writes the program's result over x and moves x behind it on the tape.
void apply_in_place(std::string_view op, const Program& program, Tensor& x,
                    std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars) {
  const bool recorded = autograd::needs_record(inputs);
  autograd::check_in_place(op, x, recorded);
  require_writable(op, x);
  common_device(op, inputs);
  for (const Tensor& y : inputs) {
    require(broadcast(op, x.shape(), y.shape()) == x.shape(),
            "[{}] {} does not broadcast to {} in place", op, to_string(y.shape()),
            to_string(x.shape()));
  }
  autograd::Backward backward;
  std::vector<autograd::Edge> edges;
  if (recorded) {
    std::vector<Tensor> before;
    for (const Tensor& y : inputs) before.push_back(y.is_same(x) ? autograd::alias(y) : y);
    backward = plan_backward(op, program, before, scalars);
    edges = autograd::edges_to(inputs);
  }
  Operands operands{{x}, {}, {scalars.begin(), scalars.end()}};
  for (const Tensor& y : inputs) operands.inputs.push_back({y});
  run(op, program, {&operands, 1});
  mark_written(x);
  if (backward) autograd::record(op, std::move(edges), {&x, 1}, std::move(backward));
}

Program unary_program(DType from, DType to, Value (*formula)(Value)) {
  Builder builder;
  builder.output(formula(cast(builder.input(from), to)));
  return builder.build();
}

enum class Unary { neg, abs, exp, log, sqrt, sigmoid, tanh, relu };

Tensor unary(Unary op, std::string_view name, const Tensor& x, DType to, Value (*formula)(Value)) {
  const DType from = impl_of(x, name).dtype;
  const Program& program =
      unary_programs().get({static_cast<int>(op), Form::TensorTensor, from, to, to},
                           [&] { return unary_program(from, to, formula); });
  return apply(name, program, {&x, 1}).front();
}

DType floating_or_f32(const Tensor& x, std::string_view op) {
  const DType dtype = impl_of(x, op).dtype;
  return is_floating(dtype) ? dtype : f32;
}

/// The same, but of 16-bit floats f32 under Autocast.
DType wide_or_f32(const Tensor& x, std::string_view op) {
  floating_or_f32(x, op);
  const DType dtype = autograd::autocast_dtype(autograd::Cast::wide, x);
  return is_floating(dtype) ? dtype : f32;
}

/// What an arithmetic op computes in: bool as an integer.
DType number(const Tensor& x, std::string_view op) {
  const DType dtype = impl_of(x, op).dtype;
  return dtype == bool_ ? i64 : dtype;
}

}  // namespace

std::vector<Tensor> apply(std::string_view op, const Program& program, std::span<const Tensor> inputs,
                          std::span<const std::uint64_t> scalars) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = impl_of(inputs[i], op).dtype,
                expected = program.input_dtype(static_cast<int>(i));
    require(dtype == expected, "[{}] input {} is {}, the program takes {}", op, i, name(dtype),
            name(expected));
  }
  const bool recorded = autograd::needs_record(inputs);
  autograd::Backward backward = recorded ? plan_backward(op, program, inputs, scalars) : nullptr;
  std::vector<Tensor> outputs = run(op, program, inputs, scalars);
  if (backward) autograd::record(op, inputs, outputs, std::move(backward));
  return outputs;
}

Tensor binary(Binary op, const Tensor& x, const Tensor& y) {
  const std::string_view name = rule(op).name;
  const DType a = impl_of(x, name).dtype, b = impl_of(y, name).dtype;
  const Tensor inputs[] = {x, y};
  return apply(name, binary_program(op, Form::TensorTensor, a, b, promote(a, b)), inputs).front();
}

Tensor binary(Binary op, const Tensor& x, Scalar y) {
  const DType a = impl_of(x, rule(op).name).dtype, common = promote_scalar(a, y);
  const std::uint64_t bits = scalar_bits(op, y, common);
  return apply(rule(op).name, binary_program(op, Form::TensorScalar, a, common, common), {&x, 1},
               {&bits, 1})
      .front();
}

Tensor binary(Binary op, Scalar x, const Tensor& y) {
  const DType b = impl_of(y, rule(op).name).dtype, common = promote_scalar(b, x);
  const std::uint64_t bits = scalar_bits(op, x, common);
  return apply(rule(op).name, binary_program(op, Form::ScalarTensor, common, b, common), {&y, 1},
               {&bits, 1})
      .front();
}

void binary_in_place(Binary op, Tensor& x, const Tensor& y) {
  const BinaryRule& r = rule(op);
  const DType a = impl_of(x, r.name).dtype, b = impl_of(y, r.name).dtype, common = promote(a, b);
  check_in_place_dtype(r.name, a, compute_dtype(r, common));
  const Tensor inputs[] = {x, y};
  apply_in_place(r.name, binary_program(op, Form::InPlaceTensor, a, b, common), x, inputs, {});
}

void binary_in_place(Binary op, Tensor& x, Scalar y) {
  const BinaryRule& r = rule(op);
  const DType a = impl_of(x, r.name).dtype, common = promote_scalar(a, y);
  check_in_place_dtype(r.name, a, compute_dtype(r, common));
  const std::uint64_t bits = scalar_bits(op, y, common);
  apply_in_place(r.name, binary_program(op, Form::InPlaceScalar, a, common, common), x, {&x, 1},
                 {&bits, 1});
}

Tensor convert(const Tensor& x, DType dtype) {
  Builder builder;
  builder.output(cast(builder.input(impl_of(x, "to").dtype), dtype));
  return apply("to", builder.build(), {&x, 1}).front();
}

}  // namespace ops

using ops::Binary;
using ops::binary;

#define TENON_BINARY(function, op)                    \
  Tensor function(const Tensor& x, const Tensor& y) { \
    return binary(Binary::op, x, y);                  \
  }                                                   \
  Tensor function(const Tensor& x, Scalar y) {        \
    return binary(Binary::op, x, y);                  \
  }                                                   \
  Tensor function(Scalar x, const Tensor& y) {        \
    return binary(Binary::op, x, y);                  \
  }
TENON_BINARY(operator+, add)
TENON_BINARY(operator-, sub)
TENON_BINARY(operator*, mul)
TENON_BINARY(operator/, div)
TENON_BINARY(minimum, minimum)
TENON_BINARY(maximum, maximum)
TENON_BINARY(operator<, lt)
TENON_BINARY(operator<=, le)
TENON_BINARY(operator>, gt)
TENON_BINARY(operator>=, ge)
TENON_BINARY(operator==, eq)
TENON_BINARY(operator!=, ne)
#undef TENON_BINARY

#define TENON_IN_PLACE(function, op)                \
  Tensor& Tensor::function(const Tensor& other) {   \
    ops::binary_in_place(Binary::op, *this, other); \
    return *this;                                   \
  }                                                 \
  Tensor& Tensor::function(Scalar other) {          \
    ops::binary_in_place(Binary::op, *this, other); \
    return *this;                                   \
  }
TENON_IN_PLACE(operator+=, add)
TENON_IN_PLACE(operator-=, sub)
TENON_IN_PLACE(operator*=, mul)
TENON_IN_PLACE(operator/=, div)
#undef TENON_IN_PLACE

#define TENON_UNARY(function, op, dtype, formula)                \
  Tensor function(const Tensor& x) {                             \
    return ops::unary(ops::Unary::op, #op, x, dtype(x, #op),     \
                      [](program::Value a) { return formula; }); \
  }
TENON_UNARY(operator-, neg, ops::number, -a)
TENON_UNARY(abs, abs, ops::number, abs(a))
TENON_UNARY(exp, exp, ops::wide_or_f32, exp(a))
TENON_UNARY(log, log, ops::wide_or_f32, log(a))
TENON_UNARY(sqrt, sqrt, ops::floating_or_f32, sqrt(a))
TENON_UNARY(sigmoid, sigmoid, ops::floating_or_f32, sigmoid(a))
TENON_UNARY(tanh, tanh, ops::floating_or_f32, tanh(a))
TENON_UNARY(relu, relu, ops::number, select(a <= 0.0, a.builder().constant(a.dtype(), 0), a))
#undef TENON_UNARY

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

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  const DType a = impl_of(x, "where").dtype, b = impl_of(y, "where").dtype, dtype = promote(a, b);
  const DType chosen_by = impl_of(condition, "where").dtype;
  require(chosen_by == bool_, "[where] the condition is {}, not bool", name(chosen_by));
  program::Builder builder;
  const program::Value c = builder.input(bool_);
  const program::Value first = cast(builder.input(a), dtype);
  builder.output(select(c, first, cast(builder.input(b), dtype)));
  const Tensor inputs[] = {condition, x, y};
  return ops::apply("where", builder.build(), inputs).front();
}

}  // namespace tenon
