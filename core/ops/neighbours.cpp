// Differences and sums of neighbours along a dimension.
#include "core/ops/neighbours.h"

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using ops::without_first;
using ops::without_last;

void check_joinable(const Tensor& x, const Tensor& part, std::string_view name, int dim) {
  require(part.dtype() == x.dtype(), "[diff] {} is {} and x {}; convert one", name,
          tenon::name(part.dtype()), tenon::name(x.dtype()));
  Shape expected = x.shape();
  if (part.rank() == x.rank()) expected[dim] = part.size(dim);
  require(part.shape() == expected, "[diff] {} {} does not fit {} along dimension {}", name,
          part.shape(), x.shape(), dim);
  const Tensor both[] = {x, part};
  ops::common_device("diff", both);
}

/// Integers as the default dtype: their sums and differences may not fit.
Tensor real(std::string_view op, const Tensor& x) {
  return is_floating(impl_of(x, op).dtype) ? x : x.to(default_dtype());
}

/// The width of each panel of y along dim: shaped to broadcast.
Tensor panels(std::string_view op, const Tensor& y, const Tensor& places, int dim) {
  const Tensor both[] = {y, places};
  ops::common_device(op, both);
  const Tensor x = real(op, places);
  if (x.rank() != 1) {
    bool fits = x.rank() == y.rank();
    for (int d = 0; fits && d < x.rank(); ++d) fits = x.size(d) == 1 || x.size(d) == y.size(d);
    require(fits, "[{}] places {} do not broadcast to {}", op, x.shape(), y.shape());
    return diff(x.expand(y.shape()), {.dim = dim});
  }
  require(x.size(0) == y.size(dim), "[{}] there are {} places, and {} values along dimension {}", op,
          x.size(0), y.size(dim), dim);
  Shape column = Dims::filled(y.rank(), 1);
  const Tensor widths = diff(x);
  column[dim] = widths.size(0);
  return widths.view(column);
}

int dimension_of(std::string_view op, const Tensor& y, int dim) {
  impl_of(y, op);
  require(y.rank() > 0, "[{}] a 0-d tensor has no dimension to go along", op);
  return checked_dim(op, dim, y.rank());
}

/// y[i] + y[i + 1].
Tensor sums_of_neighbours(std::string_view op, const Tensor& integrand, int dim) {
  const Tensor y = real(op, integrand);
  return without_first(y, dim) + without_last(y, dim);
}

}  // namespace

Tensor diff(const Tensor& x, const DiffOptions& options) {
  const int d = dimension_of("diff", x, options.dim);
  require(options.n >= 0, "[diff] n is {}", options.n);
  std::vector<Tensor> parts{x};
  if (options.prepend.defined()) {
    check_joinable(x, options.prepend, "prepend", d);
    parts.insert(parts.begin(), options.prepend);
  }
  if (options.append.defined()) {
    check_joinable(x, options.append, "append", d);
    parts.push_back(options.append);
  }
  Tensor y = parts.size() == 1 ? x : cat(parts, d);
  for (std::int64_t i = 0; i < options.n && y.size(d) > 0; ++i) {
    const Tensor later = without_first(y, d), earlier = without_last(y, d);
    y = x.dtype() == bool_ ? later != earlier : later - earlier;
  }
  return y;
}

Tensor trapezoid(const Tensor& y, double dx, int dim) {
  const int d = dimension_of("trapezoid", y, dim);
  return sum(sums_of_neighbours("trapezoid", y, d) * (dx / 2), d);
}
Tensor trapezoid(const Tensor& y, const Tensor& x, int dim) {
  const int d = dimension_of("trapezoid", y, dim);
  return sum(sums_of_neighbours("trapezoid", y, d) * (panels("trapezoid", y, x, d) * 0.5), d);
}
Tensor cumulative_trapezoid(const Tensor& y, double dx, int dim) {
  const int d = dimension_of("cumulative_trapezoid", y, dim);
  return cumsum(sums_of_neighbours("cumulative_trapezoid", y, d) * (dx / 2), d);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int dim) {
  const int d = dimension_of("cumulative_trapezoid", y, dim);
  return cumsum(sums_of_neighbours("cumulative_trapezoid", y, d) *
                    (panels("cumulative_trapezoid", y, x, d) * 0.5),
                d);
}

}  // namespace tenon
