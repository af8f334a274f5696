// Plain numbers: what they become in each dtype, and what does not fit.
#include <cstdint>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/random.h>
#include <tenon/scalar.h>

#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

TEST(Scalars, ConvertByTruncatingAndSaturating) {
  EXPECT_EQ(Scalar(1e12).to<int>(), std::numeric_limits<int>::max());
  EXPECT_EQ(Scalar(-1e12).to<int>(), std::numeric_limits<int>::min());
  EXPECT_EQ(Scalar(-2.9).to<int>(), -2);
  EXPECT_EQ(Scalar(std::numeric_limits<double>::quiet_NaN()).to<int>(), 0);
  EXPECT_TRUE(Scalar(0.5).to<bool>());
  EXPECT_EQ(Scalar(300).to<std::uint8_t>(), 255);
  EXPECT_EQ(Scalar(~std::uint64_t{0}).to<std::uint64_t>(), ~std::uint64_t{0});
  EXPECT_EQ(Scalar(~std::uint64_t{0}).to<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(Scalar(~std::uint64_t{0}).to<double>(), 0x1p64);
  EXPECT_TRUE(tensor(0.5).item<bool>());
  EXPECT_EQ(tensor(1e12).item<int>(), std::numeric_limits<int>::max());
}

TEST(Scalars, AreRoundedOnceToFewerBits) {
  // One more than a tie; a double in between would make them the tie, and that even.
  constexpr std::int64_t kAboveF32Tie = (std::int64_t{1} << 62) + (std::int64_t{1} << 38) + 1;
  constexpr std::int64_t kAboveBf16Tie = (std::int64_t{1} << 62) + (std::int64_t{1} << 54) + 1;
  EXPECT_EQ(Scalar(kAboveF32Tie).bits(f32), 0x5e800001u);
  EXPECT_EQ(Scalar(kAboveF32Tie - 1).bits(f32), 0x5e800000u);
  EXPECT_EQ(Scalar(-kAboveF32Tie).bits(f32), 0xde800001u);
  EXPECT_EQ(Scalar(kAboveF32Tie).to<float>(), 0x1.000002p62f);
  EXPECT_EQ(Scalar(2 * static_cast<std::uint64_t>(kAboveF32Tie)).bits(f32), 0x5f000001u);
  EXPECT_EQ(Scalar(kAboveBf16Tie).bits(bf16), 0x5e81u);
  EXPECT_EQ(Scalar(kAboveBf16Tie - 1).bits(bf16), 0x5e80u);
  EXPECT_EQ(Scalar(-kAboveBf16Tie).to<bfloat16>().bits(), 0xde81u);
  EXPECT_EQ(Scalar(2049).bits(f16), 0x6800u);
  EXPECT_EQ(Scalar(65519).bits(f16), 0x7bffu);
  EXPECT_EQ(Scalar(65520).bits(f16), 0x7c00u);
  EXPECT_EQ(Scalar(std::numeric_limits<std::int64_t>::min()).bits(f32), 0xdf000000u);
  EXPECT_EQ(Scalar(~std::uint64_t{0}).bits(bf16), 0x5f80u);
  EXPECT_EQ(Scalar(kAboveF32Tie).bits(f64), 0x43d0000010000000u);
}

TEST(Scalars, OfSixteenBitTypesAreFloating) {
  EXPECT_TRUE(Scalar(float16(1.5)).is_floating());
  EXPECT_EQ(Scalar(bfloat16(-2.5)).to_double(), -2.5);
  EXPECT_EQ(Scalar(float16(-2.5)).to<int>(), -2);
  EXPECT_EQ(Scalar(1e5).to<float16>().bits(), 0x7c00);
}

TEST(Scalars, AreTheLibrarysConstants) {
  using Limits = std::numeric_limits<double>;
  EXPECT_NEAR(log(tensor(std::numbers::e)).item<double>(), 1, 1e-6);
  EXPECT_NEAR(cos(tensor(std::numbers::pi)).item<double>(), -1, 1e-6);
  EXPECT_TRUE(isposinf(tensor(Limits::infinity())).item<bool>());
  EXPECT_TRUE(isnan(tensor(Limits::quiet_NaN())).item<bool>());
}

TEST(Scalars, KnowWhatTheyFit) {
  EXPECT_TRUE(Scalar(255).fits(u8));
  EXPECT_FALSE(Scalar(256).fits(u8));
  EXPECT_FALSE(Scalar(-1).fits(u8));
  EXPECT_TRUE(Scalar(-128).fits(i8));
  EXPECT_FALSE(Scalar(-129).fits(i8));
  EXPECT_TRUE(Scalar(4294967295).fits(u32));
  EXPECT_FALSE(Scalar(4294967296).fits(u32));
  EXPECT_FALSE(Scalar(-1).fits(u64));
  EXPECT_TRUE(Scalar(~std::uint64_t{0}).fits(u64));
  EXPECT_FALSE(Scalar(~std::uint64_t{0}).fits(i64));
  EXPECT_TRUE(Scalar(std::numeric_limits<std::int64_t>::min()).fits(i64));
  EXPECT_TRUE(Scalar(255.9).fits(u8) && Scalar(-0.9).fits(u8)) << "it is truncated";
  EXPECT_FALSE(Scalar(256.0).fits(u8));
  EXPECT_FALSE(Scalar(-1.0).fits(u8));
  EXPECT_TRUE(Scalar(-0x1p63).fits(i64));
  EXPECT_FALSE(Scalar(0x1p63).fits(i64));
  EXPECT_TRUE(Scalar(0x1p63).fits(u64));
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(Scalar(kNan).fits(i32));
  EXPECT_TRUE(Scalar(kNan).fits(f16) && Scalar(1e300).fits(f16) && Scalar(kNan).fits(bool_));
}

TEST(Scalars, ThatDoNotFitAreRefusedByOps) {
  const Tensor u = tensor({1, 2}, {.dtype = u64});
  Tensor i = tensor({1, 2}, {.dtype = i32});
  EXPECT_EQ(thrown([&] { return u * -1; }), invalid_argument("[mul] -1 does not fit u64"));
  EXPECT_EQ(thrown([&] { return i + 5000000000; }),
            invalid_argument("[add] 5000000000 does not fit i32"));
  EXPECT_EQ(thrown([&] { i *= 5000000000; }), invalid_argument("[mul] 5000000000 does not fit i32"));
  EXPECT_EQ(thrown([&] { i.fill_(5000000000); }),
            invalid_argument("[fill_] 5000000000 does not fit i32"));
  EXPECT_EQ(i.to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ((i + 2147483647).to_vector<std::int32_t>()[0], std::numeric_limits<std::int32_t>::min());
}

TEST(Shapes, OfExpandMustBeCountable) {
  const Tensor x = ones({1});
  EXPECT_EQ(thrown([&] { x.expand({-3}); }), invalid_argument("[expand] (-3,) has a negative extent"));
  EXPECT_EQ(thrown([&] { x.expand({std::int64_t{1} << 62, 4}); }).text,
            "[expand] (4611686018427387904, 4) has more elements than 64 bits can count");
}

TEST(UniformRange, IsTheDtypes) {
  EXPECT_EQ(thrown([] { random::uniform({2}, {1, 1 + 1e-12}); }),
            invalid_argument("[uniform] the range 1 .. 1.000000000001 is empty or not finite in f32"));
  EXPECT_EQ(thrown([] { random::uniform({2}, {-1e300, 1e300}); }).text,
            "[uniform] the range -1e+300 .. 1e+300 is empty or not finite in f32");
  EXPECT_EQ(thrown([] { random::permutation(std::int64_t{1} << 61); }).kind, ErrorKind::OutOfMemory);
}

}  // namespace
}  // namespace tenon::test
