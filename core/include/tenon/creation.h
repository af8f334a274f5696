// Making tensors: of numbers, of nothing, of memory that is there already.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// Elements are not set.
Tensor empty(const Shape& shape, TensorOptions options = {});
Tensor full(const Shape& shape, Scalar value, TensorOptions options = {});
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
/// The same of x's shape; dtype and device are x's too, unless options say others.
Tensor empty_like(const Tensor& x, TensorOptions options = {});
Tensor full_like(const Tensor& x, Scalar value, TensorOptions options = {});
Tensor zeros_like(const Tensor& x, TensorOptions options = {});
Tensor ones_like(const Tensor& x, TensorOptions options = {});

/// start, start + step .. before stop: ceil((stop - start) / step) elements, none where that is
/// negative. i64 where all three are integers, else the default dtype; floating ones are computed in
/// the dtype, f32 for the 16-bit ones. InvalidArgument where an integer dtype can't count them.
Tensor arange(Scalar start, Scalar stop, Scalar step, TensorOptions options = {});
Tensor arange(Scalar start, Scalar stop, TensorOptions options = {});
/// 0, 1 .. before stop.
Tensor arange(Scalar stop, TensorOptions options = {});
/// `count` numbers in equal steps from start to stop, which is the last, or not reached without
/// `endpoint`. Of an integer dtype start and stop are truncated, then the numbers, which are computed
/// in f64.
Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options = {},
                bool endpoint = true);
/// base to the power of each of linspace's; of a floating dtype.
Tensor logspace(double start, double stop, std::int64_t count, double base = 10,
                TensorOptions options = {});
/// (n, m), or (n, n): 1 on diagonal k, counted to the right, and 0 elsewhere.
Tensor eye(std::int64_t n, std::optional<std::int64_t> m, std::int64_t k, TensorOptions options = {});
Tensor eye(std::int64_t n, std::int64_t m, TensorOptions options = {});
Tensor eye(std::int64_t n, TensorOptions options = {});
/// The matrices in the last two dimensions up to diagonal k, and 0 to the right of it; differentiable.
Tensor tril(const Tensor& x, std::int64_t k = 0);
/// From diagonal k on, and 0 to the left of it.
Tensor triu(const Tensor& x, std::int64_t k = 0);
/// Written over x; recorded.
Tensor& tril_(Tensor& x, std::int64_t k = 0);
Tensor& triu_(Tensor& x, std::int64_t k = 0);

/// Which of the first two dimensions belongs to the first axis: ij the first, as of matrices; xy the
/// second, as of pictures.
enum class MeshIndexing { ij, xy };
/// A view of each axis (1-D) over the grid that all of them span.
std::vector<Tensor> meshgrid(std::span<const Tensor> axes, MeshIndexing indexing = MeshIndexing::ij);

// --- From the host ---

/// A tensor on memory of the caller's, which is not copied: a change on one side is seen on the other.
/// `data` is where the first element lies, row-major or as `strides` (in elements) say; `done` is
/// called with it, once, when the last tensor on it is gone. InvalidArgument where the address is not a
/// multiple of the element's size, Unsupported where the device can't use memory of the host in place;
/// `done` is not called then.
Tensor from_blob(void* data, const Shape& shape, TensorOptions options = {},
                 std::function<void(void*)> done = {});
Tensor from_blob(void* data, const Shape& shape, const Strides& strides, TensorOptions options = {},
                 std::function<void(void*)> done = {});
/// A copy of row-major `bytes`, of which there are numel(shape) times the element's.
Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, TensorOptions options);
/// A copy of `values`, row-major; the dtype is T's unless options say another, whose range they must be
/// in.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, const TensorOptions& options = {});

namespace detail {
/// Elements of dtype `from`, converted on the host to what options say.
Tensor from_elements(std::string_view op, std::span<const std::byte> bytes, DType from,
                     const Shape& shape, const TensorOptions& options);
/// Literals, row-major.
Tensor from_scalars(const std::vector<Scalar>& values, const Shape& shape,
                    const TensorOptions& options);
[[noreturn]] void ragged(std::int64_t expected, std::int64_t found);
inline void measure(const Scalar&, Shape&) {}
template <class T>
void measure(const std::initializer_list<T>& list, Shape& shape) {
  shape.push_back(static_cast<std::int64_t>(list.size()));
  if (list.size() > 0) measure(*list.begin(), shape);
}
inline void flatten(const Scalar& value, const Shape&, int, std::vector<Scalar>& out) {
  out.push_back(value);
}
template <class T>
void flatten(const std::initializer_list<T>& list, const Shape& shape, int depth,
             std::vector<Scalar>& out) {
  const auto count = static_cast<std::int64_t>(list.size());
  if (count != shape[depth]) ragged(shape[depth], count);
  for (const auto& item : list) flatten(item, shape, depth + 1, out);
}
template <class T>
Tensor from_list(const std::initializer_list<T>& list, const TensorOptions& options) {
  Shape shape;
  std::vector<Scalar> values;
  measure(list, shape);
  flatten(list, shape, 0, values);
  return from_scalars(values, shape, options);
}
}  // namespace detail

/// tensor(1.5f), tensor({1, 2, 3}), tensor({{1, 2.5}, {3, 4}}), to a depth of four: the dtype is the
/// default one where a value is floating, bool where all are bools, else i64, unless options say
/// another, whose range the values must be in.
Tensor tensor(Scalar value, TensorOptions options = {});
inline Tensor tensor(std::initializer_list<Scalar> values, TensorOptions options = {}) {
  return detail::from_list(values, options);
}
inline Tensor tensor(std::initializer_list<std::initializer_list<Scalar>> values,
                     TensorOptions options = {}) {
  return detail::from_list(values, options);
}
inline Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<Scalar>>> values,
                     TensorOptions options = {}) {
  return detail::from_list(values, options);
}
// The same where all have one type, by which a list of one element is told from a number.
template <Number T>
Tensor tensor(std::initializer_list<T> values, TensorOptions options = {}) {
  return detail::from_list(values, options);
}
template <Number T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> values, TensorOptions options = {}) {
  return detail::from_list(values, options);
}
template <Number T>
Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values,
              TensorOptions options = {}) {
  return detail::from_list(values, options);
}
template <Number T>
Tensor tensor(
    std::initializer_list<std::initializer_list<std::initializer_list<std::initializer_list<T>>>>
        values,
    TensorOptions options = {}) {
  return detail::from_list(values, options);
}
/// A vector of any type that a dtype has; the dtype is the element's.
template <class T>
Tensor tensor(const std::vector<T>& values, TensorOptions options = {}) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  if constexpr (std::is_same_v<T, bool>) {  // a vector of bool has no elements to point at
    const std::vector<std::uint8_t> bytes(values.begin(), values.end());
    return detail::from_elements("tensor", std::as_bytes(std::span(bytes)), bool_, shape, options);
  } else {
    return detail::from_elements("tensor", std::as_bytes(std::span(values)), dtype_of<T>, shape,
                                 options);
  }
}

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, const TensorOptions& options) {
  return detail::from_elements("from_values", std::as_bytes(values), dtype_of<T>, shape, options);
}

}  // namespace tenon
#pragma GCC visibility pop
