// What the core asks of devices beside elementwise work: reductions with several results, products with
// epilogues and sums, kernels for shapes that vary.
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "core/ops/kinds.h"
#include "core/tensor/impl.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class Kinds : public testing::TestWithParam<std::string> {
 protected:
  Tensor place(const Shape& shape, DType dtype = f32) { return allocate(shape, dtype, device_); }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Kinds, testing::ValuesIn(test_devices()), device_test_name);

program::Program products_and_both() {
  program::Builder b;
  const auto x = b.input(f32), y = b.input(f32);
  const auto s = b.scalar(f32);
  b.output(x * y + s);
  b.output(x);
  b.output(y);
  b.output(x < y);
  return b.build();
}

/// Sum of x·y + 0.5, largest x, place of the least y, whether every x < y: over the middle of three
/// dimensions.
TEST_P(Kinds, AReductionHasSeveralResults) {
  const Shape shape{3, 5, 2};
  const Array<float> x = whole_array<float>(shape, 1), y = whole_array<float>({5, 2}, 2);
  Array<float> sums{{3, 1, 2}, std::vector<float>(6, 0)},
      largest{{3, 1, 2}, std::vector<float>(6, -1e9f)};
  Array<std::int64_t> places{{3, 1, 2}, std::vector<std::int64_t>(6, 0)};
  Array<bool> less{{3, 1, 2}, std::vector<bool>(6, true)};
  std::vector<float> least(6, 1e9f);
  for (const Dims& at : coordinates(shape)) {
    const auto to = static_cast<std::size_t>(at[0] * 2 + at[2]);
    const float a = x.values[element_at(shape, at)], b = y.values[element_at({5, 2}, at)];
    sums.values[to] += a * b + 0.5f;
    largest.values[to] = std::max(largest.values[to], a);
    if (b < least[to]) {
      least[to] = b;
      places.values[to] = at[1];
    }
    less.values[to] = less.values[to] && a < b;
  }
  for (const Layout layout : kLayouts) {
    const ops::Reduction work{
        .shape = shape,
        .axes = 0b010,
        .results = {place(sums.shape), place(sums.shape), place(sums.shape, i64),
                    place(sums.shape, bool_)},
        .operators = {TENON_REDUCE_SUM, TENON_REDUCE_MAX, TENON_REDUCE_ARGMIN, TENON_REDUCE_ALL},
        .inputs = {{arranged(x, layout, device_)}, {arranged(y, layout, device_)}},
        .prologue = products_and_both(),
        .scalars = {raw(0.5f)}};
    ops::run("test", work);
    expect_equals(work.results[0], sums);
    expect_equals(work.results[1], largest);
    expect_equals(work.results[2], places);
    expect_equals(work.results[3], less);
  }
}

/// Whatever stands first, sums are kept in a dtype of their own.
TEST_P(Kinds, SumsBesidePlacesAndSumsInTwoDtypes) {
  program::Builder b;
  const auto x = b.input(f32);
  b.output(x);
  b.output(x);
  b.output(cast(x, i32));
  const ops::Reduction work{.shape = {4},
                            .axes = 1,
                            .results = {place({1}, i64), place({1}), place({1}, i32)},
                            .operators = {TENON_REDUCE_ARGMAX, TENON_REDUCE_SUM, TENON_REDUCE_SUM},
                            .inputs = {{tensor({0.25, 2.5, 0.5, 1.0}, here_)}},
                            .prologue = b.build()};
  ops::run("test", work);
  expect_equals(work.results[0], Array<std::int64_t>{{1}, {1}});
  expect_equals(work.results[1], Array<float>{{1}, {4.25}});
  expect_equals(work.results[2], Array<std::int32_t>{{1}, {3}});
}

/// An index counts along the reduced dimension only: Σ i = 0 + 1 + 2 + 3.
TEST_P(Kinds, AReductionTakesAnIndex) {
  program::Builder b;
  b.output(cast(b.input(i32), f32));
  const ops::Reduction work{.shape = {2, 4},
                            .axes = 0b10,
                            .results = {place({2, 1})},
                            .operators = {TENON_REDUCE_SUM},
                            .inputs = {{Tensor(), 10, {100, 1}}},
                            .prologue = b.build()};
  ops::run("test", work);
  expect_equals(work.results[0], Array<float>{{2, 1}, {46, 446}});
}

/// relu(x·y + row) · column + the number of the column.
program::Program full_epilogue() {
  program::Builder b;
  const auto sum = b.input(f32), row = b.input(f32), column = b.input(f32), index = b.input(i32);
  b.output(max(sum + row, 0.0) * column + cast(index, f32));
  return b.build();
}

TEST_P(Kinds, AProductHasAnEpilogue) {
  const Array<float> x = whole_array<float>({2, 3, 4}, 3), y = whole_array<float>({4, 5}, 4),
                     row = whole_array<float>({5}, 5), column = whole_array<float>({2, 3, 1}, 6);
  Array<float> wanted{{2, 3, 5}, {}};
  for (const Dims& at : coordinates(wanted.shape)) {
    float sum = 0;
    for (std::int64_t k = 0; k < 4; ++k)
      sum +=
          x.values[element_at(x.shape, {at[0], at[1], k})] * y.values[element_at(y.shape, {k, at[2]})];
    sum += row.values[element_at(row.shape, at)];
    wanted.values.push_back(std::max(sum, 0.0f) * column.values[element_at(column.shape, at)] +
                            static_cast<float>(at[2]));
  }
  for (const Layout layout : kLayouts) {
    const ops::Product work{.dst = place(wanted.shape),
                            .a = arranged(x, layout, device_),
                            .b = arranged(y, layout, device_),
                            .epilogue = full_epilogue(),
                            .inputs = {{arranged(row, layout, device_)},
                                       {arranged(column, layout, device_)},
                                       {Tensor(), 0, {0, 0, 1}}}};
    ops::run("test", work);
    expect_equals(work.dst, wanted, kEitherZero);
  }
}

TEST_P(Kinds, AProductIsAddedToWhatIsThere) {
  for (const DType dtype : {f32, f64}) {
    const Tensor c = tensor({{1, 2}, {3, 4}}, here_).to(dtype).transpose(0, 1);
    const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, here_).to(dtype);
    const Tensor before = c.clone();
    ops::run("test", {.dst = c, .a = x, .b = x.transpose(0, 1), .accumulate = true});
    EXPECT_EQ((c == before + matmul(x, x.transpose(0, 1))).to(f32).sum().item<float>(), 4);
  }
  expect_equals(
      addmm(tensor({1.0, -1.0}, here_), tensor({{1.0}, {2.0}}, here_), tensor({{3.0, 4.0}}, here_)),
      Array<float>{{2, 2}, {4, 3, 7, 7}});
}

void expect_product(const Tensor& x, const Tensor& y) {
  const Array<double> a{x.shape(), x.to(f64).to_vector<double>()};
  const Array<double> b{y.shape(), y.to(f64).to_vector<double>()};
  Array<float> wanted{{x.size(0), x.size(1), y.size(2)}, {}};
  for (const Dims& at : coordinates(wanted.shape)) {
    double sum = 0;
    for (std::int64_t k = 0; k < x.size(2); ++k)
      sum += a.values[element_at(a.shape, {at[0], at[1], k})] *
             b.values[element_at(b.shape, {at[0], k, at[2]})];
    wanted.values.push_back(static_cast<float>(sum));
  }
  expect_equals(matmul(x, y), wanted, kEitherZero);
}

/// One kernel for the first extent, one for all that follow, whichever dimension varies.
TEST_P(Kinds, AShapeThatVariesNeedsTwoKernels) {
  for (int varying = 0; varying < 4; ++varying) {
    const std::int64_t before = device_.stats().kernels;
    for (const std::int64_t extent : {11, 7, 1, 13, 2, 1}) {
      Dims at{3, 6 + varying, 5, 9};  // B, M, N, K
      at[varying] = extent;
      const auto x = whole_array<float>({at[0], at[1], at[3]}, 7),
                 y = whole_array<float>({at[0], at[3], at[2]}, 8);
      expect_product(to_tensor(x, device_), to_tensor(y, device_));
    }
    const std::int64_t casts = 2;  // to f64: contiguous, and with one element
    EXPECT_LE(device_.stats().kernels - before, 2 + 4 * casts) << "dimension " << varying;
  }
}

TEST_P(Kinds, VaryingStridesAreRight) {
  const Tensor all = to_tensor(whole_array<float>({4, 24, 24}, 9), device_);
  for (const std::int64_t size : {20, 3, 17, 24, 1, 2}) {
    const Tensor x = all.slice(1, {.start = 0, .stop = size}).slice(2, {.start = 1, .stop = 18});
    const Tensor y =
        all.slice(2, {.start = 24 - size, .stop = 24}).slice(1, {.start = 18, .stop = 1, .step = -1});
    expect_product(x, y);
    expect_product(y.transpose(1, 2), x.transpose(1, 2));
  }
}

TEST_P(Kinds, PacksThatWriteApartInOneStorageAreOneLaunch) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "which has programs in parts";
  program::Builder b;
  b.output(-b.input(f32));
  const auto launches_of = [&](const Tensor& y, std::int64_t second) {
    const Tensor x = tensor({1.0, 2.0, 3.0}, here_);
    const ops::Operands packs[] = {{{y.slice(0, {0, 3})}, {{x}}},
                                   {{y.slice(0, {second, second + 3})}, {{x * 10}}}};
    const std::int64_t before = device_.stats().launches;
    ops::run("test", b.build(), packs);
    return device_.stats().launches - before;
  };
  const Tensor apart = zeros({6}, here_), across = zeros({5}, here_);
  EXPECT_EQ(launches_of(apart, 3), 1);
  EXPECT_EQ(apart.to_vector<float>(), (std::vector<float>{-1, -2, -3, -10, -20, -30}));
  EXPECT_EQ(launches_of(across, 2), 2);
  EXPECT_EQ(across.to_vector<float>(), (std::vector<float>{-1, -2, -10, -20, -30}));
}

TEST_P(Kinds, PlacesOfExtremes) {
  const Tensor x = tensor({{3.0, kNan, 1.0, kNan}, {2.0, 7.0, 7.0, -1.0}}, here_);
  expect_equals(argmax(x, {1}), Array<std::int64_t>{{2}, {1, 1}});
  expect_equals(argmin(x, {1}), Array<std::int64_t>{{2}, {1, 3}});
  expect_equals(argmax(x), Array<std::int64_t>{{}, {1}});
  expect_equals(argmax(x.transpose(0, 1), {0}, true), Array<std::int64_t>{{1, 2}, {1, 1}});
  expect_equals(argmin(x.transpose(0, 1)), Array<std::int64_t>{{}, {2}});
  expect_equals(argmax(tensor({false, true, true}, here_)), Array<std::int64_t>{{}, {1}});
}

TEST_P(Kinds, AnyAndAll) {
  const Tensor x = tensor({{0.0, kNan}, {0.0, 0.0}, {1.0, -2.0}}, here_);
  expect_equals(any(x, {1}), Array<bool>{{3}, {true, false, true}});
  expect_equals(all(x, {1}), Array<bool>{{3}, {false, false, true}});
  expect_equals(any(zeros({0, 2}, here_), {0}), Array<bool>{{2}, {false, false}});
  expect_equals(all(zeros({0, 2}, here_)), Array<bool>{{}, {true}});
  expect_equals(any(tensor({0, 3}, here_), {}, true), Array<bool>{{1}, {true}});
}

}  // namespace
}  // namespace tenon::test
