// Programs on devices with tight limits, through the public API: the results of a device without, and
// what is counted.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "core/ops/loop.h"
#include "core/ops/run.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/new_process.h"

namespace tenon::test {
namespace {

using program::Program;

/// The least that every device takes: 4 dimensions, 4 instructions, 2 inputs, 1 output.
void limit_to_the_least(TenonDeviceInfo& info) {
  info.max_rank = 4;
  info.max_instructions = 4;
  info.max_inputs = 2;
  info.max_outputs = 1;
  info.max_scalars = 3;
  info.max_constants = 3;
}

class Limited : public testing::TestWithParam<std::string> {
 protected:
  const Device whole_ = device(GetParam());
  const LimitedDevice limited_{whole_, limit_to_the_least};
  const Device least_ = limited_.device();
};

INSTANTIATE_TEST_SUITE_P(Devices, Limited, testing::ValuesIn(test_devices()), device_test_name);

const char* const kThreeWays =
    "in0: f32, in1: f32, in2: f32, s0: f32\n"
    "%0: f32 = mul in0, in1\n%1: f32 = add %0, in2\n%2: bool = lt %1, s0\n%3: f32 = neg %1\n"
    "%4: f32 = select %2, %3, in0\n%5: f32 = exp %4\n%6: f32 = mul %5, in1\nreturn %6, %1, %4";

TEST_P(Limited, AProgramInPartsGivesTheSameBits) {
  const Program p = program::parse(kThreeWays);
  const std::uint64_t scalar[] = {Scalar(0.5).bits(f32)};
  const auto run = [&](Device device) {
    std::vector<Tensor> inputs;
    for (const Shape& shape : {Shape{5, 3}, Shape{3}, Shape{5, 1}}) {
      inputs.push_back(to_tensor(random_array<float>(shape, 1), device));
    }
    return elementwise(p, inputs, scalar);
  };
  const auto found = run(least_), wanted = run(whole_);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    expect_equals(found[i], Array<float>{{5, 3}, wanted[i].to_vector<float>()});
  }
}

/// Longer than the ABI's programs: in several launches on every device.
TEST_P(Limited, ALongProgramRunsInParts) {
  program::Builder b;
  program::Value y = b.input(f32);
  for (int i = 0; i < 200; ++i) y = i % 2 == 0 ? y + i : y * 0.5;
  b.output(y);
  const Program p = b.build();
  Array<float> wanted = whole_array<float>({7}, 1);
  const Tensor x = to_tensor(wanted, whole_);
  for (float& value : wanted.values) {
    for (int i = 0; i < 200; ++i) value = i % 2 == 0 ? value + static_cast<float>(i) : value * 0.5f;
  }
  const std::int64_t before = whole_.stats().launches;
  expect_equals(elementwise(p, {&x, 1}).front(), wanted);
  EXPECT_GE(whole_.stats().launches - before, 4);
}

TEST_P(Limited, OnlyWhatDoesNotFitCountsAsAFallback) {
  const Tensor x = ones({3}, {.device = least_});
  const DeviceStats before = least_.stats();
  const Tensor y = x * 2 + 1;
  EXPECT_EQ(least_.stats().launches - before.launches, 2);
  EXPECT_EQ(least_.stats().fallbacks - before.fallbacks, 0);
  const Tensor inputs[] = {x, x, y};
  const std::uint64_t scalar[] = {0};
  elementwise(program::parse(kThreeWays), inputs, scalar);
  EXPECT_EQ(least_.stats().fallbacks - before.fallbacks, 1);
  EXPECT_GT(least_.stats().launches - before.launches, 4);
}

TEST_P(Limited, AnOptimiserStepsAllParametersInOneSetOfLaunches) {
  const auto trained = [](Device device, std::size_t count) {
    std::vector<nn::Parameter> parameters;
    for (std::size_t i = 0; i < count; ++i) {
      const auto extent = static_cast<std::int64_t>(3 + i);
      parameters.emplace_back(to_tensor(random_array<float>({extent}, i), device));
    }
    optim::Adam adam(parameters, {.lr = 0.1});
    std::int64_t launches = 0;
    for (int step = 0; step < 3; ++step) {
      adam.zero_grad();
      for (auto& p : parameters) (p * p).sum().backward();
      const std::int64_t before = device.stats().launches;
      adam.step();
      launches = device.stats().launches - before;
    }
    std::vector<std::vector<float>> values;
    for (auto& p : parameters) values.push_back(p.detach().to_vector<float>());
    return std::pair(values, launches);
  };
  const auto wanted = trained(whole_, 4).first;
  const auto [found, launches] = trained(least_, 4);
  EXPECT_GT(launches, 1);
  EXPECT_EQ(launches, trained(least_, 1).second) << "whatever the number of parameters";
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    for (std::size_t k = 0; k < wanted[i].size(); ++k) {
      EXPECT_TRUE(close(f32, raw(found[i][k]), raw(wanted[i][k]), 0)) << i << ", " << k;
    }
  }
}

TEST_P(Limited, InPlaceOpsReadWhatWasThereBefore) {
  // The first output is over the second input, which a later part reads.
  const Program p = program::parse(
      "in0: f32, in1: f32\n%0: f32 = exp in0\n%1: f32 = mul %0, in1\n%2: f32 = neg %1\n"
      "%3: f32 = add %2, in0\n%4: f32 = mul %3, in1\nreturn %0, %4");
  const auto run = [&](Device device, bool in_place) {
    ops::Operands operands;
    operands.inputs = {{to_tensor(random_array<float>({7}, 1), device)},
                       {to_tensor(random_array<float>({7}, 2), device)}};
    const Tensor first = in_place ? operands.inputs[1].tensor : empty({7}, {.device = device});
    operands.outputs = {first, empty({7}, {.device = device})};
    ops::run("test", p, {&operands, 1});
    return std::pair(first.to_vector<float>(), operands.outputs[1].to_vector<float>());
  };
  const auto wanted = run(whole_, false), found = run(least_, true);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_TRUE(close(f32, raw(found.first[i]), raw(wanted.first[i]), 0)) << i;
    EXPECT_TRUE(close(f32, raw(found.second[i]), raw(wanted.second[i]), 0)) << i;
  }
}

TEST_P(Limited, FmaAndSelectOfThreeInputsTakeTwo) {
  const Program p = program::parse(
      "in0: f32, in1: f32, in2: f32, in3: bool\n%0: f32 = fma in0, in1, in2\n"
      "%1: f32 = select in3, in0, in1\nreturn %0, %1");
  const auto run = [&](Device device) {
    std::vector<Tensor> inputs;
    for (std::uint64_t i = 0; i < 3; ++i) {
      inputs.push_back(to_tensor(random_array<float>({200}, i), device));
    }
    inputs.push_back(to_tensor(random_array<bool>({200}, 3), device));
    return elementwise(p, inputs);
  };
  const auto found = run(least_), wanted = run(whole_);
  for (std::size_t i = 0; i < 2; ++i) {
    expect_equals(found[i], Array<float>{{200}, wanted[i].to_vector<float>()});
  }
}

TEST_P(Limited, MoreDimensionsAreWalkedOnTheHostInOneLaunch) {
  const auto x = whole_array<float>({2, 3, 2, 3, 2, 3}, 1);
  const Dims order{5, 4, 3, 2, 1, 0};
  const Tensor a = to_tensor(x, least_), b = a.permute(order);
  const Tensor wide = ones({3, 2, 3, 2, 3, 2}, {.device = least_});
  const std::int64_t before = least_.stats().launches;
  const Tensor y = b.slice(2, {.step = -1}) + wide;
  EXPECT_EQ(least_.stats().launches - before, 1);
  expect_equals(y, rearranged(Array<float>{x.shape, (to_tensor(x, whole_) + 1).to_vector<float>()},
                              {3, 2, 3, 2, 3, 2}, [](const Dims& at) {
                                return Dims{at[5], at[4], at[3], 2 - at[2], at[1], at[0]};
                              }));
}

// --- Peeling ---

TEST(Peel, TakesTheShortestDimensionsAndLeavesReducedOnes) {
  ops::Loop loop{{5, 2, 7, 3}, {{{1000, 500, 10, 1}}, {{0, 1, 50, 7}}}};
  std::vector<int> groups{0, 1, 0, 0};
  EXPECT_TRUE(ops::peel(loop, groups, 4).empty());
  const auto starts = ops::peel(loop, groups, 2);
  EXPECT_EQ(loop.shape, (Shape{2, 7}));
  EXPECT_EQ(groups, (std::vector<int>{1, 0}));
  EXPECT_EQ(loop.operands[1].strides, (Strides{1, 50}));
  ASSERT_EQ(starts.size(), 15u);
  EXPECT_EQ(starts.front(), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(starts.back(), (std::vector<std::int64_t>{4002, 14}));
}

TEST(Peel, ClassifiesWhatIsLeft) {
  ops::Loop loop{{4, 3}, {{{3, 1}}, {{1, 4}}}};
  std::vector<int> groups{0, 0};
  EXPECT_EQ(ops::peel(loop, groups, 1).size(), 3u);
  EXPECT_EQ(loop.operands[0].layout, TENON_LAYOUT_STRIDED);
  EXPECT_EQ(loop.operands[1].layout, TENON_LAYOUT_CONTIGUOUS);
}

// --- TENON_SPLIT ---

class TenonSplit : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, TenonSplit, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(TenonSplit, RunsOneInstructionAtATime) {
  in_new_process({"TENON_SPLIT=1"}, [] {
    const Device on = device(GetParam());
    const Program p = program::parse(
        "in0: f32, s0: f32\n%0: f32 = mul in0, s0\n%1: f32 = add %0, in0\n%2: f32 = neg %1\n"
        "return %2, %1");
    const Tensor inputs[] = {to_tensor(Array<float>{{3}, {1, 2, -5}}, on)};
    const std::uint64_t scalar[] = {Scalar(2).bits(f32)};
    const std::int64_t before = on.stats().launches;
    const auto y = elementwise(p, inputs, scalar);
    EXPECT_EQ(on.stats().launches - before, 3);
    EXPECT_TRUE(on.stats().fallbacks == 0 || !takes_whole_programs(on));
    expect_equals(y[0], Array<float>{{3}, {-3, -6, 15}});
    expect_equals(y[1], Array<float>{{3}, {3, 6, -15}});
  });
}

}  // namespace
}  // namespace tenon::test
