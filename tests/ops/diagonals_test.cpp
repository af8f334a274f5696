// What lies on diagonals, or is made of lines: each element is one of an operand's, or 0.
#include <functional>
#include <limits>
#include <vector>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

const std::vector<DType> kAll = {f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, bool_};

/// The squares of what `f` says of each place of `shape`: in numbers that no dtype has too few of.
Reals squares(const Shape& shape, const std::function<double(const Dims&)>& f) {
  Reals y{shape, {}};
  for (const Dims& at : coordinates(shape)) y.values.push_back(f(at) * f(at));
  return y;
}
Tensor squared(const Tensor& x) {
  return x * x;
}
double at(const Reals& x, const Dims& place) {
  return x.values[element_at(x.shape, place)];
}

const std::vector<Row> kRows = {
    {.name = "diag_of_a_matrix",
     .op = [](const auto& x) { return squared(diag(x[0], -1)); },
     .oracle =
         [](const auto& x) {
           return squares({2}, [&](const Dims& i) { return at(x[0], {i[0] + 1, i[0]}); });
         },
     .shapes = {{{3, 4}}},
     .dtypes = kNumbers},
    {.name = "diag_of_a_line",
     .op = [](const auto& x) { return squared(diag(x[0], 1)); },
     .oracle =
         [](const auto& x) {
           const std::int64_t n = x[0].shape[0];
           return squares({n + 1, n + 1},
                          [&](const Dims& i) { return i[1] == i[0] + 1 ? at(x[0], {i[0]}) : 0; });
         },
     .shapes = {{{3}}, {{0}}},
     .dtypes = kNumbers},
    {.name = "diag_embed",
     .op = [](const auto& x) { return squared(diag_embed(x[0], -1, 2, 0)); },
     .oracle =
         [](const auto& x) {
           return squares({4, 2, 4},
                          [&](const Dims& i) { return i[0] == i[2] - 1 ? at(x[0], {i[1], i[0]}) : 0; });
         },
     .shapes = {{{2, 3}}},
     .dtypes = kNumbers},
    {.name = "diagflat",
     .op = [](const auto& x) { return squared(diagflat(x[0])); },
     .oracle =
         [](const auto& x) {
           const auto n = static_cast<std::int64_t>(x[0].values.size());
           return squares({n, n}, [&](const Dims& i) {
             return i[0] == i[1] ? x[0].values[static_cast<std::size_t>(i[0])] : 0;
           });
         },
     .shapes = {{{2, 2}}, {{}}},
     .dtypes = kNumbers},
    {.name = "diagonal_scatter",
     .op = [](const auto& x) { return squared(diagonal_scatter(x[0], x[1], 1, -1, 0)); },
     .oracle =
         [](const auto& x) {
           return squares({3, 2, 3}, [&](const Dims& i) {
             return i[0] == i[2] + 1 ? at(x[1], {i[1], i[2]}) : at(x[0], i);
           });
         },
     .shapes = {{{3, 2, 3}, {2, 2}}},
     .dtypes = kNumbers},
    {.name = "block_diag",
     .op = [](const auto& x) { return squared(block_diag(x)); },
     .oracle =
         [](const auto& x) {
           return squares({4, 6}, [&](const Dims& i) {
             if (i[0] < 2) return i[1] < 3 ? at(x[0], i) : 0;
             if (i[0] == 2) return i[1] == 3 || i[1] == 4 ? at(x[1], {i[1] - 3}) : 0;
             return i[1] == 5 ? x[2].values[0] : 0;
           });
         },
     .shapes = {{{2, 3}, {2}, {}}},
     .dtypes = kNumbers},
    {.name = "cartesian_prod",
     .op = [](const auto& x) { return squared(cartesian_prod(x)); },
     .oracle =
         [](const auto& x) {
           return squares({2 * x[1].shape[0], 2}, [&](const Dims& i) {
             return i[1] == 0 ? at(x[0], {i[0] / x[1].shape[0]}) : at(x[1], {i[0] % x[1].shape[0]});
           });
         },
     .shapes = {{{2}, {3}}, {{2}, {0}}},
     .dtypes = kNumbers},
    {.name = "vander",
     .op = [](const auto& x) { return vander(x[0], 4); },
     .oracle =
         [](const auto& x) {
           Reals y{{x[0].shape[0], 4}, {}};
           for (const double value : x[0].values) {
             for (const double power : {value * value * value, value * value, value, 1.0})
               y.values.push_back(power);
           }
           return y;
         },
     .shapes = {{{3}}, {{0}}},
     .dtypes = kNumbers},
    {.name = "diag_of_edges",
     .op = [](const auto& x) { return diag(diag(x[0])); },
     .oracle = [](const auto& x) { return x[0]; },
     .shapes = {{{5}}},
     .dtypes = kAll,
     .values = {.edges = true},
     .gradient = false},
};
TENON_ROWS(Diagonals, kRows);

class DiagonalsOn : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, DiagonalsOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(DiagonalsOn, PlacesOfTriangles) {
  for (const auto& [rows, columns, offset] : {std::array<std::int64_t, 3>{3, 4, 0},
                                              {4, 2, -1},
                                              {2, 5, 3},
                                              {3, 3, -9},
                                              {3, 3, 9},
                                              {0, 2, 0}}) {
    std::vector<std::int64_t> low[2], high[2];
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        if (j - i <= offset) low[0].push_back(i), low[1].push_back(j);
        if (j - i >= offset) high[0].push_back(i), high[1].push_back(j);
      }
    }
    const auto joined = [](const std::vector<std::int64_t>* parts) {
      Array<std::int32_t> all{{2, static_cast<std::int64_t>(parts->size())}, {}};
      for (int i = 0; i < 2; ++i) all.values.insert(all.values.end(), parts[i].begin(), parts[i].end());
      return all;
    };
    const TensorOptions options{.dtype = i32, .device = device_};
    expect_equals(tril_indices(rows, columns, offset, options), joined(low));
    expect_equals(triu_indices(rows, columns, offset, options), joined(high));
  }
  EXPECT_EQ(tril_indices(1, 1, 0, here_).dtype(), i64);
}

TEST_P(DiagonalsOn, PowersInAnyNumber) {
  const Tensor x = tensor({2, 3}, here_);
  expect_equals(vander(x), Array<std::int64_t>{{2, 2}, {2, 1, 3, 1}});
  expect_equals(vander(x, 3, true), Array<std::int64_t>{{2, 3}, {1, 2, 4, 1, 3, 9}});
  expect_equals(vander(x, 1), Array<std::int64_t>{{2, 1}, {1, 1}});
  EXPECT_EQ(vander(x, 0).shape(), (Shape{2, 0}));
}

TEST_P(DiagonalsOn, RefusesWhatHasNone) {
  const Tensor number = zeros({}, here_), v = zeros({2}, here_), box = zeros({2, 2, 2}, here_);
  const auto refused = [](auto call, const char* text) {
    EXPECT_EQ(thrown(call), invalid_argument(text));
  };
  refused([&] { diag(box); }, "[diag] takes a matrix or what is 1-D, not (2, 2, 2)");
  refused([&] { diag(number); }, "[diag] takes a matrix or what is 1-D, not ()");
  refused([&] { diag_embed(number); },
          "[diag_embed] a 0-d tensor has no dimension to lay along a diagonal");
  refused([&] { diag_embed(zeros({1, 1, 1, 1, 1, 1, 1, 1}, here_)); },
          "[diag_embed] (1, 1, 1, 1, 1, 1, 1, 1) has 8 dimensions already");
  refused([&] { diag_embed(v, 0, 1, -1); }, "[diag_embed] dimensions 1 and -1 are the same");
  refused([&] { diag_embed(v, 0, 2); },
          "[diag_embed] dimension 2 is out of range for a tensor of 2 dimensions");
  refused([&] { diag_embed(v, std::numeric_limits<std::int64_t>::min()); },
          "[diag_embed] diagonal -9223372036854775808 is too far off");
  refused([&] { diagonal_scatter(box, v); }, "[diagonal_scatter] src is (2,), not (2, 2)");
  refused([&] { diagonal_scatter(box, v.to(i32)); },
          "[diagonal_scatter] x is f32 and src i32; convert one");
  refused([&] { tril_indices(-1, 2, 0, here_); }, "[tril_indices] (-1, 2) has a negative extent");
  refused([&] { block_diag({}); }, "[block_diag] there are no tensors");
  refused([&] { block_diag({v, box}); }, "[block_diag] (2, 2, 2) is no matrix");
  refused([&] { cartesian_prod({}); }, "[cartesian_prod] there are no tensors");
  refused([&] { cartesian_prod({v, number}); }, "[cartesian_prod] () is not 1-D");
  refused([&] { cartesian_prod(std::vector<Tensor>(8, v)); },
          "[cartesian_prod] takes at most 7 tensors, not 8");
  refused([&] { vander(box); }, "[vander] x is (2, 2, 2), not 1-D");
  refused([&] { vander(v, -1); }, "[vander] there can't be -1 columns");
}

}  // namespace
}  // namespace tenon::test
