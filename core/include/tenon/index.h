// Reading and writing at places that indices name: index expressions as NumPy's, and PyTorch's gather,
// scatter and their kin. An index tensor has any integer dtype; a negative index counts from the end.
// One that is out of range is InvalidArgument: at once on a synchronous device, at the next wait on
// others. All is differentiable in what is read and written, to any order. f_(x, ..) writes into x and
// is recorded; f_out(out, ..) writes into a tensor of the result's shape, and is not.
#pragma once

#include <concepts>
#include <optional>
#include <variant>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// As many whole dimensions as the other indices leave.
struct Ellipsis {};
/// A dimension of extent 1 that the tensor has not.
struct NewAxis {};
inline constexpr Ellipsis ellipsis{};
inline constexpr NewAxis newaxis{};

/// One index of an expression that makes a view: an integer, a Slice, ellipsis, newaxis.
class BasicIndex {
 public:
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  BasicIndex(T value)
      : value_(static_cast<std::int64_t>(value)) {}  // NOLINT: implicit, as all of these
  BasicIndex(Slice value) : value_(value) {}         // NOLINT
  BasicIndex(Ellipsis value) : value_(value) {}      // NOLINT
  BasicIndex(NewAxis value) : value_(value) {}       // NOLINT
  /// nullptr where it is not a T.
  template <class T>
  const T* get() const {
    return std::get_if<T>(&value_);
  }

 private:
  std::variant<std::int64_t, Slice, Ellipsis, NewAxis> value_;
};

/// One of any expression: also a tensor of integers, or a mask: a tensor of bools, which stands for as
/// many dimensions as it has.
class Index {
 public:
  template <std::convertible_to<BasicIndex> T>
  Index(T value) : value_(BasicIndex(value)) {}      // NOLINT
  Index(Tensor value) : value_(std::move(value)) {}  // NOLINT
  /// nullptr where it is not a T.
  template <class T>
  const T* get() const {
    if constexpr (std::same_as<T, Tensor>) {
      return std::get_if<Tensor>(&value_);
    } else {
      const auto* const basic = std::get_if<BasicIndex>(&value_);
      return basic == nullptr ? nullptr : basic->get<T>();
    }
  }

 private:
  std::variant<BasicIndex, Tensor> value_;
};

/// x[indices] by NumPy's rules: a view without index tensors and masks, else a copy. Index tensors are
/// broadcast together; their dimensions come where the first of them stands if they are adjacent,
/// integers counting as index tensors beside them, else in front.
Tensor index(const Tensor& x, const std::vector<Index>& indices);
/// A copy of x in which x[indices] takes value, broadcast and converted; or, with `accumulate`, has it
/// added, once for each time that it is named. Of several values for one element the last in row-major
/// order stays, and it alone gets the gradient.
Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& value,
                 bool accumulate = false);
Tensor index_put(const Tensor& x, const std::vector<Index>& indices, Scalar value,
                 bool accumulate = false);

// --- Along one dimension ---

/// Rows `index` (1-D) of x along `dim`, in their order.
Tensor index_select(const Tensor& x, int dim, const Tensor& index);
Tensor& index_select_out(Tensor& out, const Tensor& x, int dim, const Tensor& index);
/// A copy of x to whose rows index[i] (1-D) along `dim` rows i of alpha · src are added.
Tensor index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Scalar alpha = 1);
Tensor& index_add_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Scalar alpha = 1);
/// A copy of x whose rows index[i] (1-D) along `dim` are rows i of src, the last of equal places.
Tensor index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& src);
Tensor& index_copy_(Tensor& x, int dim, const Tensor& index, const Tensor& src);
/// A copy of x with `value` (a number, or 0-d) in rows `index` (1-D) along `dim`.
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, const Tensor& value);
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, Scalar value);
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, const Tensor& value);
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, Scalar value);

/// y[i][j] = x[index[i][j]][j] (dim 0, likewise others): shaped like index, whose other extents are at
/// most x's.
Tensor gather(const Tensor& x, int dim, const Tensor& index);
Tensor& gather_out(Tensor& out, const Tensor& x, int dim, const Tensor& index);
enum class Scatter { assign, add, max, min };
/// A copy of x that takes src[i][j] at [index[i][j]][j] (dim 0, likewise others), for each element of
/// index, which no extent of src is below. assign: the last in row-major order stays. max and min: the
/// gradient is shared evenly among all that attain the extreme, x's own element too.
Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& src,
               Scatter how = Scatter::assign);
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value,
               Scatter how = Scatter::assign);
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& src,
                 Scatter how = Scatter::assign);
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value, Scatter how = Scatter::assign);
enum class Reduce { sum, prod, mean, amax, amin };
/// A copy of x in which what scatter would write to one place is reduced, together with x's element
/// unless include_self is false; places that nothing is written to stay. Means of integers are rounded
/// down.
Tensor scatter_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                      bool include_self = true);
Tensor& scatter_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                        bool include_self = true);
/// The same of whole rows: row i of src goes to row index[i] (1-D) along `dim`.
Tensor index_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                    bool include_self = true);
Tensor& index_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                      bool include_self = true);
/// gather of x and index broadcast to each other in all dimensions but `dim`; NumPy's take_along_axis.
Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim);
/// scatter that assigns src, broadcast to index, which is broadcast to x in all dimensions but `dim`.
Tensor put_along_dim(const Tensor& x, const Tensor& index, const Tensor& src, int dim);

/// Elements of x, counted in row-major order, in the shape of index.
Tensor take(const Tensor& x, const Tensor& index);
/// A copy of x in which these take src, of as many elements as index; or have it added.
Tensor put(const Tensor& x, const Tensor& index, const Tensor& src, bool accumulate = false);
Tensor& put_(Tensor& x, const Tensor& index, const Tensor& src, bool accumulate = false);
/// Rows of weight (rows, width): (...) indices -> (..., width). Negative indices are out of range. Row
/// `padding`, where given, gets no gradient; a negative one counts from the end.
Tensor embedding(const Tensor& weight, const Tensor& index, std::optional<std::int64_t> padding = {});
/// (...) integers -> (..., classes): 1 at the integer, else 0. Without `classes` it is the largest
/// integer plus 1, which is read from the device.
Tensor one_hot(const Tensor& index, std::int64_t classes = -1, DType dtype = i64);

// --- Masks: how many places are true is read from the device, once ---

/// The coordinates of elements that are not zero (NaN is not), in row-major order: (count, rank) of
/// i64.
Tensor nonzero(const Tensor& x);
/// The same.
Tensor argwhere(const Tensor& x);
/// The same, a tensor (count) for each dimension: an index expression of what is true. A 0-d condition
/// counts as 1-D.
std::vector<Tensor> where(const Tensor& condition);
/// The elements of x where mask, both broadcast to each other: 1-D, in row-major order.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// x with `value` (a number, or 0-d) in x's dtype where mask, both broadcast to each other; one
/// program.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
Tensor& masked_fill_(Tensor& x, const Tensor& mask, const Tensor& value);
Tensor& masked_fill_(Tensor& x, const Tensor& mask, Scalar value);
/// x with the first elements of src, one after the other, where mask, x and mask broadcast to each
/// other; src has x's dtype.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src);
Tensor& masked_scatter_(Tensor& x, const Tensor& mask, const Tensor& src);

}  // namespace tenon
#pragma GCC visibility pop
