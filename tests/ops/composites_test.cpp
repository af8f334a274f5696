// Softmax, normalisation, attention, dropout: each against loops in f64.
#include <cmath>
#include <functional>
#include <limits>

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

Group logs(Group x) {
  for (double& v : x) v = std::log(v);
  return x;
}

/// x less its mean where it is `centered`, over the root of its mean square.
Group normal(Group x, bool centered, double eps) {
  const double m = centered ? mean_of(x) : 0;
  double square = 0;
  for (double& v : x) {
    v -= m;
    square += v * v;
  }
  for (double& v : x) v /= std::sqrt(square / static_cast<double>(x.size()) + eps);
  return x;
}

Reals times(Reals x, const Reals& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] *= y.values[i % y.values.size()];
  }
  return x;
}
Reals plus(Reals x, const Reals& y) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i % y.values.size()];
  return x;
}

double dot_of(const double* x, const double* y, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

/// q (L, E), k (S, E), v (S, E): query i attends to the keys for which attends(i, j).
Reals attention(const std::vector<Reals>& x, double scale,
                const std::function<bool(std::size_t, std::size_t)>& attends) {
  const auto L = static_cast<std::size_t>(x[0].shape[0]), S = static_cast<std::size_t>(x[1].shape[0]),
             E = static_cast<std::size_t>(x[0].shape[1]);
  Reals y{x[0].shape, std::vector<double>(L * E)};
  for (std::size_t i = 0; i < L; ++i) {
    double sum = 0;
    std::vector<double> weights(S);
    for (std::size_t j = 0; j < S; ++j) {
      if (!attends(i, j)) continue;
      weights[j] = std::exp(scale * dot_of(&x[0].values[i * E], &x[1].values[j * E], E));
      sum += weights[j];
    }
    for (std::size_t j = 0; j < S; ++j) {
      for (std::size_t e = 0; e < E; ++e) {
        if (weights[j] != 0) y.values[i * E + e] += weights[j] / sum * x[2].values[j * E + e];
      }
    }
  }
  return y;
}

const std::vector<Row> kRows = {
    {.name = "softmax",
     .op = [](const auto& x) { return softmax(x[0], 1); },
     .oracle = [](const auto& x) { return mapped(x[0], {1}, soft); },
     .shapes = {{{2, 3, 2}}, {{2, 0}}, {{0, 2}}},
     .dtypes = kNumbers},
    {.name = "softmax_in_f64",
     .op = [](const auto& x) { return softmax(x[0], -1, f64); },
     .oracle = [](const auto& x) { return mapped(x[0], {0}, soft); },
     .shapes = {{{4}}},
     .dtypes = kNumbers},
    {.name = "log_softmax",
     .op = [](const auto& x) { return log_softmax(x[0], 0); },
     .oracle =
         [](const auto& x) { return mapped(x[0], {0}, [](const Group& g) { return logs(soft(g)); }); },
     .shapes = {{{3, 2}}},
     .dtypes = kNumbers},
    {.name = "layer_norm",
     .op = [](const auto& x) { return layer_norm(x[0], {3, 2}, x[1], x[2]); },
     .oracle =
         [](const auto& x) {
           const auto rule = [](const Group& g) { return normal(g, true, 1e-5); };
           return plus(times(mapped(x[0], {1, 2}, rule), x[1]), x[2]);
         },
     .shapes = {{{2, 3, 2}, {3, 2}, {3, 2}}},
     .values = {.distinct = true},
     .tolerance = 8},
    {.name = "layer_norm_plain",
     .op = [](const auto& x) { return layer_norm(x[0], {4}, {}, {}, 0.1); },
     .oracle =
         [](const auto& x) {
           return mapped(x[0], {0}, [](const Group& g) { return normal(g, true, 0.1); });
         },
     .shapes = {{{4}}},
     .values = {.distinct = true},
     .tolerance = 8},
    {.name = "rms_norm",
     .op = [](const auto& x) { return rms_norm(x[0], {3}, x[1], 1e-5); },
     .oracle =
         [](const auto& x) {
           return times(mapped(x[0], {1}, [](const Group& g) { return normal(g, false, 1e-5); }), x[1]);
         },
     .shapes = {{{2, 3}, {3}}},
     .tolerance = 8},
    {.name = "normalize",
     .op = [](const auto& x) { return normalize(x[0]); },
     .oracle =
         [](const auto& x) {
           return mapped(x[0], {1}, [](Group g) {
             const double length = std::sqrt(dot_of(g.data(), g.data(), g.size()));
             for (double& v : g) v /= length;
             return g;
           });
         },
     .shapes = {{{2, 3}}},
     .tolerance = 8},
    {.name = "cosine_similarity",
     .op = [](const auto& x) { return cosine_similarity(x[0], x[1], -1); },
     .oracle =
         [](const auto& x) {
           Reals y{{2}, {}};
           for (std::size_t i = 0; i < 2; ++i) {
             const double *a = &x[0].values[3 * i], *b = x[1].values.data();
             y.values.push_back(dot_of(a, b, 3) / std::sqrt(dot_of(a, a, 3) * dot_of(b, b, 3)));
           }
           return y;
         },
     .shapes = {{{2, 3}, {3}}},
     .values = {0.5, 3},
     .tolerance = 8},
    {.name = "attention",
     .op = [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); },
     .oracle =
         [](const auto& x) { return attention(x, std::sqrt(0.5), [](auto, auto) { return true; }); },
     .shapes = {{{2, 2}, {3, 2}, {3, 2}}},
     .values = {-1, 1},
     .tolerance = 12},
    {.name = "attention_causal",
     .op =
         [](const auto& x) {
           return scaled_dot_product_attention(x[0], x[1], x[2], {.is_causal = true, .scale = 0.3});
         },
     .oracle =
         [](const auto& x) {
           return attention(x, 0.3, [](std::size_t i, std::size_t j) { return j <= i; });
         },
     .shapes = {{{2, 2}, {3, 2}, {3, 2}}},
     .values = {-1, 1},
     .tolerance = 12},
    {.name = "attention_masked",
     .op =
         [](const auto& x) {
           const Tensor mask =
               tensor({{true, false, true}, {false, false, false}}, {.device = x[0].device()});
           return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = mask});
         },
     .oracle =
         [](const auto& x) {
           return attention(x, std::sqrt(0.5),
                            [](std::size_t i, std::size_t j) { return i == 0 && j != 1; });
         },
     .shapes = {{{2, 2}, {3, 2}, {3, 2}}},
     .values = {-1, 1},
     .tolerance = 12},
};
TENON_ROWS(Composites, kRows);

class CompositesOn : public OnDevice {
 protected:
  Tensor of(const std::vector<double>& values) const { return tensor(values, here_); }
};
INSTANTIATE_TEST_SUITE_P(Ops, CompositesOn, testing::ValuesIn(row_devices()), device_test_name);

using List = std::vector<double>;

TEST_P(CompositesOn, LargeAndInfiniteLogits) {
  EXPECT_EQ(softmax(of({1000, 1000, -kInf}), 0).to_vector<double>(), (List{0.5, 0.5, 0}));
  EXPECT_EQ(log_softmax(of({-1000, 0}), 0).to_vector<double>(), (List{-1000, 0}));
  EXPECT_TRUE(std::isnan(softmax(of({-kInf, -kInf}), 0).to_vector<double>()[0]));
  EXPECT_TRUE(std::isnan(softmax(of({kInf, 1}), 0).to_vector<double>()[1]));
}

TEST_P(CompositesOn, DropoutIsABernoulliMask) {
  for (const DType dtype : {f32, f64, f16}) {
    const Tensor x = tensor_of(draw({5, 7}, {0.5, 1}, dtype, 3), dtype, device_, Layout::Transposed);
    random::Generator a(11), b(11);
    const Tensor y = dropout(x, 0.25, true, a);
    const Tensor mask = random::bernoulli({5, 7}, 0.75, {.dtype = dtype, .device = device_}, b);
    const float kept = sum(mask.to(f32)).item<float>();
    EXPECT_TRUE(kept > 15 && kept < 35) << kept;
    const DType drawn = dtype == f16 ? f32 : dtype;
    const Tensor wanted = (x.to(drawn) * (1 / 0.75) * mask.to(drawn)).to(dtype);
    EXPECT_EQ(reals_of(y).values, reals_of(wanted).values);
    EXPECT_EQ(a.state(), b.state());
  }
}

TEST_P(CompositesOn, DropoutAtItsEnds) {
  const Tensor x = of({1, kInf, kNan});
  EXPECT_EQ(dropout(x, 1).to_vector<double>(), (List{0, 0, 0}));
  EXPECT_EQ(dropout(x, 0).slice(0, {.stop = 2}).to_vector<double>(), (List{1, kInf}));
  EXPECT_TRUE(dropout(x, 0.5, false).is_same(x));
}

TEST_P(CompositesOn, DropoutDrawsItsMaskAgainForBackward) {
  const Tensor x = tensor(List(20, 2.0), {.device = device_, .requires_grad = true});
  const Tensor y = dropout(x, 0.5);
  dropout(x, 0.5);  // another draw lies between
  const Tensor dy = ones_like(y);
  const Tensor dx = autograd::grad({&y, 1}, {&x, 1}, {&dy, 1})[0];
  EXPECT_EQ((dx * 2).to_vector<double>(), y.to_vector<double>());
}

TEST_P(CompositesOn, AttentionTakesAddedMasksAndBatches) {
  const Tensor q = tensor_of(draw({2, 3, 2, 4}, {-1, 1}, f64, 1), f64, device_),
               k = tensor_of(draw({3, 5, 4}, {-1, 1}, f64, 2), f64, device_),
               v = tensor_of(draw({3, 5, 6}, {-1, 1}, f64, 3), f64, device_),
               mask = tensor_of(draw({2, 5}, {-1, 1}, f64, 4), f64, device_);
  const Tensor found = scaled_dot_product_attention(q, k, v, {.mask = mask});
  const Tensor scores = matmul(q, k.transpose(1, 2)) * 0.5 + mask;
  const Tensor wanted = matmul(softmax(scores, -1), v);
  EXPECT_EQ(found.shape(), (Shape{2, 3, 2, 6}));
  EXPECT_LT(max(abs(found - wanted)).item<double>(), 1e-14);
  random::Generator a(5), b(5);
  const Tensor dropped = scaled_dot_product_attention(q, k, v, {.dropout = 0.4}, a);
  const Tensor again =
      matmul(dropout(softmax(matmul(q, k.transpose(1, 2)) * 0.5, -1), 0.4, true, b), v);
  EXPECT_LT(max(abs(dropped - again)).item<double>(), 1e-14);
}

TEST_P(CompositesOn, GradientsHaveTheDtypesOfTheirOperands) {
  const auto leaf = [&](const Shape& shape, DType dtype) {
    return tensor_of(draw(shape, {0.5, 2}, dtype, 1), dtype, device_).set_requires_grad();
  };
  const Tensor x = leaf({2, 3}, f16), w = leaf({3}, f32);
  const std::function<Tensor()> calls[] = {
      [&] { return softmax(x, 1, f32); },
      [&] { return log_softmax(x, 0, f32); },
      [&] { return layer_norm(x, {3}, w, w); },
      [&] { return rms_norm(x, {3}, w); },
      [&] { return normalize(x); },
      [&] { return cosine_similarity(x, w); },

      [&] { return dropout(x); },
      [&] { return scaled_dot_product_attention(x, x, x); },
      [&] { return var(x); },
      [&] { return std(x); },
      [&] { return norm(x, 2, {}, false, f32); },
      [&] { return norm(x, 3); },
      [&] { return logsumexp(x); },
      [&] { return mean(x, {}, false, f32); },
      [&] { return sum(x, {}, false, f32); },
      [&] { return nansum(x); },
      [&] { return nanmean(x); },
      [&] { return prod(x, {1}, false, f32); },
      [&] { return amax(x); },
      [&] { return max(x, 1).values; },
      [&] { return einsum("ij,j", {x, w}); },
      [&] { return vecdot(x, w); },
      [&] { return cross(x, w); },
      [&] { return addmm(x, x, x.slice(0, {.stop = 1}).expand({3, 3})); },
      [&] { return cat({x, w.view({1, 3})}); },
      [&] { return pad(x, {1, 1}); }};
  for (const auto& call : calls) {
    SCOPED_TRACE(&call - calls);
    const Tensor y = call().to(f32).sum();
    const Tensor dx = autograd::grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
    EXPECT_EQ(dx.dtype(), f16);
    EXPECT_EQ(dx.shape(), x.shape());
    if (!dx.requires_grad()) continue;
    const Tensor again = (dx * dx).sum(),
                 second = autograd::grad({&again, 1}, {&x, 1}, {}, {.allow_unused = true})[0];
    EXPECT_TRUE(!second.defined() || second.dtype() == f16);
  }
  layer_norm(x, {3}, w, w).sum().backward();
  EXPECT_EQ(w.grad().dtype(), f32);
}

TEST_P(CompositesOn, Launches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor x = tensor_of(draw({4, 3}, {}, f32, 1), f32, device_).set_requires_grad();
  const Tensor one = ones({3}, {.device = device_, .requires_grad = true});
  const bool whole = device_.state().limits().kinds != 0;  // has an op for each
  EXPECT_EQ(launches([&] { softmax(x, 1); }), whole ? 1 : 3);
  EXPECT_EQ(launches([&] { log_softmax(x, 1); }), whole ? 1 : 3);
  EXPECT_EQ(launches([&] { layer_norm(x, {3}, one, one); }), whole ? 1 : 3);
  EXPECT_EQ(launches([&] { rms_norm(x, {3}, one); }), whole ? 1 : 2);
  EXPECT_EQ(launches([&] { dropout(x); }), 1);
  const int attention = whole ? 3 : 5;
  EXPECT_EQ(launches([&] { scaled_dot_product_attention(x, x, x); }), attention);
  EXPECT_EQ(launches([&] { scaled_dot_product_attention(x, x, x, {.is_causal = true}); }),
            attention + 1);
  EXPECT_EQ(launches([&] { cosine_similarity(x, x); }), 2);
  // What backward begins with, one, and the sum that makes the loss, are launches too.
  const std::int64_t base = backward_launches([&] { return (x * 1.0).sum(); });
  EXPECT_LE(backward_launches([&] { return softmax(x, 1).sum(); }) - base, 2);
  EXPECT_LE(backward_launches([&] { return layer_norm(x, {3}, one, one).sum(); }) - base, 5);
}

TEST_P(CompositesOn, RefusesWhatCannotBe) {
  const Tensor x = zeros({2, 3}, here_), t = tensor({0, 1}, here_);
  EXPECT_EQ(thrown([&] { softmax(x, 2); }),
            invalid_argument("[softmax] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { log_softmax(x, 0, i32); }),
            invalid_argument("[log_softmax] the result is floating, not i32"));
  EXPECT_EQ(thrown([&] { layer_norm(x, {2}); }),
            invalid_argument("[layer_norm] (2, 3) does not end in (2,)"));
  EXPECT_EQ(thrown([&] { layer_norm(t, {2}); }),
            invalid_argument("[layer_norm] i64 is not floating; convert it first"));
  EXPECT_EQ(thrown([&] { layer_norm(x, {3}, zeros({2}, here_)); }),
            invalid_argument("[layer_norm] the weight is (2,) f32, not floating (3,)"));
  EXPECT_EQ(thrown([&] { layer_norm(x, {3}, {}, t); }),
            invalid_argument("[layer_norm] the bias is (2,) i64, not floating (3,)"));
  EXPECT_EQ(thrown([&] { rms_norm(x, {}); }), invalid_argument("[rms_norm] (2, 3) does not end in ()"));
  EXPECT_EQ(thrown([&] { normalize(x, 2, 2); }),
            invalid_argument("[normalize] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { cosine_similarity(x, zeros({2}, here_)); }),
            invalid_argument("[cosine_similarity] shapes do not broadcast: (2, 3) and (2,)"));
  EXPECT_EQ(thrown([&] { dropout(x, 1.5); }),
            invalid_argument("[dropout] the probability 1.5 is not in [0, 1]"));
  EXPECT_EQ(thrown([&] { dropout(t); }),
            invalid_argument("[dropout] i64 is not floating; convert it first"));
}

TEST_P(CompositesOn, RefusesAttentionOfWhatDoesNotFit) {
  const Tensor x = zeros({2, 3}, here_), y = zeros({4, 3}, here_);
  const auto attend = [](const Tensor& q, const Tensor& k, const Tensor& v, AttentionOptions o = {}) {
    return thrown([&] { scaled_dot_product_attention(q, k, v, o); });
  };
  const std::string name = "[scaled_dot_product_attention] ";
  EXPECT_EQ(attend(x, x.to(f64), x),
            invalid_argument(name + "operands are f32 and f64; one floating dtype"));
  EXPECT_EQ(attend(x.select(0, 0), x, x),
            invalid_argument(name + "(3,) is no (..., positions, features)"));
  EXPECT_EQ(attend(x, zeros({2, 4}, here_), x),
            invalid_argument(name + "queries (2, 3) and keys (2, 4) differ in their features"));
  EXPECT_EQ(attend(x, x, y), invalid_argument(name + "keys (2, 3) and values (4, 3) differ in number"));
  EXPECT_EQ(attend(x, x, x, {.mask = zeros({2, 2}, here_), .is_causal = true}),
            invalid_argument(name + "is_causal goes without a mask"));
  EXPECT_EQ(attend(x, x, x, {.mask = zeros({2, 2}, {.dtype = i32, .device = device_})}),
            invalid_argument(name + "the mask is i32, not bool or f32"));
  EXPECT_EQ(
      attend(x, y, y, {.mask = zeros({3}, here_)}),
      invalid_argument("[scaled_dot_product_attention] shapes do not broadcast: (3,) and (2, 4)"));
}

}  // namespace
}  // namespace tenon::test
