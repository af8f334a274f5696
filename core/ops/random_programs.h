// The programs that random tensors are drawn with. They are made of exact opcodes only, and below f64
// of 32-bit arithmetic only, so every device draws the same bits.
//
// Their u64 inputs are numbers of Philox words, their first two scalars the stream (offset, seed); both
// go to PHILOX alone. What the other scalars are stands below.
#pragma once

#include <tenon/program.h>

namespace tenon::random {

/// What floats of `dtype` are drawn in: f32 for the 16-bit ones.
DType drawn_in(DType dtype);

/// low, span, limit, below (drawn_in(dtype)): low + span · u, and `below` from `limit` on.
/// One word, or two in f64.
program::Program uniform_program(DType dtype);

/// mean, std (drawn_in(dtype)): mean + std · z. f16, bf16, f32: two words.
program::Program normal_program(DType dtype);
/// scale (drawn_in(dtype)): -ln u · scale. One word, or two in f64.
program::Program exponential_program(DType dtype);
/// Normal numbers of f64 take two launches: with -ln u as input 0 and two more words what
/// normal_program does.
program::Program normal_of_log_program();

/// From an exponential number and a probability p of `dtype` (f32 or f64) to the number over p, or
/// infinity where p is 0: of several, each is the least as often as its p says.
program::Program waiting_program(DType dtype);

/// threshold (u32), always (bool): one word below the threshold, or always; as `dtype`.
program::Program bernoulli_program(DType dtype);

/// threshold, always as above, scale (drawn_in(dtype)): one word, then x: x · scale or 0.
program::Program dropout_program(DType dtype);

/// low, count, its low and its high half (u32, or u64 if `wide`): low + ⌊w · count / 2^64⌋ of a w of
/// two words, or ⌊w · count / 2^128⌋ of four; as `dtype`. The count of all integers is 0, its high half
/// 2^16 (or 2^32).
program::Program integers_program(DType dtype, bool wide);

}  // namespace tenon::random
