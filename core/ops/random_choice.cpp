// Drawing categories by their weights: places in cumulated weights, or the least of waiting times.
#include <cmath>

#include <tenon/autograd.h>
#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/base/fail.h"
#include "core/ops/random_programs.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::random {
namespace {

void check_arguments(const Tensor& weights, std::int64_t count, bool replacement) {
  const DType dtype = impl_of(weights, "multinomial").dtype;
  require(is_floating(dtype), "[multinomial] weights are floating, not {}", name(dtype));
  require(weights.rank() == 1 || weights.rank() == 2,
          "[multinomial] weights are 1-D or rows of 2-D, not {}", weights.shape());
  require(count >= 0, "[multinomial] the count is {}", count);
  const std::int64_t n = weights.size(-1);
  require(replacement || count <= n,
          "[multinomial] {} of {} categories can't be drawn without replacement", count, n);
  require(n > 0 || count == 0, "[multinomial] there are no categories");
}

void check_values(const Tensor& p, std::int64_t count, bool replacement) {
  require(!any((p < 0) | ~isfinite(p)).item<bool>(),
          "[multinomial] a weight is negative, infinite or NaN");
  const auto fewest = amin(count_nonzero(p, {-1})).item<std::int64_t>();
  const std::int64_t needed = replacement ? 1 : count;
  require(fewest >= needed, "[multinomial] a row has {} weights above 0, and {} are to be drawn",
          fewest, needed);
}

/// The first category whose cumulated weight lies above a number that is uniform below their sum.
Tensor with_replacement(const Tensor& p, std::int64_t count, Generator& generator) {
  const Tensor sums = cumsum(p, -1);
  const Tensor total = sums.narrow(-1, p.size(-1) - 1, 1);
  Shape shape = p.shape();
  shape[shape.size() - 1] = count;
  const Tensor u = uniform(shape, {}, {.dtype = p.dtype(), .device = p.device()}, generator);
  return searchsorted(sums, minimum(u * total, nextafter(total, 0)), true);
}

/// Whose waiting times end first.
Tensor without_replacement(const Tensor& p, std::int64_t count, Generator& generator) {
  const Tensor numbers =
      exponential(p.shape(), 1, {.dtype = p.dtype(), .device = p.device()}, generator);
  const Tensor inputs[] = {numbers, p};
  const Tensor times = ops::run("multinomial", waiting_program(p.dtype()), inputs).front();
  return topk(times, count, -1, false).indices;
}

}  // namespace

Tensor multinomial(const Tensor& weights, std::int64_t count, bool replacement, Generator& generator) {
  check_arguments(weights, count, replacement);
  const NoGrad guard;
  const Tensor p = weights.detach().to(ops::accumulator(weights.dtype()));
  Shape shape = p.shape();
  shape[shape.size() - 1] = count;
  if (numel(shape) == 0) return empty(shape, {.dtype = i64, .device = p.device()});
  check_values(p, count, replacement);
  return replacement ? with_replacement(p, count, generator) : without_replacement(p, count, generator);
}

}  // namespace tenon::random
