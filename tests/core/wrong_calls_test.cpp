// Wrong calls and what they are told: the same words on every device.
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class WrongCalls : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
  const Tensor two_ = ones({2}, here_), three_ = ones({3}, here_);
  const Tensor whole_ = ones({2}, {.dtype = i32, .device = device_});
};

INSTANTIATE_TEST_SUITE_P(Devices, WrongCalls, testing::ValuesIn(test_devices()), device_test_name);

/// A function under its name, of all its forms.
#define TENON_FORMS(name) #name, name, name##_, name##_out
#define TENON_TESTED(name) #name, name, name##_out

struct Unary {
  std::string name;
  Tensor (*op)(const Tensor&);
  Tensor& (*in_place)(Tensor&);
  Tensor& (*out)(Tensor&, const Tensor&);
};

const std::vector<Unary> kUnary = {
    {TENON_FORMS(neg)},        {TENON_FORMS(abs)},         {TENON_FORMS(sign)},
    {TENON_FORMS(square)},     {TENON_FORMS(reciprocal)},  {TENON_FORMS(floor)},
    {TENON_FORMS(ceil)},       {TENON_FORMS(trunc)},       {TENON_FORMS(round)},
    {TENON_FORMS(frac)},       {TENON_FORMS(sqrt)},        {TENON_FORMS(rsqrt)},
    {TENON_FORMS(exp)},        {TENON_FORMS(exp2)},        {TENON_FORMS(expm1)},
    {TENON_FORMS(log)},        {TENON_FORMS(log2)},        {TENON_FORMS(log10)},
    {TENON_FORMS(log1p)},      {TENON_FORMS(logit)},       {TENON_FORMS(erf)},
    {TENON_FORMS(erfc)},       {TENON_FORMS(sin)},         {TENON_FORMS(cos)},
    {TENON_FORMS(tan)},        {TENON_FORMS(asin)},        {TENON_FORMS(acos)},
    {TENON_FORMS(atan)},       {TENON_FORMS(sinh)},        {TENON_FORMS(cosh)},
    {TENON_FORMS(tanh)},       {TENON_FORMS(asinh)},       {TENON_FORMS(acosh)},
    {TENON_FORMS(atanh)},      {TENON_FORMS(sinc)},        {TENON_FORMS(deg2rad)},
    {TENON_FORMS(rad2deg)},    {TENON_FORMS(sigmoid)},     {TENON_FORMS(logsigmoid)},
    {TENON_FORMS(relu)},       {TENON_FORMS(relu6)},       {TENON_FORMS(silu)},
    {TENON_FORMS(mish)},       {TENON_FORMS(selu)},        {TENON_FORMS(softsign)},
    {TENON_FORMS(tanhshrink)}, {TENON_FORMS(hardsigmoid)}, {TENON_FORMS(hardswish)}};

TEST_P(WrongCalls, OfOneOperand) {
  const Tensor stretched = ones({1}, here_).expand({2}), leaf = ones({2}, here_).set_requires_grad();
  for (const Unary& f : kUnary) {
    Tensor x = stretched, y = leaf, out = three_, count = whole_;
    EXPECT_EQ(thrown([&] { f.op({}); }), invalid_argument('[' + f.name + "] the tensor is undefined"));
    EXPECT_EQ(thrown([&] { f.out(out, two_); }),
              invalid_argument('[' + f.name + "] the result has shape (2,), not that of out: (3,)"));
    EXPECT_EQ(
        thrown([&] { f.out(count, two_); }),
        invalid_argument('[' + f.name + "] the result is f32, which i32 can't hold; convert first"));
    EXPECT_EQ(thrown([&] { f.in_place(x); }),
              invalid_argument('[' + f.name +
                               "] (2,) with strides (0,) shares elements, so it can't be written in "
                               "place; clone() it first"));
    EXPECT_EQ(thrown([&] { f.in_place(y); }),
              invalid_argument(
                  '[' + f.name +
                  "] a leaf that requires a gradient can't be written in place; do it under NoGrad"));
  }
}

struct Binary {
  std::string name;
  Tensor (*op)(const Tensor&, const Tensor&);
  Tensor& (*out)(Tensor&, const Tensor&, const Tensor&);
};

const std::vector<Binary> kBinary = {
    {TENON_TESTED(add)},        {TENON_TESTED(sub)},          {TENON_TESTED(mul)},
    {TENON_TESTED(div)},        {TENON_TESTED(floor_divide)}, {TENON_TESTED(remainder)},
    {TENON_TESTED(fmod)},       {TENON_TESTED(pow)},          {TENON_TESTED(maximum)},
    {TENON_TESTED(minimum)},    {TENON_TESTED(fmax)},         {TENON_TESTED(fmin)},
    {TENON_TESTED(atan2)},      {TENON_TESTED(hypot)},        {TENON_TESTED(copysign)},
    {TENON_TESTED(nextafter)},  {TENON_TESTED(logaddexp)},    {TENON_TESTED(logaddexp2)},
    {TENON_TESTED(xlogy)},      {TENON_TESTED(heaviside)},    {TENON_TESTED(lt)},
    {TENON_TESTED(le)},         {TENON_TESTED(gt)},           {TENON_TESTED(ge)},
    {TENON_TESTED(eq)},         {TENON_TESTED(ne)},           {TENON_TESTED(logical_and)},
    {TENON_TESTED(logical_or)}, {TENON_TESTED(logical_xor)}};
const std::vector<Binary> kOfBits = {{TENON_TESTED(bitwise_and)},
                                     {TENON_TESTED(bitwise_or)},
                                     {TENON_TESTED(bitwise_xor)},
                                     {TENON_TESTED(bitwise_left_shift)},
                                     {TENON_TESTED(bitwise_right_shift)}};

TEST_P(WrongCalls, OfTwoOperands) {
  for (const Binary& f : kBinary) {
    Tensor out = three_;
    const std::string op = '[' + f.name + "] ";
    EXPECT_EQ(thrown([&] { f.op(two_, {}); }), invalid_argument(op + "the tensor is undefined"));
    EXPECT_EQ(thrown([&] { f.op(two_, three_); }),
              invalid_argument(op + "shapes do not broadcast: (2,) and (3,)"));
    EXPECT_EQ(thrown([&] { f.out(out, two_, two_); }),
              invalid_argument(op + "the result has shape (2,), not that of out: (3,)"));
  }
  for (const Binary& f : kOfBits) {
    EXPECT_EQ(thrown([&] { f.op(two_, whole_); }),
              invalid_argument('[' + f.name + "] takes integers or bools, not f32"));
  }
}

#undef TENON_FORMS
#undef TENON_TESTED

struct Wrong {
  std::function<void()> call;
  std::string text;
};

void expect_texts(const std::vector<Wrong>& table) {
  for (const Wrong& wrong : table) EXPECT_EQ(thrown(wrong.call), invalid_argument(wrong.text));
}

TEST_P(WrongCalls, OfElementwiseOptions) {
  const Tensor &x = two_, &y = three_;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_texts({
      {[&] { celu(x, 0); }, "[celu] alpha is 0"},
      {[&] { softplus(x, -1); }, "[softplus] beta is -1: it must be above 0"},
      {[&] { softplus(x, nan); }, "[softplus] beta is nan: it must be above 0"},
      {[&] { hardtanh(x, 2, 1.5); }, "[hardtanh] low is 2 and high 1.5"},
      {[&] { hardshrink(x, -0.5); }, "[hardshrink] lambda is -0.5: it must be at least 0"},
      {[&] { softshrink(x, nan); }, "[softshrink] lambda is nan: it must be at least 0"},
      {[&] { isclose(x, x, {.rtol = -1}); },
       "[isclose] rtol is -1 and atol 1e-08: neither may be negative"},
      {[&] { isclose(x, y); }, "[isclose] shapes do not broadcast: (2,) and (3,)"},
      {[&] { lerp(x, y, 1); }, "[lerp] shapes do not broadcast: (2,) and (3,)"},
      {[&] { addcmul(x, x, y); }, "[addcmul] shapes do not broadcast: (2,) and (3,)"},
      {[&] { addcdiv(y, x, x); }, "[addcdiv] shapes do not broadcast: (3,) and (2,)"},
      {[&] { where(x, x, x); }, "[where] the condition is f32, not bool"},
      {[&] { clamp(x, std::optional<Scalar>()); }, "[clamp] neither low nor high is given"},
      {[&] { prelu(x, y); }, "[prelu] shapes do not broadcast: (2,) and (3,)"},
      {[&] { elementwise(program::Builder().build(), {}); }, "[program] no outputs"},
  });
}

TEST_P(WrongCalls, OfWhatSelectsAndMultiplies) {
  const Tensor &x = two_, at = zeros({2}, {.dtype = i64, .device = device_});
  const Tensor truth = ones({2}, {.dtype = bool_, .device = device_});
  const Tensor square = ones({2, 2}, here_);
  const Tensor last = full({2}, std::numeric_limits<std::int64_t>::max(), here_);
  const Tensor deep = ones(Dims::filled(8, 1), here_);
  expect_texts({
      {[&] { scatter(x, 0, at, square); },
       "[scatter] src (2, 2) has not as many dimensions as index (2,)"},
      {[&] { scatter(truth, 0, at, true, Scatter::max); }, "[scatter] bools can only be assigned"},
      {[&] { linear(x, three_); },
       "[linear] x (2,) and weight (3,) do not fit: (..., in) and (out, in)"},
      {[&] { vecdot(truth, truth); }, "[vecdot] bool holds no sums; convert one"},
      {[&] {
         x.split(std::vector<std::int64_t>{std::int64_t{1} << 62, std::int64_t{1} << 62,
                                           std::int64_t{1} << 62, (std::int64_t{1} << 62) + 2});
       },
       "[split] the lengths (4611686018427387904, 4611686018427387904, 4611686018427387904, "
       "4611686018427387906) don't add up to extent 2"},
      {[&] { one_hot(last); }, "[one_hot] 9223372036854775807 is too large to count up to"},
      {[&] { bincount(last); }, "[bincount] 9223372036854775807 is too large to count up to"},
      {[&] { argmin(x, {1}); }, "[argmin] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { amin(x, {1}); }, "[amin] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { any(x, {0, 0}); }, "[any] dimension 0 is named twice in (0, 0)"},
      {[&] { all(x, {-2}); }, "[all] dimension -2 is out of range for a tensor of 1 dimensions"},
      {[&] { count_nonzero(x, {1}); },
       "[count_nonzero] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { logsumexp(x, {1}); },
       "[logsumexp] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { var_mean(x, {1}); },
       "[var_mean] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { std_mean(x, {1}); },
       "[std_mean] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { tenon::std(x, {1}); }, "[std] dimension 1 is out of range for a tensor of 1 dimensions"},
      {[&] { full({2}, 300, {.dtype = u8, .device = device_}); }, "[full] 300 does not fit u8"},
      {[&] { full_like(whole_, std::int64_t{1} << 40); }, "[full] 1099511627776 does not fit i32"},
      {[&] { zeros({-1}, here_); }, "[zeros] (-1,) has a negative extent"},
      {[&] { ones({2, -1}, here_); }, "[ones] (2, -1) has a negative extent"},
      {[&] { full({-1}, 2, here_); }, "[full] (-1,) has a negative extent"},
      {[&] { empty({-1}, here_); }, "[empty] (-1,) has a negative extent"},
      {[&] { from_bytes({}, {-1}, here_); }, "[from_bytes] (-1,) has a negative extent"},
      {[&] { random::uniform({-1}, {}, here_); }, "[uniform] (-1,) has a negative extent"},
      {[&] { random::integers({-1}, {}, here_); }, "[integers] (-1,) has a negative extent"},
      {[&] { x.expand({-2}); }, "[expand] (-2,) has a negative extent"},
      {[&] { x.broadcast_to({-2}); }, "[broadcast_to] (-2,) has a negative extent"},
      {[&] { x.broadcast_to({}); }, "[broadcast_to] (2,) does not stretch to ()"},
      {[&] { deep.unsqueeze(0); }, "[unsqueeze] 9 dimensions, the most is 8"},
      {[&] { deep.unflatten(0, {1, 1}); }, "[unflatten] 9 dimensions, the most is 8"},
      {[&] { stack({deep, deep}); }, "[stack] 9 dimensions, the most is 8"},
      {[&] { one_hot(deep.to(i32), 2); }, "[one_hot] 9 dimensions, the most is 8"},
      {[&] { embedding(zeros({2, 1}, here_), deep.to(i32)); },
       "[embedding] 9 dimensions, the most is 8"},
      {[&] { meshgrid(std::vector<Tensor>(9, x)); }, "[meshgrid] 9 dimensions, the most is 8"},
      {[&] { concat({}); }, "[concat] there are no tensors"},
      {[&] { concat({x, deep}); },
       "[concat] (2,) and (1, 1, 1, 1, 1, 1, 1, 1) differ beside dimension 0"},
      {[&] { tile(x, {2, -1}); }, "[tile] (2, -1) has a negative count"},
      {[&] { x.view({-2}); }, "[view] (-2,) has a negative extent"},
      {[&] { nn::LayerNorm({-1}); }, "[LayerNorm] (-1,) has a negative extent"},
  });
}

TEST_P(WrongCalls, WhatIsUndefinedIsToldByTheOpThatWasCalled) {
  const Tensor none;
  expect_texts({
      {[&] { none.reshape({2}); }, "[reshape] the tensor is undefined"},
      {[&] { none.squeeze(); }, "[squeeze] the tensor is undefined"},
      {[&] { atleast_3d(none); }, "[atleast_3d] the tensor is undefined"},
      {[&] { addmm(two_, none, two_); }, "[addmm] the tensor is undefined"},
      {[&] { trace(none); }, "[trace] the tensor is undefined"},
  });
}

/// More than anybody has memory for: refused at once, and nothing else happens.
TEST_P(WrongCalls, OfAbsurdSizes) {
  constexpr std::int64_t kMuch = std::int64_t{1} << 46;
  const Tensor huge = ones({1}, here_).expand({kMuch});
  const Tensor zero = zeros({2}, {.dtype = i64, .device = device_});
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { huge.clone(); }, [&] { huge.unbind(); }, [&] { huge.split(1); },
           [&] { huge.chunk(kMuch / 2); }, [&] { random::permutation(kMuch, here_); },
           [&] { arange(kMuch, here_); }, [&] { repeat(two_, {kMuch}); },
           [&] { repeat_interleave(two_, kMuch); }, [&] { eye(1 << 30, here_); },
           [&] { eye(1, std::numeric_limits<std::int64_t>::max(), 1, here_); },
           [&] { one_hot(zero, kMuch); }, [&] { bincount(zero + kMuch); },
           [&] { bincount(zero, {}, kMuch); }, [&] { pad(two_, {kMuch, kMuch}); },
           [&] { kron(huge, two_); }}) {
    const Thrown error = thrown(call);
    EXPECT_EQ(error.kind, ErrorKind::OutOfMemory) << error;
  }
}

TEST_P(WrongCalls, APermutationKeepsToTheDevicesLimit) {
  const std::uint64_t before = memory_stats(device_).limit;
  set_memory_limit(device_, 1 << 20);
  EXPECT_EQ(thrown([&] { random::permutation(std::int64_t{1} << 33, {f32, device_}); }).kind,
            ErrorKind::OutOfMemory);
  set_memory_limit(device_, before);
}

/// pow of integers is several programs, and their result is copied into out.
TEST_P(WrongCalls, AnOutOnAnotherDevice) {
  for (const std::string& name : test_devices()) {
    if (device(name) == device_) continue;
    Tensor out = zeros({2}, {.dtype = i32, .device = device(name)});
    const std::string told = " out is on " + name + ", the operands are on " + GetParam();
    EXPECT_EQ(thrown([&] { pow_out(out, whole_, whole_); }), invalid_argument("[pow]" + told));
    EXPECT_EQ(thrown([&] { add_out(out, whole_, whole_); }), invalid_argument("[add]" + told));
  }
}

}  // namespace
}  // namespace tenon::test
