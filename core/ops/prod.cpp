// Products of elements. The gradient of one is the product of all others, made of pairs of pairs and
// without a division: so zeros are elements like others, to any order.
#include <bit>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/fold.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// For each element of the rows of x the product of the other ones; their number is a power of two.
Tensor others(const Tensor& x) {
  const std::int64_t rows = x.size(0), n = x.size(1);
  if (n == 1) return ones_like(x);
  const Tensor pairs = x.reshape({rows, n / 2, 2});
  const Tensor rest = others(pairs.select(2, 0) * pairs.select(2, 1));
  return (rest.unsqueeze(2) * pairs.slice(2, {.step = -1})).reshape(x.shape());
}

/// The dimensions of a fold in the order kept..., folded...
Dims kept_first(const ops::Fold& fold) {
  Dims order;
  for (const bool folded : {false, true}) {
    for (int d = 0; d < fold.shape.size(); ++d) {
      if ((fold.axes >> d & 1) == folded) order.push_back(d);
    }
  }
  return order;
}

Dims inverse(const Dims& order) {
  Dims back = order;
  for (int i = 0; i < order.size(); ++i) back[static_cast<int>(order[i])] = i;
  return back;
}

/// d(prod)/dx.
Tensor prod_gradient(const Tensor& x, const ops::Fold& fold) {
  const Dims order = kept_first(fold);
  const Tensor rows = x.permute(order);
  const auto n = static_cast<std::int64_t>(fold.count);
  const auto padded = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
  const Tensor matrix = pad(rows.reshape({numel(fold.kept), n}), {0, padded - n}, {.value = 1});
  return others(matrix).slice(1, {.stop = n}).reshape(rows.shape()).permute(inverse(order));
}

}  // namespace

Tensor prod(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  impl_of(x, "prod");
  const DType to = dtype.value_or(ops::sum_dtype(autograd::autocast_dtype(autograd::Cast::wide, x)));
  require(to != bool_, "[prod] bool holds no products; ask for an integer dtype, or use all()");
  const ops::Fold fold = ops::fold_of("prod", x.shape(), dims, keepdim);
  if (!autograd::needs_record({&x, 1}) || !is_floating(to)) {
    return ops::folded("prod", fold, TENON_REDUCE_PROD, x, to, to);
  }
  const Tensor from = x.to(to);
  const Tensor y = ops::folded("prod", fold, TENON_REDUCE_PROD, from, to, to);
  autograd::record("prod", {&from, 1}, {&y, 1},
                   [fold, saved = autograd::Saved(from)](std::span<const Tensor> dy) {
                     const Tensor& elements = saved.get("prod");
                     const Tensor wide = elements.to(ops::accumulator(elements.dtype()));
                     const Tensor dx = prod_gradient(wide, fold) * dy[0].reshape(fold.kept);
                     return std::vector<Tensor>{dx.to(elements.dtype())};
                   });
  return y;
}

Tensor& prod_out(Tensor& out, const Tensor& x, const Dims& dims, bool keepdim,
                 std::optional<DType> dtype) {
  return ops::write_out("prod", out, {x}, [&] { return prod(x, dims, keepdim, dtype); });
}

}  // namespace tenon
