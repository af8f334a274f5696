// Which programs a device takes as they are, and what becomes of the others: dtypes that are stored but
// not computed, and random programs without their optional opcodes.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/legalise_support.h"
#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using program::Draft;
using program::legalise;
using program::Opcode;
using program::Target;

/// As little as a device may have.
constexpr Target kLeast{.opcodes = 0,
                        .storage_dtypes = mask({f32, i32, bool_}),
                        .compute_dtypes = mask({f32, i32, u32, bool_})};

Target with_opcode(Target target, Opcode opcode) {
  target.opcodes |= std::uint64_t{1} << static_cast<int>(opcode);
  return target;
}

Draft drafted(program::Builder& builder, program::Value output) {
  builder.output(output);
  return program::decode(builder.build());
}

Thrown unsupported(std::string text) {
  return {ErrorKind::Unsupported, std::move(text)};
}

TEST(IsLegal, AsksForOpcodesAndDTypes) {
  EXPECT_TRUE(is_legal(uniform(Opcode::exp, f32), kLeast));
  EXPECT_FALSE(is_legal(uniform(Opcode::tanh, f32), kLeast));
  EXPECT_TRUE(is_legal(uniform(Opcode::tanh, f32), with_opcode(kLeast, Opcode::tanh)));
  EXPECT_TRUE(is_legal(uniform(Opcode::shl, u32), kLeast)) << "computed, not stored";
  EXPECT_FALSE(is_legal(uniform(Opcode::add, f64), kLeast));
  EXPECT_FALSE(is_legal(uniform(Opcode::add, f16), kBare)) << "stored, not computed";
  EXPECT_FALSE(is_legal(instruction(Opcode::lt, bool_, {f16, f16}), kBare));
  EXPECT_FALSE(is_legal(instruction(Opcode::select, i8, {bool_, i8, i8}), kBare));
  EXPECT_TRUE(is_legal(instruction(Opcode::bitcast, u32, {f32}), kLeast));
  EXPECT_FALSE(is_legal(instruction(Opcode::bitcast, u16, {f16}), kBare));
  EXPECT_TRUE(is_legal(instruction(Opcode::cast, f16, {i8}), kBare));
  EXPECT_FALSE(is_legal(instruction(Opcode::cast, f16, {i32}), kLeast));
}

TEST(IsLegal, PhiloxTakesScalarsAndInputsOfU64Everywhere) {
  const auto draft = [](bool computes) {
    program::Builder b;
    const auto index = b.input(u64), seed = b.scalar(u64);
    return drafted(b, philox(index, computes ? seed + seed : seed, seed));
  };
  EXPECT_TRUE(is_legal(draft(false), kLeast));
  EXPECT_FALSE(is_legal(draft(true), kLeast));
  EXPECT_TRUE(is_legal(draft(true), kBare));
  EXPECT_EQ(encode(legalise(draft(false), kLeast)), encode(draft(false)));
}

TEST(Legalise, LeavesWhatIsLegal) {
  program::Builder b;
  const auto x = b.input(f32), unused = b.scalar(i32);
  const Draft draft = drafted(b, select(x < 0, tanh(x), cast(cast(x, f16), f32)));
  EXPECT_EQ(unused.dtype(), i32);
  const Target target = with_opcode(kBare, Opcode::tanh);
  EXPECT_EQ(encode(legalise(draft, target)), encode(draft));
}

TEST(Legalise, KeepsTheInterface) {
  program::Builder b;
  const auto x = b.input(f16), y = b.input(i8), s = b.scalar(bf16);
  b.input(f32);
  b.output(y);
  b.output(tanh(x));
  b.output(s + s);
  const Draft draft = program::decode(b.build()), legal = bare(draft);
  EXPECT_EQ(legal.inputs, draft.inputs);
  EXPECT_EQ(legal.scalars, draft.scalars);
  ASSERT_EQ(legal.outputs.size(), 3u);
  EXPECT_EQ(legal.outputs[0], TENON_REF(TENON_REF_INPUT, 1));
  const std::vector<Raw> found =
      run_draft(legal, {{bits_of_number(f16, 1)}, {7}, {0}}, {bits_of_number(bf16, 1.5L)});
  EXPECT_EQ(found[0][0], 7u);
  EXPECT_EQ(found[1][0], bits_of_number(f16, std::tanh(1.0L)));
  EXPECT_EQ(found[2][0], bits_of_number(bf16, 3));
}

std::vector<std::string> opcodes(const Draft& draft) {
  std::vector<std::string> names;
  for (const TenonInstruction& i : draft.instructions)
    names.emplace_back(name(static_cast<Opcode>(i.opcode)));
  return names;
}

TEST(Legalise, CastsOnlyWhereARoundingIs) {
  program::Builder b;
  const auto x = b.input(f16);
  const Draft draft = drafted(b, cast(max(-x, 0) * 2, f32));
  using Names = std::vector<std::string>;
  EXPECT_EQ(opcodes(bare(draft)), (Names{"cast", "neg", "max", "mul", "cast", "cast"}));
  program::Builder c;
  const auto y = c.input(i8);
  EXPECT_EQ(opcodes(bare(drafted(c, cast(max(y, 3), i32)))), (Names{"cast", "max"}));
}

TEST(Legalise, WidensOnlyWhatIsMissing) {
  Target target = kBare;
  target.compute_dtypes |= mask({f16});
  program::Builder b;
  const auto x = b.input(f16);
  const auto sum = x + x;
  const Draft draft = drafted(b, sum.builder().apply(Opcode::rsqrt, f16, sum));
  const Draft legal = legalise(draft, target);
  EXPECT_TRUE(is_legal(legal, target));
  EXPECT_EQ(legal.instructions[0].opcode, TENON_OP_ADD);
  EXPECT_EQ(legal.instructions[0].dtype, TENON_DTYPE_F16);
  EXPECT_EQ(legal.instructions.back().opcode, TENON_OP_CAST);
  EXPECT_EQ(legal.instructions.size(), bare(uniform(Opcode::rsqrt, f32)).instructions.size() + 3);
}

TEST(Legalise, SaysWhatIsMissing) {
  const auto text = [](const Draft& draft, const Target& target) {
    return thrown([&] { legalise(draft, target); });
  };
  EXPECT_EQ(text(uniform(Opcode::add, f64), kLeast),
            unsupported("[legalise] add of f64: f64 is not computed or stored here"));
  EXPECT_EQ(text(instruction(Opcode::cast, i8, {f32}), kLeast),
            unsupported("[legalise] cast of f32: i8 is not computed or stored here"));
  Target target = kLeast;
  target.storage_dtypes = kAllDTypes;
  EXPECT_EQ(text(uniform(Opcode::mul, i64), target),
            unsupported("[legalise] mul of i64: i64 is not computed here"));
  EXPECT_EQ(text(instruction(Opcode::bitcast, i64, {f64}), target),
            unsupported("[legalise] bitcast of f64: f64 is not computed here"));
  program::Builder b;
  const auto x = b.input(u32), index = cast(x, u64);
  EXPECT_EQ(
      text(drafted(b, philox(index, index, index)), target),
      unsupported("[legalise] philox of computed u64: u64 is not computed here (give it scalars or "
                  "indices)"));
  target.compute_dtypes |= mask({f64});
  EXPECT_EQ(text(uniform(Opcode::sin, f64), target),
            unsupported("[legalise] sin of f64: u64 is not computed here"));
  EXPECT_TRUE(is_legal(legalise(uniform(Opcode::rsqrt, f64), target), target));
}

/// Random programs over all opcodes and `dtypes`, legalised for `target`, against the evaluator.
void check_random_programs(const GeneratorOptions& options, const Target& target) {
  int changed = 0;
  for (std::uint64_t seed = 0; seed < rounds(300); ++seed) {
    const RandomProgram p = random_program(seed, options);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + p.program.text());
    const Draft draft = program::decode(p.program), legal = legalise(draft, target);
    ASSERT_TRUE(is_legal(legal, target));
    changed += is_legal(draft, target) ? 0 : 1;
    std::vector<Raw> inputs;
    for (const DType dtype : draft.inputs) inputs.push_back(random_values(seed, dtype, 20));
    const std::vector<Raw> found = run_draft(legal, inputs, p.scalars);
    for (std::size_t i = 0; i < 20; ++i) {
      Raw element;
      for (const Raw& input : inputs) element.push_back(input[i]);
      const Raw wanted = evaluate(p.program.bytes(), element, p.scalars);
      for (std::size_t o = 0; o < wanted.size(); ++o) {
        const int output = static_cast<int>(o);
        ASSERT_TRUE(
            close(p.program.output_dtype(output), found[o][i], wanted[o], tolerance(p.program, output)))
            << "output " << o << std::hex << ": " << found[o][i] << ", not " << wanted[o];
      }
    }
  }
  EXPECT_GT(changed, 50) << "most programs were legal as they were";
}

TEST(Legalise, RandomProgramsAgreeWithTheEvaluator) {
  check_random_programs({.optional_opcodes = ~std::uint64_t{0}}, kBare);
}

TEST(Legalise, RandomProgramsAgreeOnTheLeastDevice) {
  check_random_programs({.dtypes = mask({f32, i32, u32, bool_}), .optional_opcodes = ~std::uint64_t{0}},
                        kLeast);
}

}  // namespace
}  // namespace tenon::test
