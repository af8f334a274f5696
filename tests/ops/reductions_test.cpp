// Reductions: each folds some dimensions.
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/groups.h"
#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double total(const Group& x) {
  return std::accumulate(x.begin(), x.end(), 0.0);
}
double product(const Group& x) {
  return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>());
}

Group without_nan(const Group& x) {
  Group y;
  std::copy_if(x.begin(), x.end(), std::back_inserter(y), [](double v) { return !std::isnan(v); });
  return y;
}

double greatest(const Group& x) {
  double best = -kInf;
  for (const double v : x) best = std::isnan(best) || v <= best ? best : v;
  return best;
}
double least(const Group& x) {
  double best = kInf;
  for (const double v : x) best = std::isnan(best) || v >= best ? best : v;
  return best;
}
double first_of(const Group& x, double value) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == value || (std::isnan(x[i]) && std::isnan(value))) return static_cast<double>(i);
  }
  return -1;
}

double variance(const Group& x, double correction) {
  const double m = mean_of(x);
  double squares = 0;
  for (const double v : x) squares += (v - m) * (v - m);
  return squares / std::max(0.0, static_cast<double>(x.size()) - correction);
}

double log_sum_exp(const Group& x) {
  double sum = 0;
  for (const double v : x) sum += std::exp(v);
  return std::log(sum);
}

std::function<double(const Group&)> p_norm(double p) {
  return [p](const Group& x) {
    double sum = 0, most = 0, fewest = kInf;
    for (const double v : x) {
      sum += p == 0 ? v != 0 : std::pow(std::abs(v), p);
      most = std::max(most, std::abs(v));
      fewest = std::min(fewest, std::abs(v));
    }
    if (std::isinf(p)) return p > 0 ? most : fewest;
    return p == 0 ? sum : std::pow(sum, 1 / p);
  };
}

using Fold = std::function<Tensor(const Tensor&, const Dims&, bool)>;

/// `fold` over dimensions 0 and 2 of three, which stay.
Row row(const char* name, const Fold& fold, const std::function<double(const Group&)>& oracle,
        std::vector<DType> dtypes = kFloats, Values values = {}) {
  return {.name = name,
          .op = [fold](const auto& x) { return fold(x[0], {0, 2}, true); },
          .oracle = [oracle](const auto& x) { return reduced(x[0], {0, 2}, oracle); },
          .shapes = {{{2, 2, 3}}},
          .dtypes = std::move(dtypes),
          .values = values};
}

/// The norm of order p along dimension -1, which goes.
Row norm_row(const char* name, double p) {
  return {.name = name,
          .op = [p](const auto& x) { return norm(x[0], p, {-1}); },
          .oracle = [p](const auto& x) { return in_shape(reduced(x[0], {1}, p_norm(p)), {2}); },
          .shapes = {{{2, 3}}},
          .dtypes = kNumbers,
          .values = {0.25, 3},
          .tolerance = 8};
}

constexpr Values kEdges = {.edges = true};
constexpr Values kDistinct = {.distinct = true};

Row without_gradient(Row row) {
  row.gradient = false;
  return row;
}

template <class F>
Fold with_dims(F f) {
  return [f](const Tensor& x, const Dims& dims, bool keepdim) { return f(x, dims, keepdim); };
}

/// Of the rows of x (variables, observations); a number of one.
Reals covariances(const Reals& x) {
  const std::int64_t rows = x.shape[0], n = x.shape[1];
  const auto row = [&](std::int64_t i) {
    return Group(x.values.begin() + i * n, x.values.begin() + (i + 1) * n);
  };
  Reals y{rows == 1 ? Shape{} : Shape{rows, rows}, {}};
  for (const Dims& at : coordinates({rows, rows})) {
    const Group a = row(at[0]), b = row(at[1]);
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_of(a)) * (b[i] - mean_of(b));
    y.values.push_back(sum / static_cast<double>(n - 1));
  }
  return y;
}

const std::vector<Row> kRows = {
    {.name = "sum",
     .op = [](const auto& x) { return sum(x[0], {0, 2}, true); },
     .oracle = [](const auto& x) { return reduced(x[0], {0, 2}, total); },
     .shapes = {{{3, 4, 5}}, {{2, 0, 3}}},
     .dtypes = kNumbers},
    {.name = "sum_over_all",
     .op = [](const auto& x) { return sum(x[0]); },
     .oracle = [](const auto& x) { return Reals{{}, {total(x[0].values)}}; },
     .shapes = {{{2, 3}}, {{}}, {{0}}},
     .dtypes = kNumbers},
    {.name = "sum_in_f64",
     .op = [](const auto& x) { return sum(x[0], {0}, false, f64); },
     .oracle = [](const auto& x) { return in_shape(reduced(x[0], {0}, total), {2}); },
     .shapes = {{{3, 2}}},
     .dtypes = kNumbers},
    row("prod", with_dims([](const Tensor& x, const Dims& d, bool k) { return prod(x, d, k); }),
        product, kNumbers, {0.5, 3}),
    {.name = "prod_over_all",
     .op = [](const auto& x) { return prod(x[0]); },
     .oracle = [](const auto& x) { return Reals{{}, {product(x[0].values)}}; },
     .shapes = {{{2, 3}}, {{}}, {{0}}},
     .values = {0.5, 2}},
    row("mean", with_dims([](const Tensor& x, const Dims& d, bool k) { return mean(x, d, k); }),
        mean_of, kNumbers),
    without_gradient(row(
        "nansum",
        with_dims([](const Tensor& x, const Dims& d, bool k) { return nansum(x, d, k, f64); }),
        [](const Group& x) { return total(without_nan(x)); }, {f32, f16, bf16, i32, u8}, kEdges)),
    without_gradient(row(
        "nanmean",
        with_dims([](const Tensor& x, const Dims& d, bool k) { return nanmean(x, d, k, f64); }),
        [](const Group& x) { return mean_of(without_nan(x)); }, {f32, f16, bf16, i32, u8}, kEdges)),
    row("nansum_gradient",
        with_dims([](const Tensor& x, const Dims& d, bool k) { return nansum(x, d, k); }), total),
    row("nanmean_gradient",
        with_dims([](const Tensor& x, const Dims& d, bool k) { return nanmean(x, d, k); }), mean_of),
    without_gradient(row(
        "count_nonzero", with_dims(count_nonzero),
        [](const Group& x) {
          return static_cast<double>(
              std::count_if(x.begin(), x.end(), [](double v) { return v != 0; }));
        },
        kNumbers, kEdges)),
    without_gradient(row("amax", with_dims(amax), greatest, kNumbers, kEdges)),
    without_gradient(row("amin", with_dims(amin), least, kNumbers, kEdges)),
    row("amax_gradient", with_dims(amax), greatest, kFloats, kDistinct),
    row("amin_gradient", with_dims(amin), least, kFloats, kDistinct),
    row(
        "aminmax", with_dims([](const Tensor& x, const Dims& d, bool k) {
          const auto [low, high] = aminmax(x, d, k);
          return high - low;
        }),
        [](const Group& x) { return greatest(x) - least(x); }, kFloats, kDistinct),
    {.name = "max_over_all",
     .op = [](const auto& x) { return max(x[0]) - min(x[0]); },
     .oracle = [](const auto& x) { return Reals{{}, {greatest(x[0].values) - least(x[0].values)}}; },
     .shapes = {{{2, 3}}, {{}}},
     .values = kDistinct},
    {.name = "max_along",
     .op = [](const auto& x) { return max(x[0], -2).values; },
     .oracle = [](const auto& x) { return in_shape(reduced(x[0], {1}, greatest), {2, 2}); },
     .shapes = {{{2, 3, 2}}},
     .dtypes = kNumbers,
     .values = kDistinct},
    {.name = "min_along",
     .op = [](const auto& x) { return min(x[0], 0, true).values; },
     .oracle = [](const auto& x) { return reduced(x[0], {0}, least); },
     .shapes = {{{3, 2}}},
     .dtypes = kNumbers,
     .values = kDistinct},
    {.name = "place_of_max",
     .op = [](const auto& x) { return max(x[0], 1, true).indices; },
     .oracle =
         [](const auto& x) {
           return reduced(x[0], {1}, [](const Group& g) { return first_of(g, greatest(g)); });
         },
     .shapes = {{{2, 5}}},
     .dtypes = kNumbers,
     .values = kEdges,
     .gradient = false},
    {.name = "argmin",
     .op = [](const auto& x) { return argmin(x[0]); },
     .oracle = [](const auto& x) { return Reals{{}, {first_of(x[0].values, least(x[0].values))}}; },
     .shapes = {{{2, 5}}},
     .dtypes = kNumbers,
     .values = kEdges,
     .gradient = false},
    without_gradient(row(
        "any", with_dims(any),
        [](const Group& x) { return std::any_of(x.begin(), x.end(), [](double v) { return v != 0; }); },
        kNumbers, {-0.6, 0.6, true})),
    without_gradient(row(
        "all", with_dims(all),
        [](const Group& x) { return std::all_of(x.begin(), x.end(), [](double v) { return v != 0; }); },
        kNumbers, {-2, 2})),
    row(
        "var",
        with_dims([](const Tensor& x, const Dims& d, bool k) { return var(x, d, {.keepdim = k}); }),
        [](const Group& x) { return variance(x, 1); }, kNumbers),
    row("var_biased", with_dims([](const Tensor& x, const Dims& d, bool k) {
          return var_mean(x, d, {.correction = 0, .keepdim = k}).var;
        }),
        [](const Group& x) { return variance(x, 0); }),
    row("std", with_dims([](const Tensor& x, const Dims& d, bool k) {
          return std(x, d, {.correction = 1.5, .keepdim = k});
        }),
        [](const Group& x) { return std::sqrt(variance(x, 1.5)); }, kNumbers, {.distinct = true}),
    row(
        "std_mean", with_dims([](const Tensor& x, const Dims& d, bool k) {
          const auto [deviation, center] = std_mean(x, d, {.keepdim = k});
          return deviation * center;
        }),
        [](const Group& x) { return std::sqrt(variance(x, 1)) * mean_of(x); }, {f32, f64}, kDistinct),
    row("logsumexp", with_dims(logsumexp), log_sum_exp, kNumbers),
    norm_row("norm_0", 0),
    norm_row("norm_1", 1),
    norm_row("norm_2", 2),
    norm_row("norm_3", 3),
    norm_row("norm_half", 0.5),
    norm_row("norm_minus_1", -1),
    norm_row("norm_inf", kInf),
    norm_row("norm_minus_inf", -kInf),
    {.name = "cov",
     .op = [](const auto& x) { return cov(x[0]); },
     .oracle = [](const auto& x) { return covariances(x[0]); },
     .shapes = {{{2, 4}}, {{1, 3}}, {{0, 2}}},
     .dtypes = kNumbers,
     .tolerance = 16},
    {.name = "corrcoef",
     .op = [](const auto& x) { return corrcoef(x[0]); },
     .oracle =
         [](const auto& x) {
           const Reals c = covariances(x[0]);
           Reals y = c;
           const auto n = static_cast<std::size_t>(x[0].shape[0]);
           for (std::size_t i = 0; i < n * n; ++i)
             y.values[i] /= std::sqrt(c.values[i / n * (n + 1)] * c.values[i % n * (n + 1)]);
           return y;
         },
     .shapes = {{{3, 4}}},
     .tolerance = 16},
    {.name = "cdist",
     .op = [](const auto& x) { return cdist(x[0], x[1]); },
     .oracle =
         [](const auto& x) {
           Reals y{{2, 4}, {}};
           for (std::size_t i = 0; i < 2; ++i) {
             for (std::size_t j = 0; j < 4; ++j) {
               const double *a = &x[0].values[3 * i], *b = &x[1].values[3 * j];
               y.values.push_back(std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
             }
           }
           return y;
         },
     .shapes = {{{2, 3}, {4, 3}}}},
};
TENON_ROWS(Reductions, kRows);

class ReductionsOn : public OnDevice {
 protected:
  Tensor of(const std::vector<double>& values, bool gradient = false) const {
    return tensor(values, {.device = device_, .requires_grad = gradient});
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, ReductionsOn, testing::ValuesIn(row_devices()), device_test_name);

std::vector<double> gradient(const Tensor& y, const Tensor& x) {
  return autograd::grad({&y, 1}, {&x, 1})[0].to_vector<double>();
}

using List = std::vector<double>;

TEST_P(ReductionsOn, ProductsOfZerosHaveGradientsToAllOrders) {
  const Tensor one = of({2, 0, 5}, true), two = of({0, 3, 0, 7}, true);
  EXPECT_EQ(gradient(prod(one), one), (List{0, 10, 0}));
  EXPECT_EQ(gradient(prod(two), two), (List{0, 0, 0, 0}));
  // d²/dx0 dx2 of x0 x1 x2 x3, the product of the others, at their place.
  const Tensor y = prod(two);
  const Tensor first = autograd::grad({&y, 1}, {&two, 1}, {}, {.create_graph = true})[0];
  EXPECT_EQ(gradient(first.select(0, 0), two), (List{0, 0, 21, 0}));
}

TEST_P(ReductionsOn, GradientsGoToThePlacesOfExtremes) {
  const Tensor x = of({1, 4, 4, 2}, true);
  EXPECT_EQ(gradient(max(x, 0).values, x), (List{0, 1, 0, 0}));
  EXPECT_EQ(gradient(amax(x), x), (List{0, 0.5, 0.5, 0}));
  EXPECT_EQ(gradient(aminmax(x).min, x), (List{1, 0, 0, 0}));
  const Tensor nan = of({1, kNan, kNan}, true);
  EXPECT_EQ(gradient(max(nan, 0).values, nan), (List{0, 1, 0}));
  const auto [values, indices] = max(tensor({{false, true}, {false, false}}, here_), 1);
  EXPECT_EQ(values.to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(indices.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 0}));
}

TEST_P(ReductionsOn, GradientsWhereARootIsZeroAreZero) {
  const Tensor zero = of({0, 0}, true), even = of({3, 3}, true);
  EXPECT_EQ(gradient(norm(zero), zero), (List{0, 0}));
  EXPECT_EQ(gradient(norm(zero, 3), zero), (List{0, 0}));
  EXPECT_EQ(gradient(std(even), even), (List{0, 0}));
}

TEST_P(ReductionsOn, InfinitiesStay) {
  EXPECT_EQ(logsumexp(of({-kInf, -kInf})).item<double>(), -kInf);
  EXPECT_EQ(logsumexp(of({kInf, 1})).item<double>(), kInf);
  EXPECT_EQ(logsumexp(of({-kInf, 2})).item<double>(), 2);
  EXPECT_EQ(logsumexp(of({1000, 1000})).item<double>(), 1000 + std::log(2.0));
  EXPECT_TRUE(std::isnan(logsumexp(of({kNan, kInf})).item<double>()));
  EXPECT_EQ(norm(of({kInf, 1})).item<double>(), kInf);
}

TEST_P(ReductionsOn, OverNothing) {
  const Tensor x = zeros({2, 0}, here_);
  EXPECT_TRUE(std::isnan(var(x).item<float>()));
  EXPECT_TRUE(std::isnan(std(x, {1}).to_vector<float>()[1]));
  EXPECT_TRUE(std::isnan(nanmean(x).item<float>()));
  EXPECT_EQ(prod(x, {1}).to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_EQ(logsumexp(x).item<float>(), -HUGE_VALF);
  EXPECT_EQ(norm(x).item<float>(), 0);
  EXPECT_EQ(count_nonzero(x).item<std::int64_t>(), 0);
}

TEST_P(ReductionsOn, VarianceOfOneElement) {
  EXPECT_TRUE(std::isnan(var(of({5})).item<double>()));
  EXPECT_EQ(var(of({5}), {}, {.correction = 0}).item<double>(), 0);
  EXPECT_EQ(var(of({5, 6}), {}, {.correction = 3}).item<double>(), kInf);
  // Squares of large numbers that lie close together: no one-pass formula gets this.
  const Tensor far = tensor(std::vector<float>{10000001, 10000002, 10000003}, here_);
  EXPECT_EQ(var(far).item<float>(), 1);
}

TEST_P(ReductionsOn, DtypesOfResults) {
  const Tensor bytes = tensor(std::vector<std::uint8_t>{200, 100}, here_);
  EXPECT_EQ(sum(bytes).dtype(), u64);
  EXPECT_EQ(prod(bytes).item<std::uint64_t>(), 20000u);
  EXPECT_EQ(sum(bytes, {}, false, u8).item<std::uint8_t>(), 44);
  EXPECT_EQ(sum(bytes, {}, false, f16).dtype(), f16);
  EXPECT_EQ(mean(bytes, {}, false, f64).item<double>(), 150);
  EXPECT_EQ(var(bytes).dtype(), f32);
  EXPECT_EQ(prod(tensor({true, true}, here_)).dtype(), i64);
  EXPECT_EQ(count_nonzero(bytes).dtype(), i64);
  EXPECT_EQ(norm(bytes, 1, {}, false, f64).item<double>(), 300);
}

TEST_P(ReductionsOn, Launches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor x = full({3, 4}, 1.5, here_);
  EXPECT_EQ(launches([&] { var(x, {1}); }), 2);
  EXPECT_EQ(launches([&] { std(x, {1}); }), 3);
  EXPECT_EQ(launches([&] { max(x, 1); }), 1);
  EXPECT_EQ(launches([&] { aminmax(x); }), 1);
  EXPECT_EQ(launches([&] { logsumexp(x, {1}); }), 3);
  EXPECT_EQ(launches([&] { norm(x, 1); }), 1);
  EXPECT_EQ(launches([&] { norm(x); }), 2);
  EXPECT_EQ(launches([&] { mean(x); }), 2);
}

TEST_P(ReductionsOn, RefusesWhatCannotBe) {
  const Tensor x = zeros({2, 3}, here_);
  EXPECT_EQ(thrown([&] { sum(x, {}, false, bool_); }),
            invalid_argument("[sum] bool holds no sums; ask for an integer dtype"));
  EXPECT_EQ(thrown([&] { nansum(x, {3}); }),
            invalid_argument("[nansum] dimension 3 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { prod(x, {0}, false, bool_); }),
            invalid_argument("[prod] bool holds no products; ask for an integer dtype, or use all()"));
  EXPECT_EQ(thrown([&] { mean(x, {}, false, i32); }),
            invalid_argument("[mean] i32 holds no means; ask for a floating dtype"));
  EXPECT_EQ(thrown([&] { nanmean(x, {1, -1}); }),
            invalid_argument("[nanmean] dimension 1 is named twice in (1, -1)"));
  EXPECT_EQ(thrown([&] { norm(x, 2, {}, false, i64); }),
            invalid_argument("[norm] the result is floating, not i64"));
  EXPECT_EQ(thrown([&] { norm(x, kNan); }), invalid_argument("[norm] the order is NaN"));
  EXPECT_EQ(thrown([&] { norm(zeros({0}, here_), kInf); }),
            invalid_argument("[norm] (0,) has no elements along dimension 0"));
  EXPECT_EQ(thrown([&] { cov(zeros({1, 2, 3}, here_)); }),
            invalid_argument("[cov] x is (1, 2, 3), not (variables, observations)"));
  EXPECT_EQ(thrown([&] { corrcoef(zeros({1, 2, 3}, here_)); }),
            invalid_argument("[corrcoef] x is (1, 2, 3), not (variables, observations)"));
  EXPECT_EQ(thrown([&] { cov(x, {.aweights = zeros({2}, here_)}); }),
            invalid_argument("[cov] weights (2,) are not one for each of 3 observations"));
  EXPECT_EQ(thrown([&] { cov(x, {.fweights = zeros({3}, here_)}); }),
            invalid_argument("[cov] fweights are f32, not integers; aweights may be any numbers"));
  EXPECT_EQ(thrown([&] { cdist(x, zeros({3, 2}, here_)); }),
            invalid_argument("[cdist] (2, 3) and (3, 2) are not (..., P, M) and (..., R, M)"));
  EXPECT_EQ(thrown([&] { max(x, 2); }),
            invalid_argument("[max] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { min(zeros({2, 0}, here_), 1); }),
            invalid_argument("[min] (2, 0) has no elements along dimension 1"));
  EXPECT_EQ(thrown([&] { amax(zeros({0}, here_)); }),
            invalid_argument("[amax] (0,) has no elements along dimension 0"));
  EXPECT_EQ(thrown([&] { aminmax(x, {0, 0}); }),
            invalid_argument("[aminmax] dimension 0 is named twice in (0, 0)"));
  EXPECT_EQ(thrown([&] { argmax(x, {0, 1}); }),
            invalid_argument("[argmax] takes one dimension, or none for all, not (0, 1)"));
  EXPECT_EQ(thrown([&] { var(Tensor()); }), invalid_argument("[var] the tensor is undefined"));
}

}  // namespace
}  // namespace tenon::test
