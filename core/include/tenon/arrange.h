// Tensors put together, repeated, moved about and grown at their borders: always new tensors.
// Differentiable to any order.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// One after the other along `dim`; all other extents are equal, dtypes promote.
Tensor cat(const std::vector<Tensor>& tensors, int dim = 0);
/// The array API's name of cat; without a dim all are flattened first.
Tensor concat(const std::vector<Tensor>& tensors, std::optional<int> dim = 0);
/// Along a new dimension; all have one shape.
Tensor stack(const std::vector<Tensor>& tensors, int dim = 0);

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

/// Moved by shifts[i] along dims[i], and round the end to the front; without dims in row-major order.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims = {});
/// In reverse order along each of `dims`; a copy.
Tensor flip(const Tensor& x, const Dims& dims);
Tensor fliplr(const Tensor& x);  ///< along dimension 1
Tensor flipud(const Tensor& x);  ///< along dimension 0
/// Turned k times by 90° from dims[0] towards dims[1]; a copy.
Tensor rot90(const Tensor& x, std::int64_t k = 1, const Dims& dims = {0, 1});

}  // namespace tenon
#pragma GCC visibility pop
