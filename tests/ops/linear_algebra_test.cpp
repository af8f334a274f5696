// Products of matrices and Einstein's sums, against one loop over all labels.
#include <map>
#include <string>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

/// The sum over all values of all labels, one letter a dimension.
Reals contracted(const std::vector<std::string>& terms, const std::string& output,
                 const std::vector<Reals>& x) {
  std::string labels;
  std::map<char, std::int64_t> extents;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (std::size_t d = 0; d < terms[i].size(); ++d) {
      const std::int64_t n = x[i].shape[static_cast<int>(d)];
      const auto [known, is_new] = extents.try_emplace(terms[i][d], n);
      if (is_new) labels += terms[i][d];
      if (n != 1) known->second = n;
    }
  }
  Shape all, shape;
  for (const char label : labels) all.push_back(extents[label]);
  for (const char label : output) shape.push_back(extents[label]);
  Reals y{shape, std::vector<double>(element_count(shape))};
  const auto place = [&](const Shape& own, const std::string& of, const Dims& at) {
    Dims here;
    for (const char label : of) here.push_back(at[static_cast<int>(labels.find(label))]);
    return element_at(own, here);
  };
  for (const Dims& at : coordinates(all)) {
    double product = 1;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      product *= x[i].values[place(x[i].shape, terms[i], at)];
    }
    y.values[place(shape, output, at)] += product;
  }
  return y;
}

constexpr Values kSmall = {-2, 2};
const std::vector<DType> kWide = {f32, f64, f16, bf16, i32, i64};

/// `op` gives what the labels say.
Row row(const char* name, std::function<Tensor(const std::vector<Tensor>&)> op,
        std::vector<std::string> terms, std::string output, std::vector<Shape> shapes,
        std::vector<DType> dtypes = kWide) {
  return {.name = name,
          .op = std::move(op),
          .oracle = [terms, output](const auto& x) { return contracted(terms, output, x); },
          .shapes = {std::move(shapes)},
          .dtypes = std::move(dtypes),
          .values = kSmall};
}

/// einsum(equation), which the labels say plainly.
Row einsum_row(const char* name, const char* equation, std::vector<std::string> terms,
               std::string output, std::vector<Shape> shapes) {
  return row(name, [equation](const auto& x) { return einsum(equation, x); }, std::move(terms),
             std::move(output), std::move(shapes), {f32, f64, i32});
}

Reals plus(Reals x, const Reals& y, double beta, double alpha) {
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] = alpha * x.values[i] + beta * y.values[i % y.values.size()];
  }
  return x;
}

const std::vector<Row> kRows = {
    row("mm", [](const auto& x) { return mm(x[0], x[1]); }, {"ik", "kj"}, "ij", {{2, 3}, {3, 2}}),
    row("bmm", [](const auto& x) { return bmm(x[0], x[1]); }, {"bik", "bkj"}, "bij",
        {{2, 2, 3}, {2, 3, 1}}),
    row("mv", [](const auto& x) { return mv(x[0], x[1]); }, {"ik", "k"}, "i", {{2, 3}, {3}}),
    row("dot", [](const auto& x) { return dot(x[0], x[1]); }, {"k", "k"}, "", {{4}, {4}}),
    row(
        "outer", [](const auto& x) { return outer(x[0], x[1]); }, {"i", "j"}, "ij", {{2}, {3}},
        kNumbers),
    row(
        "vecdot", [](const auto& x) { return vecdot(x[0], x[1], -2); }, {"ik", "jik"}, "jk",
        {{3, 1}, {2, 3, 2}}, kNumbers),
    row("tensordot", [](const auto& x) { return tensordot(x[0], x[1], {0, -1}, {2, 0}); },
        {"aib", "bja"}, "ij", {{2, 3, 2}, {2, 1, 2}}),
    row("tensordot_of_two", [](const auto& x) { return tensordot(x[0], x[1]); }, {"iab", "abj"}, "ij",
        {{2, 2, 3}, {2, 3, 2}}),
    row("tensordot_of_none", [](const auto& x) { return tensordot(x[0], x[1], 0); }, {"i", "j"}, "ij",
        {{2}, {3}}, {f32, f64, i32}),
    row(
        "trace", [](const auto& x) { return trace(x[0]); }, {"ii"}, "", {{3, 3}}, kNumbers),
    row("matrix_transpose", [](const auto& x) { return matrix_transpose(x[0]); }, {"bij"}, "bji",
        {{2, 3, 2}}),
    {.name = "trace_of_a_wide_matrix",
     .op = [](const auto& x) { return trace(x[0]); },
     .oracle = [](const auto& x) { return Reals{{}, {x[0].values[0] + x[0].values[4]}}; },
     .shapes = {{{2, 3}}}},
    row(
        "trace_of_matrices", [](const auto& x) { return trace(x[0].transpose(1, 2)); }, {"bii"}, "b",
        {{2, 3, 3}}, kNumbers),
    {.name = "matrix_power",
     .op = [](const auto& x) { return matrix_power(x[0], 3); },
     .oracle =
         [](const auto& x) { return contracted({"bij", "bjk", "bkl"}, "bil", {x[0], x[0], x[0]}); },
     .shapes = {{{2, 2, 2}}, {{0, 2, 2}}},
     .dtypes = kWide,
     .values = kSmall,
     .tolerance = 16},
    {.name = "addbmm",
     .op = [](const auto& x) { return addbmm(x[0], x[1], x[2], {.beta = 2, .alpha = 3}); },
     .oracle =
         [](const auto& x) { return plus(contracted({"bik", "bkj"}, "ij", {x[1], x[2]}), x[0], 2, 3); },
     .shapes = {{{2}, {2, 2, 1}, {2, 1, 2}}, {{2, 2}, {0, 2, 3}, {0, 3, 2}}},
     .dtypes = kWide,
     .values = kSmall,
     .tolerance = 8},
    {.name = "addmm",
     .op = [](const auto& x) { return addmm(x[0], x[1], x[2], {.beta = 2, .alpha = 3}); },
     .oracle =
         [](const auto& x) { return plus(contracted({"ik", "kj"}, "ij", {x[1], x[2]}), x[0], 2, 3); },
     .shapes = {{{2}, {3, 2}, {2, 2}}, {{2}, {0, 3}, {3, 2}}, {{1, 2}, {2, 0}, {0, 2}}},
     .dtypes = kWide,
     .values = kSmall,
     .tolerance = 8},
    {.name = "baddbmm",
     .op = [](const auto& x) { return baddbmm(x[0], x[1], x[2], {.beta = 0.5, .alpha = -1}); },
     .oracle =
         [](const auto& x) {
           return plus(contracted({"bik", "bkj"}, "bij", {x[1], x[2]}), x[0], 0.5, -1);
         },
     .shapes = {{{2, 2}, {2, 2, 3}, {2, 3, 2}}},
     .values = kSmall,
     .tolerance = 8},
    {.name = "cross",
     .op = [](const auto& x) { return cross(x[0], x[1], 0); },
     .oracle =
         [](const auto& x) {
           Reals y{{3, 2}, {}};
           for (std::size_t n = 0; n < 6; ++n) {
             const std::size_t j = (n / 2 + 1) % 3, k = (n / 2 + 2) % 3, at = n % 2;
             const auto &a = x[0].values, &b = x[1].values;
             y.values.push_back(a[2 * j + at] * b[k] - a[2 * k + at] * b[j]);
           }
           return y;
         },
     .shapes = {{{3, 2}, {3, 1}}},
     .dtypes = kWide,
     .values = kSmall,
     .tolerance = 8},
    {.name = "kron",
     .op = [](const auto& x) { return kron(x[0], x[1]); },
     .oracle =
         [](const auto& x) {
           Reals y{{4, 6}, {}};
           for (std::size_t i = 0; i < 4; ++i) {
             for (std::size_t j = 0; j < 6; ++j) {
               y.values.push_back(x[0].values[i / 2 * 2 + j / 3] * x[1].values[i % 2 * 3 + j % 3]);
             }
           }
           return y;
         },
     .shapes = {{{2, 2}, {2, 3}}},
     .dtypes = kWide,
     .values = kSmall},
    einsum_row("einsum_product", "ij,jk->ik", {"ij", "jk"}, "ik", {{2, 3}, {3, 2}}),
    einsum_row("einsum_implicit", " ji , jk ", {"ji", "jk"}, "ik", {{3, 2}, {3, 2}}),
    einsum_row("einsum_by_the_alphabet", "ba", {"ba"}, "ab", {{2, 3}}),
    einsum_row("einsum_capitals_first", "aB", {"aB"}, "Ba", {{2, 3}}),
    einsum_row("einsum_trace", "ii", {"ii"}, "", {{3, 3}}),
    einsum_row("einsum_diagonal", "iji->ji", {"iji"}, "ji", {{2, 3, 2}}),
    einsum_row("einsum_threefold", "iii->i", {"iii"}, "i", {{2, 2, 2}}),
    einsum_row("einsum_sums", "ij,k->", {"ij", "k"}, "", {{2, 3}, {2}}),
    einsum_row("einsum_elements", "ij,ij->ij", {"ij", "ij"}, "ij", {{2, 3}, {2, 3}}),
    einsum_row("einsum_batched", "bij,bkj->bki", {"bij", "bkj"}, "bki", {{2, 2, 3}, {2, 2, 3}}),
    einsum_row("einsum_stretched", "bij,bjk->bik", {"bij", "bjk"}, "bik", {{1, 2, 3}, {2, 1, 2}}),
    einsum_row("einsum_of_three", "ij,jk,kl->il", {"ij", "jk", "kl"}, "il", {{2, 2}, {2, 3}, {3, 2}}),
    einsum_row("einsum_held_back", "i,ij,i->j", {"i", "ij", "i"}, "j", {{2}, {2, 3}, {2}}),
    einsum_row("einsum_ellipsis", "...ij,jk...->...ik", {"bij", "jkb"}, "bik", {{2, 2, 3}, {3, 2, 2}}),
    einsum_row("einsum_ellipses_broadcast", "i...,...i", {"iab", "bi"}, "ab", {{2, 2, 3}, {1, 2}}),
    einsum_row("einsum_ellipsis_summed", "...i->i", {"abi"}, "i", {{2, 3, 2}}),
    einsum_row("einsum_of_scalars", ",i->i", {"", "i"}, "i", {{}, {3}}),
};
TENON_ROWS(LinearAlgebra, kRows);

class LinearAlgebraOn : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, LinearAlgebraOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(LinearAlgebraOn, BetaZeroReadsNothing) {
  const Tensor nan = full({2, 2}, std::nan(""), here_), x = ones({2, 2}, here_);
  EXPECT_EQ(addmm(nan, x, x, {.beta = 0}).to_vector<float>(), (std::vector<float>{2, 2, 2, 2}));
}

TEST_P(LinearAlgebraOn, ScaledProductsAreOneLaunch) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor x = ones({2, 2}, here_);
  addmm(x, x, x, {.beta = 2});
  const std::int64_t before = device_.stats().launches;
  addmm(x, x, x, {.beta = 3});
  EXPECT_EQ(device_.stats().launches - before, 1);
}

TEST_P(LinearAlgebraOn, OverNothing) {
  const Tensor x = zeros({2, 0}, here_), y = zeros({0, 3}, here_);
  EXPECT_EQ(einsum("ij,jk", {x, y}).to_vector<float>(), std::vector<float>(6));
  EXPECT_EQ(einsum("ij->i", {x}).to_vector<float>(), std::vector<float>(2));
  EXPECT_EQ(trace(zeros({0, 0}, here_)).item<float>(), 0);
  EXPECT_EQ(trace(ones({2, 3}, here_), 5).item<float>(), 0);
  EXPECT_EQ(matrix_power(zeros({0, 0}, here_), 3).shape(), (Shape{0, 0}));
  EXPECT_EQ(dot(zeros({0}, here_), zeros({0}, here_)).item<float>(), 0);
  EXPECT_EQ(kron(x, ones({2}, here_)).shape(), (Shape{2, 0}));
}

TEST_P(LinearAlgebraOn, OperandsPromote) {
  const Tensor x = ones({2}, {.dtype = i32, .device = device_}), y = ones({2}, here_);
  EXPECT_EQ(einsum("i,i", {x, y}).dtype(), f32);
  EXPECT_EQ(outer(x, y).dtype(), f32);
  EXPECT_EQ(vecdot(x, x).dtype(), i32);
  EXPECT_EQ(tensordot(x, y, 1).item<float>(), 2);
}

TEST_P(LinearAlgebraOn, RefusesWhatDoesNotFit) {
  const Tensor v = zeros({3}, here_), m = zeros({2, 3}, here_), b = zeros({2, 2, 3}, here_);
  EXPECT_EQ(thrown([&] { mm(m, v); }),
            invalid_argument("[mm] takes a 2-D and a 2-D operand, not (2, 3) x (3,)"));
  EXPECT_EQ(thrown([&] { mm(m, m); }),
            invalid_argument("[mm] inner dimensions differ: (2, 3) x (2, 3)"));
  EXPECT_EQ(thrown([&] { mv(v, v); }),
            invalid_argument("[mv] takes a 2-D and a 1-D operand, not (3,) x (3,)"));
  EXPECT_EQ(thrown([&] { dot(v, zeros({2}, here_)); }),
            invalid_argument("[dot] inner dimensions differ: (3,) x (2,)"));
  EXPECT_EQ(thrown([&] { bmm(b, zeros({1, 3, 2}, here_)); }),
            invalid_argument("[bmm] batches differ: (2, 2, 3) x (1, 3, 2)"));
  EXPECT_EQ(thrown([&] { outer(m, v); }),
            invalid_argument("[outer] takes two 1-D operands, not (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { vecdot(v, zeros({2}, here_)); }),
            invalid_argument("[vecdot] shapes do not broadcast: (3,) and (2,)"));
  EXPECT_EQ(thrown([&] { vecdot(v, v, 1); }),
            invalid_argument("[vecdot] dimension 1 is out of range for a tensor of 1 dimensions"));
  EXPECT_EQ(thrown([&] { cross(m, m, 0); }),
            invalid_argument("[cross] dimension 0 of (2, 3) has not extent 3"));
  EXPECT_EQ(thrown([&] { trace(v); }), invalid_argument("[trace] (3,) is no matrix"));
  EXPECT_EQ(thrown([&] { matrix_transpose(v); }),
            invalid_argument("[matrix_transpose] (3,) is no matrix"));
  EXPECT_EQ(thrown([&] { kron(zeros({1, 1, 1, 1, 1}, here_), v); }),
            invalid_argument("[kron] (1, 1, 1, 1, 1) and (3,) have more than 4 dimensions"));
  EXPECT_EQ(thrown([&] { tensordot(m, m, {0}, {1}); }),
            invalid_argument("[tensordot] (2, 3) over (0,) and (2, 3) over (1,) do not fit"));
  EXPECT_EQ(thrown([&] { tensordot(m, m, {0, -2}, {1, 0}); }),
            invalid_argument("[tensordot] dimension 0 is named twice in (0, -2)"));
  EXPECT_EQ(thrown([&] { tensordot(m, v, 2); }),
            invalid_argument("[tensordot] 2 dimensions are not among those of (2, 3) and (3,)"));
}

TEST_P(LinearAlgebraOn, RefusesScaledProductsThatDoNotFit) {
  const Tensor m = zeros({2, 2}, here_), i = zeros({2, 2}, {.dtype = i32, .device = device_});
  EXPECT_EQ(thrown([&] { addmm(m, m, i); }),
            invalid_argument("[addmm] operands are f32 and i32; convert one"));
  EXPECT_EQ(thrown([&] { addmm(m, m, zeros({2}, here_)); }),
            invalid_argument("[addmm] takes 2-D operands, not (2, 2) x (2,)"));
  EXPECT_EQ(thrown([&] { addmm(zeros({3}, here_), m, m); }),
            invalid_argument("[addmm] shapes do not broadcast: (3,) and (2, 2)"));
  EXPECT_EQ(thrown([&] { addmm(zeros({1, 2, 2}, here_), m, m); }),
            invalid_argument("[addmm] (1, 2, 2) does not broadcast to (2, 2)"));
  EXPECT_EQ(thrown([&] { addmm(i, i, i, {.alpha = 0.5}); }),
            invalid_argument("[addmm] alpha is 0.5, which i32 does not hold"));
  EXPECT_EQ(thrown([&] { baddbmm(m, m, m); }),
            invalid_argument("[baddbmm] takes 3-D operands, not (2, 2) x (2, 2)"));
  EXPECT_EQ(thrown([&] { addbmm(m, m, m); }),
            invalid_argument("[addbmm] takes 3-D operands, not (2, 2) x (2, 2)"));
  const Tensor b = zeros({1, 2, 2}, here_);
  EXPECT_EQ(thrown([&] { addbmm(m, b, zeros({3, 2, 2}, here_)); }),
            invalid_argument("[addbmm] batches differ: (1, 2, 2) x (3, 2, 2)"));
  EXPECT_EQ(thrown([&] { addbmm(m, b, zeros({1, 3, 2}, here_)); }),
            invalid_argument("[addbmm] inner dimensions differ: (1, 2, 2) x (1, 3, 2)"));
  EXPECT_EQ(thrown([&] { matrix_power(zeros({2, 3}, here_), 2); }),
            invalid_argument("[matrix_power] (2, 3) is no square matrix"));
  EXPECT_EQ(thrown([&] { matrix_power(m, -1); }),
            (Thrown{ErrorKind::Unsupported,
                    "[matrix_power] the power -1 asks for an inverse, which is not there"}));
  EXPECT_EQ(thrown([&] { baddbmm(m, zeros({1, 2, 2}, here_), zeros({3, 2, 2}, here_)); }),
            invalid_argument("[baddbmm] batches differ: (1, 2, 2) x (3, 2, 2)"));
}

TEST_P(LinearAlgebraOn, RefusesEquationsThatMeanNothing) {
  const Tensor m = zeros({2, 3}, here_);
  const auto text = [&](const char* equation, const std::vector<Tensor>& x) {
    return thrown([&] { einsum(equation, x); });
  };
  EXPECT_EQ(text("ij,jk", {m}), invalid_argument("[einsum] \"ij,jk\" has 2 terms for 1 operands"));
  EXPECT_EQ(text("", {}), invalid_argument("[einsum] \"\" has 1 terms for 0 operands"));
  EXPECT_EQ(text("i1", {m}), invalid_argument("[einsum] '1' in i1 is no letter"));
  EXPECT_EQ(text("ij->i->j", {m}), invalid_argument("[einsum] '-' in i->j is no letter"));
  EXPECT_EQ(text("i..j", {m}),
            invalid_argument("[einsum] i..j has a dot that is no part of its one ellipsis"));
  EXPECT_EQ(text("...i...", {m}),
            invalid_argument("[einsum] ...i... has a dot that is no part of its one ellipsis"));
  EXPECT_EQ(text("i", {m}), invalid_argument("[einsum] operand 0 is (2, 3), its term names 1"));
  EXPECT_EQ(text("ijk...", {m}),
            invalid_argument("[einsum] operand 0 is (2, 3), its term names at least 3"));
  EXPECT_EQ(text("ij->ii", {m}), invalid_argument("[einsum] i stands twice in the output"));
  EXPECT_EQ(text("ij->ik", {m}), invalid_argument("[einsum] k of the output is in no operand"));
  EXPECT_EQ(text("ii", {m}), invalid_argument("[einsum] i has the extents 2 and 3 in one operand"));
  EXPECT_EQ(text("ij,jk", {m, m}), invalid_argument("[einsum] j has the extents 3 and 2"));
  EXPECT_EQ(text("ij", {Tensor()}), invalid_argument("[einsum] the tensor is undefined"));
}

}  // namespace
}  // namespace tenon::test
