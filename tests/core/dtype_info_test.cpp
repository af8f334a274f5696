// What dtypes hold, against the C++ library's limits where it has the type.
#include <cstdint>
#include <limits>
#include <tuple>

#include <gtest/gtest.h>

#include <tenon/dtype_info.h>

#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

template <class T>
void expect_limits_of_floating() {
  using Limits = std::numeric_limits<T>;
  const FloatInfo info = finfo(dtype_of<T>);
  EXPECT_EQ(info.bits, 8 * sizeof(T));
  EXPECT_EQ(info.eps, Limits::epsilon());
  EXPECT_EQ(info.max, Limits::max());
  EXPECT_EQ(info.smallest_normal, Limits::min());
}

template <class T>
void expect_limits_of_integer() {
  using Limits = std::numeric_limits<T>;
  const IntegerInfo info = iinfo(dtype_of<T>);
  EXPECT_EQ(info.bits, 8 * sizeof(T));
  EXPECT_EQ(info.min, static_cast<std::int64_t>(Limits::min()));
  EXPECT_EQ(info.max, static_cast<std::uint64_t>(Limits::max()));
}

TEST(DTypeInfo, OfFloatingDTypes) {
  expect_limits_of_floating<float>();
  expect_limits_of_floating<double>();
  // The bits that a 16-bit number's neighbours, greatest and least normal one have.
  for (const auto& [dtype, one_and_more, most, least] :
       {std::tuple{f16, 0x3c01, 0x7bff, 0x0400}, std::tuple{bf16, 0x3f81, 0x7f7f, 0x0080}}) {
    const FloatInfo info = finfo(dtype);
    EXPECT_EQ(info.bits, 16);
    EXPECT_EQ(Scalar(1 + info.eps).bits(dtype), one_and_more) << name(dtype);
    EXPECT_EQ(Scalar(1 + info.eps / 2).bits(dtype), one_and_more - 1) << name(dtype);
    EXPECT_EQ(Scalar(info.max).bits(dtype), most) << name(dtype);
    EXPECT_EQ(Scalar(info.max * (1 + info.eps)).bits(dtype), most + 1) << name(dtype);
    EXPECT_EQ(Scalar(info.smallest_normal).bits(dtype), least) << name(dtype);
  }
  EXPECT_EQ(thrown([] { finfo(i32); }), invalid_argument("[finfo] i32 is not floating"));
}

TEST(DTypeInfo, OfIntegers) {
  expect_limits_of_integer<std::int8_t>();
  expect_limits_of_integer<std::uint8_t>();
  expect_limits_of_integer<std::int16_t>();
  expect_limits_of_integer<std::uint16_t>();
  expect_limits_of_integer<std::int32_t>();
  expect_limits_of_integer<std::uint32_t>();
  expect_limits_of_integer<std::int64_t>();
  expect_limits_of_integer<std::uint64_t>();
  EXPECT_EQ(thrown([] { iinfo(bool_); }), invalid_argument("[iinfo] bool is not an integer dtype"));
}

TEST(DTypeInfo, KindsOfDTypes) {
  for (const DType dtype : {i8, i16, i32, i64}) EXPECT_TRUE(is_signed_integer(dtype));
  for (const DType dtype : {u8, u16, u32, u64}) EXPECT_TRUE(is_unsigned_integer(dtype));
  for (const DType dtype : {f16, bf16, f32, f64}) EXPECT_TRUE(is_floating(dtype));
  for (const DType dtype : {f16, bf16, f32, f64, bool_}) EXPECT_FALSE(is_integer(dtype));
  EXPECT_FALSE(is_floating(bool_));
  EXPECT_FALSE(is_signed_integer(u8));
  EXPECT_FALSE(is_unsigned_integer(i8));
}

TEST(DTypeInfo, CastsThatPromotionMakes) {
  EXPECT_TRUE(can_cast(i8, i16));
  EXPECT_TRUE(can_cast(u8, i16));
  EXPECT_TRUE(can_cast(bool_, u8));
  EXPECT_TRUE(can_cast(i64, f16));
  EXPECT_FALSE(can_cast(i16, i8));
  EXPECT_FALSE(can_cast(u64, i64));
  EXPECT_FALSE(can_cast(f64, f32));
  EXPECT_FALSE(can_cast(f16, bf16));
}

TEST(DTypeInfo, OfATensorAndANumber) {
  EXPECT_EQ(promote(u8, 300), u8);
  EXPECT_EQ(promote(u8, true), u8);
  EXPECT_EQ(promote(u8, 0.5), f32);
  EXPECT_EQ(promote(f16, 0.5), f16);
  EXPECT_EQ(promote(bool_, 2), i64);
  EXPECT_EQ(promote(bool_, true), bool_);
}

}  // namespace
}  // namespace tenon::test
