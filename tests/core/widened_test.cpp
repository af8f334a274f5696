// 16-bit floats and small integers on a device that stores them, but computes in 32 bits only: the
// results of one that computes them.
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/half.h>
#include <tenon/ops.h>

#include "core/ops/kinds.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/fallbacks.h"
#include "tests/support/refusing_device.h"

namespace tenon::test {
namespace {

constexpr std::uint32_t k32 =
    1u << TENON_DTYPE_BOOL | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_U32 | 1u << TENON_DTYPE_F32;
constexpr DType kSmall[] = {f16, bf16, i8, u8, i16, u16};

std::string refuse_small_arithmetic(sdk::OpView op) {
  const bool moves =
      op.kind() == TENON_KIND_ELEMENTWISE || op.kind() == TENON_KIND_GATHER ||
      (op.kind() == TENON_KIND_SCATTER && op.attrs<TenonIndexAttrs>().how == TENON_SCATTER_ASSIGN);
  if (moves) return "";
  return (k32 >> op.operands()[1].dtype & 1) == 0 ? "only 32 bits" : "";
}

class Widened : public testing::TestWithParam<std::string> {
 protected:
  /// The same on both devices, bit for bit, and in `dtype`; `how` often in a wider dtype.
  template <class F>
  void both(DType dtype, const std::string& op, int times, F f) {
    SCOPED_TRACE(op + " of " + std::string(name(dtype)));
    const std::int64_t before = count_of(narrow_, op, "widened");
    const Tensor wanted = f(whole_), found = f(narrow_);
    EXPECT_EQ(found.dtype(), wanted.dtype());
    EXPECT_EQ(found.shape(), wanted.shape());
    EXPECT_EQ(found.to(f64).to_vector<double>(), wanted.to(f64).to_vector<double>());
    EXPECT_EQ(count_of(narrow_, op, "widened") - before, times);
  }
  const Device whole_ = device(GetParam());
  const RefusingDevice refusing_{whole_, refuse_small_arithmetic,
                                 [](TenonDeviceInfo& info) { info.compute_dtypes = k32; }};
  const Device narrow_ = refusing_.device();
};

INSTANTIATE_TEST_SUITE_P(Devices, Widened, testing::ValuesIn(test_devices()), device_test_name);

/// Whole numbers of either sign (u8, u16: they wrap), such that sums of them are exact.
Tensor numbers(const Shape& shape, DType dtype, Device on, std::uint64_t seed = 1) {
  return to_tensor(whole_array<std::int32_t>(shape, seed), on).to(dtype);
}

TEST_P(Widened, Reductions) {
  for (const DType dtype : kSmall) {
    const auto x = [&](Device on) { return numbers({3, 40, 2}, dtype, on); };
    both(dtype, "amax", 1, [&](Device on) { return amax(x(on), {1}); });
    both(dtype, "amin", 1, [&](Device on) { return amin(x(on).transpose(0, 2), {0, 2}); });
    both(dtype, "argmax", 1, [&](Device on) { return argmax(x(on), {1}); });
    both(dtype, "test", 1, [&](Device on) {  // sum() asks for i64 and f32 itself
      const Tensor y = zeros({3, 1, 2}, {.dtype = dtype, .device = on});
      ops::run("test", {.shape = {3, 40, 2},
                        .axes = 0b010,
                        .results = {y},
                        .operators = {TENON_REDUCE_SUM},
                        .inputs = {{x(on)}}});
      return y;
    });
  }
}

TEST_P(Widened, Products) {
  for (const DType dtype : kSmall) {
    const auto x = [&](Device on) { return numbers({2, 3, 7}, dtype, on); };
    const auto y = [&](Device on) { return numbers({5, 7}, dtype, on, 2).transpose(0, 1); };
    both(dtype, "matmul", 1, [&](Device on) { return matmul(x(on), y(on)); });
    both(dtype, "test", 1, [&](Device on) {
      const Tensor dst = numbers({2, 3, 5}, dtype, on, 3);
      ops::run("test", ops::Product{.dst = dst, .a = x(on), .b = y(on), .accumulate = true});
      return dst;
    });
  }
}

TEST_P(Widened, Scatter) {
  for (const DType dtype : kSmall) {
    const auto x = [&](Device on) { return numbers({4, 3}, dtype, on); };
    const auto src = [&](Device on) { return numbers({6, 3}, dtype, on, 2); };
    const auto index = [&](Device on) {
      return to_tensor(Array<std::int32_t>{{6, 1}, {0, 2, 2, 3, 2, 0}}, on).expand({6, 3});
    };
    for (const Scatter how : {Scatter::add, Scatter::max, Scatter::min}) {
      both(dtype, "scatter", 1, [&](Device on) { return scatter(x(on), 0, index(on), src(on), how); });
    }
    both(dtype, "scatter", 0, [&](Device on) { return scatter(x(on), 0, index(on), src(on)); });
  }
}

}  // namespace
}  // namespace tenon::test
