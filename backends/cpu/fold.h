// The operators of REDUCE.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenon/sdk.h>

#include "steps.h"

namespace cpu {

namespace sdk = tenon::sdk;

/// n values to one; never over nothing.
using FoldRow = void (*)(const std::byte* values, int n, std::byte* result);
/// `rows` rows of n values, `stride` elements apart, to n values.
using FoldColumns = void (*)(const std::byte* values, std::int64_t stride, int rows, int n,
                             std::byte* result);
/// The first of n values that is `best`, which a NaN is where there is one.
using Find = int (*)(const std::byte* values, int n, const std::byte* best);

struct Folds {
  FoldRow row;
  FoldColumns columns;
};

// Vectorised, nullptr where there is none: an opcode over values of `dtype` to one of `result`.
Folds find_folds(std::uint8_t opcode, std::uint8_t dtype, std::uint8_t result);
Find find_finder(std::uint8_t dtype);

/// ARGMAX, ARGMIN.
inline bool is_position(std::uint8_t code) {
  return code == TENON_REDUCE_ARGMAX || code == TENON_REDUCE_ARGMIN;
}

/// One operator: values are folded in `narrow`, and what those come to in `wide`.
struct Operator {
  std::uint8_t code, value, narrow, wide;
  Folds folds;  // of values to `narrow`; else they are cast and folded by instructions
  Find find;
  Step to_narrow, fold_narrow, to_wide, fold_wide;  // casts are nullptr where there is nothing to do
  Step round, finish;                               // wide to acc_dtype, that to the result's
  std::uint8_t rounded;
  std::uint64_t narrow_start, wide_start;
  bool is_direct;  // a value of `narrow` is the result, if it is all there is

  std::size_t narrow_size() const { return sdk::size_of(narrow); }
  std::size_t wide_size() const { return sdk::size_of(wide); }

  /// n > 0 values to one of `narrow`; `work` has room for them in `narrow`.
  void fold(const std::byte* values, int n, std::byte* work, std::byte* result) const;
};

/// `code` over values of a dtype; throws sdk::Unsupported.
Operator make_operator(std::uint8_t code, std::uint8_t value, std::uint8_t acc_dtype,
                       std::uint8_t result);

/// Whether `found`, the best of later values, is better than `best`, or the first NaN.
bool is_better(std::uint8_t code, std::uint8_t dtype, const std::byte* found, const std::byte* best);

}  // namespace cpu
