// Tensors put together, repeated, moved about and grown at their borders: always new tensors, but that
// f_out(out, ..) writes into one of the result's shape, and is not recorded. Differentiable to any
// order.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// One after the other along `dim`; all other extents are equal, dtypes promote.
Tensor cat(const std::vector<Tensor>& tensors, int dim = 0);
Tensor& cat_out(Tensor& out, const std::vector<Tensor>& tensors, int dim = 0);
/// The array API's name of cat; without a dim all are flattened first.
Tensor concat(const std::vector<Tensor>& tensors, std::optional<int> dim = 0);
/// Along a new dimension; all have one shape.
Tensor stack(const std::vector<Tensor>& tensors, int dim = 0);
Tensor& stack_out(Tensor& out, const std::vector<Tensor>& tensors, int dim = 0);
/// All choices of one element of each of these (1-D), as rows; of one tensor itself.
Tensor cartesian_prod(const std::vector<Tensor>& tensors);
/// Matrices along the diagonal of zeros; 1-D tensors are rows.
Tensor block_diag(const std::vector<Tensor>& tensors);

enum class Pad {
  constant,   ///< `value` all around
  reflect,    ///< mirrored, without the border itself: fewer than its extent
  replicate,  ///< the border again
  circular    ///< from the other side: at most its extent
};
struct PadOptions {
  Pad mode = Pad::constant;
  Scalar value = 0;
};
/// Grows x by widths[0] before and widths[1] behind along the last dimension, by the next two along the
/// one before it, and so on; a negative width crops.
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& widths, PadOptions options = {});

/// x so many times along each dimension; repeats may name new leading dimensions.
Tensor repeat(const Tensor& x, const Dims& repeats);
/// The same, but repeats may also leave out leading dimensions of x.
Tensor tile(const Tensor& x, const Dims& repeats);
/// Each element so many times in a row along `dim`, or of x flattened.
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<int> dim = {});
/// The i-th so many times as repeats[i] (1-D, of integers) says; how many in all is read from the
/// device.
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> dim = {});

/// Moved by shifts[i] along dims[i], and round the end to the front; without dims in row-major order.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims = {});
/// In reverse order along each of `dims`; a copy.
Tensor flip(const Tensor& x, const Dims& dims);
Tensor fliplr(const Tensor& x);  ///< along dimension 1
Tensor flipud(const Tensor& x);  ///< along dimension 0
/// Turned k times by 90° from dims[0] towards dims[1]; a copy.
Tensor rot90(const Tensor& x, std::int64_t k = 1, const Dims& dims = {0, 1});

// --- Diagonals: number `offset`, counted to the right ---

/// The diagonal of a matrix, a copy; or zeros with x (1-D) there.
Tensor diag(const Tensor& x, std::int64_t offset = 0);
/// Zeros that x is diagonal(offset, dim1, dim2) of, for each row of its last dimension.
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0, int dim1 = -2, int dim2 = -1);
/// diag of x flattened.
Tensor diagflat(const Tensor& x, std::int64_t offset = 0);
/// A copy of x whose diagonal(offset, dim1, dim2) is src, of x's dtype.
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, std::int64_t offset = 0, int dim1 = 0,
                        int dim2 = 1);
/// `value` where all coordinates are equal, of x whose extents are, or a matrix; with `wrap` again
/// below that of a tall matrix, one row left out. Recorded.
Tensor& fill_diagonal_(Tensor& x, Scalar value, bool wrap = false);
/// The rows and the columns of what tril (triu) keeps of a matrix, row by row: (2, count), i64.
Tensor tril_indices(std::int64_t rows, std::int64_t columns, std::int64_t offset = 0,
                    TensorOptions options = {});
Tensor triu_indices(std::int64_t rows, std::int64_t columns, std::int64_t offset = 0,
                    TensorOptions options = {});
/// The powers n - 1 .. 0 of x (1-D), or with `increasing` 0 .. n - 1, as columns: as many as x has
/// elements, unless `columns` says n; in cumprod's dtypes.
Tensor vander(const Tensor& x, std::optional<std::int64_t> columns = {}, bool increasing = false);

}  // namespace tenon
#pragma GCC visibility pop
