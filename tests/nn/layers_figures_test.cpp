// Layers and initial values against PyTorch.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::Each;
using testing::ElementsAre;
using Json = nlohmann::json;

class LayerFigures : public testing::TestWithParam<std::string> {
 protected:
  TensorOptions here(DType dtype = f32) const { return {.dtype = dtype, .device = device(GetParam())}; }
  /// As tests/figures/layers.py makes them.
  Tensor values(const Shape& shape, double phase, DType dtype) const {
    std::vector<double> list(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < list.size(); ++i)
      list[i] = std::sin(1.7 * static_cast<double>(i) + phase);
    return from_values<double>(list, shape, here(dtype));
  }
  nn::BatchNorm1d batch_norm(std::int64_t channels, const Json& o, DType dtype) const {
    std::optional<double> momentum = 0.1;
    if (o.contains("momentum"))
      momentum = o["momentum"].is_null() ? std::nullopt : std::optional<double>(o["momentum"]);
    const nn::BatchNorm1d layer(channels, {.eps = o.value("eps", 1e-5),
                                           .momentum = momentum,
                                           .affine = o.value("affine", true),
                                           .track_running_stats = o.value("track_running_stats", true),
                                           .tensor = here(dtype)});
    if (!layer.weight.defined()) return layer;
    layer.load_state_dict(
        {{"weight", values({channels}, 2, dtype)}, {"bias", values({channels}, 3, dtype)}},
        {.strict = false});
    return layer;
  }
  /// One call with its gradients.
  void expect_step(const nn::BatchNorm1d& layer, const Shape& shape, DType dtype, double phase,
                   const Json& expected) const {
    const auto expect = [&](const Tensor& got, const char* what) {
      if (got.defined()) expect_figures(got, expected[what], what);
    };
    Tensor x = values(shape, phase, dtype);
    x.set_requires_grad();
    layer.zero_grad();
    const Tensor y = layer(x);
    (y * values(shape, 5, dtype)).sum().backward();
    EXPECT_EQ(y.dtype(), dtype);
    expect(y, "y");
    expect(x.grad(), "dx");
    if (layer.weight.defined()) expect(layer.weight.grad(), "dweight");
    if (layer.bias.defined()) expect(layer.bias.grad(), "dbias");
    expect(layer.running_mean, "mean");
    expect(layer.running_var, "var");
    if (layer.num_batches_tracked.defined()) {
      EXPECT_EQ(layer.num_batches_tracked.item<int>(), expected["count"][0].get<int>());
    }
  }
};

TEST_P(LayerFigures, OfBatchNormInTwoStepsOfTrainingAndInUse) {
  const Json all = figures("layers");
  for (const Json& row : all["batch_norm"]) {
    const auto extents = row["shape"].get<std::vector<std::int64_t>>();
    const Shape shape(Dims{std::span(extents)});
    for (const DType dtype : figure_dtypes(device(GetParam()))) {
      SCOPED_TRACE(row["options"].dump() + std::string(name(dtype)));
      const nn::BatchNorm1d layer = batch_norm(shape[1], row["options"], dtype);
      for (int step = 0; step < 3; ++step) {
        layer.train(step < 2);
        expect_step(layer, shape, dtype, step,
                    row[std::string(name(dtype))][static_cast<std::size_t>(step)]);
      }
    }
  }
}

TEST_P(LayerFigures, BatchNormHasPyTorchsNamesAndItsCountGoesOn) {
  const nn::BatchNorm1d from(1, {.momentum = {}, .tensor = here()}),
      to(1, {.momentum = {}, .tensor = here()});
  std::vector<std::string> names;
  for (const auto& [name, value] : from.state_dict()) names.push_back(name);
  EXPECT_THAT(names,
              ElementsAre("weight", "bias", "running_mean", "running_var", "num_batches_tracked"));
  from(tensor({{1.0}, {3.0}}, here()));
  to.load_state_dict(from.state_dict());
  to(tensor({{5.0}, {7.0}}, here()));
  EXPECT_EQ(to.running_mean.item<float>(), 4);
  EXPECT_EQ(from.to(f64).num_batches_tracked.dtype(), i32);
  EXPECT_EQ(nn::BatchNorm1d(1, {.affine = false, .track_running_stats = false}).state_dict().size(),
            0U);
}

TEST_P(LayerFigures, BatchNormOfHalvesKeepsStatisticsInF32) {
  const nn::BatchNorm1d layer(2, {.tensor = {.device = device(GetParam())}});
  const Tensor y = layer(tensor({{1.0, 300.0}, {3.0, 500.0}}, here(f16)));  // 500² is beyond f16
  EXPECT_EQ(y.dtype(), f16);
  EXPECT_THAT(y.to(f32).to_vector<float>(), ElementsAre(-1, -1, 1, 1));
  EXPECT_THAT(layer.running_mean.to_vector<float>(),
              testing::Pointwise(testing::FloatNear(1e-4F), {0.2F, 40.F}));
}

TEST_P(LayerFigures, BatchNormSaysWhatDoesNotFit) {
  const nn::BatchNorm1d layer(3, {.tensor = here()});
  EXPECT_EQ(thrown([&] { layer(ones({2, 4}, here())); }),
            invalid_argument("[BatchNorm1d] x is (2, 4), not (N, 3) or (N, 3, L)"));
  EXPECT_EQ(thrown([&] { layer(ones({3}, here())); }),
            invalid_argument("[BatchNorm1d] x is (3,), not (N, 3) or (N, 3, L)"));
  EXPECT_EQ(thrown([&] { layer(ones({2, 3}, here(i32))); }),
            invalid_argument("[BatchNorm1d] x is i32; use a floating dtype"));
  EXPECT_EQ(
      thrown([&] { layer(ones({1, 3}, here())); }),
      invalid_argument("[BatchNorm1d] (1, 3) has one value for each channel, which has no variance "
                       "to train with"));
  layer.eval();
  EXPECT_EQ(layer(ones({1, 3}, here())).shape(), (Shape{1, 3}));
  EXPECT_EQ(thrown([] { nn::BatchNorm1d(0); }),
            invalid_argument("[BatchNorm1d] 0 channels: there must be one at least"));
  EXPECT_EQ(thrown([] { nn::BatchNorm1d(1, {.eps = -1}); }),
            invalid_argument("[BatchNorm1d] eps is -1: it must be at least 0"));
  EXPECT_EQ(thrown([] { nn::BatchNorm1d(1, {.momentum = 2}); }),
            invalid_argument("[BatchNorm1d] momentum is 2: it must be from 0 to 1"));
}

TEST_P(LayerFigures, EmbeddingsOfPaddingStayZero) {
  const nn::Embedding plain(4, 3, {.tensor = here()});
  const nn::Embedding padded(4, 3, {.padding_idx = -2, .tensor = here()});
  const Tensor index = tensor({{2, 0}, {2, 3}}, {.dtype = i32, .device = device(GetParam())});
  EXPECT_EQ(plain(index).shape(), (Shape{2, 2, 3}));
  EXPECT_THAT(padded.weight.select(0, 2).to_vector<float>(), Each(0));
  padded(index).sum().backward();
  EXPECT_THAT(padded.weight.grad().to_vector<float>(), ElementsAre(1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1));
  plain(index).sum().backward();
  EXPECT_THAT(plain.weight.grad().select(0, 2).to_vector<float>(), Each(2));
  EXPECT_EQ(thrown([&] { nn::Embedding(0, 3); }),
            invalid_argument("[Embedding] 0 rows of 3: both must be positive"));
  EXPECT_EQ(thrown([&] { nn::Embedding(2, 3, {.padding_idx = 2}); }),
            invalid_argument("[Embedding] padding_idx 2 is not among 2 rows"));
}

TEST_P(LayerFigures, DropoutFollowsTheMode) {
  const nn::Sequential model{nn::Dropout(0.25)};
  const Tensor x = ones({1000}, here());
  random::manual_seed(3);
  const std::vector<float> values = model(x).to_vector<float>();
  const auto zeros = std::count(values.begin(), values.end(), 0.F);
  EXPECT_NEAR(static_cast<double>(zeros), 250, 70);  // 5 deviations
  EXPECT_EQ(std::count(values.begin(), values.end(), 1 / 0.75F), 1000 - zeros);
  model.eval();
  EXPECT_THAT(model(x).to_vector<float>(), Each(1));
  EXPECT_EQ(thrown([] { nn::Dropout(1.5); }),
            invalid_argument("[Dropout] p is 1.5: it must be from 0 to 1"));
}

TEST_P(LayerFigures, LayerNormHasWeightsOfItsShape) {
  const nn::LayerNorm layer({2, 2}, {.tensor = here()});
  EXPECT_EQ(layer.weight.shape(), (Shape{2, 2}));
  const Tensor x = tensor({{{1.0, 2.0}, {3.0, 6.0}}}, here());
  EXPECT_EQ(layer(x).to_vector<float>(), layer_norm(x, {2, 2}).to_vector<float>());
  nn::init::constant_(layer.weight, 3);
  nn::init::constant_(layer.bias, 10);
  const double root = std::sqrt(3.5 + 1e-5);
  EXPECT_THAT(doubles_of(layer(x)),
              testing::Pointwise(testing::DoubleNear(1e-5),
                                 {10 - 6 / root, 10 - 3 / root, 10.0, 10 + 9 / root}));
  EXPECT_FALSE(nn::LayerNorm({2}, {.bias = false}).bias.defined());
  EXPECT_TRUE(nn::LayerNorm({2}, {.affine = false}).parameters().empty());
  EXPECT_EQ(thrown([] { nn::LayerNorm({}); }),
            invalid_argument("[LayerNorm] () is no shape to normalise over"));
  EXPECT_EQ(thrown([] { nn::LayerNorm({2}, {.eps = -1}); }),
            invalid_argument("[LayerNorm] eps is -1: it must be at least 0"));
}

TEST_P(LayerFigures, FlattenJoinsDimensions) {
  const Tensor x = ones({2, 3, 4, 5}, here());
  EXPECT_EQ(nn::Flatten()(x).shape(), (Shape{2, 60}));
  EXPECT_EQ(nn::Flatten(0, 1)(x).shape(), (Shape{6, 4, 5}));
  EXPECT_EQ(nn::Flatten(-3, -2)(x).shape(), (Shape{2, 12, 5}));
  EXPECT_EQ(nn::Flatten()(zeros({0, 3, 2}, here())).shape(), (Shape{0, 6}));
  EXPECT_EQ(nn::Flatten(0)(ones({}, here())).shape(), Shape{1});
  EXPECT_EQ(thrown([&] { nn::Flatten(2, 1)(x); }),
            invalid_argument("[Flatten] dimension 2 of (2, 3, 4, 5) is behind 1"));
  EXPECT_TRUE(nn::Identity()(x).is_same(x));
}

// --- Initial values ---

TEST(InitialValues, HavePyTorchsFansAndGains) {
  const Json all = figures("layers");
  for (const Json& row : all["fans"]) {
    const auto extents = row["shape"].get<std::vector<std::int64_t>>();
    const nn::init::Fans fans = nn::init::fans_of(Shape(Dims{std::span(extents)}));
    EXPECT_EQ(fans.in, row["fan_in"]);
    EXPECT_EQ(fans.out, row["fan_out"]);
  }
  using nn::init::Nonlinearity;
  const std::pair<const char*, Nonlinearity> names[] = {
      {"linear", Nonlinearity::linear}, {"sigmoid", Nonlinearity::sigmoid},
      {"tanh", Nonlinearity::tanh},     {"relu", Nonlinearity::relu},
      {"selu", Nonlinearity::selu},     {"leaky_relu", Nonlinearity::leaky_relu}};
  for (const auto& [name, nonlinearity] : names)
    EXPECT_DOUBLE_EQ(nn::init::calculate_gain(nonlinearity, 0.2), all["gains"][name].get<double>());
}

struct Moments {
  double mean = 0, std = 0, least = 0, most = 0;
};

Moments moments(const Tensor& x) {
  const std::vector<double> values = doubles_of(x);
  const auto count = static_cast<double>(values.size());
  Moments m;
  for (const double v : values) m.mean += v / count;
  for (const double v : values) m.std += (v - m.mean) * (v - m.mean) / count;
  m.std = std::sqrt(m.std);
  m.least = *std::min_element(values.begin(), values.end());
  m.most = *std::max_element(values.begin(), values.end());
  return m;
}

// Of 20,000 draws the mean is within 5/√20,000 of its deviation, and so is the deviation.
void expect_uniform(const Tensor& x, double low, double high) {
  const Moments m = moments(x);
  EXPECT_GE(m.least, low);
  EXPECT_LE(m.most, high);
  EXPECT_LT(m.least, low + 0.002 * (high - low));
  EXPECT_GT(m.most, high - 0.002 * (high - low));
  EXPECT_NEAR(m.mean, (low + high) / 2, 0.035 * (high - low));
}
void expect_normal(const Tensor& x, double mean, double std) {
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, mean, 0.035 * std);
  EXPECT_NEAR(m.std, std, 0.035 * std);
  EXPECT_GT(m.most, mean + 3 * std);
}

TEST_P(LayerFigures, InitialValuesAreWhereTheyShouldBe) {
  using namespace nn::init;
  random::manual_seed(7);
  nn::Parameter w(zeros({100, 50, 4}, here()));  // fans 200 and 400
  EXPECT_TRUE(uniform_(w, -1, 3).is_same(w));
  expect_uniform(w, -1, 3);
  normal_(w, 5, 2);
  expect_normal(w, 5, 2);
  xavier_uniform_(w, 2);
  expect_uniform(w, -2 * std::sqrt(0.01), 2 * std::sqrt(0.01));
  xavier_normal_(w);
  expect_normal(w, 0, std::sqrt(2.0 / 600));
  kaiming_uniform_(w, {.nonlinearity = Nonlinearity::relu});
  expect_uniform(w, -std::sqrt(6.0 / 200), std::sqrt(6.0 / 200));
  kaiming_normal_(w, {.a = 0.5, .mode = Fan::out});
  expect_normal(w, 0, std::sqrt(2 / 1.25 / 400));
  EXPECT_TRUE(w.is_leaf());
  EXPECT_TRUE(w.requires_grad());

  ones_(w);
  EXPECT_THAT(w.to_vector<float>(), Each(1));
  constant_(w, 2.5);
  EXPECT_THAT(w.to_vector<float>(), Each(2.5));
  zeros_(w);
  EXPECT_THAT(w.to_vector<float>(), Each(0));
  EXPECT_THAT(eye_(ones({2, 3}, here())).to_vector<float>(), ElementsAre(1, 0, 0, 0, 1, 0));
}

/// The greatest difference of x·xᵀ from the identity, of rows x.
double skewness(const Tensor& x) {
  const std::vector<double> values = doubles_of(x);
  const auto rows = static_cast<std::size_t>(x.size(0)), width = values.size() / rows;
  double most = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t s = 0; s < rows; ++s) {
      double product = r == s ? -1 : 0;
      for (std::size_t i = 0; i < width; ++i) product += values[r * width + i] * values[s * width + i];
      most = std::max(most, std::abs(product));
    }
  }
  return most;
}

TEST_P(LayerFigures, OrthogonalRowsOrColumnsWhicheverAreFewer) {
  random::manual_seed(3);
  for (const DType dtype : figure_dtypes(device(GetParam()))) {
    const double bound = dtype == f64 ? 1e-14 : 2e-6;
    for (const Shape& shape : {Shape{5, 5}, Shape{3, 7}, Shape{4, 2, 3}, Shape{1, 6}}) {
      const Tensor x = nn::init::orthogonal_(zeros(shape, here(dtype)), 2);
      EXPECT_LT(skewness(x.reshape({shape[0], -1}) / 2), bound) << to_string(shape);
    }
    const Tensor tall = nn::init::orthogonal_(zeros({7, 2}, here(dtype)));
    EXPECT_LT(skewness(tall.transpose(0, 1)), bound);
  }
  EXPECT_LT(skewness(nn::init::orthogonal_(zeros({4, 4}, here(bf16)))), 0.03);
  EXPECT_EQ(nn::init::orthogonal_(zeros({0, 3}, here())).shape(), (Shape{0, 3}));
  EXPECT_EQ(nn::init::orthogonal_(zeros({3, 0}, here())).shape(), (Shape{3, 0}));
}

// An element of an orthogonal matrix of order n has mean 0, variance 1/n, and a fourth moment of
// 3/(n(n + 2)); of order 2 it is a cosine, of both determinants alike.
TEST_P(LayerFigures, OrthogonalMatricesAreEvenlySpread) {
  random::manual_seed(9);
  constexpr int kDraws = 400;
  double sum = 0, squares = 0, fourths = 0, positive = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<double> q = doubles_of(nn::init::orthogonal_(zeros({2, 2}, here())));
    sum += q[0];
    squares += q[0] * q[0];
    fourths += std::pow(q[0], 4);
    positive += q[0] * q[3] - q[1] * q[2] > 0;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(0.5 / kDraws));
  EXPECT_NEAR(squares / kDraws, 0.5, 5 * std::sqrt(0.125 / kDraws));
  EXPECT_NEAR(fourths / kDraws, 0.375, 5 * std::sqrt(0.14 / kDraws));
  EXPECT_NEAR(positive / kDraws, 0.5, 5 * std::sqrt(0.25 / kDraws));
}

TEST_P(LayerFigures, SparseColumnsHaveTheirPartOfZeros) {
  random::manual_seed(4);
  const Tensor x = nn::init::sparse_(ones({10, 200}, here()), 0.25, 2);
  const std::vector<float> values = x.to_vector<float>();
  std::vector<int> zeros_of_row(10);
  std::vector<double> others;
  for (std::size_t c = 0; c < 200; ++c) {
    int count = 0;
    for (std::size_t r = 0; r < 10; ++r) {
      const bool zero = values[r * 200 + c] == 0;
      count += zero;
      zeros_of_row[r] += zero;
      if (!zero) others.push_back(values[r * 200 + c]);
    }
    EXPECT_EQ(count, 3) << c;  // 2.5 rounded up
  }
  EXPECT_THAT(zeros_of_row,
              Each(testing::AllOf(testing::Gt(27), testing::Lt(93))));  // 60, 5 deviations
  expect_normal(tensor(others), 0, 2);
}

TEST_P(LayerFigures, DiracIsOneAtTheCentreOfEachChannel) {
  const Tensor w = nn::init::dirac_(ones({4, 2, 3}, here()));
  EXPECT_EQ(w.select(2, 1).to_vector<float>(), (std::vector<float>{1, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_THAT(w.select(2, 0).to_vector<float>(), Each(0));
  const Tensor two = nn::init::dirac_(ones({4, 3, 2, 1}, here()), 2);
  EXPECT_EQ(two.select(3, 0).select(2, 1).to_vector<float>(),
            (std::vector<float>{1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(two.sum().item<float>(), 4);
  EXPECT_EQ(nn::init::dirac_(ones({4, 2, 0}, here())).numel(), 0);
}

/// The part of a normal distribution below x.
double phi(double x) {
  return std::erfc(-x / std::sqrt(2.0)) / 2;
}

// Of 20,000 draws the part below any bound is within 5·√(1/80,000) of what it should be.
TEST_P(LayerFigures, ATruncatedNormalIsNormalWithinItsBounds) {
  random::manual_seed(11);
  for (const DType dtype : {f32, f64, bf16}) {
    const Tensor x = nn::init::trunc_normal_(zeros({20000}, here(dtype)), 1, 2, -0.5, 7);
    const std::vector<double> values = doubles_of(x);
    const double below = phi(-0.75), within = phi(3) - below;
    for (const double bound : {-0.5, 0.0, 1.0, 2.5, 5.0, 7.0}) {
      const auto count =
          std::count_if(values.begin(), values.end(), [&](double v) { return v <= bound; });
      const double expected = (phi((bound - 1) / 2) - below) / within;
      EXPECT_NEAR(static_cast<double>(count) / 20000, expected, dtype == bf16 ? 0.025 : 0.018) << bound;
    }
    EXPECT_GE(*std::min_element(values.begin(), values.end()), -0.5);
  }
  const Tensor far = nn::init::trunc_normal_(zeros({20000}, here(f32)), 0, 1, -100, 100);
  expect_normal(far, 0, 1);
  EXPECT_EQ(thrown([&] { nn::init::trunc_normal_(far, 0, 0); }),
            invalid_argument("[trunc_normal_] std is 0: it must be above 0 and finite"));
  EXPECT_EQ(thrown([&] { nn::init::trunc_normal_(far, 0, 1, 2, 2); }),
            invalid_argument("[trunc_normal_] there is nothing between 2 and 2"));
  EXPECT_EQ(
      thrown([&] { nn::init::trunc_normal_(far, 0, 1, 50, 60); }),
      invalid_argument("[trunc_normal_] 50 .. 60 is too far from mean 0 for std 1 to be drawn from"));
}

TEST_P(LayerFigures, InitialValuesAreTheSameFromTheSameSeed) {
  random::Generator one(3), two(3);
  const Tensor a = nn::init::kaiming_uniform_(zeros({3, 4}, here()), {}, one);
  const Tensor b = nn::init::kaiming_uniform_(zeros({3, 4}), {}, two);
  EXPECT_EQ(a.to_vector<float>(), b.to_vector<float>());
  EXPECT_EQ(one.offset(), 1U);
}

TEST(InitialValues, SayWhatDoesNotFit) {
  EXPECT_EQ(
      thrown([] { nn::init::xavier_normal_(ones({3})); }),
      invalid_argument("[xavier_normal_] (3,) has no fans: a weight has two dimensions at least"));
  EXPECT_EQ(
      thrown([] { nn::init::kaiming_uniform_(ones({3})); }),
      invalid_argument("[kaiming_uniform_] (3,) has no fans: a weight has two dimensions at least"));
  EXPECT_EQ(thrown([] { nn::init::fans_of({3}); }),
            invalid_argument("[fans_of] (3,) has no fans: a weight has two dimensions at least"));
  EXPECT_EQ(thrown([] { nn::init::eye_(ones({3})); }), invalid_argument("[eye_] (3,) is no matrix"));
  EXPECT_EQ(thrown([] { nn::init::orthogonal_(ones({3})); }),
            invalid_argument("[orthogonal_] (3,) is no matrix"));
  EXPECT_EQ(thrown([] { nn::init::sparse_(ones({3}), 0.5); }),
            invalid_argument("[sparse_] (3,) is no matrix"));
  EXPECT_EQ(thrown([] { nn::init::sparse_(ones({3, 2}), 1.5); }),
            invalid_argument("[sparse_] sparsity is 1.5: it must be from 0 to 1"));
  EXPECT_EQ(
      thrown([] { nn::init::dirac_(ones({3, 2})); }),
      invalid_argument("[dirac_] (3, 2) is no weight of a convolution, which has 3 to 5 dimensions"));
  EXPECT_EQ(thrown([] { nn::init::dirac_(ones({3, 2, 1}), 2); }),
            invalid_argument("[dirac_] 3 outputs are not 2 groups"));
  EXPECT_EQ(thrown([] { nn::init::uniform_(ones({3}, {.dtype = i32})); }),
            invalid_argument("[uniform_] i32 takes no such values; use a floating dtype"));
}

INSTANTIATE_TEST_SUITE_P(Devices, LayerFigures, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LayerFigures);

}  // namespace
}  // namespace tenon::test
