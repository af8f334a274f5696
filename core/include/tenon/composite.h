// What networks are built of: softmax, normalisation, losses, attention, dropout; a few launches each.
// Differentiable to any order. What 16-bit floats are made of on the way is kept in f32.
#pragma once

#include <cstdint>
#include <optional>

#include <tenon/random.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// exp(x) / Σ exp(x) along one dimension, without overflow; integers become the default dtype.
Tensor softmax(const Tensor& x, int dim, std::optional<DType> dtype = {});
/// Its logarithm.
Tensor log_softmax(const Tensor& x, int dim, std::optional<DType> dtype = {});

/// (x - mean) / √(variance + eps) · weight + bias over the last dimensions, whose extents are `shape`
/// and the weight's and the bias's (Ba, Kiros and Hinton, 2016).
Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
/// x / √(mean of x² + eps) · weight over the last dimensions (Zhang and Sennrich, 2019); eps is the
/// dtype's epsilon unless given.
Tensor rms_norm(const Tensor& x, const Shape& shape, const Tensor& weight = {},
                std::optional<double> eps = {});
/// x / max(norm(x), eps) along one dimension.
Tensor normalize(const Tensor& x, double p = 2, int dim = 1, double eps = 1e-12);
/// x·y / (max(|x|, eps) · max(|y|, eps)) along one dimension of both, broadcast.
Tensor cosine_similarity(const Tensor& x, const Tensor& y, int dim = 1, double eps = 1e-8);

/// What becomes of the losses of a batch.
enum class LossReduction { none, mean, sum };

struct NllLossOptions {
  Tensor weight = {};                ///< of each class; the mean is a weighted one
  std::int64_t ignore_index = -100;  ///< a target that counts as none
  LossReduction reduction = LossReduction::mean;
};
/// -weight[t] · x[t] of log-probabilities x, (N, C, ...) or (C,), at classes `target`, (N, ...) or ().
/// The mean is over the weights of what counts. A target that is no class is InvalidArgument, when an
/// index is (tenon/index.h); none counts from the end.
Tensor nll_loss(const Tensor& x, const Tensor& target, const NllLossOptions& options = {});

struct CrossEntropyOptions {
  Tensor weight = {};
  std::optional<std::int64_t> ignore_index = {};  ///< of class indices; PyTorch's is -100
  LossReduction reduction = LossReduction::mean;
  double label_smoothing = 0;  ///< 0 .. 1: so much of each target is spread over all classes
};
/// -Σ weight · target · log softmax(x) over the classes of x, (N, C, ...) or (C,). The target is class
/// indices, (N, ...) or (), or probabilities of x's shape. With weights or an ignore_index the mean of
/// indices is over the weights of what counts, and a target that is no class is an error, as nll_loss
/// has it. Without either the mean is over rows, and it gives NaN, three launches and not five, or is
/// an error where the device has an op for the whole (two launches).
Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options = {});

/// x with each element 0 with probability p, the others divided by 1 - p; x itself unless `training`.
/// The bits are those of random::bernoulli(x.shape(), 1 - p).
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
               random::Generator& generator = random::default_generator());

struct AttentionOptions {
  Tensor mask = {};                  ///< bool: what is attended to; else added to the scores
  bool is_causal = false;            ///< only keys up to the query's own position
  std::optional<double> scale = {};  ///< 1/√E unless given
  double dropout = 0;                ///< of the weights
};
/// softmax(q·kᵀ · scale + mask)·v: q (..., L, E), k (..., S, E), v (..., S, Ev) -> (..., L, Ev); the
/// mask broadcasts to (..., L, S). A query that attends to nothing gives 0.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {},
                                    random::Generator& generator = random::default_generator());

}  // namespace tenon
#pragma GCC visibility pop
