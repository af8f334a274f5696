// The tape under odd use: values that change behind it, shared nodes, threads, and what it keeps alive.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/memory.h>
#include <tenon/ops.h>
#include <tenon/program.h>

#include "tests/support/devices.h"
#include "tests/support/threads.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Tape : public testing::TestWithParam<std::string> {
 protected:
  Tensor leaf(std::initializer_list<double> values) const {
    return tensor(values, {.device = device_, .requires_grad = true});
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Tape, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Tape, AMaximumThatWasWrittenOverIsNoticed) {
  const Tensor x = leaf({1, 5, 5});
  Tensor m = x.max({}, true);
  {
    const NoGrad guard;
    m *= 0.0;
  }
  EXPECT_EQ(
      thrown([&] { m.sum().backward(); }),
      invalid_argument("[max] a tensor that backward needs was changed in place: it is at version 1, 0 "
                       "was saved"));
}

TEST_P(Tape, OtherDataBetweenForwardAndBackwardIsNoticed) {
  Tensor w = leaf({1, 2});
  const Tensor y = (w * w).sum();
  w.set_data(tensor({10.0, 20.0}, here_));
  EXPECT_EQ(thrown([&] { y.backward(); }),
            invalid_argument("[mul] a tensor that backward needs was given other data since"));
}

TEST_P(Tape, ARefusedWriteInPlaceLeavesValuesAndGradientsAlone) {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 2.0;
  const Tensor stale = x * 3.0;
  stale.detach() += 1.0;
  EXPECT_EQ(thrown([&] { h += stale; }).text,
            "[mul] its result was changed in place through another tensor; clone() before the change");
  EXPECT_EQ(h.to_vector<float>(), (std::vector<float>{2, 4}));
  h.sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 2}));
}

TEST_P(Tape, AResultCanBeAddedToInPlace) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  Tensor loss = x.sum();
  loss += y.sum();
  Tensor product = matmul(x, y);
  product *= 2.0;
  (loss + product).backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{7, 9}));
  EXPECT_EQ(y.grad().to_vector<float>(), (std::vector<float>{3, 5}));
}

TEST_P(Tape, RecordedWritesInPlaceDoNotKeepTheirTensorsAlive) {
  const Tensor y = tensor(std::vector<float>(1000), {.device = device_, .requires_grad = true});
  const auto once = [&] {
    Tensor h = y + 1.0, constant = h.detach().clone();
    h *= y;
    Tensor square = h * h, scaled = y * constant;
    h *= square;  // both were saved for what they are now made of
    constant += scaled;
  };
  once();
  const std::int64_t before = memory_stats(device_).live;
  for (int i = 0; i < 10; ++i) once();
  EXPECT_EQ(memory_stats(device_).live, before);
}

TEST_P(Tape, ConvertingTheFirstGradientIsNotRecorded) {
  const Tensor x = leaf({1, 2});
  x.backward(tensor({3.0, 4.0}, {.dtype = f64, .device = device_, .requires_grad = true}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{3, 4}));
  EXPECT_FALSE(x.grad().requires_grad());
}

TEST_P(Tape, AnInfiniteGradientStaysAtTheMaximum) {
  const Tensor x = leaf({1, 5, 2});
  const double infinity = std::numeric_limits<double>::infinity();
  x.max().backward(tensor(infinity, {.dtype = f32, .device = device_}));
  const float expected = std::numeric_limits<float>::infinity();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, expected, 0}));
}

TEST_P(Tape, GradRunsOnlyWhatLeadsToItsInputs) {
  const Tensor x = leaf({1, 2});
  const Tensor h = x * x;
  h.sum().backward();  // frees what lies behind h
  const Tensor y = (h * 3.0).sum();
  EXPECT_EQ(autograd::grad({&y, 1}, {&h, 1})[0].to_vector<float>(), (std::vector<float>{3, 3}));
  EXPECT_EQ(thrown([&] { y.backward(); }).text,
            "[backward] the graph behind sum has been freed; keep it with backward({}, true)");
}

TEST_P(Tape, AnOutputThatIsNotUsedHasNoSay) {
  program::Builder b;
  const auto v = b.input(f32);
  b.output(log(v));
  b.output(v * 2.0);
  const Tensor x = leaf({0, 1});
  elementwise(b.build(), {&x, 1})[1].sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 2}));  // and not 0 / 0
}

TEST_P(Tape, GradientsMustBeOnTheTensorsDevice) {
  for (const Device other : devices()) {
    if (other == device_) continue;
    const Tensor x = leaf({1, 2});
    EXPECT_EQ(thrown([&] { (x * 2.0).backward(ones({2}, {.device = other})); }),
              invalid_argument("[backward] the gradient is on " + other.name() + ", the tensor on " +
                               GetParam()));
  }
}

TEST_P(Tape, ThreadsThatShareANodeGetOneGradientOrAnError) {
  for (int round = 0; round < 20; ++round) {
    const Tensor w = leaf({1, 2, 3});
    const Tensor h = w * w;
    int refused[2] = {0, 0};
    on_threads(2, [&](int i) {
      const Tensor y = (h * (2.0 + i)).sum();
      try {
        y.backward();
      } catch (const Error&) {
        refused[i] = 1;
      }
    });
    ASSERT_EQ(refused[0] + refused[1], 1);  // the node can be run once
    const float factor = refused[0] == 1 ? 3 : 2;
    EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{2 * factor, 4 * factor, 6 * factor}));
  }
}

thread_local std::vector<float>* seen_at_the_end = nullptr;
struct ComputesAtTheEnd {
  std::string device_name;
  ~ComputesAtTheEnd() {
    try {
      const Tensor x = tensor({1.0F, 2.0F}, {.device = device(device_name)});
      *seen_at_the_end = (x + x).to_vector<float>();
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
};

TEST_P(Tape, DestructorsOfAThreadMayStillCompute) {
  std::vector<float> seen;
  on_threads(1, [&](int) {
    seen_at_the_end = &seen;
    thread_local ComputesAtTheEnd last{
        GetParam()};  // destroyed after the thread's stream was given back
    last.device_name = GetParam();
    ones({2}, here_).to_vector<float>();
  });
  EXPECT_EQ(seen, (std::vector<float>{2, 4}));
}

}  // namespace
}  // namespace tenon::test
