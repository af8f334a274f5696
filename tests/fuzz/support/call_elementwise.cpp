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

}  // namespace

#define TENON_TEST(name) overload<Unary>(#name, name), overload<UnaryOut>(#name "_out", name##_out)
#define TENON_UNARY(name) TENON_TEST(name), overload<InPlace>(#name "_", name##_)
#define TENON_RELATION(name)                                                                         \
  overload<Binary>(#name, name), overload<WithNumber>(#name, name), overload<OfNumber>(#name, name), \
      overload<BinaryOut>(#name "_out", name##_out)
#define TENON_BINARY(name)                                           \
  TENON_RELATION(name), overload<BinaryInPlace>(#name "_", name##_), \
      overload<InPlaceNumber>(#name "_", name##_)
#define TENON_OPERATOR(name, symbol)                                                    \
  overload<Binary>(name, operator symbol), overload<WithNumber>(name, operator symbol), \
      overload<OfNumber>(name, operator symbol)

void add_elementwise(Table& table) {
  table.insert(table.end(), {TENON_BINARY(add),
                             TENON_BINARY(sub),
                             TENON_BINARY(mul),
                             TENON_BINARY(div),
                             TENON_BINARY(floor_divide),
                             TENON_BINARY(remainder),
                             TENON_BINARY(fmod),
                             TENON_BINARY(pow),
                             TENON_BINARY(maximum),
                             TENON_BINARY(minimum),
                             TENON_BINARY(fmax),
                             TENON_BINARY(fmin),
                             TENON_BINARY(atan2),
                             TENON_BINARY(hypot),
                             TENON_BINARY(copysign),
                             TENON_BINARY(nextafter),
                             TENON_BINARY(logaddexp),
                             TENON_BINARY(logaddexp2),
                             TENON_BINARY(xlogy),
                             TENON_BINARY(heaviside),
                             TENON_BINARY(bitwise_and),
                             TENON_BINARY(bitwise_or),
                             TENON_BINARY(bitwise_xor),
                             TENON_BINARY(bitwise_left_shift),
                             TENON_BINARY(bitwise_right_shift)});
  table.insert(table.end(),
               {TENON_RELATION(lt), TENON_RELATION(le), TENON_RELATION(gt), TENON_RELATION(ge),
                TENON_RELATION(eq), TENON_RELATION(ne), TENON_RELATION(logical_and),
                TENON_RELATION(logical_or), TENON_RELATION(logical_xor)});
  table.insert(table.end(),
               {TENON_OPERATOR("add", +), TENON_OPERATOR("sub", -), TENON_OPERATOR("mul", *),
                TENON_OPERATOR("div", /), TENON_OPERATOR("remainder", %), TENON_OPERATOR("lt", <),
                TENON_OPERATOR("le", <=), TENON_OPERATOR("gt", >), TENON_OPERATOR("ge", >=),
                TENON_OPERATOR("eq", ==), TENON_OPERATOR("ne", !=), TENON_OPERATOR("bitwise_and", &),
                TENON_OPERATOR("bitwise_or", |), TENON_OPERATOR("bitwise_xor", ^),
                TENON_OPERATOR("bitwise_left_shift", <<), TENON_OPERATOR("bitwise_right_shift", >>),
                overload<Unary>("neg", operator-), overload<Unary>("bitwise_not", operator~)});
  table.insert(table.end(),
               {TENON_UNARY(neg),        TENON_UNARY(abs),         TENON_UNARY(sign),
                TENON_UNARY(square),     TENON_UNARY(reciprocal),  TENON_UNARY(floor),
                TENON_UNARY(ceil),       TENON_UNARY(trunc),       TENON_UNARY(round),
                TENON_UNARY(frac),       TENON_UNARY(bitwise_not), TENON_UNARY(sqrt),
                TENON_UNARY(rsqrt),      TENON_UNARY(exp),         TENON_UNARY(exp2),
                TENON_UNARY(expm1),      TENON_UNARY(log),         TENON_UNARY(log2),
                TENON_UNARY(log10),      TENON_UNARY(log1p),       TENON_UNARY(logit),
                TENON_UNARY(erf),        TENON_UNARY(erfc),        TENON_UNARY(sin),
                TENON_UNARY(cos),        TENON_UNARY(tan),         TENON_UNARY(asin),
                TENON_UNARY(acos),       TENON_UNARY(atan),        TENON_UNARY(sinh),
                TENON_UNARY(cosh),       TENON_UNARY(tanh),        TENON_UNARY(asinh),
                TENON_UNARY(acosh),      TENON_UNARY(atanh),       TENON_UNARY(sinc),
                TENON_UNARY(deg2rad),    TENON_UNARY(rad2deg),     TENON_UNARY(sigmoid),
                TENON_UNARY(logsigmoid), TENON_UNARY(relu),        TENON_UNARY(relu6),
                TENON_UNARY(silu),       TENON_UNARY(mish),        TENON_UNARY(selu),
                TENON_UNARY(softsign),   TENON_UNARY(tanhshrink),  TENON_UNARY(hardsigmoid),
                TENON_UNARY(hardswish)});
  table.insert(table.end(),
               {TENON_TEST(isnan), TENON_TEST(isinf), TENON_TEST(isposinf), TENON_TEST(isneginf),
                TENON_TEST(isfinite), TENON_TEST(signbit), TENON_TEST(logical_not)});
  table.insert(
      table.end(),
      {line("isclose", isclose),
       line("gelu", gelu),
       line("leaky_relu", leaky_relu),
       line("prelu", prelu),
       line("elu", elu),
       line("celu", celu),
       line("softplus", softplus),
       line("hardtanh", hardtanh),
       line("hardshrink", hardshrink),
       line("softshrink", softshrink),
       line("threshold", threshold),
       line("where", [](const Mask& m, const Tensor& x, const Tensor& y) { return where(m, x, y); }),
       line("where", [](const Mask& m, const Tensor& x, Scalar y) { return where(m, x, y); }),
       line("where", [](const Mask& m, Scalar x, const Tensor& y) { return where(m, x, y); }),
       overload<Tensor(const Tensor&, std::optional<Scalar>, std::optional<Scalar>)>("clamp", clamp),
       overload<Tensor(const Tensor&, const Tensor&, const Tensor&)>("clamp", clamp),
       line("clamp_", clamp_),
       overload<Tensor(const Tensor&, const Tensor&, const Tensor&)>("lerp", lerp),
       overload<Tensor(const Tensor&, const Tensor&, Scalar)>("lerp", lerp),
       line("addcmul", addcmul),
       line("addcdiv", addcdiv),
       line("nan_to_num", nan_to_num)});
}

#undef TENON_TEST
#undef TENON_UNARY
#undef TENON_RELATION
#undef TENON_BINARY
#undef TENON_OPERATOR

}  // namespace tenon::fuzz
