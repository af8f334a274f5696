// Batches are summed on the host in double, in order.
#include "tools/recipes/score.h"

#include <tenon/autograd.h>

namespace tenon::recipes {
namespace {

constexpr std::int64_t kBatch = 1024;

std::vector<double> original_units(const Encoding& encoding, const Tensor& x) {
  std::vector<double> values;
  for (const float value : x.to_vector<float>())
    values.push_back(static_cast<double>(value) * encoding.target_scale + encoding.target_mean);
  return values;
}

void append(std::vector<double>& values, const std::vector<double>& more) {
  values.insert(values.end(), more.begin(), more.end());
}

/// Calls f with the rows of each batch.
template <class F>
void each_batch(std::int64_t count, F f) {
  for (std::int64_t begin = 0; begin < count; begin += kBatch)
    f(Slice{begin, std::min(begin + kBatch, count)});
}

}  // namespace

std::vector<double> outputs_of(const Model& model, const Encoding& encoding, const Tensor& x) {
  const NoGrad guard;
  model.module.eval();
  std::vector<double> outputs;
  each_batch(x.size(0), [&](Slice rows) {
    append(outputs, original_units(encoding, model.forward(x.slice(0, rows))));
  });
  return outputs;
}

Score score(const Model& model, const Encoding& encoding, const data::Example& rows) {
  const NoGrad guard;
  model.module.eval();
  std::vector<double> outputs, targets;
  double loss = 0;
  const std::int64_t count = rows.x.size(0);
  each_batch(count, [&](Slice range) {
    const Tensor x = rows.x.slice(0, range), y = rows.y.slice(0, range);
    const Tensor output = model.forward(x);
    loss += model.loss(output, y).item<double>() * static_cast<double>(x.size(0));
    append(outputs, original_units(encoding, output));
    append(targets, original_units(encoding, y));
  });
  return {.loss = loss / static_cast<double>(count),
          .metrics = encoding.classes.empty() ? regression_metrics(outputs, targets)
                                              : classification_metrics(outputs, targets)};
}

}  // namespace tenon::recipes
