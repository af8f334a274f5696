// Plain arrays on the host and tensors of the same elements in several layouts: what tests of ops
// compute their expectations from, by loops over coordinates.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"

namespace tenon::test {

/// Elements in row-major order.
template <class T>
struct Array {
  Shape shape;
  std::vector<T> values;
};

inline std::size_t element_count(const Shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

/// All coordinates of a shape, row-major.
inline std::vector<Dims> coordinates(const Shape& shape) {
  std::vector<Dims> all(element_count(shape), Dims::filled(shape.size(), 0));
  for (std::size_t n = 0; n < all.size(); ++n) {
    std::size_t rest = n;
    for (int d = shape.size() - 1; d >= 0; --d) {
      const auto extent = static_cast<std::size_t>(shape[d]);
      all[n][d] = static_cast<std::int64_t>(rest % extent);
      rest /= extent;
    }
  }
  return all;
}

/// Where the element of an array of `shape` is that broadcasting puts at coordinates `at`.
inline std::size_t element_at(const Shape& shape, const Dims& at) {
  std::size_t element = 0;
  for (int d = 0; d < shape.size(); ++d) {
    const std::int64_t i = shape[d] == 1 ? 0 : at[at.size() - shape.size() + d];
    element = element * static_cast<std::size_t>(shape[d]) + static_cast<std::size_t>(i);
  }
  return element;
}

/// The shape of two arrays that are broadcast to each other.
inline Shape stretched(const Shape& x, const Shape& y) {
  Shape result = x.size() > y.size() ? x : y;
  const Shape& other = x.size() > y.size() ? y : x;
  for (int d = 0; d < other.size(); ++d) {
    std::int64_t& extent = result[result.size() - other.size() + d];
    if (extent == 1) extent = other[d];
  }
  return result;
}

template <class T>
std::uint64_t raw(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <class T>
T from_raw(std::uint64_t bits) {
  if constexpr (std::is_same_v<T, bool>) {
    return (bits & 0xff) != 0;
  } else {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
}

/// Seeded elements, every other one special: NaN, infinities, zeros of both signs, extremes.
template <class T>
Array<T> random_array(const Shape& shape, std::uint64_t seed) {
  Array<T> x{shape, {}};
  for (const std::uint64_t bits : random_values(seed, dtype_of<T>, element_count(shape)))
    x.values.push_back(from_raw<T>(bits));
  return x;
}

/// Seeded whole numbers from `low` to `high`: sums and products of a few are exact in every dtype.
template <class T>
Array<T> whole_array(const Shape& shape, std::uint64_t seed, int low = -9, int high = 9) {
  std::mt19937_64 random(seed);
  Array<T> x{shape, {}};
  for (std::size_t i = 0; i < element_count(shape); ++i)
    x.values.push_back(
        static_cast<T>(low + static_cast<int>(random() % std::uint64_t(high - low + 1))));
  return x;
}

template <class T>
Tensor to_tensor(const Array<T>& x, Device device) {
  using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
  const std::vector<Stored> stored(x.values.begin(), x.values.end());
  return from_bytes(std::as_bytes(std::span(stored)), x.shape,
                    {.dtype = dtype_of<T>, .device = device});
}

/// Ways to lie in memory; all but the first have other strides than row-major ones.
enum class Layout { Contiguous, Transposed, Reversed, Gapped };
inline constexpr Layout kLayouts[] = {Layout::Contiguous, Layout::Transposed, Layout::Reversed,
                                      Layout::Gapped};
inline std::ostream& operator<<(std::ostream& out, Layout layout) {
  constexpr const char* kNames[] = {"contiguous", "transposed", "reversed", "gapped"};
  return out << kNames[static_cast<int>(layout)];
}

/// The array whose element at `at` is x's at f(at).
template <class T, class F>
Array<T> rearranged(const Array<T>& x, const Shape& shape, F f) {
  Array<T> y{shape, {}};
  for (const Dims& at : coordinates(shape)) y.values.push_back(x.values[element_at(x.shape, f(at))]);
  return y;
}

/// A tensor that equals x, in a layout; `make` gives row-major tensors of arrays.
template <class T, std::invocable<const Array<T>&> Make>
Tensor arranged(const Array<T>& x, Layout layout, Make make) {
  const auto backwards = [](Dims dims) {
    std::reverse(dims.begin(), dims.end());
    return dims;
  };
  const int rank = x.shape.size();
  if (layout == Layout::Transposed) {
    Dims order;
    for (int d = rank - 1; d >= 0; --d) order.push_back(d);
    return make(rearranged(x, backwards(x.shape), backwards)).permute(order);
  }
  if (layout == Layout::Reversed) {
    const auto mirrored = [&](Dims at) {
      for (int d = 0; d < rank; ++d) at[d] = x.shape[d] - 1 - at[d];
      return at;
    };
    Tensor y = make(rearranged(x, x.shape, mirrored));
    for (int d = 0; d < rank; ++d) y = y.slice(d, {.step = -1});
    return y;
  }
  if (layout == Layout::Gapped) {
    Array<T> padded{rank == 0 ? Shape{1} : x.shape, {}};
    padded.shape[padded.shape.size() - 1] *= 2;
    for (const T value : x.values) padded.values.insert(padded.values.end(), {T(77), value});
    const Tensor y = make(padded);
    return rank == 0 ? y.select(0, 1) : y.slice(-1, {.start = 1, .step = 2});
  }
  return make(x);
}
template <class T>
Tensor arranged(const Array<T>& x, Layout layout, Device device) {
  return arranged(x, layout, [&](const Array<T>& y) { return to_tensor(y, device); });
}

/// Shape, dtype and elements; the first that differs by more than `ulp` is shown.
template <class T>
void expect_equals(const Tensor& got, const Array<T>& expected, double ulp = 0) {
  ASSERT_EQ(got.dtype(), dtype_of<T>) << name(got.dtype());
  ASSERT_EQ(got.shape(), expected.shape)
      << to_string(got.shape()) << " is not " << to_string(expected.shape);
  const std::vector<T> values = got.template to_vector<T>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = values[i], wanted = expected.values[i];
    ASSERT_TRUE(close(dtype_of<T>, raw(value), raw(wanted), ulp))
        << "element " << i << " of " << to_string(got.shape()) << " is " << +value << ", not "
        << +wanted;
  }
}

/// Calls f with a zero of each C++ type that tensors hold.
template <class F>
void for_each_type(F f) {
  f(float{}), f(double{}), f(std::int32_t{}), f(std::uint32_t{}), f(std::int64_t{}), f(std::uint64_t{}),
      f(bool{});
}

}  // namespace tenon::test
