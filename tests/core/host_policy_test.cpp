// Each kind of op on a device that refuses it: on a host device where the policy allows that, in a
// wider dtype where that is the same.
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
#include "tests/support/refusing_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;

/// Refuses these kinds of op.
Refusal refuse(const std::vector<std::uint32_t>& kinds) {
  return [kinds](sdk::OpView op) {
    const bool refused = std::find(kinds.begin(), kinds.end(), op.kind()) != kinds.end();
    return refused ? "kind " + std::to_string(op.kind()) + " is not for me" : std::string();
  };
}

class HostPolicy : public testing::TestWithParam<std::string> {
 protected:
  RefusingDevice refusing(const std::vector<std::uint32_t>& kinds) {
    return {device(GetParam()), refuse(kinds)};
  }
  const Device whole_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, HostPolicy, testing::ValuesIn(test_devices()), device_test_name);

/// The text of an Unsupported.
std::string unsupported(const std::function<void()>& body) {
  const Thrown error = thrown(body);
  EXPECT_EQ(error.kind, ErrorKind::Unsupported);
  return error.text;
}

TEST_P(HostPolicy, AReductionRunsElsewhere) {
  const RefusingDevice refusing = this->refusing({TENON_KIND_REDUCE});
  const Device device = refusing.device();
  const Array<float> values = whole_array<float>({3, 5}, 1);
  const Tensor x = arranged(values, Layout::Transposed, device);
  EXPECT_EQ(unsupported([&] { sum(x, {1}); }),
            "[sum] " + device.name() +
                " does not support reduce(f32 strided -> f32 contiguous): kind 2 is not for me");

  const Policy policy(Fallback::host);
  const Tensor y = sum(x, {1});
  EXPECT_EQ(y.device(), device);
  expect_equals(
      y, Array<float>{{3}, sum(arranged(values, Layout::Contiguous, whole_), {1}).to_vector<float>()});
  EXPECT_EQ(count_of(device, "sum", "on " + default_device().name()), 1);
  // x and what is there of y to the host, y back.
  EXPECT_EQ(device.stats().host_bytes, (15 + 3 + 3) * 4);
  expect_equals(argmax(tensor({1.0, 7.0, 3.0}, {.device = device})), Array<std::int64_t>{{}, {1}});
  expect_equals(any(x > 100.0), Array<bool>{{}, {false}});
}

TEST_P(HostPolicy, ManyResultsComeHomeTogether) {
  const RefusingDevice refusing = this->refusing({TENON_KIND_REDUCE});
  const Device device = refusing.device();
  const Policy policy(Fallback::host);
  const ops::Reduction work{
      .shape = {2, 3},
      .axes = 0b10,
      .results = {zeros({2, 1}, {.device = device}), zeros({2, 1}, {.device = device})},
      .operators = {TENON_REDUCE_SUM, TENON_REDUCE_MAX},
      .inputs = {{tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, {.device = device})},
                 {Tensor(), 10, {0, 1}}},
      .prologue = program::parse("in0: f32, in1: f32\n%0: f32 = mul in0, in1\nreturn %0, in0")};
  ops::run("test", work);
  expect_equals(work.results[0], Array<float>{{2, 1}, {68, 167}});
  expect_equals(work.results[1], Array<float>{{2, 1}, {3, 6}});
  EXPECT_EQ(count_of(device, "test", "on " + default_device().name()), 1);
}

TEST_P(HostPolicy, AProductRunsElsewhere) {
  const RefusingDevice refusing = this->refusing({TENON_KIND_MATMUL, TENON_KIND_REDUCE});
  const Device device = refusing.device();
  const auto x = [](Device on) {
    return arranged(whole_array<float>({2, 4, 3}, 1), Layout::Gapped, on);
  };
  const auto y = [](Device on) {
    return arranged(whole_array<float>({3, 5}, 2), Layout::Reversed, on);
  };
  const auto c = [](Device on) { return to_tensor(whole_array<float>({5}, 3), on); };
  EXPECT_THAT(unsupported([&] { matmul(x(device), y(device)); }),
              HasSubstr("[matmul] " + device.name() + " does not support "));

  const Policy policy(Fallback::host);
  const auto both = [&](auto&& op) {
    const Tensor wanted = op(whole_), found = op(device);
    EXPECT_EQ(found.device(), device);
    expect_equals(found, Array<float>{wanted.shape(), wanted.template to_vector<float>()});
  };
  both([&](Device on) { return matmul(x(on), y(on)); });
  both([&](Device on) { return linear(x(on), y(on).transpose(0, 1), c(on)); });
  both([&](Device on) { return addmm(c(on), x(on).select(0, 1), y(on)); });
  EXPECT_EQ(count_of(device, "matmul", "on " + default_device().name()), 1);
  EXPECT_EQ(count_of(device, "linear", "on " + default_device().name()), 1);
  EXPECT_EQ(count_of(device, "addmm", "on " + default_device().name()), 1);
}

TEST_P(HostPolicy, IndexingRunsElsewhere) {
  const RefusingDevice refusing = this->refusing({TENON_KIND_GATHER, TENON_KIND_SCATTER});
  const Device device = refusing.device();
  const Tensor x = arranged(Array<float>{{2, 3}, {1, 2, 3, 4, 5, 6}}, Layout::Gapped, device);
  const Tensor index = to_tensor(Array<std::int64_t>{{3}, {2, 0, 2}}, device);
  EXPECT_THAT(unsupported([&] { index_select(x, 1, index); }), HasSubstr("kind 4 is not for me"));
  EXPECT_THAT(unsupported([&] { scatter(x, 1, index.unsqueeze(0), x, Scatter::add); }),
              HasSubstr("kind 5 is not for me"));

  const Policy policy(Fallback::host);
  expect_equals(index_select(x, 1, index), Array<float>{{2, 3}, {3, 1, 3, 6, 4, 6}});
  expect_equals(
      scatter(x, 1, index.unsqueeze(0), tensor({{10.0, 20.0, 30.0}}, {.device = device}), Scatter::add),
      Array<float>{{2, 3}, {21, 2, 43, 4, 5, 6}});
  EXPECT_EQ(count_of(device, "index_select", "on " + default_device().name()), 1);
  EXPECT_EQ(count_of(device, "scatter", "on " + default_device().name()), 1);
  // A host device says at once what is wrong.
  const Thrown error =
      thrown([&] { index_select(x, 1, to_tensor(Array<std::int64_t>{{2}, {0, 3}}, device)); });
  EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
  EXPECT_THAT(error.text, HasSubstr("index 3"));
}

TEST_P(HostPolicy, GradientsRunElsewhereToo) {
  const RefusingDevice refusing =
      this->refusing({TENON_KIND_REDUCE, TENON_KIND_MATMUL, TENON_KIND_GATHER, TENON_KIND_SCATTER});
  const Policy policy(Fallback::host);
  const auto gradients = [](Device on) {
    Tensor x = to_tensor(whole_array<float>({4, 3}, 1), on).set_requires_grad(true);
    Tensor w = to_tensor(whole_array<float>({2, 3}, 2), on).set_requires_grad(true);
    const Tensor rows = to_tensor(Array<std::int64_t>{{3}, {1, 3, 1}}, on);
    sum(relu(linear(index_select(x, 0, rows), w))).backward();
    std::vector<float> all = x.grad().to_vector<float>();
    const std::vector<float> of_w = w.grad().to_vector<float>();
    all.insert(all.end(), of_w.begin(), of_w.end());
    return all;
  };
  EXPECT_EQ(gradients(refusing.device()), gradients(whole_));
}

/// Every plugin takes copies; one that does not is an error all the same, and no endless search for a
/// way.
TEST_P(HostPolicy, WithoutCopiesThereIsNoWayToTheHost) {
  const Tensor values = to_tensor(whole_array<float>({3, 2}, 1), whole_);
  const RefusingDevice refusing = this->refusing({TENON_KIND_ELEMENTWISE});
  const Device device = refusing.device();
  const Policy policy(Fallback::host);
  const Tensor x = to_tensor(whole_array<float>({3, 2}, 1), device);
  EXPECT_THAT(unsupported([&] { x.transpose(0, 1) + x.transpose(0, 1); }),
              HasSubstr("kind 1 is not for me"));
}

}  // namespace
}  // namespace tenon::test
