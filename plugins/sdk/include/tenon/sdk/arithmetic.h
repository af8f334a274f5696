// What each opcode of a program means, for each C++ type that it takes: the rules of plugin.h and
// opcodes.def, word for word. Functions bear the opcodes' names.
//
// Integers wrap, so they are computed unsigned. 16-bit floats are computed in f32 (half.h's Compute)
// and rounded by the caller; only `cast`, `bitcast` and `select` take them as they are. Transcendental
// functions of f32 are computed in f64 and rounded once. No contraction: compile with
// -ffp-contract=off.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <tenon/sdk/half.h>

namespace tenon::sdk::meaning {

template <class T>
constexpr bool is_float = std::is_floating_point_v<T>;

template <class T>
bool is_nan(T x) {
  if constexpr (is_float<T>) {
    return std::isnan(x);
  } else {
    return false;
  }
}

/// `f` of x in f64, rounded to T.
template <class T, class F>
T rounded(F f, T x) {
  return static_cast<T>(f(static_cast<double>(x)));
}

/// `f` on unsigned numbers, where wrapping is defined; on floats as they are.
template <class T, class F>
T wrapped(F f, T x, T y) {
  if constexpr (is_float<T>) {
    return f(x, y);
  } else {
    using U = std::common_type_t<unsigned, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<U>(x), static_cast<U>(y)));
  }
}

// ------------------------------------------------------------------------------------- numbers

template <class T>
T add(T x, T y) {
  return wrapped([](auto a, auto b) { return a + b; }, x, y);
}

template <class T>
T sub(T x, T y) {
  return wrapped([](auto a, auto b) { return a - b; }, x, y);
}

template <class T>
T mul(T x, T y) {
  return wrapped([](auto a, auto b) { return a * b; }, x, y);
}

template <class T>
T neg(T x) {
  if constexpr (is_float<T>) {
    return -x;
  } else {
    return sub(T{0}, x);
  }
}

template <class T>
T abs(T x) {
  if constexpr (is_float<T>) {
    return std::fabs(x);
  } else {
    return x < T{0} ? neg(x) : x;
  }
}

template <class T>
T div(T x, T y) {
  if constexpr (!is_float<T>) {
    if (y == 0) return 0;
    if (std::is_signed_v<T> && y == static_cast<T>(-1)) return neg(x);
  }
  return static_cast<T>(x / y);
}

template <class T>
T rem(T x, T y) {
  if constexpr (is_float<T>) {
    return std::fmod(x, y);
  } else {
    if (y == 0 || (std::is_signed_v<T> && y == static_cast<T>(-1))) return 0;
    return static_cast<T>(x % y);
  }
}

template <class T>
T min(T x, T y) {
  if (is_nan(x)) return x;
  return is_nan(y) || y < x ? y : x;
}

template <class T>
T max(T x, T y) {
  if (is_nan(x)) return x;
  return is_nan(y) || y > x ? y : x;
}

// ------------------------------------------------------------------------- bits, shifts, choices

template <class T>
T and_(T x, T y) {
  return static_cast<T>(x & y);
}

template <class T>
T or_(T x, T y) {
  return static_cast<T>(x | y);
}

template <class T>
T xor_(T x, T y) {
  return static_cast<T>(x ^ y);
}

template <class T>
T not_(T x) {
  if constexpr (std::is_same_v<T, bool>) {
    return !x;
  } else {
    return static_cast<T>(~x);
  }
}

/// A shift's count, modulo the width.
template <class T>
int count(T y) {
  return static_cast<int>(static_cast<std::make_unsigned_t<T>>(y) % (8 * sizeof(T)));
}

template <class T>
T shl(T x, T y) {
  return static_cast<T>(static_cast<uint64_t>(x) << count(y));
}

template <class T>
T shr(T x, T y) {
  return static_cast<T>(x >> count(y));
}

template <class T>
T mulhi(T x, T y) {
  __extension__ using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
  return static_cast<T>((Wide{x} * Wide{y}) >> (8 * sizeof(T)));
}

template <class T>
bool lt(T x, T y) {
  return x < y;
}

template <class T>
bool le(T x, T y) {
  return x <= y;
}

template <class T>
bool eq(T x, T y) {
  return x == y;
}

template <class T>
bool ne(T x, T y) {
  return x != y;
}

template <class T>
T select(bool condition, T x, T y) {
  return condition ? x : y;
}

// ------------------------------------------------------------------------------------ conversion

template <class R, class T>
R cast(T x) {
  if constexpr (is_float16<T>) {
    return cast<R>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<R, bool>) {
    return x != T{0};
  } else if constexpr (is_float<T> && std::is_integral_v<R>) {
    constexpr R least = std::numeric_limits<R>::min(), greatest = std::numeric_limits<R>::max();
    if (is_nan(x)) return 0;
    if (x <= static_cast<T>(least)) return least;
    if (x >= static_cast<T>(greatest)) return greatest;
    return static_cast<R>(x);
  } else {
    return static_cast<R>(x);
  }
}

template <class R, class T>
R bitcast(T x) {
  return std::bit_cast<R>(x);
}

// -------------------------------------------------------------------------------- floating point

template <class T>
T floor(T x) {
  return std::floor(x);
}

template <class T>
T trunc(T x) {
  return std::trunc(x);
}

/// Half to even: the rounding mode of every process that has not changed it.
template <class T>
T round(T x) {
  return std::nearbyint(x);
}

template <class T>
T sqrt(T x) {
  return std::sqrt(x);
}

template <class T>
T fma(T x, T y, T z) {
  return std::fma(x, y, z);
}

#define TENON_IN_F64(name)                                    \
  template <class T>                                          \
  T name(T x) {                                               \
    return rounded([](double v) { return std::name(v); }, x); \
  }
TENON_IN_F64(exp)
TENON_IN_F64(exp2)
TENON_IN_F64(expm1)
TENON_IN_F64(log)
TENON_IN_F64(log2)
TENON_IN_F64(log1p)
TENON_IN_F64(sin)
TENON_IN_F64(cos)
TENON_IN_F64(tanh)
TENON_IN_F64(erf)
#undef TENON_IN_F64

template <class T>
T rsqrt(T x) {
  return rounded([](double v) { return 1 / std::sqrt(v); }, x);
}

/// 1 / (1 + e^-x), with an exponential that cannot overflow.
template <class T>
T sigmoid(T x) {
  return rounded(
      [](double v) {
        const double e = std::exp(-std::fabs(v));
        return (v < 0 ? e : 1) / (1 + e);
      },
      x);
}

template <class T>
T pow(T x, T y) {
  return static_cast<T>(std::pow(static_cast<double>(x), static_cast<double>(y)));
}

// ---------------------------------------------------------------------------------------- random

/// Word `index & 3` of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC'11) with counter {index >> 2, offset} and key {seed}, each as its low and its high word.
template <class T>
uint32_t philox(T index, T offset, T seed) {
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  uint32_t counter[4] = {low(index >> 2), high(index >> 2), low(offset), high(offset)};
  uint32_t key[2] = {low(seed), high(seed)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * counter[0];
    const uint64_t second = uint64_t{0xCD9E8D57} * counter[2];
    counter[0] = high(second) ^ counter[1] ^ key[0];
    counter[1] = low(second);
    counter[2] = high(first) ^ counter[3] ^ key[1];
    counter[3] = low(first);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter[index & 3];
}

}  // namespace tenon::sdk::meaning
