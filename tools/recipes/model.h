// The models and losses of the recipes.
#pragma once

#include <functional>

#include <tenon/nn.h>

#include "tools/recipes/metrics.h"
#include "tools/recipes/options.h"

namespace tenon::recipes {

/// linear: Linear(features, 1) and MSELoss. logistic: the same with BCEWithLogitsLoss, or with
/// `hidden` units Sequential(Linear, ReLU, Linear).
struct Model {
  nn::Module module;
  std::function<Tensor(const Tensor& x)> forward;                ///< (N, features) -> (N, 1)
  std::function<Tensor(const Tensor& x, const Tensor& y)> loss;  ///< of two (N, 1)
};

/// Starts the thread's default generator at `seed`, from which the initial values are drawn.
Model make_model(Recipe recipe, std::int64_t features, std::int64_t hidden, std::uint64_t seed,
                 Device device);

std::int64_t parameter_count(const nn::Module& module);

}  // namespace tenon::recipes
