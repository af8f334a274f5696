// One table for all devices: they live as long as the process, and ids of programs are never reused.
#include "core/ops/lower.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include <fmt/format.h>

#include "core/program/legalise.h"
#include "core/runtime/device_state.h"

namespace tenon::ops {
namespace {

bool splits_all() {
  static const bool on = [] {
    const char* value = std::getenv("TENON_SPLIT");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return on;
}

/// A device may take more than the ABI's programs have.
program::Limits limits_of(const TenonDeviceInfo& info) {
  const auto least = [](std::uint32_t own, int most) {
    return static_cast<int>(std::min(own, static_cast<std::uint32_t>(most)));
  };
  return {.instructions = least(info.max_instructions, TENON_MAX_INSTRUCTIONS),
          .inputs = least(info.max_inputs, TENON_MAX_INPUTS),
          .outputs = least(info.max_outputs, TENON_MAX_OUTPUTS),
          .scalars = least(info.max_scalars, TENON_MAX_SCALARS),
          .constants = least(info.max_constants, TENON_MAX_CONSTANTS)};
}

/// An fma of three inputs can't be cut, only legalised.
program::Target target_of(const TenonDeviceInfo& info, const program::Limits& limits) {
  const std::uint64_t fma = limits.inputs < 3 ? std::uint64_t{1} << TENON_OP_FMA : 0;
  return {info.opcodes & ~fma, info.storage_dtypes, info.compute_dtypes};
}

bool fits(const program::Draft& draft, const program::Limits& most) {
  const auto within = [](const auto& list, int limit) { return std::ssize(list) <= limit; };
  return within(draft.instructions, most.instructions) && within(draft.inputs, most.inputs) &&
         within(draft.outputs, most.outputs) && within(draft.scalars, most.scalars) &&
         within(draft.constants, most.constants);
}

/// What of the program the device does not take, or "".
std::string obstacle(const program::Draft& draft, const program::Limits& limits, bool is_legal) {
  if (!is_legal) return "an opcode or a dtype of the program";
  if (fits(draft, limits)) return "";
  return fmt::format("a program of {} instructions, {} inputs and {} outputs in one",
                     draft.instructions.size(), draft.inputs.size(), draft.outputs.size());
}

std::unique_ptr<const Lowered> worked_out(const program::Program& program,
                                          const TenonDeviceInfo& info) {
  const program::Limits limits = limits_of(info);
  const program::Target target = target_of(info, limits);
  program::Draft draft = decode(program);
  const bool is_legal = program::is_legal(draft, target);
  const std::string reason = obstacle(draft, limits, is_legal);
  const bool is_cut = splits_all() && program.instruction_count() > 1;
  if (reason.empty() && !is_cut) return nullptr;
  if (!is_legal) draft = program::legalise(draft, target);
  const auto cut = is_cut ? program::Cut::EachInstruction : program::Cut::FewestParts;
  std::optional<program::Program> whole;
  if (!is_cut && fits(draft, limits)) whole = program::seal(draft);
  return std::make_unique<const Lowered>(
      program::split(draft, limits, {info.storage_dtypes, info.compute_dtypes}, cut), reason, whole);
}

}  // namespace

const Lowered* lower(const program::Program& program, runtime::DeviceState& device) {
  using Key = std::pair<const runtime::DeviceState*, std::uint64_t>;
  static std::shared_mutex mutex;
  static auto& table = *new std::map<Key, std::unique_ptr<const Lowered>>;
  const Key key{&device, program.id()};
  {
    const std::shared_lock lock(mutex);
    if (const auto found = table.find(key); found != table.end()) return found->second.get();
  }
  auto lowered = worked_out(program, device.limits());
  const std::unique_lock lock(mutex);
  return table.emplace(key, std::move(lowered)).first->second.get();
}

const program::Program* lower_attachment(std::string_view op, const program::Program& program,
                                         runtime::DeviceState& device) {
  const Lowered* lowered = lower(program, device);
  if (lowered == nullptr) return &program;
  if (!lowered->whole) return nullptr;
  runtime::fall_back(op, device, kInOtherInstructions, lowered->reason);
  return &*lowered->whole;
}

}  // namespace tenon::ops
