// What the policy says about ops that a device refuses, and what is counted.
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/fallback.h>
#include <tenon/ops.h>

#include "core/ops/kinds.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/fallbacks.h"
#include "tests/support/limited_device.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;

/// Stores f64, but computes none; takes programs of two instructions.
class Fallbacks : public testing::TestWithParam<std::string> {
 protected:
  const LimitedDevice limited_{device(GetParam()), [](TenonDeviceInfo& info) {
                                 info.compute_dtypes &= ~(1u << TENON_DTYPE_F64);
                                 info.max_instructions = 2;
                               }};
  const Device device_ = limited_.device();
};

INSTANTIATE_TEST_SUITE_P(Devices, Fallbacks, testing::ValuesIn(test_devices()), device_test_name);

const char* const kThree =
    "in0: f32\n%0: f32 = mul in0, in0\n%1: f32 = add %0, in0\n%2: f32 = neg %1\nreturn %2";

TEST_P(Fallbacks, ErrorForbidsAllButWhatTheDeviceDoes) {
  const Tensor x = tensor({1.0, 2.0}, {.device = device_});
  const Policy policy(Fallback::error);
  expect_equals(x + x, Array<float>{{2}, {2, 4}});
  const Thrown error = thrown([&] { elementwise(program::parse(kThree), {{x}}); });
  EXPECT_EQ(error.kind, ErrorKind::Unsupported);
  EXPECT_EQ(error.text,
            "[elementwise] " + device_.name() +
                " does not support a program of 3 instructions, 1 inputs and 1 outputs in one "
                "(TENON_FALLBACK=error forbids: in other instructions)");
}

TEST_P(Fallbacks, DecomposeCounts) {
  const Tensor x = tensor({1.0, 2.0}, {.device = device_});
  expect_equals(elementwise(program::parse(kThree), {{x}}).front(), Array<float>{{2}, {-2, -6}});
  EXPECT_EQ(count_of(device_, "elementwise", "in other instructions"), 1);
  EXPECT_EQ(device_.stats().fallbacks, 1);
}

TEST_P(Fallbacks, WithoutADecompositionItIsUnsupported) {
  const Tensor x = from_values(std::span<const double>({1.0, 2.0}), {2}, {.device = device_});
  const Thrown error = thrown([&] { x + x; });
  EXPECT_EQ(error.kind, ErrorKind::Unsupported);
  EXPECT_THAT(error.text, HasSubstr("[add] " + device_.name() + " does not support "));
  EXPECT_THAT(error.text, HasSubstr("f64"));
}

TEST_P(Fallbacks, HostRunsItElsewhereAndCountsCopies) {
  const Policy policy(Fallback::host);
  const Tensor x =
      from_values(std::span<const double>({1.0, 2.0, 3.0, 4.0}), {2, 2}, {.device = device_});
  const Tensor y = x.transpose(0, 1) + x;
  EXPECT_EQ(y.device(), device_);
  expect_equals(y, Array<double>{{2, 2}, {2, 5, 5, 8}});
  EXPECT_EQ(count_of(device_, "add", "on " + default_device().name()), 1);
  EXPECT_EQ(device_.stats().host_bytes, 4 * 4 * 8);  // two operands and the result out, the result back

  Tensor column = x.select(1, 1);
  column *= column;
  expect_equals(x, Array<double>{{2, 2}, {1, 4, 3, 16}});
  EXPECT_EQ(count_of(device_, "mul", "on " + default_device().name()), 1);
}

/// The prologue's inputs keep their order, whichever the instructions read first.
TEST_P(Fallbacks, AttachmentsAreLoweredToo) {
  const LimitedDevice bare(device(GetParam()), [](TenonDeviceInfo& info) { info.opcodes = 0; });
  const auto sum_on = [](Device on) {
    const Tensor result = zeros({2, 1}, {.device = on});
    ops::run("test", {.shape = {2, 3},
                      .axes = 0b10,
                      .results = {result},
                      .operators = {TENON_REDUCE_SUM},
                      .inputs = {{tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, {.device = on})},
                                 {tensor({0.5, -1.5, 0.25}, {.device = on})}},
                      .prologue = program::parse("in0: f32, in1: f32\n%0: f32 = tanh in1\n"
                                                 "%1: f32 = sub %0, in0\nreturn %1")});
    return result.to_vector<float>();
  };
  const auto wanted = sum_on(device(GetParam())), found = sum_on(bare.device());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-5);
  if (!takes_whole_programs(device(GetParam()))) return;
  EXPECT_EQ(count_of(bare.device(), "test", "in other instructions"), 1);
  EXPECT_EQ(bare.device().stats().launches, 2);  // the zeros, and the sum
}

TEST(FallbackPolicy, ComesFromTheEnvironment) {
  in_new_process({"TENON_FALLBACK=host"}, [] { EXPECT_EQ(fallback(), Fallback::host); });
}
TEST(FallbackPolicy, RefusesOtherWords) {
  in_new_process({"TENON_FALLBACK=cpu"}, [] {
    EXPECT_EQ(thrown([] { fallback(); }),
              invalid_argument("TENON_FALLBACK: no \"cpu\"; there are error, decompose, host"));
  });
}

/// What a device without anything optional does in other ways, against one that does it all.
TEST(FallbackPolicy, AMinimalDeviceDoesItAllTheSame) {
  in_new_process({"TENON_FAULTY_MINIMAL=1"}, [] {
    const Device minimal = device("faulty:0"), whole = device("reference");
    const auto both = [&](auto&& op) {
      const Tensor wanted = op(whole);
      expect_equals(op(minimal), Array<float>{wanted.shape(), wanted.template to_vector<float>()});
    };
    const auto x = [](Device on) { return to_tensor(whole_array<float>({4, 3}, 1), on); };
    const auto w = [](Device on) { return to_tensor(whole_array<float>({5, 3}, 2), on); };
    const auto b = [](Device on) { return to_tensor(whole_array<float>({5}, 3), on); };
    both([&](Device on) { return linear(x(on), w(on), b(on)); });
    EXPECT_EQ(count_of(minimal, "linear", "epilogue apart"), 1);
    both([&](Device on) { return matmul(x(on).to(i32), w(on).to(i32).transpose(0, 1)).to(f32); });
    EXPECT_EQ(count_of(minimal, "matmul", "as products and sums"), 1);
    both([&](Device on) {
      return addmm(b(on).to(i32), x(on).to(i32), w(on).to(i32).transpose(0, 1)).to(f32);
    });
    both([&](Device on) { return (x(on) > 0.0).to(i32).max({0}).to(f32); });
    both([&](Device on) { return any(x(on) > 2.0, {1}).to(f32); });
    EXPECT_EQ(count_of(minimal, "any", "prologue apart"), 0);
    both([&](Device on) { return all(x(on), {1}).to(f32); });
    EXPECT_EQ(count_of(minimal, "all", "prologue apart"), 1);
    both([&](Device on) {
      return scatter(x(on), 0, zeros({2, 3}, {.dtype = i32, .device = on}), x(on), Scatter::add);
    });
  });
}

}  // namespace
}  // namespace tenon::test
