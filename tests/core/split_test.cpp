// Splitting, without a device: every part is within the limits, and the parts, evaluated one after the
// other by the oracle, give the bits of the whole.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include <tenon/plugin.h>
#include <tenon/program.h>

#include "core/program/split.h"
#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"
#include "tests/support/thrown.h"

namespace tenon::program {
namespace {

using Bits = std::vector<std::uint64_t>;

constexpr std::uint32_t mask(std::initializer_list<DType> dtypes) {
  std::uint32_t bits = 0;
  for (const DType dtype : dtypes) bits |= 1u << static_cast<unsigned>(dtype);
  return bits;
}
constexpr DTypeMasks kAll{~0u, ~0u};
constexpr DTypeMasks kLeast{mask({f32, i32, bool_}), mask({f32, i32, u32, bool_})};

void expect_within(const Part& part, const Limits& limits) {
  const Program& p = part.program;
  EXPECT_LE(p.instruction_count(), limits.instructions);
  EXPECT_LE(p.input_count(), limits.inputs);
  EXPECT_LE(p.output_count(), limits.outputs);
  EXPECT_LE(p.scalar_count(), limits.scalars);
  EXPECT_LE(p.constant_count(), limits.constants);
  EXPECT_EQ(part.inputs.size(), static_cast<std::size_t>(p.input_count()));
  EXPECT_EQ(part.outputs.size(), static_cast<std::size_t>(p.output_count()));
  EXPECT_EQ(part.scalars.size(), static_cast<std::size_t>(p.scalar_count()));
}

/// The outputs of the parts for one element; a place that nobody wrote before it is read, that is
/// written twice, or a temporary that is read after its last read fails the test.
Bits evaluate(const Plan& plan, const Bits& inputs, const Bits& scalars, std::size_t outputs) {
  std::map<std::pair<Place::Kind, int>, std::uint64_t> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[{Place::Kind::Input, static_cast<int>(i)}] = inputs[i];
  }
  for (const Part& part : plan.parts) {
    Bits read, given;
    for (const Place& place : part.inputs) {
      const auto found = values.find({place.kind, place.index});
      EXPECT_NE(found, values.end()) << "is not there";
      read.push_back(found == values.end() ? 0 : found->second);
    }
    for (const int s : part.scalars) given.push_back(scalars[static_cast<std::size_t>(s)]);
    const Bits results = test::evaluate(part.program.bytes(), read, given);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Place place = part.outputs[i];
      EXPECT_TRUE(values.try_emplace({place.kind, place.index}, results[i]).second)
          << "is written twice";
    }
    for (const int t : part.last_reads) EXPECT_EQ(values.erase({Place::Kind::Temporary, t}), 1u);
  }
  Bits results;
  for (std::size_t i = 0; i < outputs; ++i) {
    const auto found = values.find({Place::Kind::Output, static_cast<int>(i)});
    EXPECT_NE(found, values.end()) << "output " << i << " is not written";
    results.push_back(found == values.end() ? 0 : found->second);
    values.erase({Place::Kind::Output, static_cast<int>(i)});
  }
  EXPECT_EQ(values.size(), inputs.size()) << "temporaries are left";
  return results;
}

/// Splits and evaluates at a few random elements.
void expect_same_bits(const Program& p, const Bits& scalars, const Limits& limits, DTypeMasks dtypes,
                      Cut cut, std::uint64_t seed) {
  const Plan plan = split(decode(p), limits, dtypes, cut);
  for (const Part& part : plan.parts) expect_within(part, limits);
  for (const DType dtype : plan.temporaries) {
    EXPECT_NE(dtypes.storage >> static_cast<unsigned>(dtype) & 1, 0u) << name(dtype);
  }
  std::mt19937_64 random(seed);
  for (int element = 0; element < 4; ++element) {
    Bits inputs;
    for (int i = 0; i < p.input_count(); ++i) {
      inputs.push_back(test::random_bits(random, p.input_dtype(i)));
    }
    const Bits whole = test::evaluate(p.bytes(), inputs, scalars);
    EXPECT_EQ(evaluate(plan, inputs, scalars, whole.size()), whole);
  }
}

std::string text_of(const Plan& plan) {
  std::string text;
  for (const Part& part : plan.parts) text += part.program.text() + "\n--\n";
  return text;
}

/// Three inputs, a fma or philox of which two-input devices leave to others.
bool reads_three(const Program& p) {
  const Draft draft = decode(p);
  return std::ranges::any_of(draft.instructions, [](const TenonInstruction& i) {
    return i.opcode == TENON_OP_FMA || i.opcode == TENON_OP_PHILOX;
  });
}

TEST(Split, RandomProgramsKeepTheirBitsWithinRandomLimits) {
  for (std::uint64_t seed = 0; seed < test::rounds(1500); ++seed) {
    const auto [p, scalars] = test::random_program(seed, {.optional_opcodes = ~std::uint64_t{0}});
    std::mt19937_64 random(seed);
    const auto some = [&](int least, int most) {
      return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
    };
    const Limits limits{some(1, 6), some(reads_three(p) ? 3 : 2, 4), some(1, 3), some(3, 4),
                        some(3, 4)};
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + p.text());
    expect_same_bits(p, scalars, limits, kAll, Cut::FewestParts, seed);
    if (HasFailure()) return;
  }
}

TEST(Split, RandomProgramsKeepTheirBitsOnTheLeastDevice) {
  const Limits least{4, 2, 1, 3, 3};
  for (std::uint64_t seed = 0; seed < test::rounds(1000); ++seed) {
    const auto [p, scalars] = test::random_program(seed, {.dtypes = kLeast.compute});
    const bool stores_u32 = [&] {
      for (int i = 0; i < p.output_count(); ++i) {
        if (p.output_dtype(i) == u32) return true;
      }
      return false;
    }();
    if (stores_u32) continue;
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + p.text());
    expect_same_bits(p, scalars, least, kLeast, Cut::FewestParts, seed);
    expect_same_bits(p, scalars, least, kLeast, Cut::EachInstruction, seed);
    if (HasFailure()) return;
  }
}

TEST(Split, EachInstructionIsAPartOfItsOwn) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto [p, scalars] = test::random_program(seed, {.optional_opcodes = ~std::uint64_t{0}});
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + p.text());
    expect_same_bits(p, scalars, {}, kAll, Cut::EachInstruction, seed);
    for (const Part& part : split(decode(p), {}, kAll, Cut::EachInstruction).parts) {
      EXPECT_LE(part.program.instruction_count(), 1);
    }
  }
}

TEST(Split, WhatFitsIsOnePart) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Program p = test::random_program(seed, {}).program;
    const Plan plan = split(decode(p), {}, kAll);
    ASSERT_EQ(plan.parts.size(), 1u) << text_of(plan);
    EXPECT_TRUE(plan.temporaries.empty());
    EXPECT_EQ(plan.parts[0].program.instruction_count(), p.instruction_count());
  }
}

TEST(Split, DraftsBeyondTheAbisLimits) {
  // 20 inputs, 18 scalars and 40 constants make 10 outputs in 200 instructions.
  Draft draft;
  draft.inputs.assign(20, i32);
  draft.scalars.assign(18, i32);
  for (std::uint64_t i = 0; i < 40; ++i) draft.constants.push_back({i32, 3 * i + 1});
  std::mt19937_64 random(5);
  const auto any = [&](std::uint32_t made) {
    const std::uint64_t kind = made == 0 ? 1 + random() % 3 : random() % 4;
    const std::uint32_t counts[] = {made, 20, 18, 40};
    return TENON_REF(kind, random() % counts[kind]);
  };
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto opcode = static_cast<std::uint8_t>(random() % 2 == 0 ? TENON_OP_MUL : TENON_OP_XOR);
    const std::uint16_t last = i == 0 ? any(0) : TENON_REF(TENON_REF_INSTRUCTION, i - 1);
    draft.instructions.push_back({opcode, TENON_DTYPE_I32, last, any(i), 0});
    if (i % 20 == 19) draft.outputs.push_back(TENON_REF(TENON_REF_INSTRUCTION, i));
  }
  Bits inputs, scalars;
  for (int i = 0; i < 20; ++i) inputs.push_back(random() >> 32);
  for (int i = 0; i < 18; ++i) scalars.push_back(random() >> 32);
  const Plan coarse = split(draft, {}, kAll), fine = split(draft, {3, 2, 1, 3, 3}, kAll);
  for (const Part& part : coarse.parts) expect_within(part, {});
  EXPECT_LE(coarse.parts.size(), 8u) << "of 64 instructions, 16 inputs and 32 constants";
  EXPECT_EQ(evaluate(coarse, inputs, scalars, 10), evaluate(fine, inputs, scalars, 10));

  Bits values;  // the draft's own, by hand
  for (const TenonInstruction& i : draft.instructions) {
    const auto value = [&](std::uint16_t ref) -> std::uint64_t {
      const std::size_t index = TENON_REF_INDEX(ref);
      switch (TENON_REF_CLASS(ref)) {
        case TENON_REF_INSTRUCTION:
          return values[index];
        case TENON_REF_INPUT:
          return inputs[index];
        case TENON_REF_SCALAR:
          return scalars[index];
        default:
          return draft.constants[index].bits;
      }
    };
    const std::uint64_t a = value(i.a), b = value(i.b);
    values.push_back((i.opcode == TENON_OP_MUL ? a * b : a ^ b) & 0xffffffff);
  }
  Bits expected;
  for (std::size_t i = 19; i < 200; i += 20) expected.push_back(values[i]);
  EXPECT_EQ(evaluate(fine, inputs, scalars, 10), expected);
}

// --- Which parts ---

TEST(Split, CutsWhereFewestValuesCross) {
  const Program p = parse(
      "in0: f32, in1: f32\n"
      "%0: f32 = mul in0, in0\n%1: f32 = mul in1, in1\n%2: f32 = add %0, %1\n"
      "%3: f32 = neg %2\n%4: f32 = exp %3\n%5: f32 = add %4, 1: f32\nreturn %5");
  const Plan plan = split(decode(p), {.instructions = 4}, kAll);
  EXPECT_EQ(text_of(plan),
            "in0: f32, in1: f32\n%0: f32 = mul in0, in0\n%1: f32 = mul in1, in1\n"
            "%2: f32 = add %0, %1\nreturn %2\n--\n"
            "in0: f32\n%0: f32 = neg in0\n%1: f32 = exp %0\n%2: f32 = add %1, 1: f32\nreturn %2\n--\n");
}

TEST(Split, CastsOfInputsAreDoneAgain) {
  const Program p = parse(
      "in0: bool\n%0: f32 = cast in0\n%1: f32 = exp %0\n%2: f32 = mul %1, %0\n%3: f32 = exp %2\n"
      "%4: f32 = mul %3, %0\n%5: f32 = exp %4\n%6: f32 = add %5, %0\nreturn %6");
  const Plan plan = split(decode(p), {.instructions = 4}, kAll);
  EXPECT_EQ(plan.parts.size(), 2u);
  EXPECT_EQ(plan.temporaries.size(), 1u) << text_of(plan);
}

TEST(Split, OutputsAreReadBackRatherThanStoredTwice) {
  const Program p = parse("in0: f32\n%0: f32 = exp in0\n%1: f32 = log %0\nreturn %0, %1");
  const Plan plan = split(decode(p), {.instructions = 1}, kAll);
  EXPECT_TRUE(plan.temporaries.empty());
  EXPECT_EQ(plan.parts[1].inputs[0].kind, Place::Kind::Output);
}

TEST(Split, RepeatedOutputsAndOutputsThatAreNoInstructions) {
  const Program p = parse("in0: f32, s0: f32\n%0: f32 = exp in0\nreturn %0, %0, in0, s0, 2: f32, %0");
  for (const int outputs : {1, 2, 8}) {
    expect_same_bits(p, {7}, {.outputs = outputs}, kAll, Cut::FewestParts, 1);
    expect_same_bits(p, {7}, {.outputs = outputs}, kAll, Cut::EachInstruction, 1);
  }
  EXPECT_EQ(split(decode(p), {.outputs = 2}, kAll).parts.size(), 3u);
}

TEST(Split, ValuesThatAreNotStoredCrossAsBits) {
  const Program p = parse(
      "in0: f32\n%0: u32 = cast in0\n%1: u32 = shr %0, 3: u32\n%2: u32 = not %1\n"
      "%3: f32 = cast %2\nreturn %3");
  const Plan plan = split(decode(p), {.instructions = 3}, kLeast);
  EXPECT_EQ(text_of(plan),
            "in0: f32\n%0: u32 = cast in0\n%1: u32 = shr %0, 3: u32\n%2: i32 = bitcast %1\n"
            "return %2\n--\n"
            "in0: i32\n%0: u32 = bitcast in0\n%1: u32 = not %0\n%2: f32 = cast %1\nreturn %2\n--\n");
}

TEST(Split, WideSelectsTakeTwoInputs) {
  const Program p = parse("in0: bool, in1: f32, in2: f32\n%0: f32 = select in0, in1, in2\nreturn %0");
  const Plan plan = split(decode(p), {.instructions = 4, .inputs = 2}, kLeast);
  EXPECT_EQ(plan.parts.size(), 3u) << text_of(plan);
  const std::uint64_t numbers[] = {0, 0x80000000, 1, 0x7f800001, 0xffc12345, 0x3f800000};
  for (const std::uint64_t a : numbers) {
    for (const std::uint64_t b : numbers) {
      EXPECT_EQ(evaluate(plan, {1, a, b}, {}, 1), Bits{a});
      EXPECT_EQ(evaluate(plan, {0, a, b}, {}, 1), Bits{b});
    }
  }
}

TEST(Split, WideSelectsWithoutAnIntegerOfTheSize) {
  const DTypeMasks doubles{mask({f32, i32, bool_, f64}), mask({f32, i32, u32, bool_, f64})};
  const Program p = parse("in0: bool, in1: f64, in2: f64\n%0: f64 = select in0, in1, in2\nreturn %0");
  const Plan plan = split(decode(p), {.instructions = 4, .inputs = 2}, doubles);
  const std::uint64_t numbers[] = {0, 1ull << 63, 1, 0x7ff0ull << 48, 0x3ff0ull << 48};
  for (const std::uint64_t a : numbers) {
    for (const std::uint64_t b : numbers) {
      EXPECT_EQ(evaluate(plan, {1, a, b}, {}, 1), Bits{a});
      EXPECT_EQ(evaluate(plan, {0, a, b}, {}, 1), Bits{b});
    }
  }
}

TEST(Split, NamesWhatNoPartHasRoomFor) {
  const auto error = [](const char* text, const Limits& limits, DTypeMasks dtypes) {
    return test::thrown([&] { split(decode(parse(text)), limits, dtypes); }).text;
  };
  EXPECT_EQ(error("in0: u64, in1: u64, in2: u64\n%0: u32 = philox in0, in1, in2\nreturn %0",
                  {.inputs = 2}, kAll),
            "[program] philox of u32 needs 3 inputs at once, the device takes 2");
  EXPECT_EQ(error("s0: f32, s1: f32\n%0: f32 = add s0, s1\nreturn %0", {.scalars = 1}, kAll),
            "[program] add of f32 needs 2 scalars at once, the device takes 1");
  EXPECT_EQ(error("in0: f32\n%0: u32 = cast in0\n%1: u32 = not %0\n%2: f32 = cast %1\nreturn %2",
                  {.instructions = 1}, kLeast),
            "[program] cast of u32 needs 2 instructions at once, the device takes 1");
  EXPECT_EQ(error("in0: f32\n%0: f64 = cast in0\n%1: f64 = exp %0\n%2: f32 = cast %1\nreturn %2",
                  {.instructions = 1}, kLeast),
            "[program] a value of f64 has to be stored, which the device does not");
}

TEST(Split, KnowsWhichInputsAreReadAfterAnOutputIsWritten) {
  const Program p =
      parse("in0: f32, in1: f32\n%0: f32 = exp in0\n%1: f32 = add %0, in1\nreturn %0, %1");
  const Plan plan = split(decode(p), {.instructions = 1}, kAll);
  EXPECT_FALSE(plan.overwrites(0, 0));
  EXPECT_TRUE(plan.overwrites(0, 1));
  EXPECT_FALSE(plan.overwrites(1, 0));
  EXPECT_FALSE(plan.overwrites(1, 1));
}

}  // namespace
}  // namespace tenon::program
