// Arranging: each element of a result is one of the operand's, at a place that the oracle says.
#include <functional>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/limited_device.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

const std::vector<DType> kAll = {f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, bool_};
constexpr Values kEdges = {.edges = true};

/// The element of x at each place of `shape`: at `from(place)`.
Reals picked(const Reals& x, const Shape& shape, const std::function<Dims(Dims)>& from) {
  Reals y{shape, {}};
  for (const Dims& at : coordinates(shape)) y.values.push_back(x.values[element_at(x.shape, from(at))]);
  return y;
}

std::int64_t wrapped(std::int64_t i, std::int64_t n) {
  return ((i % n) + n) % n;
}

/// An op on (2, 3) whose element at a place is x's at `from(place)`.
Row row(const char* name, std::function<Tensor(const Tensor&)> op, const Shape& shape,
        std::function<Dims(Dims)> from) {
  return {.name = name,
          .op = [op](const auto& x) { return op(x[0]); },
          .oracle = [shape, from](const auto& x) { return picked(x[0], shape, from); },
          .shapes = {{{2, 3}}},
          .dtypes = kAll,
          .values = kEdges};
}

/// pad over dimension 1 of (2, 3), by (before, behind).
Row pad_row(const char* name, Pad mode, std::int64_t before, std::int64_t behind,
            std::function<std::int64_t(std::int64_t)> from) {
  return row(
      name, [=](const Tensor& x) { return pad(x, {before, behind}, {.mode = mode}); },
      {2, 3 + before + behind}, [=](Dims at) { return Dims{at[0], from(at[1] - before)}; });
}

std::int64_t mirrored(std::int64_t i) {
  return i < 0 ? -i : i > 2 ? 4 - i : i;
}

const std::vector<Row> kRows = {
    {.name = "cat",
     .op = [](const auto& x) { return cat({x[0], x[1], x[0]}, -1); },
     .oracle =
         [](const auto& x) {
           Reals y{{2, 5}, {}};
           for (std::size_t i = 0; i < 2; ++i) {
             const auto& a = x[0].values;
             y.values.insert(y.values.end(),
                             {a[2 * i], a[2 * i + 1], x[1].values[i], a[2 * i], a[2 * i + 1]});
           }
           return y;
         },
     .shapes = {{{2, 2}, {2, 1}}},
     .dtypes = kAll,
     .values = kEdges},
    {.name = "cat_of_nothing",
     .op = [](const auto& x) { return cat(x, 0); },
     .oracle = [](const auto& x) { return x[1]; },
     .shapes = {{{0, 2}, {3, 2}, {0, 2}}},
     .dtypes = kAll},
    {.name = "concat_flat",
     .op = [](const auto& x) { return concat(x, std::nullopt); },
     .oracle =
         [](const auto& x) { return Reals{{3}, {x[0].values[0], x[0].values[1], x[1].values[0]}}; },
     .shapes = {{{2, 1}, {}}}},
    {.name = "stack",
     .op = [](const auto& x) { return stack(x, 1); },
     .oracle =
         [](const auto& x) {
           return Reals{{2, 2}, {x[0].values[0], x[1].values[0], x[0].values[1], x[1].values[1]}};
         },
     .shapes = {{{2}, {2}}},
     .dtypes = kAll,
     .values = kEdges},
    {.name = "pad_constant",
     .op = [](const auto& x) { return pad(x[0], {1, 0, -1, 2}, {.value = 1}); },
     .oracle =
         [](const auto& x) {
           const auto& a = x[0].values;
           return Reals{{3, 3}, {1, a[2], a[3], 1, 1, 1, 1, 1, 1}};
         },
     .shapes = {{{2, 2}}},
     .dtypes = kAll,
     .values = kEdges},
    pad_row("pad_reflect", Pad::reflect, 2, 1, mirrored),
    pad_row("pad_replicate", Pad::replicate, 2, 4,
            [](std::int64_t i) { return std::clamp<std::int64_t>(i, 0, 2); }),
    pad_row("pad_circular", Pad::circular, 3, 2, [](std::int64_t i) { return wrapped(i, 3); }),
    pad_row("pad_crops", Pad::reflect, -1, 0, [](std::int64_t i) { return i; }),
    row(
        "repeat", [](const Tensor& x) { return repeat(x, {2, 1, 3}); }, {2, 2, 9},
        [](Dims at) { return Dims{at[1], at[2] % 3}; }),
    row(
        "tile", [](const Tensor& x) { return tile(x, {2}); }, {2, 6},
        [](Dims at) { return Dims{at[0], at[1] % 3}; }),
    row(
        "repeat_interleave", [](const Tensor& x) { return repeat_interleave(x, 2, 0); }, {4, 3},
        [](Dims at) { return Dims{at[0] / 2, at[1]}; }),
    row(
        "repeat_interleave_flat", [](const Tensor& x) { return repeat_interleave(x, 2); }, {12},
        [](Dims at) { return Dims{at[0] / 6, at[0] / 2 % 3}; }),
    row(
        "repeat_interleave_each",
        [](const Tensor& x) {
          return repeat_interleave(x, tensor({2, 0, 1}, {.dtype = u8, .device = x.device()}), 1);
        },
        {2, 3}, [](Dims at) { return Dims{at[0], at[1] < 2 ? 0 : 2}; }),
    row(
        "roll", [](const Tensor& x) { return roll(x, {1, -4}, {0, -1}); }, {2, 3},
        [](Dims at) { return Dims{wrapped(at[0] - 1, 2), wrapped(at[1] + 4, 3)}; }),
    row(
        "roll_flat", [](const Tensor& x) { return roll(x, {2}); }, {2, 3},
        [](Dims at) {
          const std::int64_t i = wrapped(3 * at[0] + at[1] - 2, 6);
          return Dims{i / 3, i % 3};
        }),
    row(
        "flip", [](const Tensor& x) { return flip(x, {0, 1}); }, {2, 3},
        [](Dims at) { return Dims{1 - at[0], 2 - at[1]}; }),
    row("fliplr", fliplr, {2, 3}, [](Dims at) { return Dims{at[0], 2 - at[1]}; }),
    row("flipud", flipud, {2, 3}, [](Dims at) { return Dims{1 - at[0], at[1]}; }),
    row(
        "rot90", [](const Tensor& x) { return rot90(x); }, {3, 2},
        [](Dims at) { return Dims{at[1], 2 - at[0]}; }),
    row(
        "rot90_twice", [](const Tensor& x) { return rot90(x, -2); }, {2, 3},
        [](Dims at) { return Dims{1 - at[0], 2 - at[1]}; }),
    row(
        "rot90_back", [](const Tensor& x) { return rot90(x, 3, {-2, -1}); }, {3, 2},
        [](Dims at) { return Dims{1 - at[1], at[0]}; }),
};
TENON_ROWS(Arranging, kRows);

class ArrangingOn : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};
INSTANTIATE_TEST_SUITE_P(Ops, ArrangingOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(ArrangingOn, PartsPromote) {
  const Tensor x = tensor({1, 2}, here_),
               y = tensor({0.5, 1.5}, {.device = device_, .requires_grad = true});
  const Tensor both = cat({x, y});
  EXPECT_EQ(both.to_vector<float>(), (std::vector<float>{1, 2, 0.5, 1.5}));
  both.sum().backward();
  EXPECT_EQ(y.grad().to_vector<float>(), (std::vector<float>{1, 1}));
}

TEST_P(ArrangingOn, ResultsAreNewTensors) {
  const Tensor x = ones({1, 1}, here_);
  const Tensor all[] = {cat({x}),          pad(x, {}),  pad(x, {}, {.mode = Pad::circular}),
                        repeat(x, {1, 1}), tile(x, {}), repeat_interleave(x, 1),
                        roll(x, {0}),      flip(x, {}), rot90(x, 4),
                        repeat(x, {3, 1})};
  for (Tensor y : all) y.fill_(2);
  EXPECT_EQ(x.item<float>(), 1);
}

TEST_P(ArrangingOn, OneLaunchAPart) {
  if (!takes_whole_programs(device_)) GTEST_SKIP() << "not of whole programs";
  const Tensor x = ones({2, 2}, here_);
  cat({x, x, x});
  const std::int64_t before = device_.stats().launches;
  cat({x, x, x});
  EXPECT_EQ(device_.stats().launches - before, 3);
}

TEST_P(ArrangingOn, OverNothing) {
  const Tensor x = zeros({0, 2}, here_);
  EXPECT_EQ(roll(x, {1}, {0}).shape(), (Shape{0, 2}));
  EXPECT_EQ(repeat(x, {3, 0}).shape(), (Shape{0, 0}));
  EXPECT_EQ(repeat(ones({2}, here_), {0}).shape(), Shape{0});
  EXPECT_EQ(repeat_interleave(x, tensor({2}, here_), 0).shape(), (Shape{0, 2}));
  EXPECT_EQ(repeat_interleave(ones({2, 2}, here_), tensor({0}, here_), 0).shape(), (Shape{0, 2}));
  EXPECT_EQ(pad(x, {0, 0, 2, 0}).shape(), (Shape{2, 2}));
  EXPECT_EQ(flip(tensor(1.0, here_), {}).item<float>(), 1);
  EXPECT_EQ(repeat(tensor(1.0, here_), {2}).to_vector<float>(), (std::vector<float>{1, 1}));
}

TEST_P(ArrangingOn, RefusesWhatDoesNotFit) {
  const Tensor x = zeros({2, 3}, here_), v = zeros({3}, here_);
  EXPECT_EQ(thrown([&] { cat({}); }), invalid_argument("[cat] there are no tensors"));
  EXPECT_EQ(thrown([&] { cat({x, Tensor()}); }), invalid_argument("[cat] the tensor is undefined"));
  EXPECT_EQ(thrown([&] { cat({tensor(1.0, here_)}); }),
            invalid_argument("[cat] a 0-d tensor has no dimension; use stack()"));
  EXPECT_EQ(thrown([&] { cat({x, v}); }),
            invalid_argument("[cat] (2, 3) and (3,) differ beside dimension 0"));
  EXPECT_EQ(thrown([&] { cat({x, x}, 2); }),
            invalid_argument("[cat] dimension 2 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { stack({}); }), invalid_argument("[stack] there are no tensors"));
  EXPECT_EQ(thrown([&] { stack({x, v}); }), invalid_argument("[stack] shapes differ: (2, 3) and (3,)"));
  EXPECT_EQ(thrown([&] { stack({v}, 3); }),
            invalid_argument("[stack] dimension 3 is out of range for a tensor of 2 dimensions"));
  EXPECT_EQ(thrown([&] { repeat(x, {2}); }),
            invalid_argument("[repeat] (2,) has fewer counts than (2, 3) dimensions; use tile()"));
  EXPECT_EQ(thrown([&] { tile(x, {-1}); }), invalid_argument("[tile] (-1,) has a negative count"));
  EXPECT_EQ(thrown([&] { repeat_interleave(x, -1); }),
            invalid_argument("[repeat_interleave] the count is -1"));
  EXPECT_EQ(thrown([&] { repeat_interleave(x, v, 1); }),
            invalid_argument("[repeat_interleave] the counts are f32, not integers"));
  EXPECT_EQ(thrown([&] { repeat_interleave(x, tensor({1, 2}, here_), 1); }),
            invalid_argument("[repeat_interleave] counts (2,) are not one for each of 3 elements"));
  EXPECT_EQ(thrown([&] { repeat_interleave(x, tensor({1, -2}, here_), 0); }),
            invalid_argument("[repeat_interleave] the least count is -2"));
  EXPECT_EQ(thrown([&] { roll(x, {1, 2}); }),
            invalid_argument("[roll] one shift goes without dimensions, not (1, 2)"));
  EXPECT_EQ(thrown([&] { roll(x, {1, 2}, {0}); }),
            invalid_argument("[roll] shifts (1, 2) and dimensions (0,) differ in number"));
  EXPECT_EQ(thrown([&] { flip(x, {0, -2}); }),
            invalid_argument("[flip] dimension 0 is named twice in (0, -2)"));
  EXPECT_EQ(thrown([&] { fliplr(v); }), invalid_argument("[fliplr] (3,) has no dimension 1"));
  EXPECT_EQ(thrown([&] { flipud(tensor(1.0, here_)); }),
            invalid_argument("[flipud] () has no dimension 0"));
  EXPECT_EQ(thrown([&] { rot90(x, 1, {0}); }),
            invalid_argument("[rot90] turns in two dimensions, not (0,)"));
  EXPECT_EQ(thrown([&] { rot90(x, 1, {1, -1}); }),
            invalid_argument("[rot90] dimension 1 is named twice in (1, -1)"));
}

TEST_P(ArrangingOn, RefusesPaddingThatCannotBe) {
  const Tensor x = zeros({2, 3}, here_);
  EXPECT_EQ(thrown([&] { pad(x, {1}); }),
            invalid_argument("[pad] 1 widths are not two for each of at most 2 dimensions"));
  EXPECT_EQ(thrown([&] { pad(x, {1, 1, 1, 1, 1, 1}); }),
            invalid_argument("[pad] 6 widths are not two for each of at most 2 dimensions"));
  EXPECT_EQ(thrown([&] { pad(x, {-2, -2}); }),
            invalid_argument("[pad] widths -2 and -2 do not fit dimension 1 of (2, 3)"));
  EXPECT_EQ(
      thrown([&] { pad(x, {3, 0}, {.mode = Pad::reflect}); }),
      invalid_argument("[pad] dimension 1 of (2, 3) is too short to grow by 3 and 0 out of itself"));
  EXPECT_EQ(
      thrown([&] { pad(x, {0, 4}, {.mode = Pad::circular}); }),
      invalid_argument("[pad] dimension 1 of (2, 3) is too short to grow by 0 and 4 out of itself"));
  EXPECT_EQ(
      thrown([&] { pad(zeros({0}, here_), {1, 0}, {.mode = Pad::replicate}); }),
      invalid_argument("[pad] dimension 0 of (0,) is too short to grow by 1 and 0 out of itself"));
  EXPECT_EQ(thrown([&] { pad(x.to(i32), {1, 0}, {.value = std::int64_t{1} << 40}); }),
            invalid_argument("[pad] 1099511627776 does not fit i32"));
}

}  // namespace
}  // namespace tenon::test
