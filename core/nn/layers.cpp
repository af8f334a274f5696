// Layers, from public ops.
#include <tenon/nn/layers.h>

#include <cmath>

#include <tenon/memory.h>
#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::nn {

Linear::Linear(std::int64_t in, std::int64_t out, LinearOptions options) {
  require(in > 0 && out > 0, "[Linear] {} inputs and {} outputs: both must be positive", in, out);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  const random::UniformOptions range{-bound, bound};
  const MemoryTag tag("parameters");
  weight = add("weight", Parameter(random::uniform({out, in}, range, options.tensor)));
  if (options.bias) bias = add("bias", Parameter(random::uniform({out}, range, options.tensor)));
}

Tensor Linear::forward(const Tensor& x) const {
  require(x.rank() > 0 && x.size(-1) == weight.size(1),
          "[Linear] the last extent of {} is not the weight's {}", x.shape(), weight.size(1));
  return linear(x, weight, bias);
}

Tensor Flatten::forward(const Tensor& x) const {
  if (x.rank() == 0) return x.reshape({1});
  const int first = checked_dim("Flatten", first_, x.rank());
  const int last = checked_dim("Flatten", last_, x.rank());
  require(first <= last, "[Flatten] dimension {} of {} is behind {}", first, x.shape(), last);
  Shape shape;
  for (int d = 0; d < x.rank(); ++d) {
    if (d <= first || d > last) {
      shape.push_back(x.shape()[d]);
    } else {
      shape[first] *= x.shape()[d];
    }
  }
  return x.reshape(shape);
}

Embedding::Embedding(std::int64_t count, std::int64_t width, EmbeddingOptions options)
    : padding_(options.padding_idx) {
  require(count > 0 && width > 0, "[Embedding] {} rows of {}: both must be positive", count, width);
  const MemoryTag tag("parameters");
  weight = add("weight", Parameter(random::normal({count, width}, {}, options.tensor)));
  if (!padding_) return;
  require(*padding_ >= -count && *padding_ < count, "[Embedding] padding_idx {} is not among {} rows",
          *padding_, count);
  if (*padding_ < 0) *padding_ += count;
  weight.detach().select(0, *padding_).fill_(0);
}

// What the padding row gives is cut off the tape: the row gets no gradient.
Tensor Embedding::forward(const Tensor& index) const {
  const Tensor rows = embedding(weight, index);
  if (!padding_ || !rows.requires_grad()) return rows;
  return where((index == *padding_).unsqueeze(-1), rows.detach(), rows);
}

Dropout::Dropout(double p) : p_(p) {
  require(p >= 0 && p <= 1, "[Dropout] p is {}: it must be from 0 to 1", p);
}

Tensor Dropout::forward(const Tensor& x) const {
  return dropout(x, p_, is_training());
}

LayerNorm::LayerNorm(const Shape& shape, LayerNormOptions options) : shape_(shape), eps_(options.eps) {
  require(shape.size() > 0 && numel(shape, "LayerNorm") > 0,
          "[LayerNorm] {} is no shape to normalise over", shape);
  require(eps_ >= 0, "[LayerNorm] eps is {}: it must be at least 0", eps_);
  const MemoryTag tag("parameters");
  if (options.affine) weight = add("weight", Parameter(ones(shape, options.tensor)));
  if (options.affine && options.bias) bias = add("bias", Parameter(zeros(shape, options.tensor)));
}

Tensor LayerNorm::forward(const Tensor& x) const {
  return layer_norm(x, shape_, weight, bias, eps_);
}

}  // namespace tenon::nn
