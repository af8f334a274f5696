// The walk over a draft: each instruction stays as it is where the device has it, is computed in a
// wider dtype, or becomes several.
#include "core/program/legalise.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/base/fail.h"
#include "core/base/half.h"
#include "core/program/expand.h"

namespace tenon::program {
namespace {

constexpr std::uint32_t bit(DType dtype) {
  return 1u << static_cast<int>(dtype);
}

/// What a device can do, with what every device can do.
class Abilities {
 public:
  explicit Abilities(const Target& target)
      : opcodes_(target.opcodes | 0xffffffff),
        computed_(target.compute_dtypes | bit(f32) | bit(i32) | bit(u32) | bit(bool_)),
        known_(computed_ | target.storage_dtypes) {}

  bool has(Opcode opcode) const { return (opcodes_ >> static_cast<int>(opcode) & 1) != 0; }
  bool computes(DType dtype) const { return (computed_ & bit(dtype)) != 0; }
  /// Stored or computed: what casts take and give.
  bool knows(DType dtype) const { return (known_ & bit(dtype)) != 0; }

  /// `operand` is the dtype of the last operand.
  bool is_native(Opcode opcode, DType result, DType operand) const {
    if (opcode == Opcode::cast) return knows(result) && knows(operand);
    if (opcode == Opcode::philox) return true;
    return has(opcode) && computes(result) && computes(operand);
  }

  /// Where u64 is not computed, philox takes scalars and index inputs.
  bool can_feed_philox(const TenonInstruction& philox) const {
    const auto is_given = [](std::uint16_t ref) {
      return TENON_REF_CLASS(ref) == TENON_REF_INPUT || TENON_REF_CLASS(ref) == TENON_REF_SCALAR;
    };
    return computes(u64) || (is_given(philox.a) && is_given(philox.b) && is_given(philox.c));
  }

 private:
  std::uint64_t opcodes_;
  std::uint32_t computed_, known_;
};

DType dtype_of(const Draft& draft, std::uint16_t ref) {
  const std::uint32_t kind = TENON_REF_CLASS(ref), index = TENON_REF_INDEX(ref);
  if (kind == TENON_REF_INSTRUCTION) return static_cast<DType>(draft.instructions[index].dtype);
  if (kind == TENON_REF_INPUT) return draft.inputs[index];
  return kind == TENON_REF_SCALAR ? draft.scalars[index] : draft.constants[index].dtype;
}

constexpr bool is_narrow(DType dtype) {
  return dtype != bool_ && size_of(dtype) < 4;
}

/// The dtype that a narrow one is computed in.
DType wide(DType dtype) {
  if (is_floating(dtype)) return f32;
  return is_signed_integer(dtype) ? i32 : u32;
}

double value_of(Constant constant) {
  const std::uint64_t bits = constant.bits;
  if (constant.dtype == f16) return static_cast<double>(f16_value(static_cast<std::uint16_t>(bits)));
  if (constant.dtype == bf16) return static_cast<double>(bf16_value(static_cast<std::uint16_t>(bits)));
  if (constant.dtype == i8) return static_cast<std::int8_t>(bits);
  if (constant.dtype == i16) return static_cast<std::int16_t>(bits);
  return static_cast<double>(bits);
}

/// Whether the result in the wide dtype needs no rounding or wrapping.
bool stays_narrow(Opcode opcode, DType dtype) {
  if (opcode == Opcode::min || opcode == Opcode::max || opcode == Opcode::select) return true;
  return is_floating(dtype) &&
         (opcode == Opcode::neg || opcode == Opcode::abs || opcode == Opcode::floor ||
          opcode == Opcode::round || opcode == Opcode::trunc);
}

/// A value of the draft in the new program; a narrow one may stand there in its wide dtype too.
struct Entry {
  Value value;
  std::optional<Value> widened;
};

class Walk {
 public:
  Walk(Builder& builder, const Draft& draft, const Target& target)
      : builder_(builder), device_(target) {
    for (const DType dtype : draft.inputs) inputs_.push_back({builder.input(dtype), {}});
    for (const DType dtype : draft.scalars) scalars_.push_back({builder.scalar(dtype), {}});
    for (const Constant& constant : draft.constants) constants_.push_back(made(constant));
    for (const TenonInstruction& instruction : draft.instructions) values_.push_back(step(instruction));
    for (const std::uint16_t ref : draft.outputs) builder.output(entry(ref).value);
  }

 private:
  Entry made(const Constant& constant) {
    Entry entry{builder_.constant_bits(constant.dtype, constant.bits), {}};
    if (is_narrow(constant.dtype)) {
      entry.widened = builder_.constant(wide(constant.dtype), value_of(constant));
    }
    return entry;
  }

  const Entry& entry(std::uint16_t ref) const {
    const std::uint32_t kind = TENON_REF_CLASS(ref), index = TENON_REF_INDEX(ref);
    if (kind == TENON_REF_INSTRUCTION) return values_[index];
    if (kind == TENON_REF_INPUT) return inputs_[index];
    return kind == TENON_REF_SCALAR ? scalars_[index] : constants_[index];
  }

  /// In its wide dtype, if it is narrow.
  static Value widened(const Entry& entry) {
    const DType dtype = entry.value.dtype();
    if (entry.widened || !is_narrow(dtype)) return entry.widened.value_or(entry.value);
    return cast(entry.value, wide(dtype));
  }

  void need(bool has, Opcode opcode, DType operand, DType dtype, std::string_view how) const {
    if (has) return;
    fail(ErrorKind::Unsupported, "[legalise] {} of {}: {} is not {} here", name(opcode), name(operand),
         name(dtype), how);
  }

  /// Throws where neither casts nor other opcodes help.
  void need_a_way(Opcode opcode, DType operand, DType result) const {
    for (const DType dtype : {operand, result}) {
      need(device_.knows(dtype), opcode, operand, dtype, "computed or stored");
    }
    for (const DType dtype : {operand, result}) {
      need(is_narrow(operand) || device_.computes(dtype), opcode, operand, dtype, "computed");
    }
    const bool takes_u64 = operand == f64 && !device_.has(opcode) && opcode != Opcode::rsqrt;
    need(!takes_u64 || device_.computes(u64), opcode, operand, u64, "computed");
  }

  Entry step(const TenonInstruction& instruction) {
    const auto opcode = static_cast<Opcode>(instruction.opcode);
    const auto result = static_cast<DType>(instruction.dtype);
    std::array<Entry, 3> operands;
    std::size_t count = 0;
    each_operand(instruction, [&](std::uint16_t ref) { operands[count++] = entry(ref); });
    const Entry& last = operands[count - 1];
    const DType dtype = last.value.dtype();
    if (opcode == Opcode::philox && !device_.can_feed_philox(instruction)) fail_philox();
    if (opcode == Opcode::cast && last.widened && last.widened->dtype() == result) {
      return {*last.widened, {}};
    }
    if (device_.is_native(opcode, result, dtype)) {
      return {builder_.apply(opcode, result, operands[0].value, operands[1].value, operands[2].value),
              {}};
    }
    need_a_way(opcode, dtype, result);
    if (opcode == Opcode::bitcast) return {narrow_bitcast(last.value, result), {}};
    if (is_narrow(dtype)) return narrow(opcode, dtype, operands);
    return {expand(opcode, {operands[0].value, operands[1].value, operands[2].value}), {}};
  }

  [[noreturn]] static void fail_philox() {
    fail(ErrorKind::Unsupported,
         "[legalise] philox of computed u64: u64 is not computed here (give it scalars or indices)");
  }

  /// In the wide dtype, then rounded or wrapped.
  Entry narrow(Opcode opcode, DType dtype, const std::array<Entry, 3>& operands) {
    std::array<Value, 3> x;
    for (std::size_t i = 0; i < 3; ++i) {
      if (i < static_cast<std::size_t>(arity(opcode))) x[i] = widened(operands[i]);
    }
    const int width = static_cast<int>(8 * size_of(dtype));
    Value y;
    if (opcode == Opcode::mulhi) {
      y = x[0] * x[1] >> width;
    } else {
      if (opcode == Opcode::shl || opcode == Opcode::shr) {
        x[1] = x[1] & builder_.constant(x[1].dtype(), width - 1);
      }
      y = applied(opcode, x);
    }
    if (y.dtype() == bool_) return {y, {}};
    return {cast(y, dtype), stays_narrow(opcode, dtype) ? std::optional(y) : std::nullopt};
  }

  /// On a dtype that is computed, and that the result shares or of which it is a comparison.
  Value applied(Opcode opcode, const std::array<Value, 3>& x) {
    if (!device_.has(opcode)) return expand(opcode, x);
    const bool compares =
        opcode == Opcode::lt || opcode == Opcode::le || opcode == Opcode::eq || opcode == Opcode::ne;
    const DType last = x[static_cast<std::size_t>(arity(opcode)) - 1].dtype();
    return builder_.apply(opcode, compares ? bool_ : last, x[0], x[1], x[2]);
  }

  Builder& builder_;
  Abilities device_;
  std::vector<Entry> inputs_, scalars_, constants_, values_;
};

}  // namespace

bool is_legal(const Draft& draft, const Target& target) {
  const Abilities device(target);
  return std::ranges::all_of(draft.instructions, [&](const TenonInstruction& instruction) {
    std::uint16_t last = 0;
    each_operand(instruction, [&](std::uint16_t ref) { last = ref; });
    const auto opcode = static_cast<Opcode>(instruction.opcode);
    if (opcode == Opcode::philox) return device.can_feed_philox(instruction);
    return device.is_native(opcode, static_cast<DType>(instruction.dtype), dtype_of(draft, last));
  });
}

Draft legalise(const Draft& draft, const Target& target) {
  Builder builder;
  Walk(builder, draft, target);
  return canonical(*builder.draft_);
}

}  // namespace tenon::program
