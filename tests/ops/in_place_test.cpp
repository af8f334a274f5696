// The in-place forms of elementwise ops: x takes what the op gives, and so does its gradient.
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <tenon/ops.h>

#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

struct Form {
  std::string name;
  std::function<Tensor(const Tensor&)> op;
  std::function<Tensor&(Tensor&)> in_place;
  std::vector<double> values = {0.25, -0.5, 0.75};
  DType dtype = f32;
};

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using BinaryOfNumber = Tensor (*)(const Tensor&, Scalar);
using BinaryInPlace = Tensor& (*)(Tensor&, const Tensor&);
using BinaryOfNumberInPlace = Tensor& (*)(Tensor&, Scalar);

/// x and a second operand with it.
Tensor beside(const Tensor& x) {
  return tensor({2, 1, 3}, {.dtype = x.dtype(), .device = x.device()});
}

/// The op of two tensors, then of a tensor and a number.
Form binary(const char* name, Binary op, BinaryOfNumber of_number, BinaryInPlace in_place,
            BinaryOfNumberInPlace of_number_in_place) {
  return {
      .name = name,
      .op = [=](const Tensor& x) { return of_number(op(x, beside(x)), 2); },
      .in_place = [=](Tensor& x) -> Tensor& { return of_number_in_place(in_place(x, beside(x)), 2); }};
}

Form of_integers(Form form) {
  form.values = {5, 2, 7};
  form.dtype = i32;
  return form;
}
Form above_one(Form form) {
  form.values = {1.5, 2, 3};
  return form;
}
Form positive(Form form) {
  form.values = {0.25, 0.5, 0.75};
  return form;
}

#define TENON_UNARY(op)   \
  Form {                  \
    #op, Unary(op), op##_ \
  }
#define TENON_BINARY(op) binary(#op, op, op, op##_, op##_)

const std::vector<Form> kForms = {TENON_UNARY(neg),
                                  TENON_UNARY(abs),
                                  TENON_UNARY(sign),
                                  TENON_UNARY(square),
                                  TENON_UNARY(reciprocal),
                                  TENON_UNARY(floor),
                                  TENON_UNARY(ceil),
                                  TENON_UNARY(trunc),
                                  TENON_UNARY(round),
                                  TENON_UNARY(frac),
                                  of_integers(TENON_UNARY(bitwise_not)),
                                  positive(TENON_UNARY(sqrt)),
                                  positive(TENON_UNARY(rsqrt)),
                                  TENON_UNARY(exp),
                                  TENON_UNARY(exp2),
                                  TENON_UNARY(expm1),
                                  positive(TENON_UNARY(log)),
                                  positive(TENON_UNARY(log2)),
                                  positive(TENON_UNARY(log10)),
                                  TENON_UNARY(log1p),
                                  positive(TENON_UNARY(logit)),
                                  TENON_UNARY(erf),
                                  TENON_UNARY(erfc),
                                  TENON_UNARY(sin),
                                  TENON_UNARY(cos),
                                  TENON_UNARY(tan),
                                  TENON_UNARY(asin),
                                  TENON_UNARY(acos),
                                  TENON_UNARY(atan),
                                  TENON_UNARY(sinh),
                                  TENON_UNARY(cosh),
                                  TENON_UNARY(tanh),
                                  TENON_UNARY(asinh),
                                  above_one(TENON_UNARY(acosh)),
                                  TENON_UNARY(atanh),
                                  TENON_UNARY(sinc),
                                  TENON_UNARY(deg2rad),
                                  TENON_UNARY(rad2deg),
                                  TENON_UNARY(sigmoid),
                                  TENON_UNARY(logsigmoid),
                                  TENON_UNARY(relu),
                                  TENON_UNARY(relu6),
                                  TENON_UNARY(silu),
                                  TENON_UNARY(mish),
                                  TENON_UNARY(selu),
                                  TENON_UNARY(softsign),
                                  TENON_UNARY(tanhshrink),
                                  TENON_UNARY(hardsigmoid),
                                  TENON_UNARY(hardswish),
                                  {"clamp", [](const Tensor& x) { return clamp(x, -0.25, 0.5); },
                                   [](Tensor& x) -> Tensor& { return clamp_(x, -0.25, 0.5); }},
                                  TENON_BINARY(add),
                                  TENON_BINARY(sub),
                                  TENON_BINARY(mul),
                                  TENON_BINARY(div),
                                  TENON_BINARY(floor_divide),
                                  TENON_BINARY(remainder),
                                  TENON_BINARY(fmod),
                                  positive(TENON_BINARY(pow)),
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
                                  of_integers(TENON_BINARY(bitwise_and)),
                                  of_integers(TENON_BINARY(bitwise_or)),
                                  of_integers(TENON_BINARY(bitwise_xor)),
                                  of_integers(TENON_BINARY(bitwise_left_shift)),
                                  of_integers(TENON_BINARY(bitwise_right_shift))};

void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

using FormOnDevice = std::tuple<Form, std::string>;

class InPlace : public testing::TestWithParam<FormOnDevice> {
 protected:
  const Form& form_ = std::get<0>(GetParam());
  const Device device_ = device(std::get<1>(GetParam()));
  Tensor operand(bool requires_grad = false) const {
    return from_values<double>(
        form_.values, {3}, {.dtype = form_.dtype, .device = device_, .requires_grad = requires_grad});
  }
};
std::string form_test_name(const testing::TestParamInfo<FormOnDevice>& form) {
  const testing::TestParamInfo<std::string> device(std::get<1>(form.param), form.index);
  return std::get<0>(form.param).name + '_' + device_test_name(device);
}
INSTANTIATE_TEST_SUITE_P(Ops, InPlace,
                         testing::Combine(testing::ValuesIn(kForms), testing::ValuesIn(row_devices())),
                         form_test_name);

TEST_P(InPlace, Form) {
  const Tensor expected = form_.op(operand());
  Tensor x = operand();
  const std::uint64_t version = x.version();
  EXPECT_EQ(&form_.in_place(x), &x);
  EXPECT_GT(x.version(), version);
  EXPECT_EQ(reals_of(x).values, reals_of(expected).values);

  if (!is_floating(form_.dtype)) return;
  const Tensor of_new = operand(true), of_same = operand(true);
  const Tensor y = form_.op(of_new);
  if (!y.requires_grad()) return;
  y.sum().backward();
  Tensor z = of_same * 1;
  form_.in_place(z);
  z.sum().backward();
  EXPECT_EQ(reals_of(of_same.grad()).values, reals_of(of_new.grad()).values);
}

// --- What is kept for backward ---

class InPlaceOn : public OnDevice {
 protected:
  /// What an op in place launches that is recorded.
  std::int64_t launches_of(const std::function<void(Tensor&)>& op) const {
    const Tensor leaf = ones({3}, {.device = device_, .requires_grad = true});
    return launches([&] {
             Tensor x = leaf * 1;
             op(x);
           }) -
           1;
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, InPlaceOn, testing::ValuesIn(row_devices()), device_test_name);

// A copy of what x was is a launch of its own.
TEST_P(InPlaceOn, WhatTheSlopesDoNotUseIsNotCopied) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor y = full({3}, 2.0, here_), learnt = y.clone().set_requires_grad();
  const std::vector<std::function<void(Tensor&)>> without = {
      [](Tensor& x) { neg_(x); },         [](Tensor& x) { add_(x, 2); },
      [&](Tensor& x) { add_(x, y); },     [&](Tensor& x) { add_(x, learnt); },
      [&](Tensor& x) { sub_(x, y); },     [](Tensor& x) { mul_(x, 2); },
      [&](Tensor& x) { mul_(x, y); },     [&](Tensor& x) { div_(x, y); },
      [](Tensor& x) { div_(x, 2); },      [](Tensor& x) { floor_(x); },
      [](Tensor& x) { deg2rad_(x); },     [](Tensor& x) { sign_(x); },
      [&](Tensor& x) { x += y; },         [](Tensor& x) { x *= 3; },
      [](Tensor& x) { heaviside_(x, 1); }};
  for (std::size_t i = 0; i < without.size(); ++i) EXPECT_EQ(launches_of(without[i]), 1) << i;
  const std::vector<std::function<void(Tensor&)>> with = {
      [](Tensor& x) { square_(x); },       [](Tensor& x) { exp_(x); },
      [&](Tensor& x) { mul_(x, learnt); }, [&](Tensor& x) { div_(x, learnt); },
      [](Tensor& x) { pow_(x, 3); },       [&](Tensor& x) { hypot_(x, y); }};
  for (std::size_t i = 0; i < with.size(); ++i) EXPECT_EQ(launches_of(with[i]), 2) << i;
}

}  // namespace
}  // namespace tenon::test
