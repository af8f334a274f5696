// Programs as text: what is printed is read back to the bit, and what can't be read is named.
#include <bit>
#include <cmath>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include <tenon/plugin.h>
#include <tenon/program.h>

#include "tests/support/program_generator.h"
#include "tests/support/rounds.h"
#include "tests/support/thrown.h"

namespace tenon::program {
namespace {

constexpr DType kDTypes[] = {bool_, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64};

test::Thrown unsupported(std::string text) {
  return {ErrorKind::Unsupported, std::move(text)};
}

void expect_read_back(const Program& p) {
  EXPECT_EQ(parse(p.text()), p) << p.text() << "\n--- was read as\n" << parse(p.text()).text();
}

// --- Round trips ---

TEST(ProgramText, EveryRandomProgramIsReadBack) {
  for (std::uint64_t seed = 0; seed < test::rounds(1000); ++seed) {
    expect_read_back(test::random_program(seed, {.optional_opcodes = ~std::uint64_t{0}}).program);
  }
}

TEST(ProgramText, GradientsAreReadBack) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Program p = test::random_smooth_program(seed);
    const int zero[] = {0};
    expect_read_back(derive(p, zero, zero).program);
  }
}

TEST(ProgramText, EveryConstantOf16BitsAndLessIsReadBack) {
  for (const DType dtype : kDTypes) {
    const std::uint32_t count = size_of(dtype) > 2 ? 0 : 1u << 8 * size_of(dtype);
    for (std::uint32_t first = 0; first < count; first += TENON_MAX_OUTPUTS) {
      Builder b;
      for (std::uint32_t i = 0; i < TENON_MAX_OUTPUTS; ++i) b.output(b.constant_bits(dtype, first + i));
      const Program p = b.build();
      ASSERT_EQ(parse(p.text()), p) << p.text();
    }
  }
}

TEST(ProgramText, ConstantsOf32And64BitsAreReadBack) {
  const std::uint64_t edges[] = {0,
                                 1,
                                 0x7f800000,
                                 0xff800000,
                                 0x7fc00000,
                                 0xffc00000,
                                 0x7f800001,
                                 0x7fffffff,
                                 0x80000000,
                                 0x807fffff,
                                 0xffffffff,
                                 1ull << 63,
                                 0x7ffull << 52,
                                 0x7ff8ull << 48,
                                 0xfff8ull << 48,
                                 0x7ff0000000000001,
                                 (1ull << 52) - 1,
                                 ~0ull};
  std::mt19937_64 random(1);
  for (const DType dtype : {u32, i32, u64, i64, f32, f64}) {
    for (std::size_t i = 0; i < 2000; ++i) {
      Builder b;
      b.output(b.constant_bits(dtype, i < std::size(edges) ? edges[i] : random()));
      const Program p = b.build();
      ASSERT_EQ(parse(p.text()), p) << p.text();
    }
  }
}

// --- What is printed ---

TEST(ProgramText, PrintsEveryKindOfOperandAndLiteral) {
  Builder b;
  const Value x = b.input(f32), n = b.input(i64), flag = b.input(bool_), s = b.scalar(u32);
  b.output(select(flag & b.constant(bool_, 1), x * 1.5 + s.builder().constant(f32, -0.0), -x));
  b.output(cast(n, f64) - 1e300);
  b.output((s >> 3) | b.constant(u32, 4e9));
  b.output(b.constant(f16, 0.1));
  b.output(b.constant(bf16, 0.1));
  b.output(b.constant(i8, -5));
  EXPECT_EQ(b.build().text(),
            "in0: f32, in1: i64, in2: bool, s0: u32\n"
            "%0: bool = and in2, true: bool\n"
            "%1: f32 = mul in0, 1.5: f32\n"
            "%2: f32 = add %1, -0: f32\n"
            "%3: f32 = neg in0\n"
            "%4: f32 = select %0, %2, %3\n"
            "%5: f64 = cast in1\n"
            "%6: f64 = sub %5, 1e+300: f64\n"
            "%7: u32 = shr s0, 3: u32\n"
            "%8: u32 = or %7, 4000000000: u32\n"
            "return %4, %6, %8, 0.099975586: f16, 0.100097656: bf16, -5: i8");
}

TEST(ProgramText, PrintsUnusualNansAsBits) {
  Builder b;
  for (const std::uint64_t bits : {0x7f800000u, 0x7fc00000u, 0x7fc00001u}) {
    b.output(b.constant_bits(f32, bits));
  }
  b.output(-b.constant_bits(f32, 0xff800000));
  EXPECT_EQ(b.build().text(),
            "%0: f32 = neg -inf: f32\nreturn inf: f32, nan: f32, 0x7fc00001: f32, %0");
}

TEST(ProgramText, HasNoFirstLineWithoutParameters) {
  Builder b;
  b.output(b.constant(f32, 2));
  EXPECT_EQ(b.build().text(), "return 2: f32");
}

// --- What is read ---

TEST(ProgramParser, ReadsCommentsBlankLinesAndAnySpacing) {
  EXPECT_EQ(
      parse("# doubles and adds\r\n\n  in0:f32 ,in1 : f32\t# x, y\n"
            "s0: f32\n%0 :f32=mul in0,2:f32\n\n%1: f32 = fma %0, in1, s0\nreturn %1 # done\n\n#\n")
          .text(),
      "in0: f32, in1: f32, s0: f32\n%0: f32 = mul in0, 2: f32\n%1: f32 = fma %0, in1, s0\n"
      "return %1");
}

TEST(ProgramParser, GivesTheCanonicalForm) {
  EXPECT_EQ(parse("in0: f32\n%0: f32 = exp in0\n%1: f32 = add 1: f32, in0\n%2: f32 = add in0, 1: f32\n"
                  "return %2, %1")
                .text(),
            "in0: f32\n%0: f32 = add in0, 1: f32\nreturn %0, %0");
}

TEST(ProgramParser, RoundsDecimalsToTheNearest) {
  EXPECT_EQ(parse("return 0.1: f32, 1e-45: f32, 0.1: f64, 65519: f16, 65520: f16, 3.4e38: bf16"),
            parse("return 0x3dcccccd: f32, 0x1: f32, 0x3fb999999999999a: f64, 0x7bff: f16, inf: f16, "
                  "0x7f80: bf16"));
  EXPECT_EQ(parse("return 0xff: i8, 0x80000000: i32"), parse("return -1: i8, -2147483648: i32"));
}

struct BadText {
  const char* text;
  const char* error;
};

TEST(ProgramParser, NamesWhereAndWhatIsWrong) {
  const BadText rows[] = {
      {"", "expected a line \"return\", found the end of the text"},
      {"in0: f32", "expected a line \"return\", found the end of the text"},
      {"in0: f32, in1: f32\n\n%0: f33 = add in0, in1",
       "line 3, column 5: expected a dtype, found \"f33\""},
      {"in1: f32", "line 1, column 1: expected in0, s0, %0 or return, found \"in1\""},
      {"in0: f32\nin0: f32", "line 2, column 1: expected in1, s0, %0 or return, found \"in0\""},
      {"in99999999999999999999: f32",
       "line 1, column 1: expected in0, s0, %0 or return, found \"in99999999999999999999\""},
      {"in0 f32", "line 1, column 5: expected \":\", found \"f32\""},
      {"in0: f32 in1: f32", "line 1, column 10: expected the end of the line, found \"in1\""},
      {"in0: f32,", "line 1, column 10: expected in1, s0, %0 or return, found the end of the line"},
      {"in0: f32\n%1: f32 = exp in0", "line 2, column 1: expected %0, found \"%1\""},
      {"in0: f32\n%0: f32 exp in0", "line 2, column 9: expected \"=\", found \"exp\""},
      {"in0: f32\n%0: f32 = expp in0", "line 2, column 11: expected an opcode, found \"expp\""},
      {"in0: f32\n%0: f32 = add in0", "line 2, column 18: expected \",\", found the end of the line"},
      {"in0: f32\n%0: f32 = exp in0, in0",
       "line 2, column 18: expected the end of the line, found \",\""},
      {"in0: f32\n%0: f32 = exp %0", "line 2, column 15: expected a value defined above, found \"%0\""},
      {"return in0", "line 1, column 8: expected a value defined above, found \"in0\""},
      {"return s18446744073709551615",
       "line 1, column 8: expected a value defined above, found \"s18446744073709551615\""},
      {"return", "line 1, column 7: expected an operand, found the end of the line"},
      {"return x", "line 1, column 8: expected an operand, found \"x\""},
      {"return 1", "line 1, column 8: expected an operand, found \"1\""},
      {"return 1.5: i32", "line 1, column 8: expected a number of i32, found \"1.5\""},
      {"return 256: u8", "line 1, column 8: expected a number of u8, found \"256\""},
      {"return -1: u64", "line 1, column 8: expected a number of u64, found \"-1\""},
      {"return 0x100: i8", "line 1, column 8: expected a number of i8, found \"0x100\""},
      {"return 2: bool", "line 1, column 8: expected a number of bool, found \"2\""},
      {"return 1e39: f32", "line 1, column 8: expected a number of f32, found \"1e39\""},
      {"return \x01\xff: f32", "line 1, column 8: expected a number of f32, found \"??\""},
      {"return 1: f32\nreturn 1: f32",
       "line 2, column 1: expected nothing after return, found \"return\""},
      {"in0: f32\n%0: f64 = add in0, in0\nreturn %0",
       "line 2, column 11: add of f32 gives f32, not f64"},
      {"in0: bool\n%0: bool = add in0, in0\nreturn %0",
       "line 2, column 12: add takes numbers, not bool"},
  };
  for (const auto& [text, error] : rows) {
    EXPECT_EQ(test::thrown([&, program = text] { parse(program); }),
              test::invalid_argument(std::string("[program] ") + error))
        << text;
  }
}

TEST(ProgramParser, StopsAtTheLimits) {
  std::string text = "in0: f32\n%0: f32 = neg in0\n";
  for (int i = 1; i < 520; ++i)
    text += "%" + std::to_string(i) + ": f32 = neg %" + std::to_string(i - 1) + "\n";
  EXPECT_EQ(test::thrown([&] { parse(text + "return %519"); }),
            unsupported("[program] 520 instructions, the most is 512"));
  std::string many = "return 1: f32";
  for (int i = 0; i < 20000; ++i) many += ", 1: f32";
  EXPECT_EQ(test::thrown([&] { parse(many); }),
            unsupported("[program] line 1, column 131080: more than 16384 constants while building"));
}

TEST(ProgramParser, ThrowsNothingButErrorsAtDamagedText) {
  std::mt19937_64 random(3);
  constexpr std::string_view kBits = "%ins0123456789:,=#xfnae.-+ \n\r\t\xff";
  int read = 0;
  for (std::uint64_t seed = 0; seed < test::rounds(2000); ++seed) {
    std::string text = test::random_program(seed % 200, {}).program.text();
    for (std::uint64_t n = 1 + random() % 3; n-- > 0;) {
      const std::size_t at = random() % text.size();
      const char c = kBits[random() % kBits.size()];
      if (random() % 2 == 0)
        text[at] = c;
      else
        text.insert(at, random() % 3, c);
    }
    try {
      expect_read_back(parse(text));
      ++read;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string_view(error.what()).starts_with("[program] ")) << error.what();
    }
  }
  EXPECT_GT(read, 50);
}

}  // namespace
}  // namespace tenon::program
