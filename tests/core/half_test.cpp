// f16 and bf16 bits: all of them, and every boundary between two.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/half.h>
#include <tenon/scalar.h>

#include "core/base/half.h"
#include "core/base/read_scalar.h"
#include "tests/support/half_oracle.h"

namespace tenon::test {
namespace {

TEST(Half, RoundsOnceToNearestEven) {
  EXPECT_EQ(f16_bits(1), 0x3c00);
  EXPECT_EQ(f16_bits(-2), 0xc000);
  EXPECT_EQ(f16_bits(65504), 0x7bff);
  EXPECT_EQ(f16_bits(65519.999), 0x7bff);
  EXPECT_EQ(f16_bits(65520), 0x7c00);
  EXPECT_EQ(f16_bits(1e300), 0x7c00);
  EXPECT_EQ(f16_bits(1 + 0x1p-11), 0x3c00) << "a tie goes to the even fraction";
  EXPECT_EQ(f16_bits(1 + 3 * 0x1p-11), 0x3c02);
  EXPECT_EQ(f16_bits(1 + 0x1p-11 + 0x1p-40), 0x3c01) << "rounding by way of f32 would lose the rest";
  EXPECT_EQ(f16_bits(0x1p-24), 0x0001);
  EXPECT_EQ(f16_bits(0x1p-25), 0x0000);
  EXPECT_EQ(f16_bits(0x1.8p-25), 0x0001);
  EXPECT_EQ(f16_bits(0x1.ffcp-15), 0x0400) << "a denormal that rounds up to the least normal";
  EXPECT_EQ(f16_bits(-0.0), 0x8000);
  EXPECT_EQ(bf16_bits(1), 0x3f80);
  EXPECT_EQ(bf16_bits(1 + 0x1p-8), 0x3f80);
  EXPECT_EQ(bf16_bits(1 + 3 * 0x1p-8), 0x3f82);
  EXPECT_EQ(bf16_bits(3.4e38), 0x7f80);
  EXPECT_EQ(bf16_bits(0x1p-133), 0x0001);
}

template <class H>
struct HalfOf : testing::Test {
  static constexpr DType kDType = dtype_of<H>;
  static constexpr HalfFormat kFormat = kDType == f16 ? kF16Format : kBf16Format;
  const std::vector<long double> all_ = magnitudes(kFormat);

  void expect_rounded(double x) const {
    ASSERT_EQ(H(x).bits(), nearest_half(x, kFormat, all_)) << name(kDType) << " of " << x;
    ASSERT_EQ(H(-x).bits(), nearest_half(-x, kFormat, all_)) << name(kDType) << " of " << -x;
    ASSERT_EQ(Scalar(x).bits(kDType), H(x).bits());
  }
};
using Halves = testing::Types<float16, bfloat16>;
struct HalfName {
  template <class H>
  static std::string GetName(int) {
    return std::string(name(dtype_of<H>));
  }
};
TYPED_TEST_SUITE(HalfOf, Halves, HalfName);

TYPED_TEST(HalfOf, EveryBitPatternHasItsValueAndComesBack) {
  const HalfFormat format = this->kFormat;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto x = TypeParam::from_bits(static_cast<std::uint16_t>(i));
    const std::uint32_t magnitude = i & 0x7fff;
    const auto value = static_cast<float>(x);
    ASSERT_EQ(x.bits(), i);
    if (magnitude > format.infinity()) continue;  // the next test's
    ASSERT_EQ(static_cast<double>(x), value);
    const long double expected = magnitude == format.infinity()
                                     ? std::numeric_limits<long double>::infinity()
                                     : this->all_[magnitude];
    ASSERT_EQ(std::fabs(value), expected) << i;
    ASSERT_EQ(std::signbit(value), i >= 0x8000) << i;
    ASSERT_EQ(TypeParam(value).bits(), i);
    ASSERT_EQ(Scalar(x).bits(this->kDType), i);
    ASSERT_EQ(Scalar(x).to<TypeParam>().bits(), i);
    const std::uint64_t stored = i;
    ASSERT_EQ(read_scalar(this->kDType, reinterpret_cast<const std::byte*>(&stored)).to_double(),
              value);
  }
}

TYPED_TEST(HalfOf, EveryNanStaysOne) {
  for (std::uint32_t i = this->kFormat.infinity() + 1; i < 0x8000; ++i) {
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const auto bits = static_cast<std::uint16_t>(i | sign);
      const auto x = TypeParam::from_bits(bits);
      ASSERT_EQ(x.bits(), bits) << "the payload is kept where nothing is computed";
      ASSERT_TRUE(std::isnan(static_cast<float>(x)));
      ASSERT_GT(TypeParam(static_cast<double>(x)).bits() & 0x7fffu, this->kFormat.infinity());
      ASSERT_FALSE(x == x);
    }
  }
}

TYPED_TEST(HalfOf, RoundsAtEveryBoundary) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i + 1 < this->all_.size(); ++i) {
    const auto low = static_cast<double>(this->all_[i]), high = static_cast<double>(this->all_[i + 1]);
    const double tie = low + (high - low) / 2;
    for (const double x : {low, tie, std::nextafter(tie, 0.0), std::nextafter(tie, kInf)})
      this->expect_rounded(x);
    // What f32 is next to the tie.
    const auto narrow = static_cast<float>(tie);
    this->expect_rounded(std::nextafterf(narrow, 0.0f));
    this->expect_rounded(std::nextafterf(narrow, std::numeric_limits<float>::infinity()));
  }
  for (const double x : {kInf, std::numeric_limits<double>::max(), 0x1p-1074, 0.0})
    this->expect_rounded(x);
}

TYPED_TEST(HalfOf, ComparesAsNumbers) {
  const TypeParam one(1), two(2), zero(0.0), negative_zero(-0.0), nan(std::nan(""));
  EXPECT_LT(one, two);
  EXPECT_GE(two, one);
  EXPECT_EQ(zero, negative_zero);
  EXPECT_NE(zero.bits(), negative_zero.bits());
  EXPECT_FALSE(nan < one || nan >= one);
  EXPECT_EQ(TypeParam(), zero);
  EXPECT_EQ(sizeof(TypeParam), 2u);
  EXPECT_TRUE(std::is_trivially_copyable_v<TypeParam>);
}

}  // namespace
}  // namespace tenon::test
