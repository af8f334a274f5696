// Losses of margins and of distributions: values and gradients against PyTorch, second order, wrong
// calls.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/autograd.h>
#include <tenon/nn.h>
#include <tenon/ops.h>

#include "tests/nn/figures.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Reduction = LossReduction;
using Json = nlohmann::json;
using Tensors = std::vector<Tensor>;
using testing::ElementsAre;

/// A loss by name with the options of a row.
Tensor call(const std::string& name, const Json& o, Reduction how, const Tensors& x) {
  if (name == "HingeEmbeddingLoss")
    return nn::HingeEmbeddingLoss({how, o.value("margin", 1.0)})(x[0], x[1]);
  if (name == "MarginRankingLoss")
    return nn::MarginRankingLoss({how, o.value("margin", 0.0)})(x[0], x[1], x[2]);
  if (name == "SoftMarginLoss") return nn::SoftMarginLoss({how})(x[0], x[1]);
  if (name == "CosineEmbeddingLoss")
    return nn::CosineEmbeddingLoss({how, o.value("margin", 0.0)})(x[0], x[1], x[2]);
  if (name == "TripletMarginLoss")
    return nn::TripletMarginLoss({how, o.value("margin", 1.0), o.value("p", 2.0), o.value("eps", 1e-6),
                                  o.value("swap", false)})(x[0], x[1], x[2]);
  if (name == "PoissonNLLLoss")
    return nn::PoissonNLLLoss(
        {how, o.value("log_input", true), o.value("full", false), o.value("eps", 1e-8)})(x[0], x[1]);
  if (name == "GaussianNLLLoss")
    return nn::GaussianNLLLoss({how, o.value("full", false), o.value("eps", 1e-6)})(x[0], x[1], x[2]);
  if (name == "KLDivLoss")
    return nn::KLDivLoss({how, o.at("log_target"), o.at("batchmean")})(x[0], x[1]);
  ADD_FAILURE() << name;
  return {};
}

/// A row's name: the loss, its options as JSON, the reduction.
struct Named {
  explicit Named(const std::string& row) {
    const auto open = row.find('{'), close = row.find('}');
    loss = row.substr(0, open - 1);
    options = Json::parse(row.substr(open, close - open + 1));
    const std::string how = row.substr(close + 2);
    reduction = how == "none" ? Reduction::none : how == "mean" ? Reduction::mean : Reduction::sum;
  }
  Tensor operator()(const Tensors& x) const { return call(loss, options, reduction, x); }
  std::string loss;
  Json options;
  Reduction reduction;
};

class MarginLosses : public testing::TestWithParam<std::string> {
 protected:
  TensorOptions here(DType dtype = f32) const { return {.dtype = dtype, .device = on_}; }
  Tensor made(const Json& json, DType dtype) const {
    Shape shape;
    for (const auto& extent : json.at("shape")) shape.push_back(extent.get<std::int64_t>());
    return from_values<double>(json.at("values").get<std::vector<double>>(), shape, here(dtype));
  }
  const Device on_ = device(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Devices, MarginLosses, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MarginLosses);

TEST_P(MarginLosses, AreReached) {
  const Json all = figures("margin_losses");
  for (const auto& [row, figure] : all.items()) {
    for (const DType dtype : figure_dtypes(on_)) {
      const std::string what = row + ' ' + std::string(name(dtype));
      Tensors x, wanted;
      for (const Json& input : figure["inputs"])
        wanted.push_back(x.emplace_back(made(input, dtype)).set_requires_grad());
      for (const Json& input : figure.value("fixed", Json::array())) x.push_back(made(input, dtype));
      const Tensor y = Named(row)(x);
      EXPECT_EQ(y.dtype(), dtype) << what;
      expect_figures(y, figure["result"]["values"], what);
      const Tensor weights = made(figure["weights"], dtype);
      ASSERT_EQ(y.shape(), weights.shape()) << what;
      const Tensors dx = autograd::grad({&y, 1}, wanted, {&weights, 1});
      for (std::size_t i = 0; i < dx.size(); ++i)
        expect_figures(dx[i], figure["gradients"][i]["values"], what + " input " + std::to_string(i));
    }
  }
}

TEST_P(MarginLosses, AreDifferentiableTwice) {
  const Json all = figures("margin_losses");
  for (const auto& [row, figure] : all.items()) {
    const Named loss(row);
    if (loss.reduction != Reduction::mean || loss.loss == "GaussianNLLLoss") continue;
    Tensors x, fixed;
    for (const Json& input : figure["inputs"]) x.push_back(made(input, f64).set_requires_grad());
    for (const Json& input : figure.value("fixed", Json::array())) fixed.push_back(made(input, f64));
    const auto f = [&](std::span<const Tensor> in) {
      Tensors operands(in.begin(), in.end());
      operands.insert(operands.end(), fixed.begin(), fixed.end());
      return loss(operands);
    };
    EXPECT_EQ(autograd::gradgradcheck(f, x), "") << row;
  }
}

TEST_P(MarginLosses, HaveSlopeOneAtTheMargin) {
  const Tensor x = tensor({1.0, 1.0}, here()).set_requires_grad();
  nn::HingeEmbeddingLoss({Reduction::sum})(x, tensor({-1, 1}, here(f32))).backward();
  EXPECT_THAT(x.grad().to_vector<float>(), ElementsAre(-1, 1));
}

TEST_P(MarginLosses, OfEqualVectorsHaveAGradient) {
  const Tensor a = tensor({{1.0, 2.0}}, here()).set_requires_grad();
  nn::TripletMarginLoss({.eps = 0})(a, a.detach(), ones({1, 2}, here())).backward();
  EXPECT_THAT(a.grad().to_vector<float>(), ElementsAre(0, -1));  // of the negative's distance alone
}

TEST_P(MarginLosses, VarianceIsLiftedToEps) {
  const Tensor v = tensor({-3.0, 0.0, 2.0}, here()).set_requires_grad(), x = ones({3}, here());
  const Tensor y = nn::GaussianNLLLoss({Reduction::none, false, 0.5})(x, zeros({3}, here()), v);
  const double lifted = (std::log(0.5) + 2) / 2;
  EXPECT_THAT(doubles_of(y), testing::Pointwise(testing::DoubleNear(1e-6),
                                                {lifted, lifted, (std::log(2.0) + 0.5) / 2}));
  y.sum().backward();  // (1/v - 1/v²)/2 at the lifted variance
  EXPECT_THAT(doubles_of(v.grad()), testing::Pointwise(testing::DoubleNear(1e-6), {-1.0, -1.0, 0.125}));
}

TEST_P(MarginLosses, AreFewLaunches) {
  if (!takes_whole_programs(on_)) GTEST_SKIP() << "which has programs in parts";
  const Tensor a = ones({4, 3}, here()), b = zeros({4, 3}, here()), y = ones({4}, here());
  const auto launches = [&](auto loss) {
    loss();
    const std::int64_t before = on_.stats().launches;
    loss();
    return on_.stats().launches - before;
  };
  EXPECT_EQ(launches([&] { nn::HingeEmbeddingLoss()(a, b); }), 1);
  EXPECT_EQ(launches([&] { nn::MarginRankingLoss()(a, b, a); }), 1);
  EXPECT_EQ(launches([&] { nn::SoftMarginLoss()(a, b); }), 1);
  EXPECT_EQ(launches([&] { nn::PoissonNLLLoss({.full = true})(a, b); }), 1);
  EXPECT_EQ(launches([&] { nn::GaussianNLLLoss()(a, b, a); }), 1);
  EXPECT_EQ(launches([&] { nn::CosineEmbeddingLoss()(a, b, y); }), 2);
  EXPECT_EQ(launches([&] { nn::TripletMarginLoss({.p = 3, .swap = true})(a, b, a); }), 2);
}

TEST_P(MarginLosses, SayWhatDoesNotFit) {
  const Tensor x = ones({2, 3}, here()), y = ones({3}, here()), number = ones({}, here());
  EXPECT_EQ(thrown([&] { nn::HingeEmbeddingLoss()(x, y); }),
            invalid_argument("[HingeEmbeddingLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::SoftMarginLoss()(x, y); }),
            invalid_argument("[SoftMarginLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::MarginRankingLoss()(x, y, x); }),
            invalid_argument("[MarginRankingLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::MarginRankingLoss()(x, x, y); }),
            invalid_argument("[MarginRankingLoss] y is (3,), not (2, 3) as a"));
  EXPECT_EQ(thrown([&] { nn::CosineEmbeddingLoss()(x, y, y); }),
            invalid_argument("[CosineEmbeddingLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::CosineEmbeddingLoss()(x, x, y); }),
            invalid_argument("[CosineEmbeddingLoss] y is (3,), not (2,)"));
  EXPECT_EQ(thrown([&] { nn::CosineEmbeddingLoss()(number, number, number); }),
            invalid_argument("[CosineEmbeddingLoss] 0-d tensors are no vectors"));
  EXPECT_EQ(thrown([&] { nn::TripletMarginLoss()(x, x, y); }),
            invalid_argument("[TripletMarginLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { nn::TripletMarginLoss()(number, number, number); }),
            invalid_argument("[TripletMarginLoss] 0-d tensors are no vectors"));
  EXPECT_EQ(thrown([&] { nn::TripletMarginLoss({.p = 0}); }),
            invalid_argument("[TripletMarginLoss] p is 0: it must be above 0 and finite"));
  EXPECT_EQ(thrown([&] { nn::PoissonNLLLoss()(x, y); }),
            invalid_argument("[PoissonNLLLoss] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(
      thrown([&] { nn::GaussianNLLLoss()(x, x, ones({4, 2, 3}, here())); }),
      invalid_argument("[GaussianNLLLoss] a variance of shape (4, 2, 3) does not broadcast to (2, 3)"));
  EXPECT_EQ(thrown([&] { nn::GaussianNLLLoss({.eps = 0}); }),
            invalid_argument("[GaussianNLLLoss] eps is 0: it must be above 0"));
  EXPECT_EQ(thrown([&] { nn::KLDivLoss({.batchmean = true})(number, number); }),
            invalid_argument("[KLDivLoss] a 0-d x is no batch to take the mean over"));
}

}  // namespace
}  // namespace tenon::test
