// The generator of random programs and the oracle that device tests rely on.
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include <tenon/plugin.h>
#include <tenon/program.h>

#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"

namespace tenon::program {
namespace {

TEST(Generator, ReachesEveryOpcodeAndDTypeWithinItsBounds) {
  std::map<int, int> opcodes, dtypes;
  int inexact = 0, exact = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const auto [p, scalars] = test::random_program(seed, {.optional_opcodes = ~std::uint64_t{0}});
    EXPECT_EQ(scalars.size(), static_cast<std::size_t>(p.scalar_count()));
    EXPECT_LE(p.instruction_count(), 12);
    EXPECT_TRUE(p.input_count() >= 1 && p.input_count() <= 4);
    EXPECT_TRUE(p.output_count() >= 1 && p.output_count() <= 3);
    for (int i = 0; i < p.output_count(); ++i) {
      const double ulp = test::tolerance(p, i);
      EXPECT_LE(ulp, 16) << "seed " << seed << "\n" << p.text();
      ++(ulp >= 1 ? inexact : exact);
    }
    const auto* code =
        reinterpret_cast<const TenonInstruction*>(p.bytes().data() + sizeof(TenonProgram));
    for (int i = 0; i < p.instruction_count(); ++i) {
      ++opcodes[code[i].opcode];
      ++dtypes[code[i].dtype];
    }
  }
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) EXPECT_GE(opcodes[code], 10) << #name;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  EXPECT_EQ(dtypes.size(), 13u);
  EXPECT_GT(inexact, 100);
  EXPECT_GT(exact, 500);
}

TEST(Generator, KeepsToTheDTypesAndOpcodesOfADevice) {
  const std::uint32_t device =
      1u << TENON_DTYPE_F32 | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_U32 | 1u << TENON_DTYPE_BOOL;
  bool philox_seen = false;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Program p = test::random_program(seed, {.dtypes = device}).program;
    const auto* code =
        reinterpret_cast<const TenonInstruction*>(p.bytes().data() + sizeof(TenonProgram));
    for (int i = 0; i < p.instruction_count(); ++i) {
      EXPECT_LT(code[i].opcode, 32);
      EXPECT_NE(device >> code[i].dtype & 1, 0u) << p.text();
      philox_seen |= code[i].opcode == TENON_OP_PHILOX;
    }
    for (int i = 0; i < p.input_count(); ++i) EXPECT_NE(p.input_dtype(i), u64);
  }
  EXPECT_TRUE(philox_seen);
}

TEST(Oracle, PhiloxHasTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;  // Random123's kat_vectors
  EXPECT_EQ(test::philox_block({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = ~0u;
  EXPECT_EQ(test::philox_block({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      test::philox_block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  EXPECT_EQ(test::philox_word(0x0123456789abcdee, 0x13198a2e03707344, 0x299f31d0a4093822),
            test::philox_block({0xe26af37b, 0x0048d159, 0x03707344, 0x13198a2e},
                               {0xa4093822, 0x299f31d0})[2]);
}

TEST(Oracle, FollowsTheLawAtTheEdges) {
  const auto integer = [](Opcode opcode, std::int64_t x, std::int64_t y) {
    Builder b;
    const Value a = b.input(i32), c = b.input(i32);
    b.output(arity(opcode) == 1 ? b.apply(opcode, i32, a) : b.apply(opcode, i32, a, c));
    const std::uint64_t bits[] = {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y)};
    return static_cast<std::int32_t>(test::evaluate(b.build().bytes(), bits)[0]);
  };
  constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(integer(Opcode::div, 7, 0), 0);
  EXPECT_EQ(integer(Opcode::div, -7, 2), -3);
  EXPECT_EQ(integer(Opcode::div, kMin, -1), kMin);
  EXPECT_EQ(integer(Opcode::rem, -7, 2), -1);
  EXPECT_EQ(integer(Opcode::rem, 7, 0), 0);
  EXPECT_EQ(integer(Opcode::shr, -8, 33), -4);
  EXPECT_EQ(integer(Opcode::mulhi, kMin, kMin), 1 << 30);
  EXPECT_EQ(integer(Opcode::abs, kMin, 0), kMin);

  const auto cast_to = [](DType dtype, float x) {
    Builder b;
    b.output(cast(b.input(f32), dtype));
    const std::uint64_t bits[] = {std::bit_cast<std::uint32_t>(x)};
    return test::evaluate(b.build().bytes(), bits)[0];
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(cast_to(i32, nan), 0u);
  EXPECT_EQ(cast_to(bool_, nan), 1u);
  EXPECT_EQ(cast_to(i32, 3e9f), 0x7fffffffu);
  EXPECT_EQ(cast_to(u32, -1.0f), 0u);
  EXPECT_EQ(cast_to(i32, -1.9f), 0xffffffffu);
}

TEST(Oracle, RoundsSixteenBitFloatsOnce) {
  const auto cast_to = [](DType dtype, double x) {
    Builder b;
    b.output(cast(b.input(f64), dtype));
    const std::uint64_t bits[] = {std::bit_cast<std::uint64_t>(x)};
    return test::evaluate(b.build().bytes(), bits)[0];
  };
  EXPECT_EQ(cast_to(f16, 1), 0x3c00u);
  EXPECT_EQ(cast_to(f16, -2), 0xc000u);
  EXPECT_EQ(cast_to(f16, 1 + 0x1p-11), 0x3c00u) << "half way, to the even one";
  EXPECT_EQ(cast_to(f16, 1 + 0x3p-11), 0x3c02u);
  EXPECT_EQ(cast_to(f16, 1 + 0x1p-11 + 0x1p-50), 0x3c01u);
  EXPECT_EQ(cast_to(f16, 65519), 0x7bffu);
  EXPECT_EQ(cast_to(f16, 65520), 0x7c00u);
  EXPECT_EQ(cast_to(f16, -0x1p-25), 0x8000u);
  EXPECT_EQ(cast_to(f16, 0x1.8p-25), 0x0001u);
  EXPECT_EQ(cast_to(f16, std::numeric_limits<double>::infinity()), 0x7c00u);
  EXPECT_EQ(cast_to(bf16, 1 + 0x1p-8), 0x3f80u);
  EXPECT_EQ(cast_to(bf16, 3.4e38), 0x7f80u);
  EXPECT_EQ(cast_to(bf16, -3.0), 0xc040u);
  EXPECT_GT(cast_to(bf16, std::nan("")) & 0x7fff, 0x7f80u);

  // 2049 is no f16: 2048 + 1 is 2048, and so is 2048 + 1 + 1, but 2048 + 2 is not.
  const Program sum = parse("in0: f16, in1: f16\n%0: f16 = add in0, in1\nreturn %0");
  EXPECT_EQ(test::evaluate(sum.bytes(), std::array<std::uint64_t, 2>{0x6800, 0x3c00})[0], 0x6800u);
  EXPECT_EQ(test::evaluate(sum.bytes(), std::array<std::uint64_t, 2>{0x6800, 0x4000})[0], 0x6801u);
  EXPECT_EQ(test::tolerance(parse("in0: bf16\n%0: bf16 = exp in0\nreturn %0"), 0), 1);
}

TEST(Oracle, SmallIntegersWrapAndSaturate) {
  const auto result = [](const char* text, std::uint64_t a, std::uint64_t b) {
    return test::evaluate(parse(text).bytes(), std::array<std::uint64_t, 2>{a, b})[0];
  };
  EXPECT_EQ(result("in0: u16, in1: u16\n%0: u16 = mul in0, in1\nreturn %0", 0xffff, 0xffff), 1u);
  EXPECT_EQ(result("in0: i8, in1: i8\n%0: i8 = add in0, in1\nreturn %0", 0x7f, 1), 0x80u);
  EXPECT_EQ(result("in0: i8, in1: i8\n%0: i8 = shr in0, in1\nreturn %0", 0x80, 9), 0xc0u);
  EXPECT_EQ(result("in0: i16, in1: i16\n%0: i16 = mulhi in0, in1\nreturn %0", 0x8000, 0x8000), 0x4000u);
  EXPECT_EQ(result("in0: f32, in1: f32\n%0: u8 = cast in0\nreturn %0", 0x43960000, 0), 255u);  // 300
  EXPECT_EQ(result("in0: i32, in1: f32\n%0: u8 = cast in0\nreturn %0", 300, 0), 44u);
}

TEST(Oracle, CloseCountsUlp) {
  const auto bits = [](float x) { return std::uint64_t{std::bit_cast<std::uint32_t>(x)}; };
  const float next = std::nextafter(1.0f, 2.0f), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(test::close(f32, bits(1), bits(1), 0));
  EXPECT_FALSE(test::close(f32, bits(1), bits(next), 0));
  EXPECT_TRUE(test::close(f32, bits(1), bits(next), 1));
  EXPECT_FALSE(test::close(f32, bits(0.0f), bits(-0.0f), 0));
  EXPECT_TRUE(test::close(f32, bits(0.0f), bits(-0.0f), test::kEitherZero));
  EXPECT_FALSE(test::close(f32, bits(1), bits(next), test::kEitherZero));
  EXPECT_TRUE(test::close(f32, bits(nan), bits(-nan), 0));
  EXPECT_FALSE(test::close(f32, bits(nan), bits(1), 1e30));
  EXPECT_TRUE(test::close(f32, 1, 0x80000001, 2)) << "the denormals next to zero";
  EXPECT_FALSE(test::close(f64, bits(1), bits(2), 1));
  EXPECT_FALSE(test::close(i32, 1, 2, 100));
}

}  // namespace
}  // namespace tenon::program
