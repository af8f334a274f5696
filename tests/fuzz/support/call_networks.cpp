#include <cstring>

#include "tests/fuzz/support/call_table.h"

namespace tenon::fuzz {
namespace {

void add_composites(Table& table) {
  table.insert(
      table.end(),
      {line("softmax", softmax), line("log_softmax", log_softmax),
       line("layer_norm",
            [](const Tensor& x, const Extents& shape, const Maybe& weight, const Maybe& bias,
               double eps) { return layer_norm(x, shape, weight, bias, eps); }),
       line("rms_norm", [](const Tensor& x, const Extents& shape, const Maybe& weight,
                           std::optional<double> eps) { return rms_norm(x, shape, weight, eps); }),
       line("normalize", normalize), line("cosine_similarity", cosine_similarity),
       line("nll_loss", [](const Tensor& x, const Places& target,
                           const NllLossOptions& options) { return nll_loss(x, target, options); }),
       line("cross_entropy",
            [](const Tensor& x, const Places& target, const CrossEntropyOptions& options) {
              return cross_entropy(x, target, options);
            }),
       line("cross_entropy", cross_entropy), line("dropout", dropout),
       line("scaled_dot_product_attention", scaled_dot_product_attention)});
}

void add_creation(Table& table) {
  table.insert(
      table.end(),
      {line("empty", [](const Extents& shape,
                        TensorOptions options) { return empty(shape, options).detach().fill_(1); }),
       line("full", [](const Extents& shape, Scalar value,
                       TensorOptions options) { return full(shape, value, options); }),
       line("zeros", [](const Extents& shape, TensorOptions options) { return zeros(shape, options); }),
       line("ones", [](const Extents& shape, TensorOptions options) { return ones(shape, options); }),
       line("empty_like",
            [](const Tensor& x, TensorOptions options) {
              return empty_like(x, options).detach().fill_(1);
            }),
       line("full_like", full_like), line("zeros_like", zeros_like), line("ones_like", ones_like),
       overload<Tensor(Scalar, Scalar, Scalar, TensorOptions)>("arange", arange),
       overload<Tensor(Scalar, TensorOptions)>("arange", arange), line("linspace", linspace),
       line("logspace", logspace),
       overload<Tensor(std::int64_t, std::optional<std::int64_t>, std::int64_t, TensorOptions)>("eye",
                                                                                                eye),
       overload<Tensor(std::int64_t, TensorOptions)>("eye", eye), line("tril", tril),
       line("triu", triu),
       line("meshgrid", [](const std::vector<Tensor>& axes,
                           MeshIndexing indexing) { return meshgrid(axes, indexing); }),
       line("from_bytes",
            [](const Extents& shape, std::int64_t count, const TensorOptions& options) {
              const std::vector<std::byte> bytes(static_cast<std::size_t>(count & 63));
              return from_bytes(bytes, shape, options);
            }),
       overload<Tensor(Scalar, TensorOptions)>("tensor", tensor)});
}

void add_random(Table& table) {
  using random::Generator;
  table.insert(
      table.end(),
      {line("uniform", [](const Extents& shape, random::UniformOptions range, TensorOptions options,
                          Generator& by) { return random::uniform(shape, range, options, by); }),
       line("normal", [](const Extents& shape, random::NormalOptions how, TensorOptions options,
                         Generator& by) { return random::normal(shape, how, options, by); }),
       line("exponential", [](const Extents& shape, double rate, TensorOptions options,
                              Generator& by) { return random::exponential(shape, rate, options, by); }),
       line("bernoulli", [](const Extents& shape, double p, TensorOptions options,
                            Generator& by) { return random::bernoulli(shape, p, options, by); }),
       line("integers", [](const Extents& shape, random::IntegersOptions range, TensorOptions options,
                           Generator& by) { return random::integers(shape, range, options, by); }),
       line("permutation", random::permutation)});
}

}  // namespace

void add_networks(Table& table) {
  add_composites(table);
  add_creation(table);
  add_random(table);
}

}  // namespace tenon::fuzz
