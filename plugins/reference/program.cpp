// From opcodes to loops: a table over opcodes.def, whose meanings stand in the SDK's arithmetic.h.
#include "program.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace reference {

namespace {

using sdk::Group;
using BitTypes = decltype(sdk::joined(sdk::Integers{}, sdk::Types<bool>{}));

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
  return sdk::dispatch(List{}, dtype, []<class T>() -> Step {
    if constexpr (arity == 1) return loop<Meaning, sdk::Compute<T>, T, T>;
    if constexpr (arity == 2) return loop<Meaning, sdk::Compute<T>, T, T, T>;
    if constexpr (arity == 3) return loop<Meaning, sdk::Compute<T>, T, T, T, T>;
  });
}

template <class Meaning>
Step compare_step(uint8_t dtype) {
  return sdk::dispatch(sdk::Everything{}, dtype,
                       []<class T>() -> Step { return loop<Meaning, sdk::Compute<T>, bool, T, T>; });
}

template <class Meaning>
Step select_step(uint8_t dtype) {
  return sdk::dispatch(sdk::Everything{}, dtype,
                       []<class T>() -> Step { return loop<Meaning, T, T, bool, T, T>; });
}

template <class Meaning>
Step any_cast_step(uint8_t from, uint8_t to) {
  return sdk::dispatch(sdk::Everything{}, from, [&]<class A>() {
    return sdk::dispatch(sdk::Everything{}, to,
                         []<class R>() -> Step { return loop<Meaning, R, R, A>; });
  });
}

template <class Meaning>
Step bitcast_step(uint8_t from, uint8_t to) {
  return sdk::dispatch(sdk::Numbers{}, from, [&]<class A>() {
    return sdk::dispatch(sdk::Numbers{}, to, []<class R>() -> Step {
      if constexpr (sizeof(A) == sizeof(R)) return loop<Meaning, R, R, A>;
      throw sdk::Unsupported("bitcast between sizes");
    });
  });
}

template <Group group, int arity, class Meaning>
Step step_of(Meaning, uint8_t last_operand, uint8_t result) {
  if constexpr (group == Group::ARITH) return uniform_step<sdk::Numbers, arity, Meaning>(result);
  if constexpr (group == Group::FLOAT) return uniform_step<sdk::Floats, arity, Meaning>(result);
  if constexpr (group == Group::BITS) return uniform_step<BitTypes, arity, Meaning>(result);
  if constexpr (group == Group::SHIFT) return uniform_step<sdk::Integers, arity, Meaning>(result);
  if constexpr (group == Group::COMPARE) return compare_step<Meaning>(last_operand);
  if constexpr (group == Group::SELECT) return select_step<Meaning>(result);
  if constexpr (group == Group::CAST) return any_cast_step<Meaning>(last_operand, result);
  if constexpr (group == Group::BITCAST) return bitcast_step<Meaning>(last_operand, result);
  if constexpr (group == Group::PHILOX) {
    return loop<Meaning, uint64_t, uint32_t, uint64_t, uint64_t, uint64_t>;
  }
}

/// The loop for an opcode whose operands are (or end in) `operand`.
Step resolve(uint8_t opcode, uint8_t operand, uint8_t result) {
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp)                                     \
  case code: {                                                                                \
    const auto meaning = []<class T>(auto... values) { return meaning::name<T>(values...); }; \
    return step_of<Group::group, arity>(meaning, operand, result);                            \
  }
#include <tenon/opcodes.def>
#undef TENON_OPCODE
    default:
      throw sdk::Unsupported("opcode " + std::to_string(opcode) + " is not known here");
  }
}

/// n copies of a raw value.
void spread(std::byte* out, uint8_t dtype, uint64_t bits, int n) {
  sdk::dispatch(sdk::Everything{}, dtype, [&]<class T>() {
    std::fill_n(reinterpret_cast<T*>(out), n, sdk::load<T>(reinterpret_cast<std::byte*>(&bits)));
  });
}

}  // namespace

Step cast_step(uint8_t from, uint8_t to) {
  return resolve(TENON_OP_CAST, from, to);
}

Program::Program(const sdk::ProgramView& view) : input_count_(view.input_count()) {
  const size_t scalars_at = input_count_;
  const size_t constants_at = scalars_at + view.scalar_count();
  const size_t instructions_at = constants_at + view.constant_count();
  // In the order of TENON_REF_INSTRUCTION, _INPUT, _SCALAR, _CONSTANT.
  const size_t starts[] = {instructions_at, 0, scalars_at, constants_at};
  const auto register_of = [&](uint16_t reference) {
    return starts[TENON_REF_CLASS(reference)] + TENON_REF_INDEX(reference);
  };

  for (size_t i = 0; i < view.scalar_count(); ++i) {
    scalars_.push_back({scalars_at + i, view.scalar_dtype(i), 0});
  }
  for (size_t i = 0; i < view.constant_count(); ++i) {
    constants_.push_back({constants_at + i, view.constant_dtype(i), view.constants()[i]});
  }
  for (const TenonInstruction& it : view.instructions()) {
    const uint16_t references[] = {it.a, it.b, it.c};
    Instruction made{nullptr, instructions_at + instructions_.size(), {}};
    const int arity = sdk::opcode_info(it.opcode).arity;
    for (int i = 0; i < arity; ++i) made.in[i] = register_of(references[i]);
    made.step = resolve(it.opcode, view.dtype_of(references[arity - 1]), it.dtype);
    instructions_.push_back(made);
  }
  for (size_t i = 0; i < view.outputs().size(); ++i) {
    outputs_.push_back(register_of(view.outputs()[i]));
    output_dtypes_.push_back(view.output_dtype(i));
  }
}

Program::Program(uint8_t from, uint8_t to)
    : input_count_(1),
      instructions_{{cast_step(from, to), 1, {0, 0, 0}}},
      outputs_{1},
      output_dtypes_{to} {}

Block::Block(const Program& program, const uint64_t* scalars, int64_t n) : program_(program) {
  const int used = static_cast<int>(std::min<int64_t>(n, kBlock));
  for (const auto& it : program.constants_) spread(registers_[it.at], it.dtype, it.bits, used);
  for (const auto& it : program.scalars_) {
    spread(registers_[it.at], it.dtype, *scalars++, used);
  }
}

void Block::run(int n) {
  for (const auto& it : program_.instructions_) {
    const std::byte* in[3] = {registers_[it.in[0]], registers_[it.in[1]], registers_[it.in[2]]};
    it.step(registers_[it.out], in, n);
  }
}

}  // namespace reference
