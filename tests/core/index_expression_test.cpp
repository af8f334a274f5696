// Index expressions: shapes as NumPy gives them, views, launches, and what is refused.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class IndexExpression : public testing::TestWithParam<std::string> {
 protected:
  Tensor places(const std::vector<std::int32_t>& values) const {
    return from_values<std::int32_t>(values, {static_cast<std::int64_t>(values.size())}, here_);
  }
  /// 0, 1, .. in a shape.
  Tensor counted(const Shape& shape) const {
    return arange(numel(shape), {.dtype = f32, .device = device_}).view(shape);
  }
  template <class F>
  std::int64_t launches(F f) const {
    const std::int64_t before = device_.stats().launches;
    f();
    return device_.stats().launches - before;
  }

  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Devices, IndexExpression, testing::ValuesIn(test_devices()), device_test_name);

/// NumPy 2.4 gives these shapes.
TEST_P(IndexExpression, ShapesAreThoseOfNumPy) {
  const Tensor x = zeros({2, 3, 4, 5, 6}, here_), a = places({0, 1, 0, 1, 0, 1, 1}),
               i = full({}, 0, {.dtype = i32, .device = device_});
  const Tensor yes = full({}, true, here_), no = full({}, false, here_);
  const Slice all;
  const auto shape = [&](const std::vector<Index>& indices) { return x.index(indices).shape(); };
  EXPECT_EQ(shape({0, all, a}), (Shape{7, 3, 5, 6}));
  EXPECT_EQ(shape({all, 0, a}), (Shape{2, 7, 5, 6}));
  EXPECT_EQ(shape({all, 0, all, a}), (Shape{7, 2, 4, 6}));
  EXPECT_EQ(shape({all, a, newaxis, a}), (Shape{7, 2, 1, 5, 6}));
  EXPECT_EQ(shape({all, a, ellipsis, a}), (Shape{7, 2, 4, 5}));
  EXPECT_EQ(shape({all, a, ellipsis, a, a, a}), (Shape{7, 2}));
  EXPECT_EQ(shape({all, a, 0, all}), (Shape{2, 7, 5, 6}));
  EXPECT_EQ(shape({all, i, all, all}), (Shape{2, 4, 5, 6}));
  EXPECT_EQ(shape({all, i, all, a}), (Shape{7, 2, 4, 6}));
  EXPECT_EQ(shape({all, full({3, 4}, true, here_)}), (Shape{2, 12, 5, 6}));
  EXPECT_EQ(shape({yes}), (Shape{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(shape({no}), (Shape{0, 2, 3, 4, 5, 6}));
  EXPECT_EQ(shape({all, yes}), (Shape{2, 1, 3, 4, 5, 6}));
  EXPECT_EQ(shape({all, yes, places({0, 1})}), (Shape{2, 2, 4, 5, 6}));
  EXPECT_EQ(shape({0, yes}), (Shape{1, 3, 4, 5, 6}));
  EXPECT_EQ(shape({all, 0, yes}), (Shape{2, 1, 4, 5, 6}));
  EXPECT_EQ(shape({all, yes, all, yes}), (Shape{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(shape({newaxis, 0, newaxis, a}), (Shape{7, 1, 1, 4, 5, 6}));
  EXPECT_EQ(shape({newaxis, a, newaxis}), (Shape{1, 7, 1, 3, 4, 5, 6}));
  EXPECT_EQ(shape({full({2, 3}, true, here_), 0, all, places({0, 1, 0, 1, 0, 1})}), (Shape{6, 5}));
  EXPECT_EQ(shape({}), x.shape());
}

TEST_P(IndexExpression, WithoutTensorsItIsAView) {
  const Tensor x = counted({3, 4});
  Tensor y = x.index({Slice{.start = 1}, newaxis, -1});
  expect_equals(y, Array<float>{{2, 1}, {7, 11}});
  y.fill_(0);
  expect_equals(x.select(1, 3), Array<float>{{3}, {3, 0, 0}});
  expect_equals(x[1], Array<float>{{4}, {4, 5, 6, 0}});
  expect_equals(x[Slice{.step = 2}][1][0], Array<float>{{}, {8}});
  expect_equals(x[places({-1, 0})].select(1, 1), Array<float>{{2}, {9, 1}});
  Tensor copy = x[places({0})];
  copy.fill_(9);
  expect_equals(x[0], Array<float>{{4}, {0, 1, 2, 3}});
}

TEST_P(IndexExpression, WritesInPlaceAndCounts) {
  Tensor x = zeros({3, 2}, here_);
  const std::uint64_t before = x.version();
  EXPECT_TRUE(x.index_put_({places({2, 0})}, 1).is_same(x));
  EXPECT_GT(x.version(), before);
  x.index_put_({ellipsis, 1}, places({5, 6, 7}));  // converted
  x.index_put_({x == 1.0}, x[0][1], true);
  expect_equals(x, Array<float>{{3, 2}, {6, 5, 0, 6, 6, 7}});
  x.index_put_({Slice{.start = 1}}, x.index({Slice{.stop = 2}}));  // as if copied first
  expect_equals(x, Array<float>{{3, 2}, {6, 5, 6, 5, 0, 6}});
}

TEST_P(IndexExpression, InPlaceWritesAreRecorded) {
  Tensor v = ones({2}, here_), w = ones({3}, here_);
  v.set_requires_grad();
  w.set_requires_grad();
  Tensor x = w * 2;
  x.index_put_({places({1, 1})}, v * 3);
  (x * tensor({1.0, 10.0, 100.0}, here_)).sum().backward();
  expect_equals(w.grad(), Array<float>{{3}, {2, 0, 200}});
  expect_equals(v.grad(), Array<float>{{2}, {0, 30}});
  EXPECT_EQ(
      thrown([&] { w.index_put_({0}, 1); }),
      invalid_argument("[index_put] a leaf that requires a gradient can't be written in place; do "
                       "it under NoGrad"));
  EXPECT_EQ(thrown([&] { zeros({1}, here_).expand({3}).index_put_({0}, 1); }),
            invalid_argument("[index_put] (3,) with strides (0,) shares elements, so it can't be "
                             "written in place; clone() it first"));
}

/// Equal elements share the gradient of the extreme: x's own, and those of src.
TEST_P(IndexExpression, EqualExtremesShareTheGradient) {
  Tensor x = tensor({2.0, 5.0, 1.0}, here_), src = tensor({2.0, 2.0, 4.0, 1.0}, here_);
  x.set_requires_grad();
  src.set_requires_grad();
  const Tensor y = scatter(x, 0, places({0, 0, 1, 2}), src, Scatter::max);
  (y * tensor({6.0, 1.0, 2.0}, here_)).sum().backward();
  expect_equals(x.grad(), Array<float>{{3}, {2, 1, 1}});
  expect_equals(src.grad(), Array<float>{{4}, {2, 2, 0, 1}});
}

TEST_P(IndexExpression, TakesFewLaunches) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "a program is several launches here";
  const Tensor x = counted({64, 8}), rows = places({3, -1, 3}), columns = places({0, 1, -2});
  EXPECT_EQ(launches([&] { x.index({Slice{.start = 2}, 3, newaxis}); }), 0);
  EXPECT_EQ(launches([&] { x.index({rows}); }), 2);                         // from the front, gather
  EXPECT_EQ(launches([&] { x.index({rows, columns}); }), 2);                // the same
  EXPECT_EQ(launches([&] { index_put(x, {rows, columns}, x[0][0]); }), 3);  // and the copy
  const Tensor mask = full({64}, true, here_), one = ones({}, here_);
  EXPECT_EQ(launches([&] { masked_fill(x, x == 0.0, 1); }), 2);
  EXPECT_EQ(launches([&] { index_put(x, {mask}, one); }), 1);  // and nothing is read
  // Zeros, bools as numbers, six sums, ranks, scatter, gather.
  EXPECT_EQ(launches([&] { x.index({mask}); }), 11);
}

TEST_P(IndexExpression, AnIndexOutOfRangeIsNamedWithItsDimension) {
  const Tensor x = zeros({2, 3, 4}, here_);
  const auto text = [&](const std::vector<Index>& indices) {
    const Thrown error = thrown([&] {
      x.index(indices);
      device_.synchronize();
    });
    EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
    return error.text;
  };
  EXPECT_EQ(text({0, 3}), "[index] index 3 is out of range for 3 rows of dimension 1");
  EXPECT_EQ(text({ellipsis, -5}), "[index] index -5 is out of range for 4 rows of dimension 2");
  EXPECT_THAT(text({places({0, 2})}),
              testing::StartsWith("[index] index 2 is out of range for 2 rows of dimension 0 (at pos"));
  EXPECT_THAT(
      text({1, places({0, -4})}),
      testing::StartsWith("[index] index -4 is out of range for 3 rows of dimension 1 (at pos"));
  EXPECT_THAT(text({places({0, 1}), Slice{}, places({3, 4})}),
              testing::StartsWith("[index] index 4 is out of range for 4 rows of dimension 2 (at pos"));
  EXPECT_THAT(text({places({0, 2}), newaxis, places({2, 0}), places({1, 1})}),
              testing::StartsWith("[index] index 2 is out of range for 2 rows of dimension 0 (at pos"));
  const Thrown put = thrown([&] {
    index_put(x, {places({0, 1}), places({3, 0})}, 1);
    device_.synchronize();
  });
  EXPECT_THAT(put.text,
              testing::StartsWith("[index_put] index 3 is out of range for 3 rows of dimension 1 (at"));
}

TEST_P(IndexExpression, RefusesWrongIndices) {
  const Tensor x = zeros({2, 3}, here_), one = places({1});
  const auto text = [&](const std::vector<Index>& indices) {
    return thrown([&] { x.index(indices); });
  };
  EXPECT_EQ(text({0, one, Slice{}}),
            invalid_argument("[index] too many indices: they take 3 dimensions, (2, 3) has 2"));
  EXPECT_EQ(text({full({2, 3, 1}, true, here_)}),
            invalid_argument("[index] too many indices: they take 3 dimensions, (2, 3) has 2"));
  EXPECT_EQ(text({ellipsis, 0, ellipsis}),
            invalid_argument("[index] an index expression has at most one ellipsis, not 2"));
  EXPECT_EQ(text({full({2, 2}, true, here_)}),
            invalid_argument("[index] mask (2, 2) does not fit (2, 3) in dimension 1"));
  EXPECT_EQ(text({0, full({2}, true, here_)}),
            invalid_argument("[index] mask (2,) does not fit (2, 3) in dimension 1"));
  EXPECT_EQ(text({x}), invalid_argument("[index] indices are integers, not f32"));
  EXPECT_EQ(text({places({0, 1}), places({0, 1, 2})}),
            invalid_argument("[index] shapes do not broadcast: (2,) and (3,)"));
  EXPECT_EQ(text({Slice{.step = 0}}), invalid_argument("[slice] the step is 0"));
  EXPECT_EQ(text({Tensor()}), invalid_argument("[index] the tensor is undefined"));
  EXPECT_EQ(thrown([&] { Tensor().index({0}); }), invalid_argument("[index] the tensor is undefined"));
  EXPECT_EQ(thrown([&] { index_put(x, {one}, zeros({2}, here_)); }),
            invalid_argument("[index_put] shapes do not broadcast: (2,) and (1, 3)"));
  expect_equals(index_put(x, {0}, ones({1, 1, 3}, here_)),
                Array<float>{{2, 3}, {1, 1, 1, 0, 0, 0}});  // as NumPy has it
  EXPECT_EQ(thrown([&] { index_put(x, {0, 0}, zeros({2}, here_)); }),
            invalid_argument("[index_put] value (2,) does not broadcast to ()"));
  EXPECT_EQ(thrown([&] { index_put(x == 0.0, {one}, true, true); }),
            invalid_argument("[index_put] bools can't be accumulated"));
  EXPECT_EQ(thrown([&] { index_put(one, {0}, std::int64_t{1} << 40); }),
            invalid_argument("[index_put] 1099511627776 does not fit i32"));
}

TEST_P(IndexExpression, RefusesWrongMasks) {
  const Tensor x = zeros({2, 3}, here_), mask = x == 0.0;
  EXPECT_EQ(thrown([&] { masked_select(x, x); }),
            invalid_argument("[masked_select] the mask is f32, not bool"));
  EXPECT_EQ(thrown([&] { masked_select(x, mask.slice(1, {0, 2})); }),
            invalid_argument("[masked_select] shapes do not broadcast: (2, 3) and (2, 2)"));
  EXPECT_EQ(thrown([&] { masked_fill(x, x, 0); }),
            invalid_argument("[masked_fill] the mask is f32, not bool"));
  EXPECT_EQ(thrown([&] { masked_fill(x, mask, x); }),
            invalid_argument("[masked_fill] value is 0-d, not (2, 3)"));
}

/// A device with one index operand gives what one with several does, over strides of any sign.
TEST(IndexExpressions, RunOverOneIndexToo) {
  in_new_process({"TENON_FAULTY_MINIMAL=1"}, [] {
    const auto run = [](Device on, bool put) {
      const auto at = [&](const std::vector<std::int32_t>& values) {
        return from_values<std::int32_t>(values, {3, 1}, {.device = on});
      };
      const Tensor all = to_tensor(whole_array<float>({4, 5, 6}, 1), on);
      const Tensor x = all.slice(0, {.step = -1}).slice(2, {.start = 1, .step = 2}).permute({2, 0, 1});
      const std::vector<Index> indices{at({0, -1, 1}), Slice{}, at({4, 0, -2}).slice(0, {.step = -1})};
      const Tensor y =
          put ? index_put(x, indices, all.index({Slice{.stop = 1}, 0, Slice{.stop = 4}}), true)
              : x.index(indices);
      return Array<float>{y.shape(), y.to_vector<float>()};
    };
    const Device minimal = device("faulty:0"), whole = device("reference");
    for (const bool put : {false, true}) {
      const Array<float> found = run(minimal, put), wanted = run(whole, put);
      EXPECT_EQ(found.shape, wanted.shape);
      EXPECT_EQ(found.values, wanted.values);
    }
    EXPECT_GT(minimal.stats().fallbacks, 0);
    const Tensor x = zeros({2, 3}, {.device = minimal});
    const auto at = [&](std::int32_t i) { return full({2}, i, {.dtype = i32, .device = minimal}); };
    const Thrown error = thrown([&] {
      index_put(x, {at(1), at(-4)}, 1);
      minimal.synchronize();
    });
    EXPECT_EQ(error.kind, ErrorKind::InvalidArgument);
    EXPECT_THAT(error.text, testing::StartsWith(
                                "[index_put] index -4 is out of range for 3 rows of dimension 1 (at"));
  });
}

}  // namespace
}  // namespace tenon::test
