// Programs as text; parse.cpp reads it.
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>

#include <tenon/scalar.h>

#include "core/base/half.h"
#include "core/program/draft.h"
#include "core/program/view.h"

namespace tenon::program {
namespace {

/// The shortest digits that give the value back; a NaN with other bits than the usual ones as those.
template <class T>
std::string floating(T value, std::uint64_t bits, DType dtype) {
  const std::uint64_t usual = Scalar(std::numeric_limits<double>::quiet_NaN()).bits(dtype);
  if (std::isnan(value) && bits != usual) return fmt::format("0x{:x}", bits);
  return fmt::format("{}", value);
}

std::string literal(DType dtype, std::uint64_t bits) {
  switch (dtype) {
    case bool_:
      return bits != 0 ? "true" : "false";
    case i8:
      return fmt::format("{}", static_cast<int>(static_cast<std::int8_t>(bits)));
    case i16:
      return fmt::format("{}", static_cast<std::int16_t>(bits));
    case i32:
      return fmt::format("{}", static_cast<std::int32_t>(bits));
    case i64:
      return fmt::format("{}", static_cast<std::int64_t>(bits));
    case u8:
    case u16:
    case u32:
    case u64:
      return fmt::format("{}", bits);
    case f16:
      return floating(f16_value(static_cast<std::uint16_t>(bits)), bits, dtype);
    case bf16:
      return floating(bf16_value(static_cast<std::uint16_t>(bits)), bits, dtype);
    case f32:
      return floating(std::bit_cast<float>(static_cast<std::uint32_t>(bits)), bits, dtype);
    case f64:
      return floating(std::bit_cast<double>(bits), bits, dtype);
  }
  return {};
}

std::string operand(const View& view, std::uint16_t ref) {
  const std::uint32_t index = TENON_REF_INDEX(ref), kind = TENON_REF_CLASS(ref);
  if (kind == TENON_REF_INSTRUCTION) return fmt::format("%{}", index);
  if (kind == TENON_REF_INPUT) return fmt::format("in{}", index);
  if (kind == TENON_REF_SCALAR) return fmt::format("s{}", index);
  return fmt::format("{}: {}", literal(view.dtype(ref), view.constants[index]), name(view.dtype(ref)));
}

/// A list's parts with commas between them.
struct List {
  std::string text;
  void add(const std::string& part) { text += (text.empty() ? "" : ", ") + part; }
};

std::string parameters(const View& view) {
  List list;
  for (std::size_t i = 0; i < view.inputs.size(); ++i) {
    list.add(fmt::format("in{}: {}", i, name(static_cast<DType>(view.inputs[i]))));
  }
  for (std::size_t i = 0; i < view.scalars.size(); ++i) {
    list.add(fmt::format("s{}: {}", i, name(static_cast<DType>(view.scalars[i]))));
  }
  return list.text.empty() ? "" : list.text + "\n";
}

}  // namespace

std::string Program::text() const {
  const View view(*this);
  std::string result = parameters(view);
  for (std::size_t i = 0; i < view.instructions.size(); ++i) {
    const TenonInstruction& instruction = view.instructions[i];
    List operands;
    each_operand(instruction, [&](std::uint16_t ref) { operands.add(operand(view, ref)); });
    result += fmt::format("%{}: {} = {} {}\n", i, name(static_cast<DType>(instruction.dtype)),
                          name(static_cast<Opcode>(instruction.opcode)), operands.text);
  }
  List outputs;
  for (const std::uint16_t ref : view.outputs) outputs.add(operand(view, ref));
  return result + "return " + outputs.text;
}

}  // namespace tenon::program
