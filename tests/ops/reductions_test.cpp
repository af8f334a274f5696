// Reductions: each folds some dimensions.
#include <cmath>

#include <tenon/ops.h>

#include "tests/ops/sweep.h"

namespace tenon::test {
namespace {

/// The elements of x folded over `dims` of it.
template <class Fold>
Reals fold(const Reals& x, const Dims& dims, double first, Fold f) {
  Reals y{x.shape, {}};
  for (const std::int64_t d : dims) y.shape[static_cast<int>(d)] = 1;
  y.values.assign(element_count(y.shape), first);
  for (const Dims& at : coordinates(x.shape)) {
    double& value = y.values[element_at(y.shape, at)];
    value = f(value, x.values[element_at(x.shape, at)]);
  }
  return y;
}

const std::vector<Row> kRows = {
    {.name = "sum",
     .op = [](const auto& x) { return sum(x[0], {0, 2}, true); },
     .oracle = [](const auto& x) { return fold(x[0], {0, 2}, 0, std::plus<>()); },
     .shapes = {{{3, 4, 5}}, {{2, 0, 3}}},
     .dtypes = kNumbers},
};
TENON_ROWS(Reductions, kRows);

}  // namespace
}  // namespace tenon::test
