// Elementwise ops by rule: what dtypes they take, and their formula. An op is a row of a table in
// elementwise_*.cpp; all that rows have in common is here.
#pragma once

#include <initializer_list>
#include <string_view>

#include <tenon/ops.h>
#include <tenon/program.h>

namespace tenon::ops {

/// What an op computes in, and gives, where its operands promote to some dtype.
enum class Computes {
  numbers,    ///< in that dtype; bool counts as an integer
  alike,      ///< in that dtype, which may be bool
  floats,     ///< in that dtype where it is floating, else in the default dtype
  wide,       ///< the same, but under Autocast in f32 where it is of 16 bits
  bits,       ///< in that dtype, which is not floating
  integers,   ///< the same, but bool counts as an integer
  relation,   ///< in that dtype; the result is bool
  test,       ///< the same, but bool counts as an integer
  closeness,  ///< as floats; the result is bool
  truth       ///< in bool: whether the operands are not 0
};

using Value = program::Value;

/// y = formula(x, p) of operands x and parameters p, all of one dtype.
struct Rule {
  std::string_view name;
  Computes computes;
  Value (*formula)(const Value* x, const Value* p);
  /// slopes[i] = dy/dx[i]; nullptr where they are to be derived from the formula.
  void (*slopes)(const Value* x, const Value* p, Value* slopes) = nullptr;
  /// Not so: more than one instruction is computed in f32 for 16-bit floats, and rounded once.
  bool in_own_dtype = false;
};

/// A tensor, or a number that takes the tensors' dtype within its kind.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(&tensor) {}
  Operand(Scalar number) : number_(number) {}
  bool is_tensor() const { return tensor_ != nullptr; }
  const Tensor& tensor() const { return *tensor_; }
  Scalar number() const { return number_; }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar number_ = 0;
};

using OperandList = std::initializer_list<Operand>;
using Parameters = std::initializer_list<Scalar>;

/// The rule over operands, at least one of them a tensor, at most four; at most three parameters.
Tensor evaluate(const Rule& rule, OperandList operands, Parameters parameters = {});
/// Into x, the first operand, in its dtype; recorded.
Tensor& evaluate_in_place(const Rule& rule, Tensor& x, OperandList operands,
                          Parameters parameters = {});
/// Into `out`, which has the result's shape and a dtype of its kind or a later one; is not recorded.
Tensor& evaluate_out(const Rule& rule, Tensor& out, OperandList operands, Parameters parameters = {});

// For the tables: `a`, `b`, `c` are operands, `p`, `q` parameters. TENON_SLOPES takes one expression
// for each operand.
#define TENON_FORMULA(expression)                                                      \
  [](const Value* operands, const Value* parameters) -> Value {                        \
    [[maybe_unused]] const Value &a = operands[0], &b = operands[1], &c = operands[2]; \
    [[maybe_unused]] const Value &p = parameters[0], &q = parameters[1];               \
    return expression;                                                                 \
  }
#define TENON_SLOPES(...)                                                              \
  [](const Value* operands, const Value* parameters, Value* slopes) {                  \
    [[maybe_unused]] const Value &a = operands[0], &b = operands[1], &c = operands[2]; \
    [[maybe_unused]] const Value &p = parameters[0], &q = parameters[1];               \
    for (const Value& each : {__VA_ARGS__}) *slopes++ = each;                          \
  }

}  // namespace tenon::ops
