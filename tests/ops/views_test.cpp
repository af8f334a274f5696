// Views and triangles: which elements they show, squared so that the second order has something to say.
#include <limits>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

Tensor squared(const Tensor& x) {
  return x * x;
}

/// The squares of an array of `shape` whose element at `at` is x's at f(at).
template <class F>
Reals squares(const Reals& x, const Shape& shape, F f) {
  Reals y = rearranged(x, shape, f);
  for (double& value : y.values) value *= value;
  return y;
}

/// `shape` of the row-major elements of x.
Reals reshaped(const Reals& x, const Shape& shape) {
  Reals y{shape, x.values};
  for (double& value : y.values) value *= value;
  return y;
}

/// The squares of x where kept(row, column), else 0.
template <class F>
Reals triangle(const Reals& x, F kept) {
  Reals y = reshaped(x, x.shape);
  for (const Dims& at : coordinates(x.shape)) {
    const int rank = at.size();
    if (!kept(at[rank - 2], at[rank - 1])) y.values[element_at(x.shape, at)] = 0;
  }
  return y;
}

const std::vector<Row> kRows = {
    {.name = "flatten",
     .op = [](const auto& x) { return squared(x[0].flatten(1, -2)); },
     .oracle = [](const auto& x) { return reshaped(x[0], {2, 6, 2}); },
     .shapes = {{{2, 3, 2, 2}}},
     .dtypes = kNumbers},
    {.name = "unflatten",
     .op = [](const auto& x) { return squared(x[0].unflatten(-1, {2, -1, 1})); },
     .oracle = [](const auto& x) { return reshaped(x[0], {2, 2, 3, 1}); },
     .shapes = {{{2, 6}}},
     .dtypes = kNumbers},
    {.name = "movedim",
     .op = [](const auto& x) { return squared(x[0].movedim({0, -1}, {-1, 0})); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {4, 3, 2}, [](const Dims& at) { return Dims{at[2], at[1], at[0]}; });
         },
     .shapes = {{{2, 3, 4}}},
     .dtypes = kNumbers},
    {.name = "movedim_of_one",
     .op = [](const auto& x) { return squared(x[0].movedim(0, 1)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {3, 2, 2}, [](const Dims& at) { return Dims{at[1], at[0], at[2]}; });
         },
     .shapes = {{{2, 3, 2}}}},
    {.name = "matrix_transpose",
     .op = [](const auto& x) { return squared(x[0].mT().select(0, 1).T()); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 3}, [](const Dims& at) { return Dims{1, at[0], at[1]}; });
         },
     .shapes = {{{2, 2, 3}}}},
    {.name = "narrow",
     .op = [](const auto& x) { return squared(x[0].narrow(1, -3, 2)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 2}, [](const Dims& at) { return Dims{at[0], at[1] + 1}; });
         },
     .shapes = {{{2, 4}}},
     .dtypes = kNumbers},
    {.name = "expand_keeping",
     .op = [](const auto& x) { return squared(x[0].broadcast_to({2, -1, 3})); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 2, 3}, [](const Dims& at) { return Dims{at[1], 0}; });
         },
     .shapes = {{{2, 1}}},
     .dtypes = kNumbers},
    {.name = "squeeze_all",
     .op = [](const auto& x) { return squared(x[0].squeeze()); },
     .oracle = [](const auto& x) { return reshaped(x[0], {2, 3}); },
     .shapes = {{{1, 2, 1, 3, 1}}}},
    {.name = "squeeze_some",
     .op = [](const auto& x) { return squared(x[0].squeeze({0, -1})); },
     .oracle = [](const auto& x) { return reshaped(x[0], {2, 1, 3}); },
     .shapes = {{{1, 2, 1, 3, 1}}}},
    {.name = "diagonal",
     .op = [](const auto& x) { return squared(x[0].diagonal(1)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 2}, [](const Dims& at) { return Dims{at[1], at[1] + 1, at[0]}; });
         },
     .shapes = {{{3, 3, 2}}},
     .dtypes = kNumbers},
    {.name = "diagonal_below",
     .op = [](const auto& x) { return squared(x[0].diagonal(-1, -1, 0)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 1}, [](const Dims& at) { return Dims{at[1], at[0], at[1] + 1}; });
         },
     .shapes = {{{3, 2, 2}}}},
    {.name = "diagonal_of_nothing",
     .op = [](const auto& x) { return squared(x[0].diagonal(5)); },
     .oracle = [](const auto&) { return Reals{{0}, {}}; },
     .shapes = {{{2, 3}}}},
    {.name = "unfold_overlapping",
     .op = [](const auto& x) { return squared(x[0].unfold(0, 3, 1)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {3, 2, 3}, [](const Dims& at) { return Dims{at[0] + at[2], at[1]}; });
         },
     .shapes = {{{5, 2}}},
     .dtypes = kNumbers},
    {.name = "unfold_apart",
     .op = [](const auto& x) { return squared(x[0].unfold(-1, 2, 3)); },
     .oracle =
         [](const auto& x) {
           return squares(x[0], {2, 2, 2},
                          [](const Dims& at) { return Dims{at[0], 3 * at[1] + at[2]}; });
         },
     .shapes = {{{2, 6}}}},
    {.name = "split",
     .op =
         [](const auto& x) {
           const auto parts = x[0].split(2, 1);
           return parts[0] * parts[2];  // the second takes no part
         },
     .oracle =
         [](const auto& x) {
           Reals y = rearranged(x[0], {2, 2}, [](const Dims& at) { return Dims{at[0], at[1]}; });
           const Reals last = rearranged(x[0], {2, 1}, [](const Dims& at) { return Dims{at[0], 4}; });
           for (std::size_t i = 0; i < 4; ++i) y.values[i] *= last.values[i / 2];
           return y;
         },
     .shapes = {{{2, 5}}},
     .dtypes = kNumbers},
    {.name = "split_in_lengths",
     .op =
         [](const auto& x) {
           const auto parts = x[0].split({1, 0, 3});
           return parts[0] * parts[2] + parts[1].sum();
         },
     .oracle =
         [](const auto& x) {
           Reals y = rearranged(x[0], {3}, [](const Dims& at) { return Dims{at[0] + 1}; });
           for (double& value : y.values) value *= x[0].values[0];
           return y;
         },
     .shapes = {{{4}}}},
    {.name = "chunk",
     .op =
         [](const auto& x) {
           const auto parts = x[0].chunk(4, -1);  // 2, 2, 1
           return parts[1] * parts[2];
         },
     .oracle =
         [](const auto& x) {
           Reals y = rearranged(x[0], {2, 2}, [](const Dims& at) { return Dims{at[0], at[1] + 2}; });
           for (std::size_t i = 0; i < 4; ++i) y.values[i] *= x[0].values[5 * (i / 2) + 4];
           return y;
         },
     .shapes = {{{2, 5}}}},
    {.name = "unbind",
     .op =
         [](const auto& x) {
           const auto rows = x[0].unbind();
           return rows[0] * rows[1] * rows[2];
         },
     .oracle =
         [](const auto& x) {
           Reals y{{2}, {1, 1}};
           for (std::size_t i = 0; i < 6; ++i) y.values[i % 2] *= x[0].values[i];
           return y;
         },
     .shapes = {{{3, 2}}},
     .dtypes = kNumbers},
    {.name = "broadcast_tensors",
     .op =
         [](const auto& x) {
           const auto views = broadcast_tensors(x);
           return views[0] * views[1];
         },
     .oracle =
         [](const auto& x) {
           Reals y = rearranged(x[0], {2, 3}, [](const Dims& at) { return Dims{at[0], 0}; });
           for (std::size_t i = 0; i < 6; ++i) y.values[i] *= x[1].values[i % 3];
           return y;
         },
     .shapes = {{{2, 1}, {3}}}},
    {.name = "atleast_1d",
     .op = [](const auto& x) { return squared(atleast_1d(x[0])); },
     .oracle = [](const auto& x) { return reshaped(x[0], {1}); },
     .shapes = {{{}}, {{1}}}},
    {.name = "atleast_2d",
     .op = [](const auto& x) { return squared(atleast_2d(x[0])); },
     .oracle =
         [](const auto& x) {
           return reshaped(x[0], {1, static_cast<std::int64_t>(x[0].values.size())});
         },
     .shapes = {{{}}, {{3}}, {{1, 2}}}},
    {.name = "atleast_3d",
     .op = [](const auto& x) { return squared(atleast_3d(x[0])); },
     .oracle =
         [](const auto& x) {
           return reshaped(x[0], {x[0].shape.size() == 2 ? 2 : 1,
                                  x[0].shape.size() == 0 ? 1 : x[0].shape.back(), 1});
         },
     .shapes = {{{}}, {{3}}, {{2, 2}}}},
    {.name = "tril",
     .op = [](const auto& x) { return squared(tril(x[0])); },
     .oracle = [](const auto& x) { return triangle(x[0], [](auto i, auto j) { return j <= i; }); },
     .shapes = {{{2, 3, 2}}, {{2, 4}}, {{0, 3}}},
     .dtypes = kNumbers},
    {.name = "triu",
     .op = [](const auto& x) { return squared(triu(x[0], 1)); },
     .oracle = [](const auto& x) { return triangle(x[0], [](auto i, auto j) { return j >= i + 1; }); },
     .shapes = {{{2, 3, 2}}, {{2, 4}}},
     .dtypes = kNumbers},
    {.name = "tril_below",
     .op = [](const auto& x) { return squared(tril(x[0], -1)); },
     .oracle = [](const auto& x) { return triangle(x[0], [](auto i, auto j) { return j <= i - 1; }); },
     .shapes = {{{3, 3}}}},
    {.name = "triu_of_edge_values",
     .op = [](const auto& x) { return triu(x[0], -1); },
     .oracle =
         [](const auto& x) {
           Reals y = x[0];
           y.values[6] = 0;
           return y;
         },
     .shapes = {{{3, 3}}},
     .values = {.edges = true},
     .gradient = false},
    {.name = "meshgrid",
     .op =
         [](const auto& x) {
           const auto grid = meshgrid(x, MeshIndexing::xy);
           return grid[0] * grid[1];
         },
     .oracle =
         [](const auto& x) {
           Reals y{{3, 2}, {}};
           for (std::size_t i = 0; i < 6; ++i)
             y.values.push_back(x[0].values[i % 2] * x[1].values[i / 2]);
           return y;
         },
     .shapes = {{{2}, {3}}}},
};
TENON_ROWS(Views, kRows);

class ViewsInPlace : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Views, ViewsInPlace, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(ViewsInPlace, WritesReachTheBase) {
  Tensor x = zeros({3, 3}, here_);
  const std::uint64_t version = x.version();
  x.diagonal(-1).fill_(5);
  x.diagonal().copy_(tensor({1.0f, 2.0f, 3.0f}, here_));
  expect_equals(x, Array<float>{{3, 3}, {1, 0, 0, 5, 2, 0, 0, 5, 3}});
  x.split(2, 1)[1].fill_(7);
  x.unbind()[0] += 1;
  x.flatten().narrow(0, 4, 1) *= 10;
  expect_equals(x, Array<float>{{3, 3}, {2, 1, 8, 5, 20, 7, 0, 5, 7}});
  x.unfold(1, 1, 2).squeeze().fill_(0);
  expect_equals(x, Array<float>{{3, 3}, {0, 1, 0, 0, 20, 0, 0, 5, 0}});
  EXPECT_EQ(x.version(), version + 6);
}

TEST_P(ViewsInPlace, OverlappingWindowsCanNotBeWritten) {
  Tensor x = arange(6, here_), windows = x.unfold(0, 3, 2);
  EXPECT_EQ(
      thrown([&] { windows += 1; }),
      invalid_argument("[add] (2, 3) with strides (2, 1) shares elements, so it can't be written in "
                       "place; clone() it first"));
  x.unfold(0, 3, 3) += 1;
  expect_equals(x, Array<std::int64_t>{{6}, {1, 2, 3, 4, 5, 6}});
  x.slice(0, {.stop = 3}) += x.unfold(0, 3, 1).select(0, 2);
  expect_equals(x, Array<std::int64_t>{{6}, {4, 6, 8, 4, 5, 6}});
}

TEST_P(ViewsInPlace, PartsOfASplitAreRecordedOnce) {
  const Tensor x = ones({4, 2}, here_).set_requires_grad();
  const auto parts = x.split({1, 3});
  (parts[1] * 3).sum().backward();
  expect_equals(x.grad(), Array<float>{{4, 2}, {0, 0, 3, 3, 3, 3, 3, 3}});
  EXPECT_EQ(zeros({0, 2}, here_).split(3).size(), 1u);
  EXPECT_EQ(zeros({0, 2}, here_).chunk(3).size(), 1u);
  EXPECT_TRUE(zeros({0, 2}, here_).unbind().empty());
}

TEST(ViewsRefuse, WhatDoesNotFit) {
  const Tensor x = zeros({2, 3, 4});
  const auto refused = [&](auto call, const std::string& text) {
    EXPECT_EQ(thrown([&] { call(); }), invalid_argument(text));
  };
  refused([&] { x.flatten(2, 1); }, "[flatten] dimension 2 comes after 1");
  refused([&] { x.flatten(0, 3); },
          "[flatten] dimension 3 is out of range for a tensor of 3 dimensions");
  refused([&] { x.unflatten(2, {3, -1}); }, "[unflatten] 4 elements of shape (4,) don't fit (3, -1)");
  refused([&] { x.unflatten(3, {4}); },
          "[unflatten] dimension 3 is out of range for a tensor of 3 dimensions");
  refused([&] { x.movedim({0, 1}, {2}); }, "[movedim] (0, 1) names 2 dimensions, (2,) names 1");
  refused([&] { x.movedim({0, -3}, {1, 2}); }, "[movedim] dimension 0 is named twice in (0, -3)");
  refused([&] { x.movedim({0, 1}, {2, -1}); }, "[movedim] dimension 2 is named twice in (2, -1)");
  refused([&] { x.movedim(3, 0); },
          "[movedim] dimension 3 is out of range for a tensor of 3 dimensions");
  refused([&] { x.T(); }, "[T] (2, 3, 4) is no matrix; use permute()");
  refused([&] { zeros({3}).mT(); }, "[mT] (3,) is no matrix; use permute()");
  refused([&] { x.narrow(1, 2, 2); }, "[narrow] 2 elements from 2 on are out of range for extent 3");
  refused([&] { x.narrow(1, -4, 1); }, "[narrow] 1 elements from -4 on are out of range for extent 3");
  refused([&] { x.narrow(1, 0, -1); }, "[narrow] -1 elements from 0 on are out of range for extent 3");
  refused([&] { x.expand({-1, 2, 3, 4}); }, "[expand] (-1, 2, 3, 4) has a negative extent");
  refused([&] { x.squeeze({0, 3}); },
          "[squeeze] dimension 3 is out of range for a tensor of 3 dimensions");
  refused([&] { x.diagonal(0, 1, -2); }, "[diagonal] dimensions 1 and -2 are the same");
  refused([&] { x.diagonal(0, 0, 3); },
          "[diagonal] dimension 3 is out of range for a tensor of 3 dimensions");
  refused([&] { x.unfold(1, 4, 1); }, "[unfold] windows of 4 elements don't fit extent 3");
  refused([&] { x.unfold(1, 0, 1); }, "[unfold] windows of 0 elements don't fit extent 3");
  refused([&] { x.unfold(1, 2, 0); }, "[unfold] the step is 0, must be at least 1");
  refused([&] { zeros({1, 1, 1, 1, 1, 1, 1, 1}).unfold(0, 1, 1); },
          "[unfold] 9 dimensions, the most is 8");
  refused([&] { x.split(0); }, "[split] the length is 0, must be at least 1");
  refused([&] { x.split({1, 2}, 2); }, "[split] the lengths (1, 2) don't add up to extent 4");
  refused([&] { x.split({5, -1}, 2); }, "[split] the lengths (5, -1) don't add up to extent 4");
  refused([&] { x.chunk(0); }, "[chunk] the count is 0, must be at least 1");
  refused([&] { x.unbind(-4); }, "[unbind] dimension -4 is out of range for a tensor of 3 dimensions");
  const Tensor apart[] = {x, zeros({3, 3})};
  refused([&] { broadcast_tensors(apart); },
          "[broadcast_tensors] shapes do not broadcast: (2, 3, 4) and (3, 3)");
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(x.diagonal(kMin).numel(), 0);
}

}  // namespace
}  // namespace tenon::test
