// select(c, a, b) is (c ? a : 0) | (c ? 0 : b). Floating values are taken as integers for it; where the
// device has none of their size they are added, with -0 for 0.
#include "core/program/narrow.h"

#include <algorithm>
#include <utility>

namespace tenon::program {
namespace {

/// Neither a scalar nor a constant.
bool is_value(std::uint16_t ref) {
  const std::uint32_t kind = TENON_REF_CLASS(ref);
  return kind == TENON_REF_INSTRUCTION || kind == TENON_REF_INPUT;
}

bool is_wide(const TenonInstruction& i) {
  return i.opcode == TENON_OP_SELECT && is_value(i.a) && is_value(i.b) && is_value(i.c) && i.a != i.b &&
         i.b != i.c && i.a != i.c;
}

/// What values of `dtype` are joined in: itself where `or` takes it, else an integer of its size.
DType joined_in(DType dtype, std::uint32_t computed) {
  if (!is_floating(dtype)) return dtype;
  for (const DType integer : {i16, i32, i64, u16, u32, u64}) {
    const bool there = (computed >> static_cast<unsigned>(integer) & 1) != 0;
    if (there && size_of(integer) == size_of(dtype)) return integer;
  }
  return dtype;
}

class Narrower {
 public:
  Narrower(const Draft& draft, std::uint32_t computed)
      : draft_(draft),
        computed_(computed),
        result_{draft.inputs, draft.scalars, draft.constants, {}, draft.outputs} {}

  Draft run() {
    for (TenonInstruction i : draft_.instructions) {
      each_operand(i, [&](std::uint16_t& ref) { ref = renamed(ref); });
      renamed_.push_back(is_wide(i) ? narrowed(i) : append(i));
    }
    for (std::uint16_t& ref : result_.outputs) ref = renamed(ref);
    return std::move(result_);
  }

 private:
  std::uint16_t renamed(std::uint16_t ref) const {
    return TENON_REF_CLASS(ref) == TENON_REF_INSTRUCTION ? renamed_[TENON_REF_INDEX(ref)] : ref;
  }

  std::uint16_t append(const TenonInstruction& i) {
    result_.instructions.push_back(i);
    return TENON_REF(TENON_REF_INSTRUCTION, result_.instructions.size() - 1);
  }
  std::uint16_t append(Opcode opcode, DType dtype, std::uint16_t a, std::uint16_t b = 0,
                       std::uint16_t c = 0) {
    return append({static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(dtype), a, b, c});
  }

  std::uint16_t narrowed(const TenonInstruction& i) {
    const auto dtype = static_cast<DType>(i.dtype);
    const DType joined = joined_in(dtype, computed_);
    const auto as_joined = [&](std::uint16_t ref) {
      return joined == dtype ? ref : append(Opcode::bitcast, joined, ref);
    };
    const std::uint16_t none = neutral(joined);
    const std::uint16_t left = append(Opcode::select, joined, i.a, as_joined(i.b), none);
    const std::uint16_t right = append(Opcode::select, joined, i.a, none, as_joined(i.c));
    const Opcode join = is_floating(joined) ? Opcode::add : Opcode::or_;
    const std::uint16_t both = append(join, joined, left, right);
    return joined == dtype ? both : append(Opcode::bitcast, dtype, both);
  }

  /// 0, or -0: what leaves the other operand of the join as it is.
  std::uint16_t neutral(DType dtype) {
    const std::uint64_t sign = std::uint64_t{1} << (8 * size_of(dtype) - 1);
    const Constant constant{dtype, is_floating(dtype) ? sign : 0};
    const auto found = std::ranges::find(result_.constants, constant);
    const auto index = found - result_.constants.begin();
    if (found == result_.constants.end()) result_.constants.push_back(constant);
    return TENON_REF(TENON_REF_CONSTANT, index);
  }

  const Draft& draft_;
  std::uint32_t computed_;
  Draft result_;
  std::vector<std::uint16_t> renamed_;
};

}  // namespace

Draft narrow_selects(const Draft& draft, std::uint32_t computed) {
  return Narrower(draft, computed).run();
}

}  // namespace tenon::program
