// The instructions stay in their order, so a part is a run of steps; the runs with the fewest parts,
// and among those with the fewest operands, are found by dynamic programming.
#include "core/program/split.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base/fail.h"
#include "core/program/narrow.h"

namespace tenon::program {
namespace {

/// The least that any one instruction is sure to fit in, conversions of its operands and result
/// included.
constexpr int kSureInstructions = 4;

bool is_instruction(std::uint16_t ref) {
  return TENON_REF_CLASS(ref) == TENON_REF_INSTRUCTION;
}

/// Computes an instruction, or only stores a value; into a slot of the whole's outputs, or none (-1).
struct Step {
  std::uint16_t ref;
  bool computes;
  int slot;
};

/// A program of a run of steps would have this.
struct Tally {
  int instructions = 0, inputs = 0, outputs = 0, scalars = 0, constants = 0;

  bool within(const Limits& most) const {
    return instructions <= most.instructions && inputs <= most.inputs && outputs <= most.outputs &&
           scalars <= most.scalars && constants <= most.constants;
  }
};

class Splitter {
 public:
  Splitter(Draft draft, const Limits& limits, DTypeMasks dtypes, Cut cut)
      : draft_(std::move(draft)),
        limits_(limits),
        dtypes_(dtypes),
        cut_(cut),
        step_of_(draft_.instructions.size()),
        slot_of_(draft_.instructions.size(), -1),
        last_use_(draft_.instructions.size()) {
    list_steps();
  }

  Plan run() {
    const std::vector<std::size_t> starts = best_starts();
    std::vector<std::size_t> ends;
    for (std::size_t end = steps_.size(); end > 0; end = starts[end]) ends.push_back(end);
    std::size_t first = 0;
    for (auto end = ends.rbegin(); end != ends.rend(); first = *end++) add_part(first, *end);
    find_last_reads();
    return std::move(plan_);
  }

 private:
  DType dtype_of(std::uint16_t ref) const {
    const std::size_t index = TENON_REF_INDEX(ref);
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INSTRUCTION:
        return static_cast<DType>(draft_.instructions[index].dtype);
      case TENON_REF_INPUT:
        return draft_.inputs[index];
      case TENON_REF_SCALAR:
        return draft_.scalars[index];
      default:
        return draft_.constants[index].dtype;
    }
  }

  // --- Steps ---

  /// Whether there is a step for the instruction: not where every part that needs it does it again.
  bool has_step(std::uint16_t ref) const {
    return slot_of_[TENON_REF_INDEX(ref)] >= 0 || !is_redone(ref);
  }

  /// Each instruction, which stores the first output that it is; behind it the others that it is, at
  /// the end what else is an output.
  void list_steps() {
    std::vector<std::vector<int>> slots(draft_.instructions.size());
    std::vector<Step> others;
    for (std::size_t s = 0; s < draft_.outputs.size(); ++s) {
      const std::uint16_t ref = draft_.outputs[s];
      const int slot = static_cast<int>(s);
      if (is_instruction(ref)) slots[TENON_REF_INDEX(ref)].push_back(slot);
      if (!is_instruction(ref)) others.push_back({ref, false, slot});
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::uint16_t ref = TENON_REF(TENON_REF_INSTRUCTION, i);
      if (!slots[i].empty()) slot_of_[i] = slots[i].front();
      if (!has_step(ref)) continue;
      step_of_[i] = steps_.size();
      steps_.push_back({ref, true, slot_of_[i]});
      for (std::size_t s = 1; s < slots[i].size(); ++s) steps_.push_back({ref, false, slots[i][s]});
    }
    steps_.insert(steps_.end(), others.begin(), others.end());
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      each_read(steps_[s], [&](std::uint16_t ref) {
        if (is_instruction(ref)) last_use_[TENON_REF_INDEX(ref)] = s;
      });
    }
  }

  /// Calls f with each value that the step reads.
  template <class F>
  void each_read(const Step& step, F f) const {
    if (step.computes) {
      each_operand(draft_.instructions[TENON_REF_INDEX(step.ref)], f);
    } else {
      f(step.ref);
    }
  }

  // --- How a value crosses from part to part ---

  /// A cast or bitcast of an input, scalar or constant is done again rather than stored, given the
  /// instructions.
  bool is_redone(std::uint16_t ref) const {
    if (cut_ == Cut::EachInstruction || limits_.instructions < kSureInstructions) return false;
    const TenonInstruction& i = draft_.instructions[TENON_REF_INDEX(ref)];
    return (i.opcode == TENON_OP_CAST || i.opcode == TENON_OP_BITCAST) && !is_instruction(i.a);
  }

  /// What a temporary holds a value as: u32, which a device may compute but not store, as the bits of
  /// an i32.
  DType stored_as(DType dtype) const {
    const auto stores = [&](DType d) { return (dtypes_.storage >> static_cast<unsigned>(d) & 1) != 0; };
    if (stores(dtype)) return dtype;
    if (dtype == u32) return i32;
    fail(ErrorKind::Unsupported, "[program] a value of {} has to be stored, which the device does not",
         name(dtype));
  }

  bool is_converted(std::uint16_t ref) const { return stored_as(dtype_of(ref)) != dtype_of(ref); }

  // --- Choosing the parts ---

  /// Counts what a part that begins at step `first` takes from outside to read `ref`.
  void count_read(std::uint16_t ref, std::size_t first, std::set<std::uint16_t>& seen,
                  Tally& tally) const {
    if (is_instruction(ref) && has_step(ref) && step_of_[TENON_REF_INDEX(ref)] >= first) return;
    if (!seen.insert(ref).second) return;
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INPUT:
        ++tally.inputs;
        return;
      case TENON_REF_SCALAR:
        ++tally.scalars;
        return;
      case TENON_REF_CONSTANT:
        ++tally.constants;
        return;
    }
    const std::size_t i = TENON_REF_INDEX(ref);
    if (is_redone(ref)) {
      ++tally.instructions;
      return count_read(draft_.instructions[i].a, first, seen, tally);
    }
    ++tally.inputs;
    if (slot_of_[i] < 0 && is_converted(ref)) ++tally.instructions;
  }

  /// Whether a part of steps first .. end - 1 stores the step's value for others behind it.
  bool is_temporary(const Step& step, std::size_t end) const {
    return step.slot < 0 && last_use_[TENON_REF_INDEX(step.ref)] >= end && !is_redone(step.ref);
  }

  /// Adds what steps first .. end - 1 store.
  Tally with_stores(Tally tally, std::size_t first, std::size_t end) const {
    for (std::size_t s = first; s < end; ++s) {
      if (steps_[s].slot >= 0) ++tally.outputs;
      if (!is_temporary(steps_[s], end)) continue;
      ++tally.outputs;
      if (is_converted(steps_[s].ref)) ++tally.instructions;
    }
    return tally;
  }

  using Cost = std::pair<int, int>;  // parts, operands

  /// For each number of steps, where the last part begins in the best plan for as many.
  std::vector<std::size_t> best_starts() const {
    std::vector<std::optional<Cost>> best(steps_.size() + 1);
    std::vector<std::size_t> starts(steps_.size() + 1);
    best[0] = Cost{0, 0};
    for (std::size_t first = 0; first < steps_.size(); ++first) {
      if (!best[first]) continue;
      each_part(first, [&](std::size_t end, const Tally& tally) {
        const Cost cost{best[first]->first + 1, best[first]->second + tally.inputs + tally.outputs};
        if (best[end] && *best[end] <= cost) return;
        best[end] = cost;
        starts[end] = first;
      });
    }
    if (!best.back()) refuse();
    return starts;
  }

  /// Calls f(end, tally) for each part of steps first .. end - 1 that is within the limits.
  template <class F>
  void each_part(std::size_t first, F f) const {
    std::set<std::uint16_t> seen;
    Tally tally;
    for (std::size_t end = first + 1; end <= steps_.size(); ++end) {
      tally.instructions += steps_[end - 1].computes ? 1 : 0;
      each_read(steps_[end - 1], [&](std::uint16_t ref) { count_read(ref, first, seen, tally); });
      if (!tally.within(limits_)) return;  // it only grows
      const Tally whole = with_stores(tally, first, end);
      if (whole.within(limits_)) f(end, whole);
      if (cut_ == Cut::EachInstruction) return;
    }
  }

  /// Throws for the first step that is too much by itself.
  void refuse() const {
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      std::set<std::uint16_t> seen;
      Tally needs{.instructions = steps_[s].computes ? 1 : 0};
      each_read(steps_[s], [&](std::uint16_t ref) { count_read(ref, s, seen, needs); });
      needs = with_stores(needs, s, s + 1);
      const auto check = [&](std::string_view unit, int count, int most) {
        if (count <= most) return;
        fail(ErrorKind::Unsupported, "[program] {} of {} needs {} {} at once, the device takes {}",
             described(steps_[s]), name(dtype_of(steps_[s].ref)), count, unit, most);
      };
      check("instructions", needs.instructions, limits_.instructions);
      check("inputs", needs.inputs, limits_.inputs);
      check("outputs", needs.outputs, limits_.outputs);
      check("scalars", needs.scalars, limits_.scalars);
      check("constants", needs.constants, limits_.constants);
    }
  }

  std::string_view described(const Step& step) const {
    if (!step.computes) return "a copy";
    return name(static_cast<Opcode>(draft_.instructions[TENON_REF_INDEX(step.ref)].opcode));
  }

  // --- Writing them ---

  class Writer;
  void add_part(std::size_t first, std::size_t end);

  int temporary(std::uint16_t ref) {
    const auto [found, is_new] =
        temporaries_.try_emplace(ref, static_cast<int>(plan_.temporaries.size()));
    if (is_new) plan_.temporaries.push_back(stored_as(dtype_of(ref)));
    return found->second;
  }

  void find_last_reads() {
    std::vector<Part*> last(plan_.temporaries.size());
    for (Part& part : plan_.parts) {
      for (const Place& place : part.inputs) {
        if (place.kind == Place::Kind::Temporary) last[static_cast<std::size_t>(place.index)] = &part;
      }
    }
    for (std::size_t t = 0; t < last.size(); ++t) last[t]->last_reads.push_back(static_cast<int>(t));
  }

  Draft draft_;
  Limits limits_;
  DTypeMasks dtypes_;
  Cut cut_;
  std::vector<Step> steps_;
  std::vector<std::size_t> step_of_;  // by instruction, as the next two
  std::vector<int> slot_of_;
  std::vector<std::size_t> last_use_;
  std::map<std::uint16_t, int> temporaries_;
  Plan plan_;
};

/// Writes one part, and notes where its operands lie. The operands of an instruction keep their order,
/// which may decide over the bits of a NaN or the sign of a zero.
class Splitter::Writer {
 public:
  explicit Writer(Splitter& whole) : whole_(whole) {}

  void compute(std::uint16_t ref) {
    TenonInstruction i = whole_.draft_.instructions[TENON_REF_INDEX(ref)];
    each_operand(i, [&](std::uint16_t& operand) { operand = value(operand); });
    refs_[ref] = append(i);
  }

  void store(std::uint16_t ref, int slot) {
    draft_.outputs.push_back(value(ref));
    outputs_.push_back({Place::Kind::Output, slot});
  }
  void store_temporary(std::uint16_t ref) {
    const DType dtype = whole_.dtype_of(ref);
    draft_.outputs.push_back(converted(value(ref), dtype, whole_.stored_as(dtype)));
    outputs_.push_back({Place::Kind::Temporary, whole_.temporary(ref)});
  }

  Part part() const { return {seal(draft_), inputs_, outputs_, scalars_, {}}; }

 private:
  std::uint16_t append(const TenonInstruction& i) {
    draft_.instructions.push_back(i);
    return TENON_REF(TENON_REF_INSTRUCTION, draft_.instructions.size() - 1);
  }

  /// The part's reference to a value of the whole.
  std::uint16_t value(std::uint16_t ref) {
    if (!refs_.contains(ref)) {
      if (is_instruction(ref) && whole_.is_redone(ref)) {
        compute(ref);
      } else {
        refs_[ref] = from_outside(ref);
      }
    }
    return refs_.at(ref);
  }

  std::uint16_t from_outside(std::uint16_t ref) {
    const DType dtype = whole_.dtype_of(ref);
    const auto index = static_cast<int>(TENON_REF_INDEX(ref));
    switch (TENON_REF_CLASS(ref)) {
      case TENON_REF_INPUT:
        return input({Place::Kind::Input, index}, dtype);
      case TENON_REF_SCALAR:
        scalars_.push_back(index);
        draft_.scalars.push_back(dtype);
        return TENON_REF(TENON_REF_SCALAR, scalars_.size() - 1);
      case TENON_REF_CONSTANT:
        draft_.constants.push_back(whole_.draft_.constants[TENON_REF_INDEX(ref)]);
        return TENON_REF(TENON_REF_CONSTANT, draft_.constants.size() - 1);
    }
    if (const int slot = whole_.slot_of_[TENON_REF_INDEX(ref)]; slot >= 0) {
      return input({Place::Kind::Output, slot}, dtype);
    }
    const DType stored = whole_.stored_as(dtype);
    return converted(input({Place::Kind::Temporary, whole_.temporary(ref)}, stored), stored, dtype);
  }

  std::uint16_t converted(std::uint16_t ref, DType from, DType to) {
    if (from == to) return ref;
    return append({TENON_OP_BITCAST, static_cast<std::uint8_t>(to), ref, 0, 0});
  }

  std::uint16_t input(const Place& place, DType dtype) {
    inputs_.push_back(place);
    draft_.inputs.push_back(dtype);
    return TENON_REF(TENON_REF_INPUT, inputs_.size() - 1);
  }

  Splitter& whole_;
  Draft draft_;
  std::map<std::uint16_t, std::uint16_t> refs_;
  std::vector<Place> inputs_, outputs_;
  std::vector<int> scalars_;
};

void Splitter::add_part(std::size_t first, std::size_t end) {
  Writer writer(*this);
  for (std::size_t s = first; s < end; ++s) {
    const Step& step = steps_[s];
    if (step.computes) writer.compute(step.ref);
    if (step.slot >= 0) writer.store(step.ref, step.slot);
    if (is_temporary(step, end)) writer.store_temporary(step.ref);
  }
  plan_.parts.push_back(writer.part());
}

}  // namespace

bool Plan::overwrites(int output, int input) const {
  const auto has = [](const std::vector<Place>& places, Place::Kind kind, int index) {
    return std::ranges::any_of(
        places, [&](const Place& place) { return place.kind == kind && place.index == index; });
  };
  const auto writes = std::ranges::find_if(
      parts, [&](const Part& part) { return has(part.outputs, Place::Kind::Output, output); });
  return writes != parts.end() && std::any_of(writes + 1, parts.end(), [&](const Part& part) {
           return has(part.inputs, Place::Kind::Input, input);
         });
}

Plan split(const Draft& draft, const Limits& limits, DTypeMasks dtypes, Cut cut) {
  if (limits.inputs >= 3) return Splitter(draft, limits, dtypes, cut).run();
  return Splitter(narrow_selects(draft, dtypes.compute), limits, dtypes, cut).run();
}

}  // namespace tenon::program
