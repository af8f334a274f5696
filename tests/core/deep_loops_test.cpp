// Reductions, products and indexing of more dimensions than a device's loops have, against a device
// whose loops have them all.
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

class DeepLoops : public testing::TestWithParam<std::string> {
 protected:
  const Device whole_ = device(GetParam());
  const LimitedDevice limited_{whole_, [](TenonDeviceInfo& info) { info.max_rank = 4; }};
  const Device flat_ = limited_.device();

  /// `op` of the device gives the same elements on both.
  template <class Op>
  void expect_same(Op op) {
    const Tensor wanted = op(whole_), found = op(flat_);
    ASSERT_EQ(wanted.dtype(), f32);
    expect_equals(found, Array<float>{wanted.shape(), wanted.to_vector<float>()}, kEitherZero);
  }
};

INSTANTIATE_TEST_SUITE_P(Devices, DeepLoops, testing::ValuesIn(test_devices()), device_test_name);

const Shape kDeep = {2, 3, 2, 2, 3, 2, 2, 2};

/// Eight dimensions of which no two merge.
Tensor scattered_dims(Device on, unsigned seed) {
  Shape larger = kDeep;
  for (std::int64_t& extent : larger) ++extent;
  Tensor x = to_tensor(whole_array<float>(larger, seed), on);
  for (int d = 0; d < x.rank(); ++d) x = x.slice(d, {.start = 1, .stop = larger[d]});
  return x;
}

TEST_P(DeepLoops, ReduceEveryChoiceOfAxes) {
  for (unsigned mask = 1; mask < 1u << kDeep.size(); mask += 3) {
    Dims dims;
    for (int d = 0; d < kDeep.size(); ++d) {
      if (mask >> d & 1u) dims.push_back(d);
    }
    SCOPED_TRACE(mask);
    expect_same([&](Device on) { return scattered_dims(on, 1).sum(dims); });
    expect_same([&](Device on) { return any(scattered_dims(on, 2) > 3.0, dims).to(f32); });
  }
  expect_same([](Device on) { return argmax(scattered_dims(on, 3)).to(f32); });
  expect_same([](Device on) { return argmin(scattered_dims(on, 4).transpose(0, 7), {3}).to(f32); });
}

TEST_P(DeepLoops, MultiplyManyBatches) {
  const auto x = [](Device on) { return scattered_dims(on, 5); };
  const auto y = [](Device on) { return scattered_dims(on, 6).transpose(6, 7); };
  expect_same([&](Device on) { return matmul(x(on), y(on)); });
  expect_same(
      [&](Device on) { return matmul(x(on).slice(1, {.stop = 1}), y(on).slice(4, {.stop = 1})); });
  expect_same([&](Device on) {
    const Tensor w = to_tensor(whole_array<float>({5, 2}, 7), on);
    return linear(x(on).transpose(2, 5), w, to_tensor(whole_array<float>({5}, 8), on));
  });
}

TEST_P(DeepLoops, GatherAndScatter) {
  for (const int dim : {0, 4, 7}) {
    const auto index = [&](Device on) {
      std::vector<std::int64_t> values;
      for (std::int64_t i = 0; i < kDeep[dim] + 2; ++i) values.push_back(i * 5 % kDeep[dim]);
      return tensor(values, {.device = on});
    };
    expect_same([&](Device on) { return index_select(scattered_dims(on, 9), dim, index(on)); });
    const auto everywhere = [&](Device on) {
      Shape column = Dims::filled(kDeep.size(), 1), all = kDeep;
      column[dim] = kDeep[dim];
      return index(on).slice(0, {.stop = kDeep[dim]}).view(column).expand(all);
    };
    for (const Scatter how : {Scatter::assign, Scatter::add, Scatter::max, Scatter::min}) {
      expect_same([&](Device on) {
        return scatter(scattered_dims(on, 10), dim, everywhere(on) * 0 + 1, scattered_dims(on, 11),
                       how);
      });
    }
    expect_same([&](Device on) { return gather(scattered_dims(on, 12), dim, everywhere(on)); });
  }
}

}  // namespace
}  // namespace tenon::test
