// From opcodes to loops: each instruction of a program as one plain loop over a block of elements, so
// that finding the loop costs nothing per element. What opcodes mean stands in arithmetic.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include <tenon/plugin.h>
#include <tenon/sdk/arithmetic.h>
#include <tenon/sdk/dtype.h>
#include <tenon/sdk/opcode.h>
#include <tenon/sdk/status.h>

namespace tenon::sdk {

/// One instruction over n elements; `in` holds as many operands as the opcode takes.
using Step = void (*)(std::byte* out, const std::byte* const* in, int n);

namespace detail {

using BitTypes = decltype(joined(Integers{}, Types<bool>{}));

/// out[i] = Meaning<T>(operands of types A...)[i], rounded to R.
template <class Meaning, class T, class R, class... A>
void loop(std::byte* out, const std::byte* const* in, int n) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    auto* __restrict const to = reinterpret_cast<R*>(out);
    const std::tuple<const A*...> from{reinterpret_cast<const A*>(in[I])...};
    for (int i = 0; i < n; ++i) {
      to[i] = static_cast<R>(Meaning{}.template operator()<T>(std::get<I>(from)[i]...));
    }
  }(std::index_sequence_for<A...>{});
}

/// Operands and result share one dtype of `List`.
template <class List, int arity, class Meaning>
Step uniform_step(uint8_t dtype) {
  return dispatch(List{}, dtype, []<class T>() -> Step {
    if constexpr (arity == 1) return loop<Meaning, Compute<T>, T, T>;
    if constexpr (arity == 2) return loop<Meaning, Compute<T>, T, T, T>;
    if constexpr (arity == 3) return loop<Meaning, Compute<T>, T, T, T, T>;
  });
}

template <class Meaning>
Step any_cast_step(uint8_t from, uint8_t to) {
  return dispatch(Everything{}, from, [&]<class A>() {
    return dispatch(Everything{}, to, []<class R>() -> Step { return loop<Meaning, R, R, A>; });
  });
}

template <class Meaning>
Step bitcast_step(uint8_t from, uint8_t to) {
  return dispatch(Numbers{}, from, [&]<class A>() {
    return dispatch(Numbers{}, to, []<class R>() -> Step {
      if constexpr (sizeof(A) == sizeof(R)) return loop<Meaning, R, R, A>;
      throw Unsupported("bitcast between sizes");
    });
  });
}

template <Group group, int arity, class Meaning>
Step step_of(Meaning, uint8_t last_operand, uint8_t result) {
  if constexpr (group == Group::ARITH) return uniform_step<Numbers, arity, Meaning>(result);
  if constexpr (group == Group::FLOAT) return uniform_step<Floats, arity, Meaning>(result);
  if constexpr (group == Group::BITS) return uniform_step<BitTypes, arity, Meaning>(result);
  if constexpr (group == Group::SHIFT) return uniform_step<Integers, arity, Meaning>(result);
  if constexpr (group == Group::COMPARE) {
    return dispatch(Everything{}, last_operand,
                    []<class T>() -> Step { return loop<Meaning, Compute<T>, bool, T, T>; });
  }
  if constexpr (group == Group::SELECT) {
    return dispatch(Everything{}, result,
                    []<class T>() -> Step { return loop<Meaning, T, T, bool, T, T>; });
  }
  if constexpr (group == Group::CAST) return any_cast_step<Meaning>(last_operand, result);
  if constexpr (group == Group::BITCAST) return bitcast_step<Meaning>(last_operand, result);
  if constexpr (group == Group::PHILOX) {
    return loop<Meaning, uint64_t, uint32_t, uint64_t, uint64_t, uint64_t>;
  }
}

}  // namespace detail

/// The loop for an opcode whose operands are (or end in) `operand`; throws Unsupported where there is
/// none.
inline Step step_for(uint8_t opcode, uint8_t operand, uint8_t result) {
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp)                                     \
  case code: {                                                                                \
    const auto meaning = []<class T>(auto... values) { return meaning::name<T>(values...); }; \
    return detail::step_of<Group::group, arity>(meaning, operand, result);                    \
  }
#include <tenon/opcodes.def>
#undef TENON_OPCODE
    default:
      throw Unsupported("opcode " + std::to_string(opcode) + " is not known here");
  }
}

/// The loop that casts.
inline Step cast_step(uint8_t from, uint8_t to) {
  return step_for(TENON_OP_CAST, from, to);
}

}  // namespace tenon::sdk
