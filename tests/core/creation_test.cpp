// Tensors made of numbers: ranges, matrices, the default dtype.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/figures/ranges.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Creation : public testing::TestWithParam<std::string> {
 protected:
  ~Creation() override { set_default_dtype(f32); }
  bool computes(DType dtype) const {
    const std::vector<DType>& all = device_.info().compute_dtypes;
    return std::find(all.begin(), all.end(), dtype) != all.end();
  }
  TensorOptions here(DType dtype) const { return {.dtype = dtype, .device = device_}; }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Creation, testing::ValuesIn(test_devices()), device_test_name);

void expect_near(const Tensor& x, const std::vector<double>& wanted, double relative) {
  ASSERT_EQ(x.shape(), Shape{static_cast<std::int64_t>(wanted.size())});
  const std::vector<double> found = x.to(device("reference")).to(f64).to_vector<double>();
  double largest = 0;
  for (const double value : wanted) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted[i], relative * largest) << "element " << i;
  }
}

TEST_P(Creation, LikeOnesTakeWhatOptionsSay) {
  const Tensor x = zeros({2, 1}, here(i32));
  expect_equals(full_like(x, 7), Array<std::int32_t>{{2, 1}, {7, 7}});
  expect_equals(ones_like(x, {.dtype = f32}), Array<float>{{2, 1}, {1, 1}});
  expect_equals(full_like(x, 2.5, {.dtype = f32}), Array<float>{{2, 1}, {2.5f, 2.5f}});
  expect_equals(full_like(x, 2.5), Array<std::int32_t>{{2, 1}, {2, 2}});
  EXPECT_TRUE(zeros_like(x, {.dtype = f32, .requires_grad = true}).requires_grad());
  EXPECT_EQ(empty_like(x, {.device = device("reference")}).device().name(), "reference");
  EXPECT_EQ(empty_like(x, {.dtype = bool_}).dtype(), bool_);
  EXPECT_EQ(thrown([&] { full_like(x, std::int64_t{1} << 40); }),
            invalid_argument("[full] 1099511627776 does not fit i32"));
}

TEST_P(Creation, ArangeCountsInEveryDType) {
  struct Row {
    std::int64_t start, stop, step;
    std::vector<std::int64_t> values;
  };
  for (const auto& [start, stop, step, values] : std::vector<Row>{{2, 9, 3, {2, 5, 8}},
                                                                  {2, 8, 3, {2, 5}},
                                                                  {7, 0, -2, {7, 5, 3, 1}},
                                                                  {0, 3, 1, {0, 1, 2}},
                                                                  {3, 0, 1, {}},
                                                                  {0, 3, -1, {}},
                                                                  {5, 5, 1, {}},
                                                                  {4, 100, 200, {4}}}) {
    for (const DType dtype : {u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64}) {
      if (!computes(dtype)) continue;
      SCOPED_TRACE(name(dtype));
      const Tensor x = arange(start, stop, step, here(dtype));
      EXPECT_EQ(x.dtype(), dtype);
      expect_near(x, {values.begin(), values.end()}, 0);
    }
    EXPECT_EQ(arange(start, stop, step, here_).dtype(), i64);
  }
  expect_equals(arange(-2, 1, 1, here(bool_)), Array<bool>{{3}, {true, true, false}});
  expect_equals(arange(2, here(f32)), Array<float>{{2}, {0, 1}});
}

TEST_P(Creation, ArangeAtTheEdgesOfIntegers) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  if (computes(i64)) {
    expect_equals(arange(kMax - 3, kMax, 2, here_), Array<std::int64_t>{{2}, {kMax - 3, kMax - 1}});
    expect_equals(arange(kMin + 1, kMin, -1, here_), Array<std::int64_t>{{1}, {kMin + 1}});
    expect_equals(arange(0, kMax, kMax - 1, here_), Array<std::int64_t>{{2}, {0, kMax - 1}});
    expect_equals(arange(5000000000, 5000000002, 1, here_),
                  Array<std::int64_t>{{2}, {5000000000, 5000000001}});
  }
  EXPECT_EQ(thrown([&] { arange(kMin, kMax, kMax, here_); }),
            invalid_argument("[arange] -9223372036854775808 to 9223372036854775807 spans more than 63 "
                             "bits"));
  EXPECT_EQ(thrown([&] { arange(0, ~std::uint64_t{0}, 1, here_); }),
            invalid_argument("[arange] 18446744073709551615 does not fit i64"));
  EXPECT_EQ(thrown([&] { arange(0, 40000, 1, here(i16)); }),
            invalid_argument("[arange] 39999 does not fit i16"));
  EXPECT_EQ(thrown([&] { arange(-1, 3, 1, here(u32)); }),
            invalid_argument("[arange] -1 does not fit u32"));
  EXPECT_EQ(thrown([&] { arange(1, 3, 0, here_); }), invalid_argument("[arange] the step is 0"));
  EXPECT_EQ(thrown([&] { arange(1.0, 3.0, 0.0, here_); }), invalid_argument("[arange] the step is 0"));
}

TEST_P(Creation, ArangeOfFloatingNumbers) {
  for (const figures::Range& row : figures::kArange) {
    SCOPED_TRACE(std::to_string(row.start) + " to " + std::to_string(row.stop));
    const auto made = [&](DType dtype) { return arange(row.start, row.stop, row.more, here(dtype)); };
    EXPECT_EQ(arange(row.start, row.stop, row.more, here_).dtype(), f32);
    expect_near(made(f32), row.values, 2e-7);
    if (computes(f64)) expect_near(made(f64), row.values, 1e-15);
    if (computes(f16)) expect_near(made(f16), row.values, 0x1p-11);
    if (computes(bf16)) expect_near(made(bf16), row.values, 0x1p-8);
  }
  expect_near(arange(2.5, here_), {0, 1, 2}, 0);
  EXPECT_EQ(thrown([&] { arange(0.0, 3.0, 0.5, here(i32)); }),
            invalid_argument("[arange] i32 is not floating; convert the result with to()"));
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(thrown([&] { arange(0.0, kNan, 1.0, here_); }),
            invalid_argument("[arange] 0 to nan in steps of 1 is not finite, or too long"));
  EXPECT_EQ(thrown([&] { arange(0.0, 1.0, 1e-300, here_); }),
            invalid_argument("[arange] 0 to 1 in steps of 1e-300 is not finite, or too long"));
}

TEST_P(Creation, EqualStepsReachBothEnds) {
  const auto check = [&](const std::vector<figures::Range>& rows, auto make, double slack) {
    for (const figures::Range& row : rows) {
      SCOPED_TRACE(std::to_string(row.start) + " to " + std::to_string(row.stop) + " in " +
                   std::to_string(row.more));
      expect_near(make(row, here(f32)), row.values, 2e-7 * slack);
      if (computes(f64)) expect_near(make(row, here(f64)), row.values, 1e-15 * slack);
    }
  };
  const auto count = [](const figures::Range& row) { return static_cast<std::int64_t>(row.more); };
  check(
      figures::kLinspace,
      [&](const auto& row, auto options) { return linspace(row.start, row.stop, count(row), options); },
      1);
  check(
      figures::kOpen,
      [&](const auto& row, auto options) {
        return linspace(row.start, row.stop, count(row), options, false);
      },
      1);
  check(
      figures::kLogspace,
      [&](const auto& row, auto options) {
        return logspace(row.start, row.stop, count(row), 10, options);
      },
      40);
  check(
      figures::kLogspaceOfTwo,
      [&](const auto& row, auto options) {
        return logspace(row.start, row.stop, count(row), 2, options);
      },
      40);
  const std::vector<float> tenths = linspace(0, 0.7, 1000, here_).to_vector<float>();
  EXPECT_EQ(tenths.front(), 0);
  EXPECT_EQ(tenths.back(), 0.7f) << "the end is not a sum of steps";
  if (computes(f16)) expect_near(linspace(0, 1, 5, here(f16)), {0, 0.25, 0.5, 0.75, 1}, 0);
  if (computes(f64) && computes(i64)) {  // as PyTorch 2.15 gives them
    expect_equals(linspace(0, 10, 5, here(i64)), Array<std::int64_t>{{5}, {0, 2, 5, 7, 10}});
    expect_equals(linspace(-3.7, 8.9, 6, here(i32)), Array<std::int32_t>{{6}, {-3, 0, 1, 3, 5, 8}});
    expect_equals(linspace(7.5, -3, 4, here(i64)), Array<std::int64_t>{{4}, {7, 3, 0, -3}});
    expect_equals(linspace(3, 9, 1, here(i32)), Array<std::int32_t>{{1}, {3}});
  }
  EXPECT_EQ(thrown([&] { linspace(0, 3e9, 3, here(i32)); }),
            invalid_argument("[linspace] 3000000000 does not fit i32"));
  EXPECT_EQ(thrown([&] { linspace(0, 1, 3, here(bool_)); }),
            invalid_argument("[linspace] bool holds no steps"));
  EXPECT_EQ(thrown([&] { linspace(0, 1, -1, here_); }), invalid_argument("[linspace] the count is -1"));
  EXPECT_EQ(thrown([&] { logspace(0, 1, 3, 10, here(i64)); }),
            invalid_argument("[logspace] i64 is not floating; convert the result with to()"));
}

TEST_P(Creation, EyeHasOnesOnItsDiagonal) {
  for (const std::int64_t n : {0, 1, 3}) {
    for (const std::int64_t m : {0, 2, 4}) {
      for (std::int64_t k = -4; k <= 5; ++k) {
        Array<float> wanted{{n, m}, {}};
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < m; ++j) wanted.values.push_back(j - i == k ? 1.0f : 0.0f);
        }
        expect_equals(eye(n, m, k, here_), wanted);
      }
    }
  }
  expect_equals(eye(2, here(i64)), Array<std::int64_t>{{2, 2}, {1, 0, 0, 1}});
  expect_equals(eye(2, {}, 1, here(bool_)), Array<bool>{{2, 2}, {false, true, false, false}});
  expect_equals(eye(2, 2, std::numeric_limits<std::int64_t>::min(), here_),
                Array<float>{{2, 2}, {0, 0, 0, 0}});
  EXPECT_EQ(thrown([&] { eye(-1, here_); }), invalid_argument("[eye] (-1, -1) has a negative extent"));
}

TEST_P(Creation, MeshgridSpansItsAxes) {
  const Tensor axes[] = {arange(2, here_), arange(3, here_), arange(5, 6, 1, here_)};
  const auto ij = meshgrid(axes), xy = meshgrid(axes, MeshIndexing::xy);
  ASSERT_EQ(ij.size(), 3u);
  expect_equals(ij[0], Array<std::int64_t>{{2, 3, 1}, {0, 0, 0, 1, 1, 1}});
  expect_equals(ij[1], Array<std::int64_t>{{2, 3, 1}, {0, 1, 2, 0, 1, 2}});
  expect_equals(ij[2], Array<std::int64_t>{{2, 3, 1}, {5, 5, 5, 5, 5, 5}});
  expect_equals(xy[0], Array<std::int64_t>{{3, 2, 1}, {0, 1, 0, 1, 0, 1}});
  expect_equals(xy[1], Array<std::int64_t>{{3, 2, 1}, {0, 0, 1, 1, 2, 2}});
  const Tensor one[] = {tensor(7, here_)};
  expect_equals(meshgrid(one, MeshIndexing::xy).front(), Array<std::int64_t>{{1}, {7}});
  EXPECT_TRUE(meshgrid({}).empty());
  const Tensor wrong[] = {zeros({2, 2}, here_)};
  EXPECT_EQ(thrown([&] { meshgrid(wrong); }),
            invalid_argument("[meshgrid] an axis is 1-D, not (2, 2)"));
}

TEST_P(Creation, TrianglesRefuseWhatIsNoMatrix) {
  EXPECT_EQ(thrown([&] { tril(zeros({3}, here_)); }), invalid_argument("[tril] (3,) is no matrix"));
  EXPECT_EQ(thrown([&] { triu(tensor(1, here_)); }), invalid_argument("[triu] () is no matrix"));
}

TEST_P(Creation, IsOneLaunch) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  const auto launches = [&](auto make) {
    make();  // kernels are prepared
    const std::int64_t before = device_.stats().launches;
    make();
    return device_.stats().launches - before;
  };
  const Tensor x = ones({4, 4}, here_);
  EXPECT_EQ(launches([&] { arange(9, here_); }), 1);
  EXPECT_EQ(launches([&] { arange(0.0, 1.0, 0.1, here_); }), 1);
  EXPECT_EQ(launches([&] { linspace(0, 1, 9, here_); }), 1);
  EXPECT_EQ(launches([&] { eye(4, here_); }), 1);
  EXPECT_EQ(launches([&] { triu(x, 1); }), 1);
}

TEST_P(Creation, TheDefaultDTypeIsUsedWhereNothingSaysAnother) {
  const Tensor whole = tensor({1, 2}, here_), truth = tensor({true, false}, here_);
  for (const DType dtype : {f64, f16, bf16, f32}) {
    if (!computes(dtype)) continue;
    set_default_dtype(dtype);
    SCOPED_TRACE(name(dtype));
    EXPECT_EQ(default_dtype(), dtype);
    for (const Tensor& x :
         {zeros({2}, here_), ones({2}, here_), empty({2}, here_), full({2}, 0.5, here_),
          tensor({1.5, 2.5}, here_), tensor(0.5f, here_), linspace(0, 1, 2, here_),
          arange(0.0, 1.0, 0.5, here_), eye(2, here_), whole / whole, whole / 2, whole * 0.5,
          0.5 - whole, truth + 0.5, maximum(whole, 0.5), whole.mean(), exp(whole)}) {
      EXPECT_EQ(name(x.dtype()), name(dtype));
    }
    EXPECT_EQ(promote(u64, i32), dtype);
    EXPECT_EQ(promote(f16, bf16), f32);
    EXPECT_EQ((whole + whole).dtype(), i64);
    EXPECT_EQ((tensor(std::vector<float>{1}, here_) * 2.5).dtype(), f32);
    EXPECT_EQ((whole / whole).to(f32).sum().item<float>(), 2);
    EXPECT_EQ(whole.mean().item<float>(), 1.5f);
    EXPECT_EQ(tensor({1.0}, here_).to_string().find("dtype"), std::string::npos);
  }
  for (const DType dtype : {i64, bool_}) {
    EXPECT_EQ(thrown([&] { set_default_dtype(dtype); }),
              invalid_argument("[set_default_dtype] " + std::string(name(dtype)) + " is not floating"));
  }
}

}  // namespace
}  // namespace tenon::test
