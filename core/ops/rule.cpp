#include "core/ops/rule.h"

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <vector>

#include <tenon/dtype_info.h>

#include "core/autograd/autocast.h"
#include "core/base/fail.h"
#include "core/ops/derivatives.h"
#include "core/ops/elementwise.h"
#include "core/ops/program_table.h"
#include "core/ops/run.h"
#include "core/program/expand.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

using program::Builder;
using program::Program;

constexpr std::size_t kMostOperands = 4, kMostParameters = 3;

/// All that the program of a call depends on.
struct Call {
  const Rule* rule;
  std::size_t operands = 0, parameters = 0;
  std::array<std::optional<DType>, kMostOperands> tensors{};  // dtypes; nothing for a number
  DType dtype = f32;                                          // that they are converted to
  bool beyond = false;               // a number that tensors are compared with is beyond their dtype
  std::optional<DType> stored = {};  // the dtype of what the result goes into

  auto operator<=>(const Call&) const = default;
};

/// The dtype that operands promote to.
DType common_dtype(const Rule& rule, OperandList operands) {
  std::optional<DType> common;
  for (const Operand& x : operands) {
    if (!x.is_tensor()) continue;
    const DType dtype = impl_of(x.tensor(), rule.name).dtype;
    common = common ? promote(*common, dtype) : dtype;
  }
  DType result = *common;
  for (const Operand& x : operands) {
    if (!x.is_tensor()) result = promote(result, x.number());
  }
  return result;
}

DType operand_dtype(const Rule& rule, DType common) {
  const auto refuse_floats = [&] {
    require(!is_floating(common), "[{}] takes integers or bools, not {}", rule.name, name(common));
  };
  switch (rule.computes) {
    case Computes::integers:
      refuse_floats();
      return common == bool_ ? i64 : common;
    case Computes::numbers:
    case Computes::test:
      return common == bool_ ? i64 : common;
    case Computes::floats:
    case Computes::wide:
    case Computes::closeness:
      return is_floating(common) ? common : default_dtype();
    case Computes::bits:
      refuse_floats();
      return common;
    case Computes::alike:
    case Computes::relation:
      return common;
    case Computes::truth:
      return bool_;
  }
  return common;
}

DType result_dtype(const Call& call) {
  switch (call.rule->computes) {
    case Computes::numbers:
    case Computes::alike:
    case Computes::floats:
    case Computes::wide:
    case Computes::bits:
    case Computes::integers:
      return call.dtype;
    case Computes::relation:
    case Computes::test:
    case Computes::closeness:
    case Computes::truth:
      return bool_;
  }
  return call.dtype;
}

Call make_call(const Rule& rule, OperandList operands, Parameters parameters) {
  Call call{.rule = &rule, .operands = operands.size(), .parameters = parameters.size()};
  std::size_t i = 0;
  for (const Operand& x : operands) {
    if (x.is_tensor()) call.tensors[i] = impl_of(x.tensor(), rule.name).dtype;
    ++i;
  }
  call.dtype = operand_dtype(rule, common_dtype(rule, operands));
  for (const Operand& x : operands) {
    if (rule.computes != Computes::wide || !x.is_tensor()) continue;
    call.dtype = promote(call.dtype, autograd::autocast_dtype(autograd::Cast::wide, x.tensor()));
  }
  for (const Operand& x : operands) {
    if (rule.computes != Computes::relation || x.is_tensor()) continue;
    call.beyond = !x.number().fits(call.dtype);
  }
  if (call.beyond) call.dtype = i32;
  return call;
}

/// What stands for operands and parameters in a program that is computed in `dtype`.
struct Values {
  std::array<Value, kMostOperands> x;
  std::array<Value, kMostParameters> p;
};

/// A number beyond the dtype is compared with every element as 1 or -1 is with 0.
template <class NextInput, class NextScalar>
Values values_of(const Call& call, DType dtype, NextInput next_input, NextScalar next_scalar) {
  Values values;
  for (std::size_t i = 0; i < call.operands; ++i) {
    values.x[i] = call.tensors[i] ? cast(next_input(*call.tensors[i]), dtype) : next_scalar();
    if (call.beyond && call.tensors[i]) values.x[i] = program::number(values.x[i], 0);
  }
  for (std::size_t i = 0; i < call.parameters; ++i) values.p[i] = next_scalar();
  return values;
}

Program build(const Call& call, DType computed) {
  Builder builder;
  const Values values = values_of(
      call, computed, [&](DType dtype) { return builder.input(dtype); },
      [&] { return builder.scalar(computed); });
  const Value y = call.rule->formula(values.x.data(), values.p.data());
  const DType result = result_dtype(call);
  builder.output(cast(cast(y, result), call.stored.value_or(result)));
  return builder.build();
}

/// Several instructions over 16-bit floats are computed in f32, for the sake of the digits.
DType computed_in(const Call& call) {
  const DType dtype = call.dtype;
  if ((dtype != f16 && dtype != bf16) || call.rule->in_own_dtype) return dtype;
  Builder builder;
  const Values values = values_of(
      call, f32, [&](DType) { return builder.input(f32); }, [&] { return builder.scalar(f32); });
  builder.output(call.rule->formula(values.x.data(), values.p.data()));
  return builder.build().instruction_count() > 1 ? f32 : dtype;
}

/// The rule's slopes over the program's inputs and scalars.
std::vector<Value> slopes_of(const Call& call, DType computed, std::span<const Value> inputs,
                             std::span<const Value> scalars) {
  std::size_t input = 0, scalar = 0;
  const Values values = values_of(
      call, computed, [&](DType) { return inputs[input++]; }, [&] { return scalars[scalar++]; });
  std::array<Value, kMostOperands> all;
  call.rule->slopes(values.x.data(), values.p.data(), all.data());
  std::vector<Value> slopes;
  for (std::size_t i = 0; i < call.operands; ++i) {
    if (call.tensors[i]) slopes.push_back(all[i]);
  }
  return slopes;
}

const Program& program_of(const Call& call) {
  static ProgramTable<Call>& programs = *new ProgramTable<Call>;
  return programs.get(call, [&] {
    const DType computed = computed_in(call);
    Program made = build(call, computed);
    if (call.rule->slopes != nullptr && is_floating(made.output_dtype(0))) {
      set_slopes(made, [call, computed](std::span<const Value> inputs, std::span<const Value> scalars) {
        return slopes_of(call, computed, inputs, scalars);
      });
    }
    return made;
  });
}

std::vector<Tensor> tensors_of(OperandList operands) {
  std::vector<Tensor> tensors;
  for (const Operand& x : operands) {
    if (x.is_tensor()) tensors.push_back(x.tensor());
  }
  return tensors;
}

/// The program's scalars: numbers among the operands, then parameters.
std::vector<std::uint64_t> scalars_of(const Call& call, const Program& program, OperandList operands,
                                      Parameters parameters) {
  std::vector<std::uint64_t> scalars;
  const auto add = [&](Scalar number) {
    require_fits(call.rule->name, number, call.dtype);
    scalars.push_back(number.bits(program.scalar_dtype(static_cast<int>(scalars.size()))));
  };
  for (const Operand& x : operands) {
    if (x.is_tensor()) continue;
    add(!call.beyond ? x.number() : x.number().to_double() < 0 ? -1 : 1);
  }
  for (const Scalar& p : parameters) {
    require(!p.is_floating() || is_floating(call.dtype),
            "[{}] the number {} is floating, the result {}", call.rule->name, p.to_double(),
            name(call.dtype));
    add(p);
  }
  return scalars;
}

}  // namespace

Tensor evaluate(const Rule& rule, OperandList operands, Parameters parameters) {
  const Call call = make_call(rule, operands, parameters);
  const Program& program = program_of(call);
  return apply(rule.name, program, tensors_of(operands),
               scalars_of(call, program, operands, parameters))
      .front();
}

Tensor& evaluate_in_place(const Rule& rule, Tensor& x, OperandList operands, Parameters parameters) {
  Call call = make_call(rule, operands, parameters);
  check_holds(rule.name, x.dtype(), result_dtype(call));
  call.stored = x.dtype();
  const Program& program = program_of(call);
  apply_in_place(rule.name, program, x, tensors_of(operands),
                 scalars_of(call, program, operands, parameters));
  return x;
}

Tensor& evaluate_out(const Rule& rule, Tensor& out, OperandList operands, Parameters parameters) {
  Call call = make_call(rule, operands, parameters);
  check_holds(rule.name, impl_of(out, rule.name).dtype, result_dtype(call));
  call.stored = out.dtype();
  const Program& program = program_of(call);
  apply_out(rule.name, program, out, tensors_of(operands),
            scalars_of(call, program, operands, parameters));
  return out;
}

}  // namespace tenon::ops
