// What dtype comes of two: the table of promote, and what ops make of it.
//
// The table is the Python array API standard's where that speaks, and NumPy 2.4's promote_types agrees
// with it there. Where it is silent, tenon/dtype.h decides, by PyTorch's way: integer with floating
// gives the floating dtype (NumPy: i32 with f32 gives f64), u64 with a signed integer the default dtype
// f32 (NumPy: f64), f16 with bf16 f32. Division of integers gives f32 (NumPy: f64).
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/figures/promotion.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr std::array kAll = {bool_, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64};
constexpr const char* kPromoted[] = {
    "bool u8   i8   u16  i16  u32  i32  u64  i64  f16  bf16 f32  f64",  // with bool
    "u8   u8   i16  u16  i16  u32  i32  u64  i64  f16  bf16 f32  f64",  // u8
    "i8   i16  i8   i32  i16  i64  i32  f32  i64  f16  bf16 f32  f64",  // i8
    "u16  u16  i32  u16  i32  u32  i32  u64  i64  f16  bf16 f32  f64",  // u16
    "i16  i16  i16  i32  i16  i64  i32  f32  i64  f16  bf16 f32  f64",  // i16
    "u32  u32  i64  u32  i64  u32  i64  u64  i64  f16  bf16 f32  f64",  // u32
    "i32  i32  i32  i32  i32  i64  i32  f32  i64  f16  bf16 f32  f64",  // i32
    "u64  u64  f32  u64  f32  u64  f32  u64  f32  f16  bf16 f32  f64",  // u64
    "i64  i64  i64  i64  i64  i64  i64  f32  i64  f16  bf16 f32  f64",  // i64
    "f16  f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f32  f64",  // f16
    "bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32  bf16 f32  f64",  // bf16
    "f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f64",  // f32
    "f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64",  // f64
};

TEST(Promotion, OfTwoDTypesRowByRow) {
  for (std::size_t a = 0; a < kAll.size(); ++a) {
    std::istringstream row(kPromoted[a]);
    for (const DType b : kAll) {
      std::string expected;
      row >> expected;
      EXPECT_EQ(name(promote(kAll[a], b)), expected) << name(kAll[a]) << " with " << name(b);
    }
  }
}

DType dtype_of_name(const std::string& text) {
  return *std::find_if(kAll.begin(), kAll.end(), [&](DType d) { return name(d) == text; });
}

/// What the array API standard decides, NumPy says too; PyTorch where it is silent; 01 where a signed
/// integer meets u64.
std::string decided(const figures::Promoted& row) {
  const DType a = dtype_of_name(row.a), b = dtype_of_name(row.b);
  if ((a == u64 && is_signed_integer(b)) || (b == u64 && is_signed_integer(a))) return "f32";
  const bool one_kind = is_integer(a) == is_integer(b) && is_floating(a) == is_floating(b);
  return one_kind && a != bf16 && b != bf16 ? row.by_numpy : row.by_torch;
}

TEST(Promotion, IsNumPysAndWhereThatIsSilentPyTorchs) {
  ASSERT_EQ(figures::kPromoted.size(), kAll.size() * kAll.size());
  for (const figures::Promoted& row : figures::kPromoted) {
    const DType promoted = promote(dtype_of_name(row.a), dtype_of_name(row.b));
    // bool with unsigned ones wider than u8 is where PyTorch has no answer, and NumPy one.
    const std::string wanted = decided(row) == "-" ? row.by_numpy : decided(row);
    EXPECT_EQ(name(promoted), wanted) << row.a << " with " << row.b;
  }
}

class PromotionOn : public testing::TestWithParam<std::string> {
 protected:
  bool computes(DType dtype) const {
    const std::vector<DType>& all = device_.info().compute_dtypes;
    return std::find(all.begin(), all.end(), dtype) != all.end();
  }
  Tensor one(DType dtype) const { return ones({2}, {.dtype = dtype, .device = device_}); }
  const Device device_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, PromotionOn, testing::ValuesIn(test_devices()), device_test_name);

/// What arithmetic of two dtypes gives, by the table above.
DType arithmetic_of(std::size_t a, std::size_t b) {
  std::istringstream row(kPromoted[a]);
  std::string promoted;
  for (std::size_t i = 0; i <= b; ++i) row >> promoted;
  return *std::find_if(kAll.begin(), kAll.end(), [&](DType d) { return name(d) == promoted; });
}

TEST_P(PromotionOn, OpsOfTwoTensors) {
  for (std::size_t a = 0; a < kAll.size(); ++a) {
    for (std::size_t b = 0; b < kAll.size(); ++b) {
      if (!computes(kAll[a]) || !computes(kAll[b])) continue;
      SCOPED_TRACE(std::string(name(kAll[a])) + " with " + std::string(name(kAll[b])));
      const Tensor x = one(kAll[a]), y = one(kAll[b]);
      const DType arithmetic = arithmetic_of(a, b);
      const bool both_bool = kAll[a] == bool_ && kAll[b] == bool_;
      for (const Tensor& z : {x + y, x * y, minimum(x, y), maximum(x, y)})
        EXPECT_EQ(name(z.dtype()), name(arithmetic));
      if (!both_bool) {
        EXPECT_EQ(name((x - y).dtype()), name(arithmetic));
      }
      EXPECT_EQ(name((x / y).dtype()), name(is_floating(arithmetic) ? arithmetic : f32));
      for (const Tensor& z : {x<y, x <= y, x> y, x >= y, x == y, x != y})
        EXPECT_EQ(name(z.dtype()), "bool");
      EXPECT_EQ(name(where(x > 0, x, y).dtype()), name(arithmetic));
      EXPECT_EQ((x + y).to(f64).sum().item<double>(), both_bool ? 2 : 4);
      EXPECT_EQ((x == y).to(f64).sum().item<double>(), 2);
    }
  }
}

/// What a tensor's dtype becomes with a C++ bool, integer and floating number, in arithmetic.
struct ScalarRow {
  DType tensor, with_bool, with_integer, with_floating;
};
constexpr ScalarRow kScalars[] = {
    {bool_, bool_, i64, f32}, {u8, u8, u8, f32},    {i8, i8, i8, f32},        {u16, u16, u16, f32},
    {i16, i16, i16, f32},     {u32, u32, u32, f32}, {i32, i32, i32, f32},     {u64, u64, u64, f32},
    {i64, i64, i64, f32},     {f16, f16, f16, f16}, {bf16, bf16, bf16, bf16}, {f32, f32, f32, f32},
    {f64, f64, f64, f64},
};

TEST(Promotion, OfATensorAndANumberIsPyTorchs) {
  ASSERT_EQ(figures::kPromotedByNumber.size(), 3 * kAll.size());
  for (const figures::Promoted& row : figures::kPromotedByNumber) {
    const DType tensor = dtype_of_name(row.a);
    const auto own = std::find_if(std::begin(kScalars), std::end(kScalars),
                                  [&](const ScalarRow& r) { return r.tensor == tensor; });
    const std::string kind = row.b;
    const DType ours = kind == "bool"  ? own->with_bool
                       : kind == "int" ? own->with_integer
                                       : own->with_floating;
    EXPECT_EQ(name(ours), row.by_torch) << row.a << " with " << row.b;
    // NumPy agrees but for its default dtype, f64.
    if (tensor == bf16 || (kind == "float" && !is_floating(tensor))) continue;
    EXPECT_EQ(name(ours), row.by_numpy) << row.a << " with " << row.b;
  }
}

TEST_P(PromotionOn, OpsOfATensorAndANumber) {
  for (const ScalarRow& row : kScalars) {
    if (!computes(row.tensor)) continue;
    SCOPED_TRACE(name(row.tensor));
    const Tensor x = one(row.tensor);
    const auto expect = [&](Scalar number, DType wanted) {
      for (const Tensor& z :
           {x + number, number + x, number * x, minimum(x, number), maximum(number, x)})
        EXPECT_EQ(name(z.dtype()), name(wanted));
      if (wanted != bool_) {
        EXPECT_EQ(name((x - number).dtype()), name(wanted));
      }
      const DType quotient = is_floating(wanted) ? wanted : f32;
      EXPECT_EQ(name((x / number).dtype()), name(quotient));
      EXPECT_EQ(name((number / x).dtype()), name(quotient));
      EXPECT_EQ(name((x < number).dtype()), "bool");
      EXPECT_EQ(name((number == x).dtype()), "bool");
    };
    expect(true, row.with_bool);
    expect(2, row.with_integer);
    expect(std::uint64_t{2}, row.with_integer);
    expect(2.0f, row.with_floating);
    expect(2.0, row.with_floating);
  }
}

TEST_P(PromotionOn, NumbersThatDoNotFitTheTensorAreRefused) {
  const Tensor small = one(i32), positive = one(u32), wide = one(u64), signed_wide = one(i64);
  const auto does_not_fit = [](const std::string& op, const std::string& value,
                               const std::string& type) {
    return invalid_argument("[" + op + "] " + value + " does not fit " + type);
  };
  EXPECT_EQ(thrown([&] { small + 2147483648; }), does_not_fit("add", "2147483648", "i32"));
  EXPECT_EQ(thrown([&] { return minimum(positive, -1); }), does_not_fit("minimum", "-1", "u32"));
  EXPECT_EQ(thrown([&] { wide - -1; }), does_not_fit("sub", "-1", "u64"));
  EXPECT_EQ(thrown([&] { one(i32) *= 3000000000; }), does_not_fit("mul", "3000000000", "i32"));
  EXPECT_EQ(thrown([&] { one(u32).fill_(-1); }), does_not_fit("fill_", "-1", "u32"));
  EXPECT_EQ(thrown([&] { signed_wide + ~std::uint64_t{0}; }).text.substr(0, 6), "[add] ");
  expect_equals(small + -2147483648, Array<std::int32_t>{{2}, {-2147483647, -2147483647}});
  expect_equals(positive - 4294967295, Array<std::uint32_t>{{2}, {2, 2}});
  // In the dtype that is computed with: a quotient's is f32.
  expect_equals(small / 4294967296, Array<float>{{2}, {0x1p-32f, 0x1p-32f}});
}

TEST_P(PromotionOn, ValuesArePromotedBeforeTheOp) {
  const TensorOptions here = {.device = device_};
  const auto vec = [&]<class T>(std::vector<T> values) { return tensor(values, here); };
  // -1 stays negative beside an unsigned 32-bit number, and large integers are rounded to f32.
  expect_equals(vec(std::vector<std::int32_t>{-1}) < vec(std::vector<std::uint32_t>{0}),
                Array<bool>{{1}, {true}});
  expect_equals(vec(std::vector<std::int32_t>{-1}) + vec(std::vector<std::uint32_t>{~0u}),
                Array<std::int64_t>{{1}, {4294967294}});
  expect_equals(vec(std::vector<std::int64_t>{16777217}) + vec(std::vector<float>{0}),
                Array<float>{{1}, {16777216}});
  expect_equals(vec(std::vector<std::int64_t>{16777217}) == vec(std::vector<double>{16777217}),
                Array<bool>{{1}, {true}});
  expect_equals(vec(std::vector<float>{0.1f}) + vec(std::vector<double>{0}),
                Array<double>{{1}, {double{0.1f}}});
  expect_equals(tensor({true, false}, here) + tensor({true, true}, here),
                Array<bool>{{2}, {true, true}});
  expect_equals(tensor({true, false}, here) - 2, Array<std::int64_t>{{2}, {-1, -2}});
  expect_equals(tensor({7, -7}, here) / 2, Array<float>{{2}, {3.5f, -3.5f}});
  expect_equals(tensor({1, 0}, here) / tensor({0, 0}, here) > 1e30, Array<bool>{{2}, {true, false}});
  expect_equals(tensor({3, 4}, here) + 0.5, Array<float>{{2}, {3.5f, 4.5f}});
  expect_equals(tensor({3, 4}, here) > 3.5, Array<bool>{{2}, {false, true}});
}

}  // namespace
}  // namespace tenon::test
