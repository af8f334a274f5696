// f16 and bf16 bits.
#include <cstdint>

#include <gtest/gtest.h>

#include "core/base/half.h"

namespace tenon {
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

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    if (const float x = f16_value(bits); x == x) {
      EXPECT_EQ(f16_bits(x), bits);
    } else {
      EXPECT_GT(bits & 0x7fff, 0x7c00);
    }
    if (const float x = bf16_value(bits); x == x) {
      EXPECT_EQ(bf16_bits(x), bits);
    } else {
      EXPECT_GT(bits & 0x7fff, 0x7f80);
    }
  }
  EXPECT_EQ(f16_value(f16_bits(0.333251953125)), 0.333251953125f);
  EXPECT_EQ(f16_value(0x0003), 3 * 0x1p-24f);
}

}  // namespace
}  // namespace tenon
