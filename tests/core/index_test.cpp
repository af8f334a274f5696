// index_select, gather, scatter and embedding against loops over coordinates.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class Index : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Index, testing::ValuesIn(test_devices()), device_test_name);

/// Indices into a dimension of `extent`, negative ones too if wanted.
Array<std::int64_t> random_indices(const Shape& shape, std::int64_t extent, unsigned seed,
                                   bool negative = true) {
  std::mt19937_64 random(seed);
  Array<std::int64_t> index{shape, {}};
  for (std::size_t i = 0; i < element_count(shape); ++i) {
    const auto place = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(extent));
    index.values.push_back(negative && random() % 2 == 0 ? place - extent : place);
  }
  return index;
}

std::int64_t counted_from_front(std::int64_t i, std::int64_t extent) {
  return i < 0 ? i + extent : i;
}

/// The coordinates that `at` of an index array leads to in x.
Dims led_to(const Dims& at, int dim, std::int64_t index, const Shape& x) {
  Dims place = at;
  place[dim] = counted_from_front(index, x[dim]);
  return place;
}

template <class T>
Array<T> gathered(const Array<T>& x, int dim, const Array<std::int64_t>& index) {
  Array<T> y{index.shape, {}};
  const std::vector<Dims> all = coordinates(index.shape);
  for (std::size_t i = 0; i < all.size(); ++i)
    y.values.push_back(x.values[element_at(x.shape, led_to(all[i], dim, index.values[i], x.shape))]);
  return y;
}

template <class T, class F>
Array<T> scattered(Array<T> x, int dim, const Array<std::int64_t>& index, const Array<T>& src, F f) {
  const std::vector<Dims> all = coordinates(index.shape);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t to = element_at(x.shape, led_to(all[i], dim, index.values[i], x.shape));
    x.values[to] = f(x.values[to], src.values[element_at(src.shape, all[i])]);
  }
  return x;
}

struct Case {
  Shape x;
  int dim;
  Shape index;
};
const std::vector<Case> kCases = {
    {{5}, 0, {7}},
    {{4, 3}, 0, {6, 3}},
    {{4, 3}, 1, {4, 5}},
    {{3, 4, 2}, 1, {3, 9, 2}},
    {{3, 4, 2}, -1, {2, 3, 4}},
    {{4, 3}, 0, {0, 3}},
    {{1, 6}, 0, {5, 6}},
    {{2, 3, 2, 3}, 2, {2, 2, 3, 1}},
};

int from_front(const Case& c) {
  return c.dim < 0 ? c.dim + c.x.size() : c.dim;
}

TEST_P(Index, GatherInEveryDtypeAndLayout) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    for (const Case& c : kCases) {
      const Array<T> x = random_array<T>(c.x, 1);
      const auto index = random_indices(c.index, c.x[from_front(c)], 2);
      const Array<T> wanted = gathered(x, from_front(c), index);
      for (const Layout layout : kLayouts) {
        SCOPED_TRACE(std::string(name(dtype_of<T>)) + to_string(c.x) + to_string(c.index));
        expect_equals(gather(arranged(x, layout, device_), c.dim, arranged(index, layout, device_)),
                      wanted);
      }
    }
  });
}

TEST_P(Index, IndexSelectTakesRows) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    const Array<T> x = random_array<T>({3, 4, 2}, 5);
    for (int dim = 0; dim < 3; ++dim) {
      const auto index = random_indices({6}, x.shape[dim], 6);
      Array<std::int64_t> everywhere{x.shape, {}};
      everywhere.shape[dim] = 6;
      for (const Dims& at : coordinates(everywhere.shape))
        everywhere.values.push_back(index.values[static_cast<std::size_t>(at[dim])]);
      const Array<T> wanted = gathered(x, dim, everywhere);
      for (const Layout layout : kLayouts)
        expect_equals(index_select(arranged(x, layout, device_), dim, to_tensor(index, device_)),
                      wanted);
    }
  });
}

TEST_P(Index, EveryIntegerIsAnIndex) {
  const Tensor x = tensor({10.0, 11.0, 12.0, 13.0}, here_);
  for (const DType dtype : device_.info().storage_dtypes) {
    if (!is_integer(dtype)) continue;
    SCOPED_TRACE(name(dtype));
    const Tensor index = tensor({3, 0, 2}, here_).to(dtype);
    expect_equals(index_select(x, 0, index), Array<float>{{3}, {13, 10, 12}});
    expect_equals(embedding(x.view({4, 1}), index), Array<float>{{3, 1}, {13, 10, 12}});
  }
}

template <class T>
void check_scatter(Device device, const Case& c) {
  const int dim = from_front(c);
  Shape larger = c.index;
  larger[0] += 1;  // src may be larger than index
  const Array<T> x = random_array<T>(c.x, 7), src = random_array<T>(larger, 8);
  const auto index = random_indices(c.index, c.x[dim], 9);
  const auto check = [&](Scatter how, auto f) {
    const Array<T> wanted = scattered(x, dim, index, src, f);
    for (const Layout layout : kLayouts) {
      expect_equals(scatter(arranged(x, layout, device), c.dim, to_tensor(index, device),
                            arranged(src, layout, device), how),
                    wanted, kEitherZero);
    }
  };
  check(Scatter::assign, [](T, T b) { return b; });
  if constexpr (!std::is_same_v<T, bool>) {
    using U =
        std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
    check(Scatter::add, [](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    check(Scatter::max, [](T a, T b) { return a != a ? a : b != b || b > a ? b : a; });
    check(Scatter::min, [](T a, T b) { return a != a ? a : b != b || b < a ? b : a; });
  }
}

TEST_P(Index, ScatterInEveryDtypeAndLayout) {
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    for (const Case& c : kCases) {
      SCOPED_TRACE(std::string(name(dtype_of<T>)) + to_string(c.x) + to_string(c.index));
      check_scatter<T>(device_, c);
    }
  });
}

TEST_P(Index, ScatterLeavesItsOperands) {
  const Tensor x = zeros({3}, here_);
  const Tensor index = tensor({1}, here_), src = ones({1}, here_);
  expect_equals(scatter(x, 0, index, src), Array<float>{{3}, {0, 1, 0}});
  expect_equals(x, Array<float>{{3}, {0, 0, 0}});
}

TEST_P(Index, EmbeddingOfAnyShape) {
  const Array<float> weight = random_array<float>({6, 3}, 11);
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{2, 3}, Shape{0}, Shape{2, 1, 2}}) {
    const auto index = random_indices(shape, 6, 12, false);
    Array<float> wanted{shape, {}};
    wanted.shape.push_back(3);
    for (const std::int64_t row : index.values) {
      const auto first = weight.values.begin() + 3 * row;
      wanted.values.insert(wanted.values.end(), first, first + 3);
    }
    for (const Layout layout : kLayouts)
      expect_equals(embedding(arranged(weight, layout, device_), to_tensor(index, device_)), wanted);
  }
}

TEST_P(Index, TheLastOfEqualPlacesGetsTheGradient) {
  Tensor src = tensor({1.0, 2.0, 3.0, 4.0}, here_);
  src.set_requires_grad();
  scatter(zeros({3}, here_), 0, tensor({1, 0, 1, 0}, here_), src).sum().backward();
  expect_equals(src.grad(), Array<float>{{4}, {0, 0, 1, 1}});
}

TEST_P(Index, AnIndexOutOfRangeIsNamed) {
  const Tensor x = zeros({65, 2}, here_);
  const TensorOptions indices{.dtype = i32, .device = device_};
  const auto message = [&](auto&& call) {
    const Thrown error = thrown([&] {
      call();
      device_.synchronize();
    });
    EXPECT_EQ(error.kind, ErrorKind::InvalidArgument) << error;
    return error.text;
  };
  EXPECT_THAT(message([&] { embedding(x, tensor({3, 70}, indices)); }),
              testing::StartsWith("[embedding] index 70 is out of range for 65 rows"));
  EXPECT_THAT(message([&] { embedding(x, tensor({3, -1}, indices)); }),
              testing::StartsWith("[embedding] index -1 is out of range for 65 rows"));
  EXPECT_THAT(message([&] { index_select(x, 1, tensor({-3}, indices)); }),
              testing::StartsWith("[index_select] index -3 is out of range for 2 rows"));
  EXPECT_THAT(message([&] { scatter(x, 0, tensor({{65}}, indices), ones({1, 1}, here_)); }),
              testing::StartsWith("[scatter] index 65 is out of range for 65 rows"));
  expect_equals(index_select(x, 1, tensor({-1}, indices)).sum(), Array<float>{{}, {0}});  // works again
}

TEST_P(Index, RefusesWrongOperands) {
  const Tensor x = zeros({4, 3}, here_), index = tensor({{0}}, here_);
  const auto text = [](auto&& call) { return thrown(call); };
  EXPECT_EQ(text([&] { gather(x, 2, index); }),
            invalid_argument("[gather] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(text([&] { gather(x, 0, zeros({1, 1}, here_)); }),
            invalid_argument("[gather] indices are integers, not f32"));
  EXPECT_EQ(text([&] { gather(x, 0, tensor({0}, here_)); }),
            invalid_argument("[gather] index (1,) has not as many dimensions as (4, 3)"));
  EXPECT_EQ(text([&] { gather(x, 0, zeros({1, 4}, {.dtype = i32, .device = device_})); }),
            invalid_argument("[gather] index (1, 4) exceeds (4, 3) in dimension 1"));
  EXPECT_EQ(text([&] { index_select(x, 0, index); }),
            invalid_argument("[index_select] index is 1-D, not (1, 1)"));
  EXPECT_EQ(text([&] { index_select(tensor(1.0, here_), 0, tensor({0}, here_)); }),
            invalid_argument("[index_select] a 0-d tensor has no dimension to index"));
  EXPECT_EQ(text([&] { scatter(x, 0, index, zeros({1, 1}, {.dtype = f64, .device = device_})); }),
            invalid_argument("[scatter] x is f32 and src f64; convert one"));
  EXPECT_EQ(text([&] { scatter(x, 0, index, zeros({0, 1}, here_)); }),
            invalid_argument("[scatter] index (1, 1) exceeds src (0, 1) in dimension 0"));
  EXPECT_EQ(text([&] { embedding(x.select(0, 0), tensor({0}, here_)); }),
            invalid_argument("[embedding] weight is (rows, width), not (3,)"));
  EXPECT_EQ(text([&] { embedding(Tensor(), index); }).kind, ErrorKind::InvalidArgument);
}

TEST_P(Index, RefusesWrongRows) {
  const Tensor x = zeros({4, 3}, here_), index = tensor({0, 1}, {.dtype = i32, .device = device_});
  EXPECT_EQ(thrown([&] { index_add(x, 1, index, zeros({4, 3}, here_)); }),
            invalid_argument("[index_add] src is (4, 3), not (4, 2)"));
  EXPECT_EQ(thrown([&] { index_add(x == 0, 0, index, x == 0); }),
            invalid_argument("[index_add] bools can't be added"));
  EXPECT_EQ(thrown([&] { index_copy(x, 0, index, zeros({2, 3}, {.dtype = i32, .device = device_})); }),
            invalid_argument("[index_copy] x is f32 and src i32; convert one"));
  EXPECT_EQ(thrown([&] { index_fill(x, 0, index, zeros({1}, here_)); }),
            invalid_argument("[index_fill] value is 0-d, not (1,)"));
  EXPECT_EQ(thrown([&] { index_fill(x, 2, index, 0); }),
            invalid_argument("[index_fill] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { take_along_dim(x, index, 0); }),
            invalid_argument("[take_along_dim] index (2,) has not as many dimensions as (4, 3)"));
  EXPECT_EQ(thrown([&] { take_along_dim(x, index.view({1, 2}), 0); }),
            invalid_argument("[take_along_dim] shapes do not broadcast: (4, 3) and (4, 2)"));
  EXPECT_EQ(thrown([&] { put_along_dim(x.slice(0, {0, 1}), index.view({2, 1}), x, 1); }),
            invalid_argument("[put_along_dim] index (2, 1) does not broadcast to (1, 3)"));
  EXPECT_EQ(thrown([&] { put_along_dim(x, index.view({2, 1}), zeros({1, 2, 3}, here_), 0); }),
            invalid_argument("[put_along_dim] src (1, 2, 3) does not broadcast to (2, 3)"));
  EXPECT_EQ(thrown([&] { take(x, x); }), invalid_argument("[take] indices are integers, not f32"));
  EXPECT_EQ(thrown([&] { embedding(x, index, -5); }),
            invalid_argument("[embedding] padding -5 is out of range for 4 rows"));
  EXPECT_EQ(thrown([&] { one_hot(index.slice(0, {0, 0})); }),
            invalid_argument("[one_hot] there are no elements to count the classes from; name them"));
}

TEST_P(Index, OneHotCountsItsClasses) {
  const Tensor index = tensor({{2, 0}, {1, 2}}, {.dtype = i32, .device = device_});
  const Array<float> wanted{{2, 2, 3}, {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}};
  expect_equals(one_hot(index, -1, f32), wanted);
  expect_equals(one_hot(index, 3, f32), wanted);
  EXPECT_EQ(one_hot(index.slice(0, {0, 0}), 3, f32).shape(), (Shape{0, 2, 3}));
  EXPECT_THAT(thrown([&] {
                one_hot(index, 2, f32);
                device_.synchronize();
              }).text,
              testing::StartsWith("[one_hot] index 2 is out of range for 2 rows (at"));
}

TEST_P(Index, AnIndexTensorThatChangedBeforeBackwardIsNamed) {
  Tensor weight = ones({4, 2}, here_), index = tensor({1, 3}, {.dtype = i32, .device = device_});
  weight.set_requires_grad();
  const Tensor y = embedding(weight, index).sum();
  index.fill_(0);
  EXPECT_EQ(thrown([&] { y.backward(); }),
            invalid_argument("[embedding] a tensor that backward needs was changed in place: it is at "
                             "version 1, 0 was saved"));
}

/// An unsigned index is read as it is, so x may be its own index.
TEST_P(Index, ATensorIndexesItself) {
  const Tensor x = tensor({2, 0, 1}, {.dtype = i32, .device = device_});
  expect_equals(gather(x, 0, x), Array<std::int32_t>{{3}, {1, 2, 0}});
  Tensor y = x.clone();
  y.index_put_({y}, y);
  expect_equals(y, Array<std::int32_t>{{3}, {0, 1, 2}});
}

}  // namespace
}  // namespace tenon::test
