// INDEX operands and Philox: coordinates as values, and random words that are the same everywhere.
#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

TENON_DEVICE_SUITE(ElementwiseIndex);

constexpr std::uint8_t u32 = TENON_DTYPE_U32;
constexpr std::uint8_t u64 = TENON_DTYPE_U64;

// philox(index operand, scalar, scalar), stored as i32.
Program philox_program() {
  Program program;
  const auto at = program.input(u64), offset = program.scalar(u64), seed = program.scalar(u64);
  const auto word = program.emit(TENON_OP_PHILOX, u32, at, offset, seed);
  program.output(program.emit(TENON_OP_BITCAST, TENON_DTYPE_I32, word));
  return program;
}

// Random123's known answer for a counter and key of zero; the oracle that the rest is compared with is
// held to all three (test_oracle.cpp).
TEST_P(ElementwiseIndex, PhiloxGivesTheKnownAnswer) {
  const std::uint32_t words[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  Array* dst = rig.array(TENON_DTYPE_I32, {4});
  Array* at = rig.index(u64, {4}, 0, {1});
  const Outcome outcome = rig.run(elementwise(philox_program(), {dst, at}), {{dst, at}, {0, 0}, {4}});
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(dst->at(i), words[i]) << rig.name() << " word " << i;
}

TEST_P(ElementwiseIndex, PhiloxOverStridedCoordinates) {
  struct Case {
    Dims dims, strides;
    std::int64_t offset;
  };
  const Case cases[] = {{{1000}, {1}, 0},
                        {{257}, {3}, 5},
                        {{5, 7, 3}, {21, 3, 1}, 11},
                        {{5, 7, 3}, {1, 5, 35}, 0},
                        {{4, 9}, {-9, -1}, 35},
                        {{3, 5}, {5, 0}, 7},
                        {{9, 3}, {std::int64_t{1} << 33, 1}, (std::int64_t{1} << 40) + 3}};
  for (const Case& c : cases) {
    for (const Lay lay : {Lay::contiguous, Lay::transposed}) {
      Array* dst = rig.array(TENON_DTYPE_I32, c.dims, lay);
      Array* at = rig.index(u64, c.dims, c.offset, c.strides);
      const std::uint64_t offset = 0x123456789abcdef0, seed = 0xfedcba9876543210;
      OpSpec op = elementwise(philox_program(), {dst, at});
      op.index_width = 64;
      const Outcome outcome = rig.run(op, {{dst, at}, {offset, seed}, c.dims});
      ASSERT_TRUE(outcome.ok()) << outcome;
      for (std::int64_t i = 0; i < dst->count(); ++i) {
        const auto index = static_cast<std::uint64_t>(c.offset + at->step(i));
        ASSERT_EQ(dst->at(i), philox(index, offset, seed))
            << rig.name() << " dims " << show(c.dims) << " strides " << show(c.strides) << " element "
            << i;
      }
    }
  }
}

TEST_P(ElementwiseIndex, CoordinatesAreValues) {
  for (const std::uint8_t dtype : {TENON_DTYPE_I32, TENON_DTYPE_I64, TENON_DTYPE_U64}) {
    const auto type = static_cast<std::uint8_t>(dtype);
    if (!rig.stores(type) || !rig.computes(type)) continue;
    const Dims dims{6, 35};
    Array* dst = rig.array(type, dims, Lay::slice);
    Array* at = rig.index(type, dims, 100, {-7, 2});
    Program program;
    const auto x = program.input(type);
    program.output(program.emit(TENON_OP_ADD, type, x, program.constant(type, 1)));
    const Outcome outcome = rig.run(elementwise(program, {dst, at}), {{dst, at}, {}, dims});
    ASSERT_TRUE(outcome.ok()) << name_of(type) << ": " << outcome;
    for (std::int64_t i = 0; i < dst->count(); ++i) {
      const Bits want = from_integer(type, 101 - 7 * (i / 35) + 2 * (i % 35));
      ASSERT_EQ(dst->at(i), want) << rig.name() << " " << name_of(type) << " element " << i << ": got "
                                  << show(type, dst->at(i)) << ", expected " << show(type, want);
    }
  }
}

}  // namespace
}  // namespace tenon::conformance
