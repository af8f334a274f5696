#include "tests/fuzz/support/call_table.h"

namespace tenon::fuzz {
namespace {

using Unary = Tensor(const Tensor&);
using UnaryOut = Tensor&(Tensor&, const Tensor&);
using InPlace = Tensor&(Tensor&);
using Binary = Tensor(const Tensor&, const Tensor&);
using WithNumber = Tensor(const Tensor&, Scalar);
using OfNumber = Tensor(Scalar, const Tensor&);
using BinaryOut = Tensor&(Tensor&, const Tensor&, const Tensor&);
using BinaryInPlace = Tensor&(Tensor&, const Tensor&);
using InPlaceNumber = Tensor&(Tensor&, Scalar);
using Scaled = Tensor(const Tensor&, const Tensor&, Scalar);
using ScaledInPlace = Tensor&(Tensor&, const Tensor&, Scalar);

}  // namespace

#define TENON_TEST(name) overload<Unary>(#name, name), overload<UnaryOut>(#name "_out", name##_out),
#define TENON_UNARY(name, values) TENON_TEST(name) overload<InPlace>(#name "_", name##_),
#define TENON_BINARY(name, values)                                                                   \
  overload<Binary>(#name, name), overload<WithNumber>(#name, name), overload<OfNumber>(#name, name), \
      overload<BinaryOut>(#name "_out", name##_out), overload<BinaryInPlace>(#name "_", name##_),    \
      overload<InPlaceNumber>(#name "_", name##_),
#define TENON_OPERATOR(name, symbol)                                                    \
  overload<Binary>(name, operator symbol), overload<WithNumber>(name, operator symbol), \
      overload<OfNumber>(name, operator symbol)

void add_elementwise(Table& table) {
  table.insert(table.end(), {
#include "tests/support/elementwise_ops.def"
                            });
  table.insert(table.end(),
               {TENON_OPERATOR("add", +), TENON_OPERATOR("sub", -), TENON_OPERATOR("mul", *),
                TENON_OPERATOR("div", /), TENON_OPERATOR("remainder", %), TENON_OPERATOR("lt", <),
                TENON_OPERATOR("le", <=), TENON_OPERATOR("gt", >), TENON_OPERATOR("ge", >=),
                TENON_OPERATOR("eq", ==), TENON_OPERATOR("ne", !=), TENON_OPERATOR("bitwise_and", &),
                TENON_OPERATOR("bitwise_or", |), TENON_OPERATOR("bitwise_xor", ^),
                TENON_OPERATOR("bitwise_left_shift", <<), TENON_OPERATOR("bitwise_right_shift", >>),
                overload<Unary>("neg", operator-), line("clone", [](const Tensor& x) { return +x; }),
                overload<Unary>("bitwise_not", operator~)});
  table.insert(
      table.end(),
      {line("isclose", isclose),
       line("gelu", gelu),
       line("leaky_relu", leaky_relu),
       line("prelu", prelu),
       line("elu", elu),
       line("celu", celu),
       line("celu_", celu_),
       line("softplus", softplus),
       line("hardtanh", hardtanh),
       line("hardshrink", hardshrink),
       line("softshrink", softshrink),
       line("threshold", threshold),
       line("threshold_", threshold_),
       line("where", [](const Mask& m, const Tensor& x, const Tensor& y) { return where(m, x, y); }),
       line("where", [](const Mask& m, const Tensor& x, Scalar y) { return where(m, x, y); }),
       line("where", [](const Mask& m, Scalar x, const Tensor& y) { return where(m, x, y); }),
       overload<Tensor(const Tensor&, std::optional<Scalar>, std::optional<Scalar>)>("clamp", clamp),
       overload<Tensor(const Tensor&, const Tensor&, const Tensor&)>("clamp", clamp),
       line("clamp_", clamp_),
       overload<Tensor(const Tensor&, const Tensor&, const Tensor&)>("lerp", lerp),
       overload<Tensor(const Tensor&, const Tensor&, Scalar)>("lerp", lerp),
       overload<Tensor&(Tensor&, const Tensor&, const Tensor&)>("lerp_", lerp_),
       overload<Tensor&(Tensor&, const Tensor&, Scalar)>("lerp_", lerp_),
       line("addcmul", addcmul),
       line("addcmul_", addcmul_),
       line("addcdiv", addcdiv),
       line("addcdiv_", addcdiv_),
       line("nan_to_num", nan_to_num),
       line("nan_to_num_", nan_to_num_),
       overload<Tensor(const Tensor&, double)>("logit", logit),
       overload<Tensor&(Tensor&, double)>("logit_", logit_),
       overload<Tensor(const Tensor&, int)>("round", round),
       overload<Tensor&(Tensor&, int)>("round_", round_),
       overload<Scaled>("add", add),
       overload<Scaled>("sub", sub),
       overload<ScaledInPlace>("add_", add_),
       overload<ScaledInPlace>("sub_", sub_),
       overload<Tensor(const Tensor&, const Tensor&, Rounding)>("div", div),
       overload<Tensor(const Tensor&, Scalar, Rounding)>("div", div),
       overload<Tensor&(Tensor&, const Tensor&, Rounding)>("div_", div_),
       overload<Tensor&(Tensor&, Scalar, Rounding)>("div_", div_)});
}

#undef TENON_TEST
#undef TENON_UNARY
#undef TENON_BINARY
#undef TENON_OPERATOR

}  // namespace tenon::fuzz
