// Reductions over some dimensions, or all where none is named; keepdim leaves reduced dimensions with
// extent 1. Differentiable where the mathematics is, to any order. Where a `dtype` is given, elements
// are converted to it first. f_out(out, x, ..) writes into a tensor of the result's shape, of its kind
// of dtype or a later one, and is not recorded.
#pragma once

#include <optional>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

// --- Sums ---

/// Integers and bool are summed in i64, unsigned ones in u64.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
           std::optional<DType> dtype = {});
Tensor& sum_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false,
                std::optional<DType> dtype = {});
/// The product of the elements, in the dtypes of sum; its gradient is right among zeros too.
Tensor prod(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
Tensor& prod_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false,
                 std::optional<DType> dtype = {});
/// Integers become the default dtype; over nothing NaN.
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
Tensor& mean_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false,
                 std::optional<DType> dtype = {});
/// sum and mean of what is not NaN.
Tensor nansum(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
              std::optional<DType> dtype = {});
Tensor nanmean(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
               std::optional<DType> dtype = {});
/// How many elements are not zero (NaN is not); i64.
Tensor count_nonzero(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Sums x over broadcast dimensions, back to `shape`: the reverse of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);

// --- Extremes: NaN wins; over nothing InvalidArgument ---

/// The greatest (least) element. The gradient is shared evenly among equals.
Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor& amax_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor& amin_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false);
struct MinMax {
  Tensor min, max;
};
/// Both at once.
MinMax aminmax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

/// amax and amin over all.
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
/// Elements of a tensor, and where along the dimension they stand in it (i64).
struct ValuesAndIndices {
  Tensor values, indices;
};
/// The greatest (least) elements along one dimension and where each stands, the first of equals; the
/// gradient goes there.
ValuesAndIndices max(const Tensor& x, int dim, bool keepdim = false);
ValuesAndIndices min(const Tensor& x, int dim, bool keepdim = false);
/// Where the greatest element stands along one dimension, or in row-major order over all: the first of
/// equals, NaN wins; i64.
Tensor argmax(const Tensor& x, const Dims& dim = {}, bool keepdim = false);
/// The same of the least.
Tensor argmin(const Tensor& x, const Dims& dim = {}, bool keepdim = false);
Tensor& argmax_out(Tensor& out, const Tensor& x, const Dims& dim = {}, bool keepdim = false);
Tensor& argmin_out(Tensor& out, const Tensor& x, const Dims& dim = {}, bool keepdim = false);

// --- Truth ---

/// Whether any element is not zero (NaN is not); bool, false over nothing.
Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Whether no element is zero; bool, true over nothing.
Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor& any_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor& all_out(Tensor& out, const Tensor& x, const Dims& dims = {}, bool keepdim = false);

// --- Moments, norms; integers become the default dtype ---

struct VarOptions {
  double correction = 1;  ///< the squares of n elements are divided by max(0, n - correction)
  bool keepdim = false;
};
/// The variance: squared distances from the mean, found in two passes. NaN over nothing.
Tensor var(const Tensor& x, const Dims& dims = {}, VarOptions options = {});
/// Its root; the gradient where it is 0 is 0. Under `using namespace tenon` its name is that of
/// namespace std: say tenon::std(x).
Tensor std(const Tensor& x, const Dims& dims = {}, VarOptions options = {});
struct VarMean {
  Tensor var, mean;
};
VarMean var_mean(const Tensor& x, const Dims& dims = {}, VarOptions options = {});
struct StdMean {
  Tensor std, mean;
};
StdMean std_mean(const Tensor& x, const Dims& dims = {}, VarOptions options = {});

struct CovOptions {
  double correction = 1;  ///< as of VarOptions
  Tensor fweights = {};   ///< (observations): integers, how often each counts,
  Tensor aweights = {};   ///< and what it counts then; neither is negative
};
/// The covariances of the rows of x (variables, observations), or the variance of x (observations).
Tensor cov(const Tensor& x, const CovOptions& options = {});
/// Pearson's correlations of the rows of x, or 1: covariances over the deviations of both.
Tensor corrcoef(const Tensor& x);

/// log Σ exp(x), without overflow on the way; over nothing -infinity.
Tensor logsumexp(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// (Σ |x|^p)^(1/p); p = 0 counts what is not 0, ±infinity gives the greatest and the least |x|. The
/// gradient where the norm is 0 is 0.
Tensor norm(const Tensor& x, double p = 2, const Dims& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = {});
/// The norm of the difference of each row of x (..., P, M) and each row of y (..., R, M): (..., P, R).
Tensor cdist(const Tensor& x, const Tensor& y, double p = 2);

}  // namespace tenon
#pragma GCC visibility pop
