// Devices that lack things, and one-instruction programs made for them.
#pragma once

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "core/program/legalise.h"
#include "tests/support/draft_machine.h"

namespace tenon::test {

constexpr std::uint32_t mask(std::initializer_list<DType> dtypes) {
  std::uint32_t result = 0;
  for (const DType dtype : dtypes) result |= 1u << static_cast<int>(dtype);
  return result;
}

constexpr std::uint32_t kAllDTypes =
    mask({bool_, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64});

/// Stores all, computes what run_draft does, and has no optional opcode.
constexpr program::Target kBare{.opcodes = 0,
                                .storage_dtypes = kAllDTypes,
                                .compute_dtypes = mask({bool_, u32, i32, u64, i64, f32, f64})};

/// One instruction whose operands are the inputs, of `dtypes`.
inline program::Draft instruction(program::Opcode opcode, DType result,
                                  const std::vector<DType>& dtypes) {
  program::Draft draft;
  draft.inputs = dtypes;
  draft.instructions = {
      {static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(result), 0, 0, 0}};
  std::uint32_t next = 0;
  program::each_operand(draft.instructions[0],
                        [&](std::uint16_t& ref) { ref = TENON_REF(TENON_REF_INPUT, next++); });
  draft.outputs = {TENON_REF(TENON_REF_INSTRUCTION, 0)};
  return draft;
}

inline program::Draft uniform(program::Opcode opcode, DType dtype) {
  return instruction(opcode, dtype,
                     std::vector<DType>(static_cast<std::size_t>(program::arity(opcode)), dtype));
}

/// Legalised for kBare.
inline program::Draft bare(const program::Draft& draft) {
  program::Draft legal = program::legalise(draft, kBare);
  EXPECT_TRUE(program::is_legal(legal, kBare));
  return legal;
}

/// The one output; some elements at a time.
inline Raw run_in_batches(const program::Draft& draft, const std::vector<Raw>& inputs,
                          Quirks quirks = {}) {
  Raw result;
  const std::size_t count = inputs.at(0).size(), most = 4096;
  for (std::size_t begin = 0; begin < count; begin += most) {
    std::vector<Raw> batch;
    for (const Raw& input : inputs) {
      const auto first = input.begin() + static_cast<std::ptrdiff_t>(begin);
      batch.emplace_back(first, first + static_cast<std::ptrdiff_t>(std::min(most, count - begin)));
    }
    const Raw part = run_draft(draft, batch, {}, quirks).at(0);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

}  // namespace tenon::test
