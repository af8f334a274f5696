// One function builds every model, so that training and evaluation cannot differ.
#include "tools/recipes/model.h"

#include <tenon/random.h>

namespace tenon::recipes {
namespace {

template <class M>
Model wrap(const M& module, Recipe recipe) {
  Model model{.module = module, .forward = module, .loss = nn::MSELoss()};
  if (recipe == Recipe::Logistic) model.loss = nn::BCEWithLogitsLoss();
  return model;
}

}  // namespace

Model make_model(Recipe recipe, std::int64_t features, std::int64_t hidden, std::uint64_t seed,
                 Device device) {
  random::manual_seed(seed);
  const nn::LinearOptions options{.tensor = {.device = device}};
  if (hidden == 0) return wrap(nn::Linear(features, 1, options), recipe);
  // Built in order: the initial values of both layers come from one generator.
  const nn::Linear first(features, hidden, options);
  const nn::Linear second(hidden, 1, options);
  return wrap(nn::Sequential(first, nn::ReLU(), second), recipe);
}

std::int64_t parameter_count(const nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace tenon::recipes
