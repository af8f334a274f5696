// Shapes and strides: up to eight numbers, kept inline.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace tenon {

/// The most dimensions that a tensor has.
inline constexpr int kMaxRank = 8;

/// A short list of 64-bit integers: extents, strides, axes, permutations.
class Dims {
 public:
  constexpr Dims() = default;
  constexpr Dims(std::initializer_list<std::int64_t> values)
      : Dims(std::span<const std::int64_t>(values.begin(), values.size())) {}
  /// One number: sum(x, 1), zeros(3).
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  constexpr Dims(T value) : Dims{static_cast<std::int64_t>(value)} {}  // NOLINT: implicit
  Dims(const std::vector<std::int64_t>& values)                        // NOLINT: implicit
      : Dims(std::span<const std::int64_t>(values)) {}
  constexpr explicit Dims(std::span<const std::int64_t> values) {
    check_rank(values.size());
    size_ = static_cast<int>(values.size());
    std::copy(values.begin(), values.end(), values_.begin());
  }
  /// `size` times `value`.
  static constexpr Dims filled(int size, std::int64_t value) {
    check_rank(static_cast<std::size_t>(size));
    Dims dims;
    dims.size_ = size;
    std::fill_n(dims.values_.begin(), size, value);
    return dims;
  }

  constexpr int size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::int64_t operator[](int i) const { return values_[static_cast<std::size_t>(i)]; }
  constexpr std::int64_t& operator[](int i) { return values_[static_cast<std::size_t>(i)]; }
  constexpr const std::int64_t* data() const { return values_.data(); }
  constexpr const std::int64_t* begin() const { return values_.data(); }
  constexpr const std::int64_t* end() const { return values_.data() + size_; }
  constexpr std::int64_t* begin() { return values_.data(); }
  constexpr std::int64_t* end() { return values_.data() + size_; }
  constexpr std::int64_t back() const { return (*this)[size_ - 1]; }
  constexpr void push_back(std::int64_t value) {
    check_rank(static_cast<std::size_t>(size_) + 1);
    values_[static_cast<std::size_t>(size_++)] = value;
  }
  constexpr void insert(int at, std::int64_t value) {
    push_back(value);
    std::rotate(begin() + at, end() - 1, end());
  }
  constexpr void erase(int at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --size_;
  }
  constexpr bool operator==(const Dims& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  static constexpr void check_rank(std::size_t size) {
    if (size > kMaxRank) too_many(size);
  }
  [[noreturn]] static void too_many(std::size_t size);

  std::array<std::int64_t, kMaxRank> values_{};
  int size_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// The number of elements; InvalidArgument, naming `op`, where an extent is negative or the product
/// does not fit.
std::int64_t numel(const Shape& shape, std::string_view op = "numel");

/// Row-major strides, in elements.
Strides contiguous_strides(const Shape& shape);

/// The shape that both broadcast to, by NumPy's rule; `op` names the caller in the error.
Shape broadcast(std::string_view op, const Shape& a, const Shape& b);

/// "(2, 3)", "(4,)", "()".
std::string to_string(const Dims& dims);
std::ostream& operator<<(std::ostream& out, const Dims& dims);

}  // namespace tenon
#pragma GCC visibility pop
