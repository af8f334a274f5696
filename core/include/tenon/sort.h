// Order: sorting, order statistics, searching in what is sorted, counting. -0 and 0 are equal, NaN is
// greater than all numbers, and equals keep their order. A 0-d tensor counts as one of one element.
// Values are differentiable, to any order; places and counts are not.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <tenon/scan.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

// --- Sorting: a bitonic network of log2(n) · (log2(n) + 1) / 2 launches ---

/// x sorted along dim, and where its elements stood; stable in either direction.
ValuesAndIndices sort(const Tensor& x, int dim = -1, bool descending = false);
/// The indices of sort.
Tensor argsort(const Tensor& x, int dim = -1, bool descending = false);
/// The k greatest along dim, or the least, sorted; the first of equals.
ValuesAndIndices topk(const Tensor& x, std::int64_t k, int dim = -1, bool largest = true);
/// The k-th least along dim, counted from 1.
ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, int dim = -1, bool keepdim = false);

// --- Order statistics ---

/// The most frequent element along dim, of several the least, and where it stands last.
ValuesAndIndices mode(const Tensor& x, int dim = -1, bool keepdim = false);

/// The element in the middle along dim, of two the lower; the first NaN where there is one.
ValuesAndIndices median(const Tensor& x, int dim, bool keepdim = false);
/// Of all elements; of none NaN.
Tensor median(const Tensor& x);
/// Of those that are not NaN, if there are any.
ValuesAndIndices nanmedian(const Tensor& x, int dim, bool keepdim = false);
Tensor nanmedian(const Tensor& x);

/// What stands for the quantile between two elements.
enum class Interpolation { linear, lower, higher, nearest, midpoint };

struct QuantileOptions {
  std::optional<int> dim = {};  ///< without: of all elements
  bool keepdim = false;
  Interpolation interpolation = Interpolation::linear;
};

/// What stands at q · (n - 1) among the n sorted elements along dim, for each q (0-d or 1-D): of shape
/// (size of q, those of x without dim). NaN where x has a NaN, or where q is not in [0, 1]. x is of a
/// floating dtype, and so is q; differentiable in x.
Tensor quantile(const Tensor& x, const Tensor& q, const QuantileOptions& options = {});
Tensor quantile(const Tensor& x, double q, const QuantileOptions& options = {});
/// Of those that are not NaN, if there are any.
Tensor nanquantile(const Tensor& x, const Tensor& q, const QuantileOptions& options = {});
Tensor nanquantile(const Tensor& x, double q, const QuantileOptions& options = {});

// --- Searching ---

/// How many of the sorted elements are less than each value; with `right` not greater; i64. sorted (n,)
/// with values of any shape, or (..., n) with (..., m): row by row. With `sorter`, what argsort gives
/// of them, they need not be sorted.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false,
                    const Tensor& sorter = {});
/// searchsorted(boundaries, x, right) for boundaries (n,).
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);
/// Whether each element is among `values`; with `invert` whether not. NaN never is.
Tensor isin(const Tensor& x, const Tensor& values, bool invert = false);

// --- Counting ---

/// How often each integer 0, 1, .. up to the greatest, or minlength - 1, occurs in x (n,); i64. With
/// weights (n,) the sums of their elements, in their dtype, integers in i64 or u64. Reads the greatest.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, std::int64_t minlength = 0);

struct Histogram {
  Tensor hist, bin_edges;
};

struct HistogramOptions {
  std::optional<std::pair<double, double>> range = {};  ///< without: from the least to the greatest
  Tensor weight = {};    ///< of x's shape and dtype: is added up instead of ones
  bool density = false;  ///< divided by the sum and the width of the bin
};

/// How many elements of x, of a floating dtype, lie in each of `bins` equal bins, of which the last is
/// closed; in x's dtype.
Histogram histogram(const Tensor& x, std::int64_t bins, const HistogramOptions& options = {});
/// In the bins between `edges` (n + 1,), which rise; options.range has no part in it.
Histogram histogram(const Tensor& x, const Tensor& edges, const HistogramOptions& options = {});

/// The histogram alone, from `min` to `max`; where they are equal, from the least to the greatest.
Tensor histc(const Tensor& x, std::int64_t bins = 100, double min = 0, double max = 0);

// --- Distinct elements. Each NaN is one; the number of them is read from the device ---

struct Unique {
  Tensor values;   ///< (count,); of slices x with `count` of them along dim
  Tensor indices;  ///< (count,) where in the flat x, or along dim, each stands first; i64
  Tensor inverse;  ///< of x's shape, or (extent of dim): x is values[inverse]; i64
  Tensor counts;   ///< (count,) how often; i64
};

/// What is to be found beside the values, and of what.
struct UniqueOptions {
  bool indices = false, inverse = false, counts = false;
  std::optional<int> dim = {};  ///< of the slices along it, by their first elements that differ
};

/// The distinct elements, or slices, of x, sorted.
Unique unique(const Tensor& x, UniqueOptions options = {});
/// The first of each run of equal elements of the flat x, or slices.
Unique unique_consecutive(const Tensor& x, UniqueOptions options = {});
/// The array API's names for them.
Unique unique_all(const Tensor& x);
Unique unique_counts(const Tensor& x);
Unique unique_inverse(const Tensor& x);
Tensor unique_values(const Tensor& x);

}  // namespace tenon
#pragma GCC visibility pop
