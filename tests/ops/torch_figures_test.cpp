// What PyTorch gives, and the gradients it gives, for reductions, composites, einsum and reducing
// scatters: figures that tests/figures/*.py made.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/paths.h"

namespace tenon::test {
namespace {

using Json = nlohmann::json;
using Tensors = std::vector<Tensor>;
using Op = std::function<Tensor(const Tensors&)>;

constexpr double kInf = std::numeric_limits<double>::infinity();

Json figures(const std::string& name) {
  std::ifstream file(std::string(TENON_TEST_SOURCE_DIR) + "/tests/figures/" + name + ".json");
  return Json::parse(file);
}

Tensor tensor_from(const Json& json, DType dtype, Device device) {
  Shape shape;
  for (const auto& extent : json.at("shape")) shape.push_back(extent.get<std::int64_t>());
  return tensor_of({shape, json.at("values").get<std::vector<double>>()}, dtype, device);
}

void expect_close(const Tensor& got, const Json& wanted, double bound) {
  const Reals found = reals_of(got);
  const auto values = wanted.at("values").get<std::vector<double>>();
  ASSERT_EQ(found.values.size(), values.size());
  double largest = 1e-3;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(found.values[i], values[i], bound * largest) << "element " << i;
  }
}

void check(const Json& figure, const Op& op, DType dtype, Device device) {
  Tensors inputs;
  for (const Json& input : figure.at("inputs")) {
    inputs.push_back(tensor_from(input, dtype, device).set_requires_grad());
  }
  const double bound = dtype == f64 ? 1e-10 : 1e-5;
  const Tensor y = op(inputs);
  expect_close(y, figure.at("result"), bound);
  const Tensor weights = tensor_from(figure.at("weights"), dtype, device).view(y.shape());
  if (!y.requires_grad()) return;
  const Tensors gradients = autograd::grad({&y, 1}, inputs, {&weights, 1});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE("gradient of input " + std::to_string(i));
    const Tensor dx = gradients[i].defined() ? gradients[i] : zeros_like(inputs[i]);
    expect_close(dx, figure.at("gradients")[i], bound);
  }
}

class TorchFigures : public testing::TestWithParam<std::string> {
 protected:
  /// Every figure of the file, by the op that `op_for` has for its name.
  void check_all(const std::string& file, const std::function<Op(const std::string&)>& op_for) {
    const Json all = figures(file);
    ASSERT_FALSE(all.empty());
    for (const DType dtype : {f32, f64}) {
      for (const auto& [name, figure] : all.items()) {
        SCOPED_TRACE(name + ' ' + std::string(tenon::name(dtype)));
        where_stored([&] { check(figure, op_for(name), dtype, device(GetParam())); });
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Ops, TorchFigures, testing::ValuesIn(row_devices()), device_test_name);

const std::map<std::string, Op> kReductions = {
    {"logsumexp", [](const auto& x) { return logsumexp(x[0], {0, 1}); }},
    {"logsumexp of infinities",
     [](const auto& x) {
       const Tensor edge = tensor({0.0, 0.0, 0.0, -kInf}, {.device = x[0].device()});
       return logsumexp(x[0] + edge.to(x[0].dtype()), {1});
     }},
    {"prod", [](const auto& x) { return prod(x[0], {1}); }},
    {"prod of zeros", [](const auto& x) { return prod(x[0], {1}); }},
    {"amax of equals", [](const auto& x) { return amax(x[0], {0, 1}); }},
    {"max of equals", [](const auto& x) { return max(x[0], 1).values; }},
    {"norm of zeros", [](const auto& x) { return norm(x[0], 2, {1}); }},
};

/// "var 0.5" and the like are by their numbers.
Op reduction(const std::string& name) {
  const auto space = name.find(' ');
  const std::string kind = name.substr(0, space);
  if (const auto found = kReductions.find(name); found != kReductions.end()) return found->second;
  const double number = std::stod(name.substr(space + 1));
  if (kind == "var") return [=](const auto& x) { return var(x[0], {1}, {.correction = number}); };
  if (kind == "std") return [=](const auto& x) { return std(x[0], {0}, {.correction = number}); };
  return [=](const auto& x) { return norm(x[0], number, {1}); };
}

TEST_P(TorchFigures, Reductions) {
  check_all("reduce", reduction);
}

TEST_P(TorchFigures, Einsum) {
  check_all("einsum", [](const std::string& equation) {
    return [equation](const Tensors& x) { return einsum(equation, x); };
  });
}

Tensor target(const Tensor& x) {
  return tensor({3, 0, 4, 0}, {.dtype = i32, .device = x.device()});
}
Tensor target_with_ignored(const Tensor& x) {
  return tensor({3, -100, 4, 0}, {.dtype = i32, .device = x.device()});
}
Tensor weight(const Tensor& x) {
  return tensor({0.5, 1.0, 2.0, 0.25, 1.5}, {.dtype = x.dtype(), .device = x.device()});
}

LossReduction reduction_in(const std::string& name) {
  if (name.find("none") != std::string::npos) return LossReduction::none;
  return name.find("mean") != std::string::npos ? LossReduction::mean : LossReduction::sum;
}

const std::map<std::string, Op> kComposites = {
    {"layer_norm", [](const auto& x) { return layer_norm(x[0], {3, 4}, x[1], x[2]); }},
    {"layer_norm of rows", [](const auto& x) { return layer_norm(x[0], {4}, {}, {}, 0.01); }},
    {"rms_norm", [](const auto& x) { return rms_norm(x[0], {3, 4}, x[1], 1e-6); }},
    {"softmax", [](const auto& x) { return softmax(x[0], 1); }},
    {"log_softmax", [](const auto& x) { return log_softmax(x[0] * 50, -1); }},
    {"normalize", [](const auto& x) { return normalize(x[0], 3, -1); }},
    {"cosine_similarity", [](const auto& x) { return cosine_similarity(x[0], x[1], -1); }},
    {"cross_entropy of images",
     [](const auto& x) {
       return cross_entropy(x[0].reshape({2, 5, 2}), target(x[0]).view({2, 2}),
                            {.weight = weight(x[0])});
     }},
    {"attention", [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); }},
    {"attention causal",
     [](const auto& x) {
       return scaled_dot_product_attention(x[0], x[1], x[2], {.is_causal = true, .scale = 0.7});
     }},
    {"attention added",
     [](const auto& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = x[3]}); }},
    {"attention masked",
     [](const auto& x) {
       const Tensor mask = tensor({{1, 0, 1, 1, 0}, {0, 0, 0, 0, 0}, {0, 1, 0, 0, 0}},
                                  {.dtype = bool_, .device = x[0].device()});
       return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = mask});
     }},
};

/// "cross_entropy mean 0.3 weighted 0", "nll_loss sum plain default" and the like are by their words.
Op composite(const std::string& name) {
  if (const auto found = kComposites.find(name); found != kComposites.end()) return found->second;
  const auto has = [&](std::string_view word) { return name.find(word) != std::string::npos; };
  CrossEntropyOptions options{.reduction = reduction_in(name), .label_smoothing = has("0.3") ? 0.3 : 0};
  if (name.ends_with(" 0")) options.ignore_index = 0;
  if (has("default")) options.ignore_index = -100;
  return [options, is_nll = has("nll_loss"), of_parts = has("probabilities"),
          is_weighted = has("weighted"), is_ignored = has("default")](const Tensors& x) {
    CrossEntropyOptions own = options;
    if (is_weighted) own.weight = weight(x[0]);
    const Tensor t = of_parts ? x[1] : is_ignored ? target_with_ignored(x[0]) : target(x[0]);
    if (is_nll) return nll_loss(x[0], t, {own.weight, own.ignore_index.value_or(-100), own.reduction});
    return cross_entropy(x[0], t, own);
  };
}

TEST_P(TorchFigures, Composites) {
  check_all("composite", composite);
}

Tensor places(const Tensor& x, const Shape& shape, const std::vector<std::int64_t>& values) {
  return from_values(std::span(values), shape, {.dtype = i32, .device = x.device()});
}
/// Of scatters along dimension 1 of (3, 4).
Tensor along(const Tensor& x) {
  return places(x, {3, 5}, {0, 3, 0, 1, 3, 2, 2, 2, 2, 0, 1, 0, 1, 3, 1});
}
Tensor many(const Tensor& x) {
  return places(x, {4}, {1, 0, 2, 3});
}

const std::map<std::string, Op> kForms = {
    {"scatter_reduce prod zeros",
     [](const auto& x) { return scatter_reduce(x[0], 1, along(x[0]), x[1], Reduce::prod); }},
    {"scatter_reduce mean whole",
     [](const auto& x) {
       return scatter_reduce(x[0].to(i32), 1, along(x[0]), x[1].to(i32), Reduce::mean);
     }},
    {"put accumulate",
     [](const auto& x) { return put(x[0], places(x[0], {2, 2}, {11, 0, 5, 11}), x[1], true); }},
    {"masked_scatter",
     [](const auto& x) { return masked_scatter(x[0], along(x[0]).slice(1, {.stop = 4}) > 1, x[1]); }},
    {"diag", [](const auto& x) { return diag(x[0], 1); }},
    {"diag of a line", [](const auto& x) { return diag(x[0], -1); }},
    {"diag_embed", [](const auto& x) { return diag_embed(x[0], 1, 0, 2); }},
    {"diagflat", [](const auto& x) { return diagflat(x[0], -2); }},
    {"diagonal_scatter", [](const auto& x) { return diagonal_scatter(x[0], x[1], -1); }},
    {"block_diag", [](const auto& x) { return block_diag(x); }},
    {"cartesian_prod", [](const auto& x) { return cartesian_prod(x); }},
    {"vander", [](const auto& x) { return vander(x[0]); }},
    {"vander rising", [](const auto& x) { return vander(x[0], 3, true); }},
    {"addbmm", [](const auto& x) { return addbmm(x[0], x[1], x[2], {.beta = 0.5, .alpha = 2}); }},
    {"cov", [](const auto& x) { return cov(x[0]); }},
    {"cov 0", [](const auto& x) { return cov(x[0], {.correction = 0}); }},
    {"cov counted", [](const auto& x) { return cov(x[0], {.fweights = many(x[0])}); }},
    {"cov weighted",
     [](const auto& x) {
       return cov(x[0], {.correction = 2, .fweights = many(x[0]), .aweights = x[1]});
     }},
    {"cov of one", [](const auto& x) { return cov(x[0]); }},
    {"corrcoef", [](const auto& x) { return corrcoef(x[0]); }},
    {"corrcoef of one", [](const auto& x) { return corrcoef(x[0]); }},
    {"mode", [](const auto& x) { return mode(x[0], 1).values; }},
    {"mode places", [](const auto& x) { return mode(x[0], 0).indices; }},
    {"tril_indices", [](const auto& x) { return tril_indices(4, 3, -1, {.device = x[0].device()}); }},
    {"triu_indices", [](const auto& x) { return triu_indices(3, 4, 1, {.device = x[0].device()}); }},
};

/// "unique counts 1" and the like.
Tensor distinct(const std::string& name, const Tensor& x) {
  const UniqueOptions options{.inverse = true, .counts = true, .dim = name.back() - '0'};
  const Unique all = name.starts_with("unique") ? unique(x, options) : unique_consecutive(x, options);
  if (name.find("values") != std::string::npos) return all.values;
  return name.find("inverse") != std::string::npos ? all.inverse : all.counts;
}

/// "scatter_reduce prod True" and the like are by their words.
Op form(const std::string& name) {
  if (const auto found = kForms.find(name); found != kForms.end()) return found->second;
  const auto space = name.find(' ');
  const std::string kind = name.substr(0, space),
                    word = name.substr(space + 1, name.rfind(' ') - space - 1);
  if (kind == "matrix_power") {
    return [n = std::stoi(name.substr(space))](const Tensors& x) { return matrix_power(x[0], n); };
  }
  if (kind == "unique" || kind == "consecutive") {
    return [name](const Tensors& x) { return distinct(name, x[0]); };
  }
  const std::map<std::string, Reduce> ways = {{"sum", Reduce::sum},
                                              {"prod", Reduce::prod},
                                              {"mean", Reduce::mean},
                                              {"amax", Reduce::amax},
                                              {"amin", Reduce::amin}};
  const Reduce how = ways.at(word);
  const bool self = name.ends_with("True");
  if (kind == "scatter_reduce") {
    return [=](const Tensors& x) { return scatter_reduce(x[0], 1, along(x[0]), x[1], how, self); };
  }
  return [=](const Tensors& x) {
    return index_reduce(x[0], 1, places(x[0], {4}, {1, 3, 1, 1}), x[1], how, self);
  };
}

TEST_P(TorchFigures, Forms) {
  check_all("forms", form);
}

}  // namespace
}  // namespace tenon::test
