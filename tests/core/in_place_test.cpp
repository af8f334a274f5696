// Writing in place: what changes, what is counted, operands that overlap, and what is refused.
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

class InPlace : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, InPlace, testing::ValuesIn(test_devices()), device_test_name);

template <class T, class F>
Array<T> zipped(const Array<T>& x, const Array<T>& y, F f) {
  Array<T> result{x.shape, {}};
  for (const Dims& at : coordinates(x.shape))
    result.values.push_back(f(x.values[element_at(x.shape, at)], y.values[element_at(y.shape, at)]));
  return result;
}

template <class T>
void check_operators(Device device) {
  const auto x = whole_array<T>({3, 4}, 1, 1, 9);
  for (const Shape& shape : {Shape{3, 4}, Shape{4}, Shape{3, 1}, Shape{}}) {
    const auto y = whole_array<T>(shape, 2, 1, 9);
    const Tensor other = to_tensor(y, device);
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(to_string(shape));
      Tensor sum = arranged(x, layout, device), difference = arranged(x, layout, device),
             product = arranged(x, layout, device);
      EXPECT_TRUE((sum += other).is_same(sum));
      difference -= other;
      product *= other;
      expect_equals(sum, zipped(x, y, [](T a, T b) { return T(a + b); }));
      expect_equals(difference, zipped(x, y, [](T a, T b) { return T(a - b); }));
      expect_equals(product, zipped(x, y, [](T a, T b) { return T(a * b); }));
      if constexpr (std::is_floating_point_v<T>) {
        Tensor quotient = arranged(x, layout, device);
        quotient /= other;
        expect_equals(quotient, zipped(x, y, [](T a, T b) { return T(a / b); }), 2.5);
      }
    }
  }
}

TEST_P(InPlace, OperatorsOverDTypesShapesAndLayouts) {
  check_operators<float>(device_);
  check_operators<double>(device_);
  check_operators<std::int32_t>(device_);
  check_operators<std::uint32_t>(device_);
  check_operators<std::int64_t>(device_);
  check_operators<std::uint64_t>(device_);
}

TEST_P(InPlace, ScalarsOperate) {
  Tensor x = tensor({1.0f, 2.0f}, here_);
  x += 1;
  x *= 3.0;
  x -= 0.5f;
  x /= 2;
  expect_equals(x, Array<float>{{2}, {2.75f, 4.25f}});
  Tensor n = tensor({7, -7}, here_);
  n += 1;
  n *= -2;
  n -= true;
  expect_equals(n, Array<std::int64_t>{{2}, {-17, 11}});
  Tensor wraps = tensor(std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::max()}, here_);
  wraps += 1;
  expect_equals(wraps, Array<std::int32_t>{{1}, {std::numeric_limits<std::int32_t>::min()}});
}

TEST_P(InPlace, WritesToAViewAreWritesToItsBase) {
  Tensor x = zeros({3, 4}, here_);
  x.slice(0, {.step = 2}).slice(1, {1, 3, 1}).fill_(1);
  Tensor column = x.select(1, 1);
  column += tensor({10.0f, 20.0f, 30.0f}, here_);
  x.transpose(0, 1).slice(0, {.step = -3}) *= 2;
  expect_equals(x, Array<float>{{3, 4}, {0, 11, 1, 0, 0, 20, 0, 0, 0, 31, 1, 0}});
}

TEST_P(InPlace, TheVersionCountsWritesToTheStorage) {
  Tensor x = zeros({4}, here_), y = x.slice(0, {.start = 1}), other = x.clone();
  const std::uint64_t first = x.version();
  std::uint64_t writes = 0;
  for (const auto& write : std::vector<std::function<void()>>{
           [&] { x += 1; }, [&] { y *= y; }, [&] { y.fill_(0); }, [&] { x.copy_(other); },
           [&] { y.detach() -= 1; }, [&] { x /= x; }}) {
    write();
    EXPECT_EQ(x.version(), first + ++writes);
    EXPECT_EQ(y.version(), x.version());
  }
  EXPECT_EQ(other.version(), 0u);
  EXPECT_EQ(x.clone().version(), 0u);
}

TEST_P(InPlace, OverlappingOperandsBehaveAsIfCopied) {
  Tensor x = arange(6, here_);
  x.slice(0, {.start = 1}) += x.slice(0, {.stop = -1});
  expect_equals(x, Array<std::int64_t>{{6}, {0, 1, 3, 5, 7, 9}});
  Tensor y = arange(6, here_);
  y.slice(0, {.stop = -1}) += y.slice(0, {.start = 1});
  expect_equals(y, Array<std::int64_t>{{6}, {1, 3, 5, 7, 9, 5}});
  Tensor mirrored = arange(5, here_);
  mirrored -= mirrored.slice(0, {.step = -1});
  expect_equals(mirrored, Array<std::int64_t>{{5}, {-4, -2, 0, 2, 4}});
  Tensor square = arange(9, here_).reshape({3, 3});
  square += square.transpose(0, 1);
  expect_equals(square, Array<std::int64_t>{{3, 3}, {0, 4, 8, 4, 8, 12, 8, 12, 16}});
  Tensor stretched = tensor({2, 3, 4}, here_);
  stretched *= stretched.slice(0, {.stop = 1});
  expect_equals(stretched, Array<std::int64_t>{{3}, {4, 6, 8}});
  Tensor itself = arange(4, here_);
  itself += itself;
  itself -= itself;
  expect_equals(itself, Array<std::int64_t>{{4}, {0, 0, 0, 0}});
  Tensor copied = arange(6, here_);
  copied.slice(0, {.start = 2}).copy_(copied.slice(0, {.stop = -2}));
  expect_equals(copied, Array<std::int64_t>{{6}, {0, 1, 0, 1, 2, 3}});
}

TEST_P(InPlace, LongOverlapsToo) {  // longer than any block that a device may read before it writes
  constexpr std::int64_t kCount = 70'000;
  const Array<std::int64_t> base = whole_array<std::int64_t>({kCount}, 1);
  for (const bool forward : {true, false}) {
    const Slice rest{.start = 1}, most{.stop = -1};
    Tensor x = to_tensor(base, device_);
    x.slice(0, forward ? rest : most) += x.slice(0, forward ? most : rest);
    Array<std::int64_t> wanted = base;
    for (std::size_t i = 0; i + 1 < base.values.size(); ++i)
      wanted.values[forward ? i + 1 : i] += base.values[forward ? i : i + 1];
    expect_equals(x, wanted);
  }
  Tensor mirrored = to_tensor(base, device_), first = to_tensor(base, device_);
  mirrored.copy_(mirrored.slice(0, {.step = -1}));
  expect_equals(mirrored,
                rearranged(base, base.shape, [](const Dims& at) { return Dims{kCount - 1 - at[0]}; }));
  first -= first.slice(0, {.stop = 1});
  expect_equals(first, zipped(base, {{1}, {base.values[0]}}, [](auto a, auto b) { return a - b; }));
  Tensor square = to_tensor(base, device_).slice(0, {.stop = 40'000}).view({200, 200});
  const Array<std::int64_t> values{{200, 200}, {base.values.begin(), base.values.begin() + 40'000}};
  square += square.transpose(0, 1);
  expect_equals(
      square,
      zipped(values, rearranged(values, {200, 200}, [](const Dims& at) { return Dims{at[1], at[0]}; }),
             [](auto a, auto b) { return a + b; }));
}

TEST_P(InPlace, RandomOverlapsBehaveAsIfCopied) {
  const Array<std::int64_t> base = whole_array<std::int64_t>({20}, 1);
  std::mt19937_64 random(2);
  for (int round = 0; round < 150; ++round) {
    const std::int64_t count = 1 + static_cast<std::int64_t>(random() % 5);
    struct Choice {
      std::int64_t start, step;
    };
    const auto choose = [&] {
      const std::int64_t step = 1 + static_cast<std::int64_t>(random() % 3), span = (count - 1) * step;
      const auto low = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(20 - span));
      return random() % 2 ? Choice{low, step} : Choice{low + span, -step};
    };
    const Choice to = choose(), from = choose();
    const auto view = [&](const Tensor& x, Choice choice) {
      const std::int64_t stop = choice.start + count * choice.step;
      return x.slice(0, {choice.start, stop < 0 ? std::nullopt : std::optional(stop), choice.step});
    };
    Tensor x = to_tensor(base, device_);
    view(x, to) += view(x, from);
    Array<std::int64_t> wanted = base;
    for (std::int64_t i = 0; i < count; ++i)
      wanted.values[static_cast<std::size_t>(to.start + i * to.step)] +=
          base.values[static_cast<std::size_t>(from.start + i * from.step)];
    SCOPED_TRACE(std::to_string(count) + " at " + std::to_string(to.start) + ":" +
                 std::to_string(to.step) + " from " + std::to_string(from.start) + ":" +
                 std::to_string(from.step));
    expect_equals(x, wanted);
  }
}

TEST_P(InPlace, TheResultStaysInTheDType) {
  Tensor narrow = tensor({1.5f}, here_);
  narrow += tensor({0.1}, {.dtype = f64, .device = device_});
  expect_equals(narrow, Array<float>{{1}, {static_cast<float>(1.5 + 0.1)}});
  narrow *= tensor({2}, here_);
  EXPECT_EQ(narrow.dtype(), f32);
  Tensor small = tensor(std::vector<std::int32_t>{5}, here_);
  small += tensor({std::int64_t{1} << 32 | 7}, {.dtype = i64, .device = device_});
  expect_equals(small, Array<std::int32_t>{{1}, {12}});
  Tensor whole = tensor({5}, here_), flag = tensor({true}, here_);
  const std::uint64_t version = whole.version();
  EXPECT_EQ(thrown([&] { whole += 1.5; }),
            invalid_argument("[add] the result is f32, which i64 can't hold; convert first"));
  EXPECT_EQ(thrown([&] { whole *= narrow; }),
            invalid_argument("[mul] the result is f32, which i64 can't hold; convert first"));
  EXPECT_EQ(thrown([&] { whole /= 2; }),
            invalid_argument("[div] the result is f32, which i64 can't hold; convert first"));
  EXPECT_EQ(thrown([&] { flag += 1; }),
            invalid_argument("[add] the result is i64, which bool can't hold; convert first"));
  expect_equals(whole, Array<std::int64_t>{{1}, {5}});
  EXPECT_EQ(whole.version(), version);
}

TEST_P(InPlace, TheTargetDoesNotGrow) {
  Tensor x = ones({3}, here_), column = ones({3, 1}, here_);
  EXPECT_EQ(thrown([&] { x += ones({2, 3}, here_); }),
            invalid_argument("[add] (2, 3) does not broadcast to (3,) in place"));
  EXPECT_EQ(thrown([&] { column *= ones({3, 2}, here_); }),
            invalid_argument("[mul] (3, 2) does not broadcast to (3, 1) in place"));
  EXPECT_EQ(thrown([&] { x -= ones({4}, here_); }),
            invalid_argument("[sub] shapes do not broadcast: (3,) and (4,)"));
  EXPECT_EQ(thrown([&] { x.copy_(ones({1, 3}, here_)); }),
            invalid_argument("[copy_] (1, 3) does not broadcast to (3,)"));
  EXPECT_EQ(thrown([&] { x.copy_(ones({4}, here_)); }),
            invalid_argument("[copy_] shapes do not broadcast: (3,) and (4,)"));
  expect_equals(x, Array<float>{{3}, {1, 1, 1}});
}

TEST_P(InPlace, StretchedTensorsCanNotBeWritten) {
  Tensor x = ones({3}, here_).expand({2, 3});
  const auto refusal = [](const std::string& op) {
    return invalid_argument("[" + op +
                            "] (2, 3) with strides (0, 1) shares elements, so it can't be written in "
                            "place; clone() it first");
  };
  EXPECT_EQ(thrown([&] { x += 1; }), refusal("add"));
  EXPECT_EQ(thrown([&] { x *= x; }), refusal("mul"));
  EXPECT_EQ(thrown([&] { x.fill_(0); }), refusal("fill_"));
  EXPECT_EQ(thrown([&] { x.copy_(ones({2, 3}, here_)); }), refusal("copy_"));
  expect_equals(x, Array<float>{{2, 3}, {1, 1, 1, 1, 1, 1}});
  Tensor single = ones({3}, here_).expand({1, 3});
  single += 1;
  expect_equals(single, Array<float>{{1, 3}, {2, 2, 2}});
}

TEST_P(InPlace, FillConverts) {
  Tensor x = empty({2, 2}, {.dtype = i32, .device = device_});
  expect_equals(x.fill_(-1.9), Array<std::int32_t>{{2, 2}, {-1, -1, -1, -1}});
  expect_equals(x.fill_(true), Array<std::int32_t>{{2, 2}, {1, 1, 1, 1}});
  Tensor flags = empty({2}, {.dtype = bool_, .device = device_});
  expect_equals(flags.fill_(0.5), Array<bool>{{2}, {true, true}});
  Tensor none = empty({0}, here_);
  none.fill_(1);
  none += 1;
}

TEST_P(InPlace, CopyTakesFromAnyDeviceDTypeAndLayout) {
  const auto values = whole_array<std::int32_t>({3, 4}, 5);
  const Array<double> wanted{values.shape, {values.values.begin(), values.values.end()}};
  for (const std::string& name : test_devices()) {
    SCOPED_TRACE(name);
    for (const Layout layout : kLayouts) {
      Tensor x = arranged(random_array<double>({3, 4}, 6), layout, device_);
      EXPECT_TRUE(x.copy_(arranged(values, layout, device(name))).is_same(x));
      EXPECT_EQ(x.device(), device_);
      expect_equals(x, wanted);
    }
    Tensor rows = zeros({2, 3}, here_);
    rows.copy_(tensor({1, 2, 3}, {.device = device(name)}));
    expect_equals(rows, Array<float>{{2, 3}, {1, 2, 3, 1, 2, 3}});
    rows.copy_(tensor(7, {.device = device(name)}));
    expect_equals(rows, Array<float>{{2, 3}, std::vector<float>(6, 7)});
  }
}

TEST_P(InPlace, SetDataIsSeenByEveryHandle) {
  Tensor x = ones({2}, here_), same = x;
  const Tensor y = tensor({{3.0f, 4.0f, 5.0f}}, here_);
  x.set_data(y);
  expect_equals(same, Array<float>{{1, 3}, {3, 4, 5}});
  EXPECT_EQ(thrown([&] { x.set_data(y.to(f64)); }),
            invalid_argument("[set_data] dtypes differ: f32 and f64"));
}

}  // namespace
}  // namespace tenon::test
