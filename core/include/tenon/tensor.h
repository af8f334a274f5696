// The tensor: a small handle on {storage, dtype, shape, strides, offset, autograd state}.
//
// Copies of a handle are the same tensor; views share the storage. Dimensions count from 0, negative
// ones from the end. Wrong arguments throw tenon::Error of kind InvalidArgument.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenon/device.h>
#include <tenon/dtype.h>
#include <tenon/error.h>
#include <tenon/hooks.h>
#include <tenon/scalar.h>
#include <tenon/shape.h>

#pragma GCC visibility push(default)
namespace tenon {

namespace detail {
struct TensorImpl;
void retain(TensorImpl* impl) noexcept;
void release(TensorImpl* impl) noexcept;
}  // namespace detail

/// Where and as what a new tensor is made; what is left out is the default.
struct TensorOptions {
  std::optional<DType> dtype = {};    ///< f32, or what the values' C++ type says
  std::optional<Device> device = {};  ///< default_device()
  bool requires_grad = false;
};

/// A range of one dimension, as Python's start:stop:step.
struct Slice {
  std::optional<std::int64_t> start = {}, stop = {};
  std::int64_t step = 1;
};

class Tensor {
 public:
  /// An undefined tensor: it has no shape and takes part in no op.
  Tensor() noexcept : impl_(nullptr) {}
  Tensor(const Tensor& other) noexcept : impl_(other.impl_) { detail::retain(impl_); }
  Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
  }
  ~Tensor() { detail::release(impl_); }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  /// In elements; may be negative or 0.
  const Strides& strides() const;
  int rank() const { return shape().size(); }
  std::int64_t size(int dim) const;
  std::int64_t numel() const;
  DType dtype() const;
  Device device() const;
  /// Row-major without gaps.
  bool is_contiguous() const;
  /// The same tensor, not equal values.
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

  // --- Values on the host ---

  /// The only element; throws if there are more or none.
  template <class T>
  T item() const {
    return item_scalar().to<T>();
  }
  Scalar item_scalar() const;
  /// A copy of the elements in row-major order; T must be the dtype's C++ type.
  template <class T>
  std::vector<T> to_vector() const;
  /// Copies the elements, row-major, to `bytes`, whose size is numel() times the element's.
  void read(std::span<std::byte> bytes) const;
  /// The elements themselves, shared and not copied: on a synchronous host device and contiguous,
  /// else InvalidArgument. Valid as long as a tensor holds the storage.
  template <class T>
  std::span<T> data() {
    return {static_cast<T*>(data_pointer(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(data_pointer(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }

  // --- Views: the same storage ---

  /// A view where the strides allow it, else a copy. One extent may be -1: the rest.
  Tensor reshape(Shape shape) const;
  /// A view, or InvalidArgument where the strides don't allow it.
  Tensor view(Shape shape) const;
  Tensor transpose(int dim0, int dim1) const;
  /// Dimension i of the result is dimension dims[i] of this.
  Tensor permute(const Dims& dims) const;
  Tensor slice(int dim, Slice range) const;
  /// Element `index` of a dimension, which goes away.
  Tensor select(int dim, std::int64_t index) const;
  /// Stretches dimensions of extent 1, and new leading ones, to `shape` with stride 0.
  Tensor expand(const Shape& shape) const;
  Tensor squeeze(int dim) const;
  Tensor unsqueeze(int dim) const;

  // --- Copies ---

  /// This if it is contiguous, else a row-major copy.
  Tensor contiguous() const;
  Tensor clone() const;
  /// This if it is there already, else a copy on `device`.
  Tensor to(Device device) const;
  /// This if it is so already, else converted: floating to integer truncates and saturates, NaN gives
  /// 0, integers wrap.
  Tensor to(DType dtype) const;

  // --- In place; the version counter goes up ---

  /// Takes the elements of `src`, broadcast and converted, from any device.
  Tensor& copy_(const Tensor& src);
  Tensor& fill_(Scalar value);
  Tensor& operator+=(const Tensor& other);
  Tensor& operator-=(const Tensor& other);
  Tensor& operator*=(const Tensor& other);
  Tensor& operator/=(const Tensor& other);
  Tensor& operator+=(Scalar other);
  Tensor& operator-=(Scalar other);
  Tensor& operator*=(Scalar other);
  Tensor& operator/=(Scalar other);

  // --- Reductions; without dims over all. A negative dim counts from the end ---

  Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
  Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
  Tensor max(const Dims& dims = {}, bool keepdim = false) const;
  Tensor min(const Dims& dims = {}, bool keepdim = false) const;

  // --- Autograd ---

  bool requires_grad() const;
  /// Only a leaf of a floating dtype can be told so.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// Not the result of a recorded op.
  bool is_leaf() const;
  /// The gradient that backward() accumulated, undefined before; only leaves have one, and results that
  /// were told retain_grad(). Further ones are added to it in place as long as nobody else holds it; a
  /// kept handle keeps its values.
  const Tensor& grad() const;
  void set_grad(Tensor grad);
  /// Adds d(this)/d(leaf) · gradient to the grad of each leaf that requires one. Without `gradient`
  /// this must have one element, and it is 1. The graph is freed unless `retain_graph` or
  /// `create_graph`; with the latter the gradients are differentiable.
  void backward(const Tensor& gradient = {}, bool retain_graph = false,
                bool create_graph = false) const;
  /// Calls f with this tensor's whole gradient in each backward. What it returns, if anything and
  /// defined, takes the gradient's place and has its shape, dtype and device. Hooks run in the order
  /// in which they were registered.
  template <class F>
    requires std::is_invocable_v<F, const Tensor&>
  HookHandle register_hook(F f) {
    if constexpr (std::is_void_v<std::invoke_result_t<F, const Tensor&>>) {
      return add_hook([f](const Tensor& gradient) {
        f(gradient);
        return Tensor();
      });
    } else {
      return add_hook(f);
    }
  }
  /// Calls f with this leaf each time that backward has changed its grad.
  HookHandle register_post_accumulate_grad_hook(std::function<void(const Tensor&)> f);
  /// Makes backward keep the gradient of this result as a leaf's is; a leaf's always is.
  void retain_grad();
  /// Made in InferenceMode, or a view of such a tensor.
  bool is_inference() const;
  /// The same storage, outside the graph.
  Tensor detach() const;
  /// How often the storage has been written in place.
  std::uint64_t version() const;

  /// Takes over storage, shape and device of `other`; every handle on this tensor sees it, and its
  /// autograd state stays. What Module::to is made of.
  void set_data(const Tensor& other);

  /// As NumPy prints it, with dtype and device where they are not the default.
  std::string to_string() const;

  explicit Tensor(detail::TensorImpl* impl) noexcept : impl_(impl) {}  // takes one reference
  detail::TensorImpl* impl() const { return impl_; }

 private:
  HookHandle add_hook(std::function<Tensor(const Tensor&)> f);
  void* data_pointer(DType dtype) const;
  detail::TensorImpl* impl_;
};

std::ostream& operator<<(std::ostream& out, const Tensor& x);

// --- Creation ---

/// Elements are not set.
Tensor empty(const Shape& shape, TensorOptions options = {});
Tensor full(const Shape& shape, Scalar value, TensorOptions options = {});
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
/// 0, 1, .. count - 1; i64 unless told otherwise. InvalidArgument where an integer dtype ends before.
Tensor arange(std::int64_t count, TensorOptions options = {});
/// A copy of row-major `bytes`, of which there are numel(shape) times the element's.
Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, TensorOptions options);
/// A copy of `values`, row-major; the dtype is T's unless options say another.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, const TensorOptions& options = {});

namespace detail {
[[noreturn]] void ragged(std::int64_t expected, std::int64_t found);
/// An element in a vector that always has contiguous storage, of bool too.
template <class T>
struct Plain {
  T value;
};
template <class T>
struct Nested {
  using Element = T;
  static void measure(const T&, Shape&) {}
  static void flatten(const T& value, const Shape&, int, std::vector<Plain<T>>& out) {
    out.push_back({value});
  }
};
template <class T>
struct Nested<Plain<T>> {
  using Element = T;
};
template <class L>
struct Nested<std::initializer_list<L>> {
  using Element = typename Nested<L>::Element;
  static void measure(const std::initializer_list<L>& list, Shape& shape) {
    shape.push_back(static_cast<std::int64_t>(list.size()));
    if (list.size() > 0) Nested<L>::measure(*list.begin(), shape);
  }
  static void flatten(const std::initializer_list<L>& list, const Shape& shape, int depth,
                      std::vector<Plain<Element>>& out) {
    const auto count = static_cast<std::int64_t>(list.size());
    if (count != shape[depth]) ragged(shape[depth], count);
    for (const auto& item : list) Nested<L>::flatten(item, shape, depth + 1, out);
  }
};
/// The dtype that literals of a C++ type get.
template <class T>
constexpr DType literal_dtype() {
  if constexpr (FloatingNumber<T>)
    return f32;
  else if constexpr (std::is_same_v<T, bool>)
    return bool_;
  else
    return i64;
}
/// from_bytes of elements of dtype `from`, converted on the host to what options say.
Tensor from_elements(std::span<const std::byte> bytes, DType from, const Shape& shape,
                     const TensorOptions& options);
template <class T>
Tensor from_plain(std::span<const T> values, const Shape& shape, DType dtype, TensorOptions options) {
  options.dtype = options.dtype.value_or(dtype);
  return from_elements(std::as_bytes(values), dtype_of<typename Nested<T>::Element>, shape, options);
}
template <class List>
Tensor from_literals(const List& list, const TensorOptions& options) {
  using Element = typename Nested<List>::Element;
  Shape shape;
  std::vector<Plain<Element>> values;
  Nested<List>::measure(list, shape);
  Nested<List>::flatten(list, shape, 0, values);
  return from_plain(std::span<const Plain<Element>>(values), shape, literal_dtype<Element>(), options);
}
}  // namespace detail

/// tensor(1.5f), tensor({1, 2, 3}), tensor({{1.0, 2.0}, {3.0, 4.0}}): the dtype is f32 for floating
/// values, i64 for integers and bool for bools, unless options say another.
Tensor tensor(Scalar value, TensorOptions options = {});
template <class T>
Tensor tensor(std::initializer_list<T> values, TensorOptions options = {});
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> values, TensorOptions options = {});
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values,
              TensorOptions options = {});
/// A vector of any type that a dtype has; the dtype is the element's.
template <class T>
Tensor tensor(const std::vector<T>& values, TensorOptions options = {}) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  if constexpr (std::is_same_v<T, bool>) {  // a vector of bool has no elements to point at
    std::vector<detail::Plain<bool>> plain;
    for (const bool value : values) plain.push_back({value});
    return detail::from_plain(std::span<const detail::Plain<bool>>(plain), shape, bool_, options);
  } else {
    return from_values(std::span<const T>(values), shape, options);
  }
}

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, const TensorOptions& options) {
  return detail::from_plain(values, shape, dtype_of<T>, options);
}
template <class T>
Tensor tensor(std::initializer_list<T> values, TensorOptions options) {
  return detail::from_literals(values, options);
}
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> values, TensorOptions options) {
  return detail::from_literals(values, options);
}
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values,
              TensorOptions options) {
  return detail::from_literals(values, options);
}

namespace detail {
[[noreturn]] void wrong_element(DType dtype, DType asked);
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  if (dtype() != dtype_of<T>) detail::wrong_element(dtype(), dtype_of<T>);
  const auto count = static_cast<std::size_t>(numel());
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<std::uint8_t> bytes(count);
    read(std::as_writable_bytes(std::span(bytes)));
    return {bytes.begin(), bytes.end()};
  } else {
    std::vector<T> values(count);
    read(std::as_writable_bytes(std::span(values)));
    return values;
  }
}

}  // namespace tenon
#pragma GCC visibility pop
