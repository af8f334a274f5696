// Elementwise ops against the C++ library in f64, over ordinary and special values.
#include <cmath>
#include <limits>
#include <numbers>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"

namespace tenon::test {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<DType> floats_and(const std::vector<DType>& more) {
  std::vector<DType> all = kFloats;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

using Unary = double (*)(double);
using Op = Tensor (*)(const Tensor&);

/// f over each element.
auto each(Unary f) {
  return [f](const std::vector<Reals>& x) {
    Reals y{x[0].shape, {}};
    for (const double value : x[0].values) y.values.push_back(f(value));
    return y;
  };
}

Row unary(const std::string& name, Op op, Unary oracle, Values values = {}) {
  return {.name = name,
          .op = [op](const auto& x) { return op(x[0]); },
          .oracle = each(oracle),
          .shapes = {{{2, 3}}, {{}}, {{0, 3}}, {{4}}},
          .values = values};
}

/// Only values, over special ones too.
Row edges(const std::string& name, Op op, Unary oracle, const std::vector<DType>& dtypes = kFloats) {
  Row row = unary(name + "_edges", op, oracle, {.low = -9, .high = 9, .edges = true});
  row.shapes = {{{4, 9}}};
  row.dtypes = dtypes;
  row.gradient = false;
  return row;
}

/// Floats with gradients, floats with special values, and integers that turn floating.
void add(std::vector<Row>& rows, const std::string& name, Op op, Unary oracle, Values values = {},
         double tolerance = 8) {
  rows.push_back(unary(name, op, oracle, values));
  rows.back().tolerance = tolerance;
  rows.push_back(edges(name, op, oracle));
  rows.back().tolerance = tolerance;
}

double sign_of(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}
double softplus(double x) {
  return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}
double below(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}
double clamped(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}
double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

std::vector<Row> mathematics() {
  std::vector<Row> rows;
  add(rows, "square", square, [](double x) { return x * x; });
  add(rows, "reciprocal", reciprocal, [](double x) { return 1 / x; }, {.low = 0.5});
  add(rows, "sqrt", sqrt, std::sqrt, {.low = 0.5});
  add(rows, "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, {.low = 0.5});
  add(rows, "exp", exp, std::exp);
  add(rows, "exp2", exp2, std::exp2);
  add(rows, "expm1", expm1, std::expm1);
  add(rows, "log", log, std::log, {.low = 0.5});
  add(rows, "log2", log2, std::log2, {.low = 0.5});
  add(rows, "log10", log10, std::log10, {.low = 0.5});
  add(rows, "log1p", log1p, std::log1p, {.low = -0.5});
  add(rows, "logit", logit, [](double x) { return std::log(x) - std::log1p(-x); },
      {.low = 0.1, .high = 0.9});
  add(rows, "erf", erf, std::erf);
  add(rows, "sin", sin, std::sin);
  add(rows, "cos", cos, std::cos);
  add(rows, "tan", tan, std::tan, {.low = -1, .high = 1});
  add(rows, "asin", asin, std::asin, {.low = -0.9, .high = 0.9});
  add(rows, "acos", acos, std::acos, {.low = -0.9, .high = 0.9});
  add(rows, "atan", atan, std::atan);
  add(rows, "sinh", sinh, std::sinh, {}, 24);
  add(rows, "cosh", cosh, std::cosh, {}, 24);
  add(rows, "tanh", tanh, std::tanh);
  add(rows, "asinh", asinh, std::asinh);
  add(rows, "acosh", acosh, std::acosh, {.low = 1.5});
  add(rows, "atanh", atanh, std::atanh, {.low = -0.9, .high = 0.9});
  add(rows, "deg2rad", deg2rad, [](double x) { return x * (kPi / 180); });
  add(rows, "rad2deg", rad2deg, [](double x) { return x * (180 / kPi); });
  rows.push_back(
      unary("sinc", sinc, [](double x) { return x == 0 ? 1 : std::sin(kPi * x) / (kPi * x); }));
  rows.push_back(unary("erfc", erfc, std::erfc, {.low = -2, .high = 9}));
  rows.back().tolerance = 8;
  for (Row& row : rows) {
    if (row.gradient && row.name != "sinc") row.dtypes = floats_and({i32, u8});
  }
  return rows;
}

std::vector<Row> signs() {
  std::vector<Row> rows;
  const std::vector<DType> all = kNumbers;
  rows.push_back(edges("sign", sign, sign_of, all));
  rows.push_back(edges("neg", neg, [](double x) { return -x; }, floats_and({i32, i64})));
  rows.back().values.edges = false;
  rows.push_back(edges("abs", abs, std::fabs, floats_and({i64, u8})));
  rows.push_back(edges("floor", floor, std::floor, all));
  rows.push_back(edges("ceil", ceil, std::ceil, all));
  rows.push_back(edges("trunc", trunc, std::trunc, all));
  rows.push_back(edges("round", round, std::nearbyint, all));
  rows.push_back(edges("frac", frac, [](double x) { return x - std::trunc(x); }, all));
  rows.push_back(edges("isnan", isnan, [](double x) { return double(std::isnan(x)); }, all));
  rows.push_back(edges("isinf", isinf, [](double x) { return double(std::isinf(x)); }, all));
  rows.push_back(edges("isposinf", isposinf, [](double x) { return double(x == kInfinity); }, all));
  rows.push_back(edges("isneginf", isneginf, [](double x) { return double(x == -kInfinity); }, all));
  rows.push_back(edges("isfinite", isfinite, [](double x) { return double(std::isfinite(x)); }, all));
  rows.push_back(edges("signbit", signbit, [](double x) { return double(std::signbit(x)); }, all));
  rows.push_back(edges("logical_not", logical_not, [](double x) { return double(x == 0); }, all));
  for (Op op : {Op(sign), Op(floor), Op(ceil), Op(trunc), Op(round), Op(frac)}) {
    rows.push_back(unary("steps" + std::to_string(rows.size()), op, std::floor));
    rows.back().dtypes = {};  // their gradients alone
  }
  return rows;
}

std::vector<Row> activations() {
  std::vector<Row> rows;
  add(rows, "sigmoid", sigmoid, logistic);
  add(rows, "logsigmoid", logsigmoid, [](double x) { return -softplus(-x); });
  add(rows, "relu", relu, [](double x) { return x <= 0 ? 0 : x; });
  add(rows, "relu6", relu6, [](double x) { return clamped(x, 0, 6); });
  add(rows, "silu", silu, [](double x) { return x * logistic(x); });
  add(rows, "mish", mish, [](double x) { return x * std::tanh(softplus(x)); });
  add(rows, "selu", selu, [](double x) {
    return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * std::expm1(x));
  });
  add(rows, "softsign", softsign, [](double x) { return x / (1 + std::fabs(x)); });
  add(rows, "tanhshrink", tanhshrink, [](double x) { return x - std::tanh(x); });
  add(rows, "hardsigmoid", hardsigmoid, [](double x) { return clamped(x + 3, 0, 6) / 6; });
  add(rows, "hardswish", hardswish, [](double x) { return x * (clamped(x + 3, 0, 6) / 6); });
  add(
      rows, "gelu", [](const Tensor& x) { return gelu(x); }, [](double x) { return x * below(x); }, {},
      64);
  add(
      rows, "gelu_tanh", [](const Tensor& x) { return gelu(x, true); },
      [](double x) {
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x)));
      });
  add(
      rows, "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.25); },
      [](double x) { return x > 0 ? x : 0.25 * x; });
  add(
      rows, "elu", [](const Tensor& x) { return elu(x, 1.5); },
      [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); });
  add(
      rows, "celu", [](const Tensor& x) { return celu(x, 2); },
      [](double x) { return x > 0 ? x : 2 * std::expm1(x / 2); });
  add(
      rows, "softplus", [](const Tensor& x) { return softplus(x, 2); },
      [](double x) { return std::fmax(x, 0) + std::log1p(std::exp(-2 * std::fabs(x))) / 2; });
  add(
      rows, "hardtanh", [](const Tensor& x) { return hardtanh(x, -0.5, 2); },
      [](double x) { return clamped(x, -0.5, 2); });
  add(
      rows, "hardshrink", [](const Tensor& x) { return hardshrink(x); },
      [](double x) { return std::fabs(x) <= 0.5 ? 0 : x; });
  add(
      rows, "softshrink", [](const Tensor& x) { return softshrink(x); },
      [](double x) { return x > 0.5    ? x - 0.5
                            : x < -0.5 ? x + 0.5
                                       : x * 0; });
  add(
      rows, "threshold", [](const Tensor& x) { return threshold(x, 1, -2); },
      [](double x) { return x <= 1 ? -2 : x; });
  add(
      rows, "clamp", [](const Tensor& x) { return clamp(x, -1, 2); },
      [](double x) { return clamped(x, -1, 2); });
  add(
      rows, "clamp_low", [](const Tensor& x) { return clamp(x, -1); },
      [](double x) { return x < -1 ? -1 : x; });
  add(
      rows, "nan_to_num",
      [](const Tensor& x) { return nan_to_num(x, {.nan = 7, .posinf = 1, .neginf = 2}); },
      [](double x) {
        return std::isnan(x) ? 7 : x == kInfinity ? 1 : x == -kInfinity ? 2 : x;
      });
  for (Row& row : rows) {
    if (row.name == "clamp" || row.name == "relu") row.dtypes = floats_and({i32, i64});
  }
  return rows;
}

TENON_ROWS(Elementwise, [] {
  std::vector<Row> rows = mathematics();
  for (const std::vector<Row>& more : {signs(), activations()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}());

class ElementwiseCases : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Ops, ElementwiseCases, testing::ValuesIn(row_devices()), device_test_name);

/// Forward and backward, however many instructions.
TEST_P(ElementwiseCases, EachIsOneLaunchAndItsGradientAnother) {
  const Device here = device(GetParam());
  if (!takes_whole_programs(here)) GTEST_SKIP() << "a program is several launches here";
  const auto gelu_of = [](const Tensor& x) { return gelu(x); };
  for (Op op : {Op(gelu_of), Op(mish), Op(selu), Op(acos), Op(sinh), Op(erfc), Op(logsigmoid)}) {
    Tensor x = tensor({0.25, 0.5}, {.device = here, .requires_grad = true});
    const std::int64_t before = here.stats().launches;
    const Tensor y = op(x);
    EXPECT_EQ(here.stats().launches - before, 1);
    const Tensor dy = tensor({1.0, 2.0}, {.device = here});
    const std::int64_t between = here.stats().launches;
    y.backward(dy);
    EXPECT_EQ(here.stats().launches - between, 1);
  }
}

}  // namespace
}  // namespace tenon::test
