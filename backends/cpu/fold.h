// The operators of REDUCE, made of the loops that elementwise work has.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenon/sdk.h>

#include "steps.h"

namespace cpu {

namespace sdk = tenon::sdk;

/// ARGMAX, ARGMIN.
inline bool is_position(std::uint8_t code) {
  return code == TENON_REDUCE_ARGMAX || code == TENON_REDUCE_ARGMIN;
}

/// One operator: values are cast to `narrow` and folded there, and what those come to in `wide`.
struct Operator {
  std::uint8_t code, value, narrow, wide;
  Step to_narrow, fold_narrow, to_wide, fold_wide;  // casts are nullptr where there is nothing to do
  Step round, finish;                               // wide to acc_dtype, that to the result's
  std::uint8_t rounded;
  std::uint64_t narrow_start, wide_start;

  std::size_t narrow_size() const { return sdk::size_of(narrow); }
  std::size_t wide_size() const { return sdk::size_of(wide); }
};

/// `code` over values of a dtype; throws sdk::Unsupported.
Operator make_operator(std::uint8_t code, std::uint8_t value, std::uint8_t acc_dtype,
                       std::uint8_t result);

/// Folds a tile of n values to its first element.
void fold_tile(Step fold, std::byte* tile, std::size_t size, int n);

/// The first of n values that is `best`, which a NaN is where there is one.
int find_first(std::uint8_t dtype, const std::byte* values, int n, const std::byte* best);

/// Whether `found`, the best of later values, is better than `best`, or the first NaN.
bool is_better(std::uint8_t code, std::uint8_t dtype, const std::byte* found, const std::byte* best);

}  // namespace cpu
