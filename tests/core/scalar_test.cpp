// Plain numbers: what they become in each dtype, and what does not fit.
#include <cstdint>
#include <limits>

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
  EXPECT_TRUE(Scalar(1e300).fits(u8)) << "a floating number saturates";
}

TEST(Scalars, ThatDoNotFitAreRefusedByOps) {
  const Tensor u = tensor({1, 2}, {.dtype = u64});
  Tensor i = tensor({1, 2}, {.dtype = i32});
  EXPECT_EQ(thrown([&] { return u > -1; }), invalid_argument("[gt] -1 does not fit u64"));
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
  EXPECT_EQ(thrown([&] { x.expand({-3}); }), invalid_argument("[shape] (-3,) has a negative extent"));
  EXPECT_EQ(thrown([&] { x.expand({std::int64_t{1} << 62, 4}); }).text,
            "[shape] (4611686018427387904, 4) has more elements than 64 bits can count");
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
