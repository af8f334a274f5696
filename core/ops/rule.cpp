#include "core/ops/rule.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <tenon/dtype_info.h>

#include "core/autograd/autocast.h"
#include "core/base/fail.h"
#include "core/base/permanent_table.h"
#include "core/ops/derivatives.h"
#include "core/ops/elementwise.h"
#include "core/ops/run.h"
#include "core/program/expand.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

using program::Builder;
using program::Program;

constexpr std::size_t kMostOperands = 4, kMostParameters = 3;

/// What a call is known by: all that its program depends on.
class Given {
 public:
  Given(const Rule& rule, OperandList operands, Parameters parameters, std::optional<DType> stored)
      : rule_(&rule) {
    for (const Operand& x : operands) add(code_of(x));
    add(kNothing, 5 * (kMostOperands - operands.size()));
    add(parameters.size(), 2);
    add(stored ? code(*stored) : kNothing);
    add(code(default_dtype()));
    add(is_widened(operands) ? 1 : 0, 1);
  }
  /// The same with a number that tensors are compared with beyond their dtype.
  Given beyond() const {
    Given other = *this;
    other.word_ |= kBeyond;
    return other;
  }

  const Rule& rule() const { return *rule_; }
  bool is_beyond() const { return (word_ & kBeyond) != 0; }
  bool operator==(const Given&) const = default;
  friend std::size_t hash_value(const Given& given) {
    return (reinterpret_cast<std::uintptr_t>(given.rule_) / sizeof(Rule) ^ given.word_) *
               0x9e3779b97f4a7c15u >>
           32;
  }

 private:
  static constexpr std::uint64_t kNothing = 0, kBeyond = std::uint64_t{1} << 63;

  static std::uint64_t code(DType dtype) { return 1 + static_cast<std::uint64_t>(dtype); }
  std::uint64_t code_of(const Operand& x) const {
    if (x.is_tensor()) return code(impl_of(x.tensor(), rule_->name).dtype);
    return 16 + (x.number().is_floating() ? 2 : x.number().is_bool() ? 0 : 1);
  }
  /// Whether Autocast asks for more than 16 bits.
  bool is_widened(OperandList operands) const {
    if (rule_->computes != Computes::wide || !autograd::autocast_state().enabled) return false;
    return std::any_of(operands.begin(), operands.end(), [](const Operand& x) {
      return x.is_tensor() &&
             autograd::autocast_dtype(autograd::Cast::wide, x.tensor()) != x.tensor().dtype();
    });
  }
  void add(std::uint64_t field, std::size_t bits = 5) { word_ = word_ << bits | field; }

  const Rule* rule_;
  std::uint64_t word_ = 0;
};

/// What follows from it.
struct Call {
  const Rule* rule;
  std::size_t operands = 0, parameters = 0;
  std::array<std::optional<DType>, kMostOperands> tensors{};  // dtypes; nothing for a number
  DType dtype = f32;                                          // that they are converted to
  bool beyond = false;               // a number that tensors are compared with is beyond their dtype
  std::optional<DType> stored = {};  // the dtype of what the result goes into
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

Call make_call(const Given& given, OperandList operands, Parameters parameters,
               std::optional<DType> stored) {
  const Rule& rule = given.rule();
  Call call{.rule = &rule,
            .operands = operands.size(),
            .parameters = parameters.size(),
            .beyond = given.is_beyond(),
            .stored = stored};
  std::size_t i = 0;
  for (const Operand& x : operands) {
    if (x.is_tensor()) call.tensors[i] = x.tensor().dtype();
    ++i;
  }
  call.dtype = operand_dtype(rule, common_dtype(rule, operands));
  for (const Operand& x : operands) {
    if (rule.computes != Computes::wide || !x.is_tensor()) continue;
    call.dtype = promote(call.dtype, autograd::autocast_dtype(autograd::Cast::wide, x.tensor()));
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

Program program_of(const Call& call, DType computed) {
  Program made = build(call, computed);
  if (call.rule->slopes != nullptr && is_floating(made.output_dtype(0))) {
    set_slopes(made, [call, computed](std::span<const Value> inputs, std::span<const Value> scalars) {
      return slopes_of(call, computed, inputs, scalars);
    });
  }
  return made;
}

/// A call, and how it is computed.
struct Plan {
  Call call;
  DType computed;  // what numbers are scalars of
  Program program;
};

const Plan& known_plan(const Given& given, OperandList operands, Parameters parameters,
                       std::optional<DType> stored) {
  static auto& plans = *new PermanentTable<Given, Plan, 1024>;
  return plans.get(given, [&] {
    const Call call = make_call(given, operands, parameters, stored);
    const DType computed = computed_in(call);
    return Plan{call, computed, program_of(call, computed)};
  });
}

const Plan& plan_for(const Rule& rule, OperandList operands, Parameters parameters,
                     std::optional<DType> stored = {}) {
  const Given given(rule, operands, parameters, stored);
  const Plan& plan = known_plan(given, operands, parameters, stored);
  if (rule.computes != Computes::relation) return plan;
  const bool beyond = std::any_of(operands.begin(), operands.end(), [&](const Operand& x) {
    return !x.is_tensor() && !x.number().fits(plan.call.dtype);
  });
  return beyond ? known_plan(given.beyond(), operands, parameters, stored) : plan;
}

/// What the program of a plan runs over.
class Arguments {
 public:
  Arguments(const Plan& plan, OperandList operands, Parameters parameters) {
    for (const Operand& x : operands) {
      if (x.is_tensor()) {
        tensors_[tensor_count_++] = &x.tensor();
      } else {
        add(plan, !plan.call.beyond ? x.number() : x.number().to_double() < 0 ? -1 : 1);
      }
    }
    for (const Scalar& p : parameters) {
      require(!p.is_floating() || is_floating(plan.call.dtype),
              "[{}] the number {} is floating, the result {}", plan.call.rule->name, p.to_double(),
              name(plan.call.dtype));
      add(plan, p);
    }
  }
  TensorRefs tensors() const { return {tensors_.data(), tensor_count_}; }
  /// Numbers among the operands, then parameters: raw bits.
  std::span<const std::uint64_t> scalars() const { return {scalars_.data(), scalar_count_}; }

 private:
  void add(const Plan& plan, Scalar number) {
    require_fits(plan.call.rule->name, number, plan.call.dtype);
    scalars_[scalar_count_++] = number.bits(plan.computed);
  }

  std::array<const Tensor*, kMostOperands> tensors_;
  std::array<std::uint64_t, kMostOperands + kMostParameters> scalars_;
  std::size_t tensor_count_ = 0, scalar_count_ = 0;
};

}  // namespace

Tensor evaluate(const Rule& rule, OperandList operands, Parameters parameters) {
  const Plan& plan = plan_for(rule, operands, parameters);
  const Arguments arguments(plan, operands, parameters);
  Tensor y;
  apply(rule.name, plan.program, arguments.tensors(), arguments.scalars(), {&y, 1});
  return y;
}

Tensor& evaluate_in_place(const Rule& rule, Tensor& x, OperandList operands, Parameters parameters) {
  const Plan& plan = plan_for(rule, operands, parameters, impl_of(x, rule.name).dtype);
  check_holds(rule.name, x.dtype(), result_dtype(plan.call));
  const Arguments arguments(plan, operands, parameters);
  apply_in_place(rule.name, plan.program, x, arguments.tensors(), arguments.scalars());
  return x;
}

Tensor& evaluate_out(const Rule& rule, Tensor& out, OperandList operands, Parameters parameters) {
  const Plan& plan = plan_for(rule, operands, parameters, impl_of(out, rule.name).dtype);
  check_holds(rule.name, out.dtype(), result_dtype(plan.call));
  const Arguments arguments(plan, operands, parameters);
  apply_out(rule.name, plan.program, out, arguments.tensors(), arguments.scalars());
  return out;
}

}  // namespace tenon::ops
