// Softmax, norms and cross entropy on a device that has an op for each, beside the same device told to
// make them of others: the values, gradients, launches, and what is refused.
#include <cmath>
#include <functional>

#include <tenon/autograd.h>
#include <tenon/fallback.h>
#include <tenon/ops.h>

#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/refusing_device.h"

namespace tenon::test {
namespace {

/// x (6, 5), w (5,), b (5,).
using Operands = std::vector<Tensor>;
struct Use {
  const char* name;
  std::function<Tensor(const Operands&)> of;
  int launches, backward_launches;
};

Tensor classes(const Tensor& x, const std::vector<std::int64_t>& numbers = {4, 0, 2, 2, 1, 3}) {
  return tensor(numbers, {.dtype = i64, .device = x.device()});
}

const std::vector<Use> kUses = {
    {"softmax", [](const Operands& in) { return softmax(in[0], -1); }, 1, 1},
    {"log_softmax", [](const Operands& in) { return log_softmax(in[0], 1); }, 1, 1},
    {"softmax of columns", [](const Operands& in) { return softmax(in[0].transpose(0, 1), 1); }, 2, 1},
    {"softmax of a number", [](const Operands& in) { return softmax(in[0].sum(), 0) * in[0].sum(); },
     -1, -1},
    {"layer_norm", [](const Operands& in) { return layer_norm(in[0], {5}, in[1], in[2]); }, 1, 1},
    {"layer_norm of all", [](const Operands& in) { return layer_norm(in[0], {6, 5}); }, 1, 1},
    {"rms_norm", [](const Operands& in) { return rms_norm(in[0], {5}, in[1]); }, 1, 1},
    {"cross_entropy", [](const Operands& in) { return cross_entropy(in[0], classes(in[0])); }, 2, 1},
    {"cross_entropy of i8",
     [](const Operands& in) { return cross_entropy(in[0], classes(in[0]).to(i8)); }, 4, 2},
    {"cross_entropy, smoothed and weighed",
     [](const Operands& in) {
       return cross_entropy(in[0], classes(in[0]),
                            {.weight = in[1].detach(), .ignore_index = 2, .label_smoothing = 0.2});
     },
     3, 2},
    {"cross_entropy of each row",
     [](const Operands& in) {
       return cross_entropy(in[0], classes(in[0]),
                            {.ignore_index = 2, .reduction = LossReduction::none});
     },
     1, 1},
};

class RowKindsOn : public OnDevice {
 protected:
  void SetUp() override {
    if (device_.state().limits().kinds == 0) GTEST_SKIP() << GetParam() << " offers no optional kind";
  }

  Operands operands(DType dtype, Device on) const {
    Operands in;
    std::uint64_t seed = 1;
    for (const Shape& shape : {Shape{6, 5}, Shape{5}, Shape{5}}) {
      in.push_back(tensor_of(draw(shape, {0.25, 2}, dtype, seed++), dtype, on).set_requires_grad());
    }
    return in;
  }

  /// y, and the gradients of a sum of its squares.
  std::vector<double> values(const Use& use, DType dtype, Device on) const {
    const Operands in = operands(dtype, on);
    const Tensor y = use.of(in).to(f64), loss = (y * y).sum();
    std::vector<double> all = y.reshape({-1}).to_vector<double>();
    for (const Tensor& dx : autograd::grad({&loss, 1}, in, {}, {.allow_unused = true})) {
      if (!dx.defined()) continue;
      const std::vector<double> each = dx.to(f64).reshape({-1}).to_vector<double>();
      all.insert(all.end(), each.begin(), each.end());
    }
    return all;
  }

  void expect_alike(const Use& use, Device other) const {
    for (const DType dtype : {f32, f64, f16, bf16}) {
      const double bound = dtype == f64 ? 1e-13 : dtype == f32 ? 1e-5 : dtype == f16 ? 5e-3 : 4e-2;
      const std::vector<double> one = values(use, dtype, device_), two = values(use, dtype, other);
      ASSERT_EQ(one.size(), two.size());
      for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_NEAR(one[i], two[i], bound * (1 + std::fabs(two[i])))
            << use.name << " of " << name(dtype) << ", number " << i;
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, RowKindsOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(RowKindsOn, AreWhatTheyAreMadeOfElsewhere) {
  const LimitedDevice without(device_, [](TenonDeviceInfo& info) { info.kinds = 0; });
  for (const Use& use : kUses) expect_alike(use, without.device());
}

TEST_P(RowKindsOn, AreMadeOfOthersWhereTheyAreRefused) {
  const RefusingDevice refusing(device_, [](sdk::OpView op) {
    return op.kind() >= TENON_KIND_SOFTMAX ? std::string("not today") : std::string();
  });
  for (const Use& use : kUses) expect_alike(use, refusing.device());
  EXPECT_TRUE(fallback_counts(refusing.device()).empty());
}

TEST_P(RowKindsOn, MayHaveNoBackward) {
  const LimitedDevice without(device_, [](TenonDeviceInfo& info) {
    info.kinds = 1u << TENON_KIND_SOFTMAX | 1u << TENON_KIND_NORM | 1u << TENON_KIND_CROSS_ENTROPY;
  });
  for (const Use& use : kUses) expect_alike(use, without.device());
}

TEST_P(RowKindsOn, AreDifferentiableTwice) {
  for (const Use& use : kUses) {
    const Operands all = operands(f64, device_);
    const std::string name = use.name;
    const std::size_t varied = name == "layer_norm" ? 3 : name == "rms_norm" ? 2 : 1;
    const auto of = [&](std::span<const Tensor> in) {
      Operands given(in.begin(), in.end());
      given.insert(given.end(), all.begin() + static_cast<std::ptrdiff_t>(varied), all.end());
      return use.of(given);
    };
    const Operands in(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(varied));
    EXPECT_EQ(autograd::gradgradcheck(of, in), "") << name;
  }
}

/// Of sums over many rows, some of which a device may share out.
std::vector<float> large_values(Device on) {
  const auto some = [&](const Shape& shape, std::uint64_t seed) {
    return tensor_of(draw(shape, {}, f32, seed), f32, on).set_requires_grad();
  };
  const Tensor x = some({1301, 77}, 1), w = some({77}, 2), b = some({77}, 3);
  const Tensor t = remainder(arange(1301, {.device = on}) * 7, 77);
  const Tensor y = layer_norm(x, {77}, w, b);
  const Tensor loss = cross_entropy(y, t) + (softmax(x, 1) * y).sum();
  const Tensor in[] = {x, w, b};
  std::vector<float> all = {loss.item<float>()};
  for (const Tensor& dx : autograd::grad({&loss, 1}, in)) {
    const std::vector<float> each = dx.reshape({-1}).to_vector<float>();
    all.insert(all.end(), each.begin(), each.end());
  }
  return all;
}

TEST_P(RowKindsOn, HaveTheSameBitsWithAnyNumberOfThreads) {
  const auto with_threads = [&](const std::string& count) {
    set_option(device_.info().plugin + ".num_threads", count);
    const LimitedDevice opened(device_, [](TenonDeviceInfo&) {});
    return large_values(opened.device());
  };
  const std::vector<float> one = with_threads("1");
  EXPECT_EQ(with_threads("3"), one);
  EXPECT_EQ(with_threads("2"), one);
}

TEST_P(RowKindsOn, Launches) {
  for (const Use& use : kUses) {
    if (use.launches < 0) continue;  // not the kind's
    const Operands in = operands(f32, device_);
    const Tensor y = use.of(in), dy = ones(y.shape(), here_);
    EXPECT_EQ(launches([&] { use.of(in); }), use.launches) << use.name;
    const std::vector<Tensor> wanted = {in[0]};
    EXPECT_EQ(launches([&] { autograd::grad({&y, 1}, wanted, {&dy, 1}, {.retain_graph = true}); }),
              use.backward_launches)
        << use.name;
  }
}

TEST_P(RowKindsOn, AClassOutOfRangeIsAnError) {
  const Tensor x = operands(f32, device_)[0];
  for (const std::int64_t bad : {5, -1, 1 << 30}) {
    const Tensor t = classes(x, {0, 1, bad, 2, bad, 3});
    try {
      cross_entropy(x, t);
      device_.synchronize();
      FAIL() << bad << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      EXPECT_EQ(std::string(error.what()),
                "[cross_entropy] index " + std::to_string(bad) +
                    " is out of range for 5 rows of dimension 1 (at position 2, on " + device_.name() +
                    ")");
    }
  }
}

}  // namespace
}  // namespace tenon::test
