// What accumulates along a dimension. A 0-d tensor counts as one of one element. Scans combine in the
// order of a tree, the same on every device; differentiable to any order. f_(x, dim) writes over x, in
// its dtype, and is recorded; f_out(out, ..) writes into a tensor of x's shape, and is not.
#pragma once

#include <cstdint>
#include <optional>

#include <tenon/reduce.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// y[i] = x[0] + .. + x[i], in `dtype`, to which x is converted first; without it integers and bool are
/// summed in i64, unsigned ones in u64.
Tensor cumsum(const Tensor& x, int dim, std::optional<DType> dtype = {});
Tensor& cumsum_(Tensor& x, int dim);
Tensor& cumsum_out(Tensor& out, const Tensor& x, int dim, std::optional<DType> dtype = {});
/// y[i] = x[0] · .. · x[i], with cumsum's dtypes. The gradient is right where elements are 0, too.
Tensor cumprod(const Tensor& x, int dim, std::optional<DType> dtype = {});
Tensor& cumprod_(Tensor& x, int dim);
Tensor& cumprod_out(Tensor& out, const Tensor& x, int dim, std::optional<DType> dtype = {});

struct CumulativeOptions {
  std::optional<int> dim = {};  ///< may be left out where x is 1-D
  std::optional<DType> dtype = {};
  bool include_initial = false;  ///< begin with the sum, or product, of nothing
};

/// The array API's cumsum and cumprod.
Tensor cumulative_sum(const Tensor& x, const CumulativeOptions& options = {});
Tensor cumulative_prod(const Tensor& x, const CumulativeOptions& options = {});

/// The greatest of x[0] .. x[i] and its place: the last of equals; NaN wins, again the last.
ValuesAndIndices cummax(const Tensor& x, int dim);
/// The least, likewise.
ValuesAndIndices cummin(const Tensor& x, int dim);
/// y[i] = log(exp(x[0]) + .. + exp(x[i])) without overflow; of a floating dtype.
Tensor logcumsumexp(const Tensor& x, int dim);

struct DiffOptions {
  std::int64_t n = 1;  ///< how often
  int dim = -1;
  Tensor prepend = {};  ///< before x along dim, of x's dtype
  Tensor append = {};   ///< behind it
};

/// y[i] = x[i + 1] - x[i], n times; whether they differ of bool.
Tensor diff(const Tensor& x, const DiffOptions& options = {});

/// The integral of y along dim by the trapezoidal rule, at places `dx` apart.
Tensor trapezoid(const Tensor& y, double dx = 1, int dim = -1);
/// At the places x, which is 1-D or broadcasts to y.
Tensor trapezoid(const Tensor& y, const Tensor& x, int dim = -1);
/// The integrals from the first place to each other one.
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, int dim = -1);
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int dim = -1);

}  // namespace tenon
#pragma GCC visibility pop
