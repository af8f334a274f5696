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
using UnaryInPlace = Tensor& (*)(Tensor&);
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

Form any(Form form) {
  return form;
}
Form integers(Form form) {
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

/// Those in the list of all ops, then those with operands of their own.
const std::vector<Form> kForms = {
#define TENON_UNARY(op, values) values({#op, Unary(op), UnaryInPlace(op##_)}),
#define TENON_BINARY(op, values) values(binary(#op, op, op, op##_, op##_)),
#define TENON_TEST(op)
#include "tests/support/elementwise_ops.def"
#undef TENON_TEST
#undef TENON_BINARY
#undef TENON_UNARY
// `x` is a tensor or a reference to one, which the in-place form writes.
#define TENON_FORM(name, op, ...)                               \
  Form {                                                        \
    name, [](const Tensor& x) { return op(__VA_ARGS__); },      \
        [](Tensor& x) -> Tensor& { return op##_(__VA_ARGS__); } \
  }
    TENON_FORM("clamp", clamp, x, -0.25, 0.5),
    TENON_FORM("celu", celu, x, 2),
    TENON_FORM("threshold", threshold, x, 0.5, -2),
    TENON_FORM("nan_to_num", nan_to_num, x),
    TENON_FORM("logit_eps", logit, x, 0.3),
    TENON_FORM("round_decimals", round, x, 1),
    TENON_FORM("add_alpha", add, x, beside(x), 3),
    TENON_FORM("sub_alpha", sub, x, beside(x), 3),
    integers(TENON_FORM("sub_alpha_of_integers", sub, x, beside(x), 3)),
    TENON_FORM("div_rounding", div, x, beside(x), Rounding::floor),
    integers(TENON_FORM("div_rounding_of_integers", div, x, 2, Rounding::trunc)),
    TENON_FORM("lerp", lerp, x, beside(x), beside(x)),
    TENON_FORM("lerp_number", lerp, x, beside(x), 0.25),
    TENON_FORM("addcmul", addcmul, x, beside(x), x, 0.5),
    TENON_FORM("addcdiv", addcdiv, x, x, beside(x), 0.5)};
#undef TENON_FORM

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
INSTANTIATE_TEST_SUITE_P(Ops, InPlace,
                         testing::Combine(testing::ValuesIn(kForms), testing::ValuesIn(row_devices())),
                         form_test_name<Form>);

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
