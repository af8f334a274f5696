// The tensor: a small handle on {storage, dtype, shape, strides, offset, autograd state}.
//
// Copies of a handle are the same tensor; views share the storage. Dimensions count from 0, negative
// ones from the end. Wrong arguments throw tenon::Error of kind InvalidArgument.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
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
  std::optional<DType> dtype = {};    ///< default_dtype(), or what the values' C++ type says
  std::optional<Device> device = {};  ///< default_device()
  bool requires_grad = false;
};

/// A range of one dimension, as Python's start:stop:step.
struct Slice {
  std::optional<std::int64_t> start = {}, stop = {};
  std::int64_t step = 1;
};

class HostView;
class BasicIndex;  // tenon/index.h
class Index;

class Tensor {
 public:
  /// An undefined tensor: it has no shape and takes part in no op.
  Tensor() noexcept : impl_(nullptr) {}
  Tensor(const Tensor& other) noexcept : impl_(other.impl_) { detail::retain(impl_); }
  Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  /// Makes a handle one on `other`.
  Tensor& operator=(Tensor other) & noexcept {
    std::swap(impl_, other.impl_);
    return *this;
  }
  /// Writes to what an expression looks at: x[0] = y and x.slice(0, {0, 2}) = y are copy_() on the
  /// view.
  Tensor& operator=(const Tensor& values) && { return copy_(values); }
  Tensor& operator=(Scalar value) && { return fill_(value); }
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
    return {static_cast<T*>(writable_pointer(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(data_pointer(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  /// The elements in the host's hands as long as the result lives, on any device that maps its memory
  /// for the host; contiguous, else InvalidArgument.
  HostView host() const;
  /// Imported as what is never to be written: in-place ops refuse it.
  bool is_read_only() const;

  // --- Views: the same storage ---

  /// A view where the strides allow it, else a copy. One extent may be -1: the rest.
  Tensor reshape(Shape shape) const;
  /// A view, or InvalidArgument where the strides don't allow it.
  Tensor view(Shape shape) const;
  /// Dimensions `start` to `end`, merged into one; a copy where the strides don't allow a view.
  Tensor flatten(int start = 0, int end = -1) const;
  /// Dimension `dim` split into `sizes`, one of which may be -1.
  Tensor unflatten(int dim, const Dims& sizes) const;
  Tensor transpose(int dim0, int dim1) const;
  /// A matrix transposed.
  Tensor T() const { return t("T", 2); }
  /// The last two dimensions swapped.
  Tensor mT() const { return t("mT", kMaxRank); }
  /// Dimension i of the result is dimension dims[i] of this.
  Tensor permute(const Dims& dims) const;
  /// Dimension from[i] goes to to[i], the others stay in their order.
  Tensor movedim(const Dims& from, const Dims& to) const;
  Tensor movedim(int from, int to) const { return movedim(Dims{from}, Dims{to}); }
  Tensor slice(int dim, Slice range) const;
  /// Elements start .. start + length - 1 of a dimension.
  Tensor narrow(int dim, std::int64_t start, std::int64_t length) const;
  /// Element `index` of a dimension, which goes away.
  Tensor select(int dim, std::int64_t index) const;
  /// Stretches dimensions of extent 1, and new leading ones, to `shape` with stride 0; -1 keeps an
  /// extent.
  Tensor expand(const Shape& shape) const;
  Tensor broadcast_to(const Shape& shape) const { return stretched("broadcast_to", shape); }
  /// Without its dimensions of extent 1,
  Tensor squeeze() const;
  /// or without those of them that `dims` name; what else they name stays.
  Tensor squeeze(const Dims& dims) const;
  Tensor squeeze(int dim) const { return squeeze(Dims{dim}); }
  Tensor unsqueeze(int dim) const;
  /// The elements whose index in dim2 is `offset` more than in dim1, as a new last dimension.
  Tensor diagonal(std::int64_t offset = 0, int dim1 = 0, int dim2 = 1) const;
  /// All windows of `size` elements along a dimension, `step` apart: it counts them, a new last one
  /// runs through each. Where they overlap the view can't be written.
  Tensor unfold(int dim, std::int64_t size, std::int64_t step) const;
  /// Parts of `length`, the last one maybe shorter, along a dimension.
  std::vector<Tensor> split(std::int64_t length, int dim = 0) const;
  /// Parts of these lengths, which add up to the extent.
  std::vector<Tensor> split(const std::vector<std::int64_t>& lengths, int dim = 0) const;
  /// At most `count` parts of one length, the last one maybe shorter.
  std::vector<Tensor> chunk(std::int64_t count, int dim = 0) const;
  /// select() at each index.
  std::vector<Tensor> unbind(int dim = 0) const;

  // --- Index expressions, see tenon/index.h ---

  /// x[indices] by NumPy's rules: a view,
  Tensor index(std::initializer_list<BasicIndex> indices) const;
  Tensor operator[](const BasicIndex& index) const;
  /// or a copy where an index may be a tensor: const, since writing to it would not reach x; that is
  /// what index_put_ is for.
  const Tensor index(const std::vector<Index>& indices) const;
  const Tensor operator[](const Tensor& index) const;
  /// x[indices] = value, or += for each index, in place.
  Tensor& index_put_(const std::vector<Index>& indices, const Tensor& value, bool accumulate = false);
  Tensor& index_put_(const std::vector<Index>& indices, Scalar value, bool accumulate = false);

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
#define TENON_IN_PLACE(symbol)                   \
  Tensor& operator symbol(const Tensor & other); \
  Tensor& operator symbol(Scalar other);
  TENON_IN_PLACE(+=)
  TENON_IN_PLACE(-=)
  TENON_IN_PLACE(*=)
  TENON_IN_PLACE(/=)
  TENON_IN_PLACE(%=)
  TENON_IN_PLACE(&=)
  TENON_IN_PLACE(|=)
  TENON_IN_PLACE(^=)
  TENON_IN_PLACE(<<=)
  TENON_IN_PLACE(>>=)
#undef TENON_IN_PLACE

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
  void* writable_pointer(DType dtype);
  Tensor t(const char* op, int most) const;
  Tensor stretched(const char* op, const Shape& shape) const;
  detail::TensorImpl* impl_;
};

/// A tensor's elements in the host's hands: made when all work on them has finished, and until it dies
/// no work may be given that uses them. A host's writes are not recorded: what was recorded of the
/// tensor before can't be used for gradients after them.
class HostView {
 public:
  explicit HostView(Tensor tensor);
  HostView(const HostView&) = delete;
  HostView& operator=(const HostView&) = delete;
  ~HostView();

  /// Row-major; T must be the dtype's C++ type.
  template <class T>
  std::span<T> data() {
    return {static_cast<T*>(writable_pointer(dtype_of<T>)), static_cast<std::size_t>(tensor_.numel())};
  }
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(pointer(dtype_of<T>)), static_cast<std::size_t>(tensor_.numel())};
  }

 private:
  void* pointer(DType dtype) const;
  void* writable_pointer(DType dtype);
  Tensor tensor_;
  bool writes_ = false;
};

/// Views of the shape that all of them broadcast to.
std::vector<Tensor> broadcast_tensors(std::span<const Tensor> tensors);
/// x, or a view of at least one dimension,
Tensor atleast_1d(const Tensor& x);
/// of two, new ones in front,
Tensor atleast_2d(const Tensor& x);
/// of three: (N) as (1, N, 1), (M, N) as (M, N, 1).
Tensor atleast_3d(const Tensor& x);

// --- Text ---

/// How tensors are printed: as NumPy does, whose names these are.
struct PrintOptions {
  int precision = 8;              ///< digits after the point, at most
  std::int64_t threshold = 1000;  ///< beyond so many elements only the edges are shown,
  std::int64_t edge_items = 3;    ///< so many at each end of a dimension
  int line_width = 75;
  std::optional<bool> sci = {};  ///< with exponents always, or never; else where they are needed
};
/// For all threads.
void set_print_options(const PrintOptions& options);
PrintOptions print_options();

std::ostream& operator<<(std::ostream& out, const Tensor& x);

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

#include <tenon/creation.h>  // a tensor is of no use without
