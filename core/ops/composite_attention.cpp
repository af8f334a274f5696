// Dropout, whose mask backward draws again, and attention: a product with its scale and mask, softmax,
// a product.
#include <cmath>
#include <limits>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/formula.h"
#include "core/ops/products.h"
#include "core/ops/program_table.h"
#include "core/ops/random_programs.h"
#include "core/ops/run.h"
#include "core/ops/softmax.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// One draw of what stays.
struct Draw {
  std::uint64_t offset, seed;
  double p;
};

Tensor dropped(const Tensor& x, const Draw& draw);

Tensor drop(const Tensor& x, const Draw& draw) {
  static auto& programs = *new ops::ProgramTable<DType>;
  const DType dtype = x.dtype();
  const auto& program = programs.get(dtype, [&] { return random::dropout_program(dtype); });
  const auto threshold = static_cast<std::uint64_t>(std::nearbyint((1 - draw.p) * 0x1p32));
  const double scale = draw.p < 1 ? 1 / (1 - draw.p) : 0;
  const Tensor y = allocate(x.shape(), dtype, x.device());
  const ops::Operands operands{{y},
                               {{Tensor(), 0, contiguous_strides(x.shape())}, {x}},
                               {draw.offset, draw.seed, threshold & 0xffffffff, threshold >> 32,
                                Scalar(scale).bits(ops::accumulator(dtype))}};
  ops::run("dropout", program, {&operands, 1});
  return y;
}

Tensor dropped(const Tensor& x, const Draw& draw) {
  const Tensor y = drop(x, draw);
  if (autograd::needs_record({&x, 1})) {
    autograd::record("dropout", {&x, 1}, {&y, 1}, [draw](std::span<const Tensor> dy) {
      return std::vector<Tensor>{dropped(dy[0], draw)};
    });
  }
  return y;
}

constexpr std::string_view kAttention = "scaled_dot_product_attention";

void check_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  for (const Tensor* x : {&q, &k, &v}) {
    const DType dtype = impl_of(*x, kAttention).dtype;
    require(is_floating(dtype) && dtype == q.dtype(), "[{}] operands are {} and {}; one floating dtype",
            kAttention, name(q.dtype()), name(dtype));
    require(x->rank() >= 2, "[{}] {} is no (..., positions, features)", kAttention, x->shape());
  }
  const Tensor operands[] = {q, k, v};
  ops::common_device(kAttention, operands);
  require(q.size(-1) == k.size(-1), "[{}] queries {} and keys {} differ in their features", kAttention,
          q.shape(), k.shape());
  require(k.size(-2) == v.size(-2), "[{}] keys {} and values {} differ in number", kAttention,
          k.shape(), v.shape());
}

/// 0 where a key is attended to, -infinity elsewhere.
template <class Condition>
Tensor bias(const Shape& shape, DType dtype, Device device, Condition condition) {
  ops::Formula f(dtype);
  f.output(select(condition(f), f.constant(0), f.constant(-HUGE_VAL)), dtype);
  return f.run(kAttention, shape, device);
}

Tensor causal_bias(std::int64_t queries, std::int64_t keys, DType dtype, Device device) {
  const DType counter = std::max(queries, keys) <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
  return bias({queries, keys}, dtype, device, [&](ops::Formula& f) {
    const auto query = f.coordinate(0, 2, counter), key = f.coordinate(1, 2, counter);
    return key <= query;
  });
}

/// What is added to the scores, undefined where nothing is.
Tensor score_bias(const Tensor& q, const Tensor& k, const AttentionOptions& options) {
  const Tensor& mask = options.mask;
  require(!mask.defined() || !options.is_causal, "[{}] is_causal goes without a mask", kAttention);
  if (options.is_causal) return causal_bias(q.size(-2), k.size(-2), q.dtype(), q.device());
  if (!mask.defined()) return {};
  require(mask.dtype() == bool_ || mask.dtype() == q.dtype(), "[{}] the mask is {}, not bool or {}",
          kAttention, name(mask.dtype()), name(q.dtype()));
  if (mask.dtype() != bool_) return mask;
  return bias(mask.shape(), q.dtype(), q.device(), [&](ops::Formula& f) { return f.raw(mask); });
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, random::Generator& generator) {
  const DType dtype = impl_of(x, "dropout").dtype;
  require(p >= 0 && p <= 1, "[dropout] the probability {} is not in [0, 1]", p);
  require(is_floating(dtype), "[dropout] {} is not floating; convert it first", name(dtype));
  if (!training) return x;
  return dropped(x, {generator.next_offset(), generator.seed(), p});
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options, random::Generator& generator) {
  check_attention(query, key, value);
  const Tensor bias = score_bias(query, key, options);
  const double features = static_cast<double>(query.size(-1));
  const double scale = options.scale.value_or(1 / std::sqrt(features));
  const Tensor scores =
      ops::affine_product(kAttention, bias, query, key.transpose(-2, -1), {.alpha = scale});
  const Tensor weights = ops::softmax(kAttention, ops::Softmax::masked, scores, -1, query.dtype());
  return matmul(options.dropout == 0 ? weights : dropout(weights, options.dropout, true, generator),
                value);
}

}  // namespace tenon
