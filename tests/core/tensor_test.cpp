// Making tensors and getting their elements back: creation, dtypes, devices, sharing, conversion.
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class TensorOn : public testing::TestWithParam<std::string> {
 protected:
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, TensorOn, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(TensorOn, NestedListsGiveTheirShape) {
  expect_equals(tensor({1.5f, -2.0f}, here_), Array<float>{{2}, {1.5f, -2.0f}});
  expect_equals(tensor({{1, 2, 3}, {4, 5, 6}}, here_), Array<std::int64_t>{{2, 3}, {1, 2, 3, 4, 5, 6}});
  expect_equals(tensor({{{1.0, 2.0}}, {{3.0, 4.0}}, {{5.0, 6.0}}}, here_),
                Array<float>{{3, 1, 2}, {1, 2, 3, 4, 5, 6}});
  expect_equals(tensor({{true, false}, {false, true}}, here_),
                Array<bool>{{2, 2}, {true, false, false, true}});
  expect_equals(tensor({7}, here_), Array<std::int64_t>{{1}, {7}});
}

TEST_P(TensorOn, LiteralsTakeTheAskedDType) {
  expect_equals(tensor({{1, 2}, {3, 4}}, {.dtype = f64, .device = device_}),
                Array<double>{{2, 2}, {1, 2, 3, 4}});
  expect_equals(tensor({1.9, -1.9}, {.dtype = i32, .device = device_}),
                Array<std::int32_t>{{2}, {1, -1}});
  expect_equals(tensor({0, 2, -1}, {.dtype = bool_, .device = device_}),
                Array<bool>{{3}, {false, true, true}});
  expect_equals(tensor({0.1}, {.dtype = f64, .device = device_}), Array<double>{{1}, {0.1}});
}

TEST_P(TensorOn, RaggedListsAreRefused) {
  EXPECT_EQ(thrown([&] { tensor({{1, 2, 3}, {4, 5}}, here_); }),
            invalid_argument("[tensor] the lists are ragged: one has 3 elements, another 2"));
  EXPECT_EQ(thrown([&] { tensor({{{1, 2}, {3, 4}}, {{5, 6}}}, here_); }),
            invalid_argument("[tensor] the lists are ragged: one has 2 elements, another 1"));
}

TEST_P(TensorOn, VectorsKeepTheirElementType) {
  expect_equals(tensor(std::vector<double>{0.1, 0.2}, here_), Array<double>{{2}, {0.1, 0.2}});
  expect_equals(tensor(std::vector<std::uint64_t>{~std::uint64_t{0}}, here_),
                Array<std::uint64_t>{{1}, {~std::uint64_t{0}}});
  expect_equals(tensor(std::vector<bool>{true, false, true}, here_),
                Array<bool>{{3}, {true, false, true}});
  expect_equals(tensor(std::vector<bool>{true, false}, {.dtype = f32, .device = device_}),
                Array<float>{{2}, {1, 0}});
  expect_equals(tensor(std::vector<float>{}, here_), Array<float>{{0}, {}});
  const std::vector<std::int32_t> six{1, 2, 3, 4, 5, 6};
  expect_equals(from_values(std::span(six), {3, 2}, here_), Array<std::int32_t>{{3, 2}, six});
  EXPECT_EQ(thrown([&] { from_values(std::span(six), {4, 2}, here_); }),
            invalid_argument("[from_values] (4, 2) takes 8 values, not 6"));
  const Shape huge{std::int64_t{1} << 62};
  EXPECT_EQ(thrown([&] { from_values(std::span(six), huge, here_); }),
            (Thrown{ErrorKind::OutOfMemory,
                    "[from_values] out of memory: (4611686018427387904,) of i32 "
                    "has more bytes than 64 bits can count"}));
  EXPECT_EQ(thrown([&] { tensor(1.5, here_).expand(huge).read({}); }),
            (Thrown{ErrorKind::OutOfMemory,
                    "[read] out of memory: (4611686018427387904,) of f32 has "
                    "more bytes than 64 bits can count"}));
}

TEST_P(TensorOn, LiteralsOfSeveralTypesAndDepths) {
  expect_equals(tensor({1, 2.5}, here_), Array<float>{{2}, {1, 2.5f}});
  expect_equals(tensor({{1.0, 2}, {3, 4.5f}}, here_), Array<float>{{2, 2}, {1, 2, 3, 4.5f}});
  expect_equals(tensor({true, 2u}, here_), Array<std::int64_t>{{2}, {1, 2}});
  expect_equals(tensor({1ll, 2ll}, here_), Array<std::int64_t>{{2}, {1, 2}});
  expect_equals(tensor({{{{1, 2}, {3, 4}}}}, here_), Array<std::int64_t>{{1, 1, 2, 2}, {1, 2, 3, 4}});
  expect_equals(tensor({{1}, {2}}, here_), Array<std::int64_t>{{2, 1}, {1, 2}});
}

TEST_P(TensorOn, ValuesOutsideTheDTypesRangeAreRefused) {
  const auto as = [&](DType dtype) { return TensorOptions{.dtype = dtype, .device = device_}; };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(thrown([&] { tensor({1, 300}, as(u8)); }),
            invalid_argument("[tensor] 300 does not fit u8"));
  EXPECT_EQ(thrown([&] { tensor({-1}, as(u8)); }), invalid_argument("[tensor] -1 does not fit u8"));
  EXPECT_EQ(thrown([&] { tensor(-1, as(u8)); }), invalid_argument("[tensor] -1 does not fit u8"));
  EXPECT_EQ(thrown([&] { tensor({18446744073709551615ul}, here_); }),
            invalid_argument("[tensor] 18446744073709551615 does not fit i64"));
  expect_equals(tensor({18446744073709551615ul}, as(u64)), Array<std::uint64_t>{{1}, {~0ul}});
  EXPECT_EQ(thrown([&] { tensor({0.5, nan}, as(i32)); }),
            invalid_argument("[tensor] nan does not fit i32"));
  expect_equals(tensor({2.75, -0.5}, as(i32)), Array<std::int32_t>{{2}, {2, 0}});
  EXPECT_EQ(thrown([&] { tensor(std::vector<float>{1e20f}, as(i32)); }),
            invalid_argument("[tensor] 1.0000000200408773e+20 does not fit i32"));
  const std::vector<std::int32_t> large{70000};
  EXPECT_EQ(thrown([&] { from_values(std::span(large), {1}, as(i16)); }),
            invalid_argument("[from_values] 70000 does not fit i16"));
  EXPECT_EQ(thrown([&] { full({2}, nan, as(i32)); }), invalid_argument("[full] nan does not fit i32"));
  EXPECT_EQ(thrown([&] { full({1}, 1e20, as(i32)); }),
            invalid_argument("[full] 1e+20 does not fit i32"));
  Tensor x = zeros({2}, as(i32));
  EXPECT_EQ(thrown([&] { x.fill_(-3e9); }), invalid_argument("[fill_] -3000000000 does not fit i32"));
}

TEST_P(TensorOn, NumbersAndVectorsAreShapesAndDimensions) {
  const Tensor x =
      arange(0, 6, {.dtype = f32, .device = device_}).reshape(std::vector<std::int64_t>{2, 3});
  expect_equals(x.sum(1), Array<float>{{2}, {3, 12}});
  expect_equals(sum(x, -2, true), Array<float>{{1, 3}, {3, 5, 7}});
  expect_equals(flip(x, 0), Array<float>{{2, 3}, {3, 4, 5, 0, 1, 2}});
  expect_equals(roll(x.reshape(-1), 1), Array<float>{{6}, {5, 0, 1, 2, 3, 4}});
  expect_equals(zeros(3, here_), Array<float>{{3}, {0, 0, 0}});
  expect_equals(eye(2, 3, {.dtype = i64, .device = device_}),
                Array<std::int64_t>{{2, 3}, {1, 0, 0, 0, 1, 0}});
  EXPECT_EQ(random::normal({3}, {.dtype = f64, .device = device_}).dtype(), f64);
  EXPECT_EQ(random::uniform({3}, {.dtype = f64, .device = device_}).dtype(), f64);
  std::ostringstream text;
  text << x.shape() << ' ' << x.dtype() << ' ' << x.device();
  EXPECT_EQ(text.str(), "(2, 3) f32 " + GetParam());
}

TEST_P(TensorOn, ZeroDimensionsAndNoElements) {
  expect_equals(tensor(2.5, here_), Array<float>{{}, {2.5f}});
  expect_equals(tensor(3, here_), Array<std::int64_t>{{}, {3}});
  expect_equals(tensor(true, here_), Array<bool>{{}, {true}});
  for (const Shape& shape : {Shape{0}, Shape{0, 3}, Shape{2, 0, 3}}) {
    const Tensor x = zeros(shape, here_);
    EXPECT_EQ(x.numel(), 0);
    expect_equals(x, Array<float>{shape, {}});
    expect_equals(x.to(i64) + 1, Array<std::int64_t>{shape, {}});
    expect_equals(x.clone(), Array<float>{shape, {}});
  }
}

TEST_P(TensorOn, FilledOnes) {
  expect_equals(zeros({2}, here_), Array<float>{{2}, {0, 0}});
  expect_equals(ones({2}, {.dtype = i32, .device = device_}), Array<std::int32_t>{{2}, {1, 1}});
  expect_equals(full({2}, 2.5, here_), Array<float>{{2}, {2.5f, 2.5f}});
  expect_equals(full({1}, 3, here_), Array<std::int64_t>{{1}, {3}});
  expect_equals(full({1}, true, here_), Array<bool>{{1}, {true}});
  expect_equals(full({1}, -0.5, {.dtype = u32, .device = device_}), Array<std::uint32_t>{{1}, {0}});
  expect_equals(full({1}, ~std::uint64_t{0}, {.dtype = u64, .device = device_}),
                Array<std::uint64_t>{{1}, {~std::uint64_t{0}}});
  const Tensor x = full({2, 3}, 4, {.dtype = f64, .device = device_}).transpose(0, 1);
  EXPECT_EQ(empty_like(x).shape(), (Shape{3, 2}));
  EXPECT_EQ(empty_like(x).dtype(), f64);
  expect_equals(zeros_like(x), Array<double>{{3, 2}, std::vector<double>(6, 0)});
  expect_equals(ones_like(x), Array<double>{{3, 2}, std::vector<double>(6, 1)});
  EXPECT_EQ(ones_like(x).device(), device_);
}

TEST_P(TensorOn, Arange) {
  expect_equals(arange(4, here_), Array<std::int64_t>{{4}, {0, 1, 2, 3}});
  expect_equals(arange(3, {.dtype = f32, .device = device_}), Array<float>{{3}, {0, 1, 2}});
  expect_equals(arange(0, here_), Array<std::int64_t>{{0}, {}});
  expect_equals(arange(3, {.dtype = bool_, .device = device_}), Array<bool>{{3}, {false, true, true}});
  expect_equals(arange(-1, here_), Array<std::int64_t>{{0}, {}});
}

TEST_P(TensorOn, PropertiesOfAHandle) {
  const Tensor x = zeros({2, 3, 4}, here_), same = x, other = x.clone();
  EXPECT_EQ(x.rank(), 3);
  EXPECT_EQ(x.numel(), 24);
  EXPECT_EQ(x.size(1), 3);
  EXPECT_EQ(x.size(-1), 4);
  EXPECT_EQ(x.strides(), (Strides{12, 4, 1}));
  EXPECT_EQ(x.device().name(), GetParam());
  EXPECT_TRUE(x.is_same(same));
  EXPECT_FALSE(x.is_same(other));
  EXPECT_EQ(thrown([&] { x.size(3); }),
            invalid_argument("[size] dimension 3 is out of range for a tensor of 3 dimensions"));
  EXPECT_EQ(thrown([&] { zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}, here_); }),
            invalid_argument("[shape] 9 dimensions, the most is 8"));
  EXPECT_EQ(thrown([&] { zeros({2, -3}, here_); }),
            invalid_argument("[zeros] (2, -3) has a negative extent"));
}

TEST_P(TensorOn, ItemIsTheOnlyElement) {
  EXPECT_EQ(tensor({{2.5f}}, here_).item<float>(), 2.5f);
  EXPECT_EQ(tensor(2.9, here_).item<int>(), 2);
  EXPECT_EQ(tensor(-7, here_).item<double>(), -7.0);
  EXPECT_EQ(full({}, ~std::uint64_t{0}, {.dtype = u64, .device = device_}).item<std::uint64_t>(),
            ~std::uint64_t{0});
  EXPECT_EQ(full({}, ~std::uint64_t{0}, {.dtype = u64, .device = device_}).item<double>(), 0x1p64);
  EXPECT_TRUE(tensor(true, here_).item<bool>());
  EXPECT_EQ(tensor({1, 2, 3}, here_).select(0, 2).item<std::int64_t>(), 3);
  EXPECT_EQ(tensor(-7, here_).item<std::uint8_t>(), 0);
  EXPECT_EQ(tensor(1e10, here_).item<std::int32_t>(), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(tensor(kNan, here_).item<std::int64_t>(), 0);
  EXPECT_TRUE(tensor(0.5, here_).item<bool>());
  EXPECT_EQ(thrown([&] { zeros({2, 3}, here_).item<float>(); }),
            invalid_argument("[item] the tensor has shape (2, 3): item() takes exactly one element"));
  EXPECT_EQ(thrown([&] { zeros({0}, here_).item<float>(); }),
            invalid_argument("[item] the tensor has shape (0,): item() takes exactly one element"));
}

TEST_P(TensorOn, ToVectorCopiesRowMajor) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, here_);
  auto values = x.transpose(0, 1).to_vector<std::int64_t>();
  EXPECT_THAT(values, ElementsAre(1, 4, 2, 5, 3, 6));
  values[0] = 100;
  EXPECT_THAT(x.slice(1, {.stop = 1}).to_vector<std::int64_t>(), ElementsAre(1, 4));
  EXPECT_EQ(thrown([&] { x.to_vector<float>(); }),
            invalid_argument("[data] the tensor holds i64, not f32"));
  std::vector<std::byte> bytes(40);
  EXPECT_EQ(thrown([&] { x.read(bytes); }),
            invalid_argument("[read] (2, 3) of i64 takes 48 bytes, not 40"));
}

TEST_P(TensorOn, DataSharesTheElementsWhereTheHostCan) {
  Tensor x = tensor({{1.0f, 2.0f}, {3.0f, 4.0f}}, here_);
  if (!device_.info().synchronous) {
    EXPECT_EQ(thrown([&] { x.data<float>(); }),
              invalid_argument("[data] the host can't share memory of " + GetParam() +
                               "; copy with to_vector()"));
    return;
  }
  Tensor second_row = x.select(0, 1);
  x.data<float>()[2] = 30;
  second_row.data<float>()[1] = 40;
  EXPECT_THAT(x.to_vector<float>(), ElementsAre(1, 2, 30, 40));
  const Tensor constant = x;
  EXPECT_EQ(constant.data<float>().data(), x.data<float>().data());
  EXPECT_EQ(
      thrown([&] { x.transpose(0, 1).data<float>(); }),
      invalid_argument("[data] the elements of (2, 2) with strides (1, 2) are not contiguous; take "
                       "contiguous()"));
  EXPECT_EQ(thrown([&] { x.data<double>(); }),
            invalid_argument("[data] the tensor holds f32, not f64"));
}

TEST_P(TensorOn, ClonesAndContiguousOnes) {
  const Array<float> values = random_array<float>({3, 4}, 5);
  for (const Layout layout : kLayouts) {
    SCOPED_TRACE(testing::PrintToString(static_cast<int>(layout)));
    const Tensor x = arranged(values, layout, device_);
    expect_equals(x, values);
    EXPECT_EQ(x.is_contiguous(), layout == Layout::Contiguous);
    EXPECT_EQ(x.contiguous().is_same(x), layout == Layout::Contiguous);
    EXPECT_TRUE(x.contiguous().is_contiguous());
    expect_equals(x.contiguous(), values);
    Tensor copy = x.clone();
    EXPECT_TRUE(copy.is_contiguous());
    expect_equals(copy, values);
    copy.fill_(0);
    expect_equals(x, values);
  }
}

TEST_P(TensorOn, GoesToEveryDevice) {
  for (const std::string& name : test_devices()) {
    SCOPED_TRACE(name);
    const Device there = device(name);
    for_each_type([&](auto zero) {
      using T = decltype(zero);
      const Array<T> values = random_array<T>({2, 3}, 8);
      for (const Layout layout : kLayouts) {
        const Tensor x = arranged(values, layout, device_), y = x.to(there);
        EXPECT_EQ(y.device(), there);
        EXPECT_EQ(y.is_same(x), there == device_);
        expect_equals(y, values);
        expect_equals(y.to(device_), values);
      }
    });
    expect_equals(zeros({0, 3}, here_).to(there), Array<float>{{0, 3}, {}});
  }
}

TEST_P(TensorOn, ConvertsAsCast) {
  const Tensor x = tensor({1.9f, -1.9f, kNan, kInf, -kInf, 3e9f, -0.0f}, here_);
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int32_t>::min();
  expect_equals(x.to(i32), Array<std::int32_t>{{7}, {1, -1, 0, kMax, kMin, kMax, 0}});
  expect_equals(x.to(u32), Array<std::uint32_t>{{7}, {1, 0, 0, ~0u, 0, 3000000000u, 0}});
  expect_equals(x.to(i64),
                Array<std::int64_t>{{7},
                                    {1, -1, 0, std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min(), 3000000000, 0}});
  expect_equals(x.to(u64), Array<std::uint64_t>{{7}, {1, 0, 0, ~std::uint64_t{0}, 0, 3000000000, 0}});
  expect_equals(x.to(bool_), Array<bool>{{7}, {true, true, true, true, true, true, false}});
  const Tensor wide = tensor(std::vector<std::int64_t>{-1, std::int64_t{1} << 32, 16777217}, here_);
  expect_equals(wide.to(u32), Array<std::uint32_t>{{3}, {~0u, 0, 16777217}});
  expect_equals(wide.to(u64), Array<std::uint64_t>{{3}, {~std::uint64_t{0}, 1ull << 32, 16777217}});
  expect_equals(wide.to(f32), Array<float>{{3}, {-1, 0x1p32f, 16777216}});
  expect_equals(tensor({1e300, 0.1, 1e-46}, {.dtype = f64, .device = device_}).to(f32),
                Array<float>{{3}, {kInf, 0.1f, 0}});
  EXPECT_TRUE(x.to(f32).is_same(x));
}

TEST_P(TensorOn, ConvertsViewsOfAnyLayout) {
  const Array<std::int32_t> values = random_array<std::int32_t>({3, 5}, 1);
  Array<double> expected{values.shape, {values.values.begin(), values.values.end()}};
  for (const Layout layout : kLayouts)
    expect_equals(arranged(values, layout, device_).to(f64), expected);
}

TEST_P(TensorOn, TooLargeIsOutOfMemoryAndTheProcessGoesOn) {
  const Thrown error = thrown([&] { zeros({std::int64_t{1} << 45}, here_); });
  EXPECT_EQ(error.kind, ErrorKind::OutOfMemory) << error;
  EXPECT_THAT(error.text, HasSubstr("[" + GetParam() + "] out of memory: 128 TiB asked for"));
  const Tensor x = ones({8}, here_);
  EXPECT_EQ(thrown([&] { x.expand({std::int64_t{1} << 44, 8}) + 1; }).kind, ErrorKind::OutOfMemory);
  const Thrown bytes = thrown([&] { empty({std::int64_t{1} << 62}, here_); });
  EXPECT_EQ(bytes, (Thrown{ErrorKind::OutOfMemory, "[" + GetParam() +
                                                       "] out of memory: (4611686018427387904,) of f32 "
                                                       "has more bytes than 64 bits can count"}));
  EXPECT_EQ(
      thrown([&] { zeros({std::int64_t{1} << 62, 2}, here_); }),
      invalid_argument("[zeros] (4611686018427387904, 2) has more elements than 64 bits can count"));
  EXPECT_EQ(
      thrown([&] { x.expand({std::int64_t{1} << 62, 8}).numel(); }),
      invalid_argument("[expand] (4611686018427387904, 8) has more elements than 64 bits can count"));
  EXPECT_EQ(x.sum().item<float>(), 8);
}

TEST(Undefined, TakesPartInNoOp) {
  Tensor none;
  const Tensor x = ones({2});
  EXPECT_FALSE(none.defined());
  const auto expect_undefined = [](const std::string& op, const auto& call) {
    EXPECT_EQ(thrown(call), invalid_argument("[" + op + "] the tensor is undefined"));
  };
  expect_undefined("shape", [&] { none.shape(); });
  expect_undefined("dtype", [&] { none.dtype(); });
  expect_undefined("device", [&] { none.device(); });
  expect_undefined("add", [&] { none + x; });
  expect_undefined("add", [&] { x + none; });
  expect_undefined("sub", [&] { x - none; });
  expect_undefined("mul", [&] { none * 2; });
  expect_undefined("div", [&] { 2 / none; });
  expect_undefined("lt", [&] { return x < none; });
  expect_undefined("exp", [&] { exp(none); });
  expect_undefined("where", [&] { where(none, x, x); });
  expect_undefined("where", [&] { where(x > 0, x, none); });
  expect_undefined("sum", [&] { none.sum(); });
  expect_undefined("mean", [&] { none.mean(); });
  expect_undefined("max", [&] { none.max(); });
  expect_undefined("matmul", [&] { matmul(x, none); });
  expect_undefined("copy_", [&] { x.clone().copy_(none); });
  expect_undefined("copy_", [&] { none.copy_(x); });
  expect_undefined("fill_", [&] { none.fill_(0); });
  expect_undefined("add", [&] { none += x; });
  expect_undefined("backward", [&] { none.backward(); });
  expect_undefined("data", [&] { none.data<float>(); });
  expect_undefined("host", [&] { none.host(); });
  expect_undefined("zeros_like", [&] { zeros_like(none); });
  expect_undefined("tril", [&] { tril(none); });
  for (const auto& call : std::vector<std::function<void()>>{[&] { none.reshape({1}); },
                                                             [&] { none.view({1}); },
                                                             [&] { none.permute({}); },
                                                             [&] { none.transpose(0, 1); },
                                                             [&] { none.slice(0, {}); },
                                                             [&] { none.select(0, 0); },
                                                             [&] { none.expand({2}); },
                                                             [&] { none.squeeze(0); },
                                                             [&] { none.unsqueeze(0); },
                                                             [&] { none.flatten(); },
                                                             [&] { none.diagonal(); },
                                                             [&] { none.unfold(0, 1, 1); },
                                                             [&] { none.split(1); },
                                                             [&] { none.unbind(); },
                                                             [&] { none.movedim(0, 1); },
                                                             [&] { none.is_read_only(); },
                                                             [&] { none.contiguous(); },
                                                             [&] { none.clone(); },
                                                             [&] { none.detach(); },
                                                             [&] { none.item<float>(); },
                                                             [&] { none.to_vector<float>(); },
                                                             [&] { none.to(f64); },
                                                             [&] { none.to(x.device()); },
                                                             [&] { zeros_like(none); },
                                                             [&] { none.set_data(x); },
                                                             [&] { none.set_requires_grad(); },
                                                             [&] { none.grad(); },
                                                             [&] { none.version(); }}) {
    EXPECT_THAT(thrown(call).text, HasSubstr("] the tensor is undefined"));
  }
}

}  // namespace
}  // namespace tenon::test
