// The oracles themselves, against hardware conversions and published values.
#include <bit>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {
namespace {

TEST(ConformanceOracle, PhiloxHasRandom123sKnownAnswers) {
  struct KnownAnswer {
    std::uint32_t counter[4], key[2], words[4];
  };
  const KnownAnswer known_answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (KnownAnswer known : known_answers) {
    philox4x32(known.counter, known.key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(known.counter[i], known.words[i]) << "word " << i;
  }
}

TEST(ConformanceOracle, RoundsAsTheHardwareDoes) {
  for (const Bits bits : random_values(TENON_DTYPE_U64, 20000, 1)) {
    const auto wide = std::bit_cast<double>(bits);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(to_real(TENON_DTYPE_F64, bits), static_cast<long double>(wide));
    ASSERT_EQ(from_real(TENON_DTYPE_F64, wide), bits);
    const auto narrow = static_cast<float>(std::ldexp(wide, -(std::ilogb(wide) / 10 * 9)));
    const auto f32 = std::bit_cast<std::uint32_t>(narrow);
    ASSERT_EQ(from_real(TENON_DTYPE_F32, std::ldexp(wide, -(std::ilogb(wide) / 10 * 9))), f32);
    ASSERT_EQ(to_real(TENON_DTYPE_F32, f32), static_cast<long double>(narrow));
  }
}

TEST(ConformanceOracle, KnowsTheSmallFloats) {
  struct Row {
    std::uint8_t dtype;
    double value;
    Bits bits;
  };
  const Row rows[] = {{TENON_DTYPE_F16, 1, 0x3c00},         {TENON_DTYPE_F16, -2, 0xc000},
                      {TENON_DTYPE_F16, 65504, 0x7bff},     {TENON_DTYPE_F16, 65520, 0x7c00},
                      {TENON_DTYPE_F16, 65519, 0x7bff},     {TENON_DTYPE_F16, 0x1p-24, 1},
                      {TENON_DTYPE_F16, 0x1p-25, 0},        {TENON_DTYPE_F16, 0x1.8p-25, 1},
                      {TENON_DTYPE_F16, 2049, 0x6800},      {TENON_DTYPE_F16, 2051, 0x6802},
                      {TENON_DTYPE_BF16, 1, 0x3f80},        {TENON_DTYPE_BF16, 257, 0x4380},
                      {TENON_DTYPE_BF16, 259, 0x4382},      {TENON_DTYPE_I32, 3e9, 0x7fffffff},
                      {TENON_DTYPE_I32, -3e9, 0x80000000},  {TENON_DTYPE_U32, -1, 0},
                      {TENON_DTYPE_U8, 255.9, 255},         {TENON_DTYPE_I8, -1.9, 0xff},
                      {TENON_DTYPE_I64, 0x1p63, INT64_MAX}, {TENON_DTYPE_U64, 0x1p64, UINT64_MAX}};
  for (const Row& row : rows) {
    EXPECT_EQ(from_real(row.dtype, row.value), row.bits) << name_of(row.dtype) << " of " << row.value;
  }
}

TEST(ConformanceOracle, CountsUnitsInTheLastPlace) {
  const auto bits = [](float x) { return Bits{std::bit_cast<std::uint32_t>(x)}; };
  const std::uint8_t f32 = TENON_DTYPE_F32;
  EXPECT_TRUE(within(f32, bits(1.0f), 1 + 0x1p-23L, 1));
  EXPECT_FALSE(within(f32, bits(1.0f), 1 + 0x1.1p-22L, 2));
  EXPECT_TRUE(within(f32, 0, 0x1p-150L, 0.5));
  EXPECT_FALSE(within(f32, 0, 0x1p-140L, 4));
  EXPECT_TRUE(within(f32, bits(INFINITY), 0x1p129L, 1));
  EXPECT_FALSE(within(f32, bits(INFINITY), 0x1p100L, 4));
  EXPECT_FALSE(within(f32, bits(-INFINITY), 0x1p129L, 4));
  EXPECT_FALSE(within(f32, bits(NAN), 1, 1e9));
  EXPECT_FALSE(within(f32, bits(1), NAN, 1e9));
  const std::uint8_t f16 = TENON_DTYPE_F16;
  EXPECT_TRUE(within(f16, 0x3c00, 1 + 0x1p-12L, 4));
  EXPECT_FALSE(within(f16, 0x3c01, 1 + 0x1p-12L, 4)) << "f32's units, not f16's";
  EXPECT_TRUE(within(f16, 0x3c01, 1 + 0x1p-11L, 4)) << "either side of a tie";
}

}  // namespace
}  // namespace tenon::conformance
