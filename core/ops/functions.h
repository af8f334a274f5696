// Functions of program values that have no opcode: what rules of elementwise ops are made of. Values
// are f32 or f64 where nothing else is said.
#pragma once

#include <tenon/program.h>

#include "core/program/expand.h"

namespace tenon::ops {

using program::number;
using program::Value;

bool is_double(Value x);

Value is_nan(Value x);
/// Whether the sign bit is set; of integers, whether they are negative.
Value is_negative(Value x);
/// |magnitude| with the sign of x.
Value with_sign(Value magnitude, Value x);
/// The angle of the point (x, y) with x, y >= 0, in 0 .. π/2; 0 at the origin.
Value angle(Value y, Value x);
Value atan(Value x);
Value erfc(Value x);
/// Where erf is x, for x >= 0.
Value erfinv(Value x);
/// log |Γ(x)|, and its derivative.
Value lgamma(Value x);
Value digamma(Value x);
Value sinh(Value x);
Value cosh(Value x);
Value asinh(Value x);
Value acosh(Value x);
Value atanh(Value x);
/// log(1 + eˣ).
Value softplus(Value x);
/// The density of the normal distribution, and how much of it lies below x.
Value normal_density(Value x);
Value normal_below(Value x);

/// The number next to x on the way to y, of any floating dtype.
Value next_after(Value x, Value y);

}  // namespace tenon::ops
