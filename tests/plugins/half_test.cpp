// The SDK's 16-bit floats, against every value there is and against the places where rounding turns.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>
#include <tenon/sdk.h>

namespace {

namespace sdk = tenon::sdk;

template <class T>
T of(unsigned bits) {
  return std::bit_cast<T>(static_cast<uint16_t>(bits));
}
template <class T>
unsigned bits(T x) {
  return std::bit_cast<uint16_t>(x);
}

/// Sign, exponent and fraction taken apart.
double value_of(unsigned all, int fraction_bits) {
  const int bias = (1 << (14 - fraction_bits)) - 1;
  const int exponent = static_cast<int>(all & 0x7fff) >> fraction_bits;
  const double fraction = static_cast<int>(all & ((1u << fraction_bits) - 1));
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                    : std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
  return (all & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class T>
void check_every_value(int fraction_bits, unsigned infinity) {
  for (unsigned all = 0; all < 0x10000; ++all) {
    const T x = of<T>(all);
    if ((all & 0x7fff) > infinity) {
      ASSERT_TRUE(std::isnan(float{x})) << all;
      ASSERT_GT(bits(T(float{x})) & 0x7fff, infinity) << all;
      continue;
    }
    if ((all & 0x7fff) != infinity) {
      ASSERT_EQ(float{x}, value_of(all, fraction_bits)) << all;
    }
    ASSERT_EQ(std::signbit(float{x}), all >> 15 != 0) << all;
    ASSERT_EQ(bits(T(float{x})), all);
    ASSERT_EQ(bits(T(double{float{x}})), all);
  }
}

TEST(SdkHalf, KeepsEveryValue) {
  check_every_value<sdk::half>(10, 0x7c00);
}
TEST(SdkHalf, KeepsEveryValueOfBfloat16) {
  check_every_value<sdk::bfloat16>(7, 0x7f80);
}

TEST(SdkHalf, RoundsTiesToEven) {
  EXPECT_EQ(bits(sdk::half(2049.0)), 0x6800u);
  EXPECT_EQ(bits(sdk::half(2051.0)), 0x6802u);
  EXPECT_EQ(bits(sdk::half(0x1p-25)), 0u);
  EXPECT_EQ(bits(sdk::half(0x1.8p-24)), 2u);
  EXPECT_EQ(bits(sdk::half(-0x1.000002p-25f)), 0x8001u);
  EXPECT_EQ(bits(sdk::half(65519.0)), 0x7bffu);
  EXPECT_EQ(bits(sdk::half(65520.0)), 0x7c00u);
  EXPECT_EQ(bits(sdk::half(-1e300)), 0xfc00u);
  EXPECT_EQ(bits(sdk::bfloat16(257.0)), 0x4380u);
  EXPECT_EQ(bits(sdk::bfloat16(259.0)), 0x4382u);
  EXPECT_EQ(bits(sdk::bfloat16(std::numeric_limits<float>::max())), 0x7f80u);
}

// Each of these would round to another value by way of an f32, or of an f64.
TEST(SdkHalf, RoundsOnce) {
  EXPECT_EQ(bits(sdk::half(1 + 0x1p-11 + 0x1p-40)), 0x3c01u);
  EXPECT_EQ(bits(sdk::half(1 + 0x3p-11 - 0x1p-40)), 0x3c01u);
  EXPECT_EQ(bits(sdk::bfloat16(1 + 0x1p-8 + 0x1p-40)), 0x3f81u);
  const int64_t above = (int64_t{1} << 62) + (int64_t{1} << 54) + 1;
  EXPECT_EQ(bits(sdk::bfloat16(above)), 0x5e81u);
  EXPECT_EQ(bits(sdk::bfloat16(above - 1)), 0x5e80u) << "a tie";
  EXPECT_EQ(bits(sdk::bfloat16(-above)), 0xde81u);
  EXPECT_EQ(bits(sdk::bfloat16((uint64_t{1} << 63) + (uint64_t{1} << 55) + 1)), 0x5f01u);
  EXPECT_EQ(bits(sdk::bfloat16(INT64_MIN)), 0xdf00u);
  EXPECT_EQ(bits(sdk::half(INT64_MAX)), 0x7c00u);
}

TEST(SdkHalf, HasDtypes) {
  EXPECT_EQ(sdk::dtype_of<sdk::half>(), TENON_DTYPE_F16);
  EXPECT_EQ(sdk::dtype_of<sdk::bfloat16>(), TENON_DTYPE_BF16);
  EXPECT_EQ(sdk::Everything::mask, 0x3ffeu) << "all of dtypes.def";
  EXPECT_EQ(sdk::dispatch(sdk::Floats{}, TENON_DTYPE_BF16, []<class T>() { return sizeof(T); }), 2u);
}

}  // namespace
