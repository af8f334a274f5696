// The canonical form: one rank for each distinct live computation, found without looking at the order
// in which it was built. Instructions are ranked by height above the leaves, then by opcode, dtype and
// the ranks of their operands; equal ones share a rank. They are then numbered as a walk from the
// outputs meets them, so that values stand close to their uses.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/program/draft.h"

namespace tenon::program {
namespace {

bool is_instruction(std::uint16_t ref) {
  return TENON_REF_CLASS(ref) == TENON_REF_INSTRUCTION;
}

/// Whether a and b may change places (the sign of a zero, or the bits of a NaN, are not specified).
bool commutes(Opcode opcode) {
  constexpr Opcode kCommutative[] = {Opcode::add,  Opcode::mul, Opcode::min,  Opcode::max,
                                     Opcode::and_, Opcode::or_, Opcode::xor_, Opcode::eq,
                                     Opcode::ne,   Opcode::fma, Opcode::mulhi};
  return std::ranges::find(kCommutative, opcode) != std::end(kCommutative);
}

/// Which instructions (true) an output depends on.
std::vector<bool> live_instructions(const Draft& draft) {
  std::vector<bool> live(draft.instructions.size());
  const auto mark = [&](std::uint16_t ref) {
    if (is_instruction(ref)) live[TENON_REF_INDEX(ref)] = true;
  };
  std::for_each(draft.outputs.begin(), draft.outputs.end(), mark);
  for (std::size_t i = live.size(); i-- > 0;) {
    if (live[i]) each_operand(draft.instructions[i], mark);
  }
  return live;
}

class Ranking {
 public:
  explicit Ranking(const Draft& draft)
      : draft_(draft), live_(live_instructions(draft)), rank_(live_.size()) {
    rank_constants();
    std::map<int, std::vector<std::size_t>> levels;
    std::vector<int> height(live_.size());
    for (std::size_t i = 0; i < live_.size(); ++i) {
      if (!live_[i]) continue;
      each_operand(draft.instructions[i], [&](std::uint16_t ref) {
        if (is_instruction(ref)) height[i] = std::max(height[i], height[TENON_REF_INDEX(ref)] + 1);
      });
      levels[height[i]].push_back(i);
    }
    for (const auto& [unused, level] : levels) rank_level(level);
  }

  /// The distinct live instructions by rank, each after its operands.
  std::vector<TenonInstruction> instructions;
  std::vector<Constant> constants;

  /// A reference of the draft in terms of the above.
  std::uint16_t ranked(std::uint16_t ref) const {
    const std::uint32_t index = TENON_REF_INDEX(ref);
    if (is_instruction(ref)) return TENON_REF(TENON_REF_INSTRUCTION, rank_[index]);
    if (TENON_REF_CLASS(ref) != TENON_REF_CONSTANT) return ref;
    const auto found = std::lower_bound(constants.begin(), constants.end(), draft_.constants[index]);
    return TENON_REF(TENON_REF_CONSTANT, found - constants.begin());
  }

 private:
  void rank_constants() {
    const auto keep = [&](std::uint16_t ref) {
      if (TENON_REF_CLASS(ref) == TENON_REF_CONSTANT) {
        constants.push_back(draft_.constants[TENON_REF_INDEX(ref)]);
      }
    };
    for (std::size_t i = 0; i < live_.size(); ++i) {
      if (live_[i]) each_operand(draft_.instructions[i], keep);
    }
    std::for_each(draft_.outputs.begin(), draft_.outputs.end(), keep);
    std::sort(constants.begin(), constants.end());
    constants.erase(std::unique(constants.begin(), constants.end()), constants.end());
  }

  TenonInstruction ranked(TenonInstruction instruction) const {
    each_operand(instruction, [&](std::uint16_t& ref) { ref = ranked(ref); });
    if (commutes(static_cast<Opcode>(instruction.opcode)) && instruction.b < instruction.a) {
      std::swap(instruction.a, instruction.b);
    }
    return instruction;
  }

  static auto key(const TenonInstruction& i) { return std::tuple(i.opcode, i.dtype, i.a, i.b, i.c); }

  void rank_level(const std::vector<std::size_t>& level) {
    std::vector<std::pair<TenonInstruction, std::size_t>> entries;
    for (const std::size_t i : level) entries.emplace_back(ranked(draft_.instructions[i]), i);
    std::sort(entries.begin(), entries.end(),
              [](const auto& x, const auto& y) { return key(x.first) < key(y.first); });
    const std::size_t first = instructions.size();
    for (const auto& [instruction, i] : entries) {
      const bool repeated = instructions.size() > first && key(instructions.back()) == key(instruction);
      if (!repeated) instructions.push_back(instruction);
      rank_[i] = static_cast<std::uint16_t>(instructions.size() - 1);
    }
  }

  const Draft& draft_;
  std::vector<bool> live_;
  std::vector<std::uint16_t> rank_;
};

/// The ranks in the order of a walk from the outputs, operands first.
std::vector<std::uint16_t> schedule(const std::vector<TenonInstruction>& instructions,
                                    const std::vector<std::uint16_t>& outputs) {
  std::vector<std::uint16_t> order, pending;
  std::vector<bool> placed(instructions.size());
  const auto waits_for = [&](std::uint16_t rank) {
    int first = -1;
    each_operand(instructions[rank], [&](std::uint16_t ref) {
      if (first < 0 && is_instruction(ref) && !placed[ref]) first = ref;
    });
    return first;
  };
  for (const std::uint16_t output : outputs) {
    if (is_instruction(output)) pending.push_back(output);
    while (!pending.empty()) {
      const std::uint16_t rank = pending.back();
      if (const int operand = waits_for(rank); operand >= 0) {
        pending.push_back(static_cast<std::uint16_t>(operand));
        continue;
      }
      pending.pop_back();
      if (!placed[rank]) order.push_back(rank);
      placed[rank] = true;
    }
  }
  return order;
}

}  // namespace

Draft canonical(const Draft& draft) {
  static_assert(TENON_REF_INSTRUCTION == 0, "an instruction's reference is its index");
  const Ranking ranks(draft);
  Draft result{draft.inputs, draft.scalars, ranks.constants, {}, draft.outputs};
  for (std::uint16_t& output : result.outputs) output = ranks.ranked(output);

  const std::vector<std::uint16_t> order = schedule(ranks.instructions, result.outputs);
  std::vector<std::uint16_t> place(order.size());
  const auto renumber = [&](std::uint16_t& ref) {
    if (is_instruction(ref)) ref = place[ref];
  };
  for (const std::uint16_t rank : order) {
    place[rank] = static_cast<std::uint16_t>(result.instructions.size());
    each_operand(result.instructions.emplace_back(ranks.instructions[rank]), renumber);
  }
  std::for_each(result.outputs.begin(), result.outputs.end(), renumber);
  return result;
}

}  // namespace tenon::program
